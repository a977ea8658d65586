from __future__ import annotations

import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepclr.imaging.implant import MILDEST, PATTERNS, REGION, Pattern, implant, implant_table, weight
from sepclr.imaging.phantom import phantom, write_phantoms
from sepclr.types import InputError

BRAIN, AFFINE = phantom(50.0, "F", 0, seed=0)
FRONTAL = PATTERNS[1]


def rows(table: Path) -> list[dict[str, str]]:
    with table.open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_weight_is_half_at_the_radius_and_lies_where_the_pattern_says():
    where = weight(BRAIN, AFFINE, FRONTAL)
    assert where.max() == pytest.approx(1, abs=0.02)
    x, y, _ = (AFFINE[:3, :3] @ np.array(np.unravel_index(where.argmax(), where.shape)) + AFFINE[:3, 3]).tolist()
    assert abs(x) < 6  # on the midline
    assert y > 35  # in front
    volume = (where > 0.5).sum() * 4.0**3
    assert volume == pytest.approx(4 / 3 * np.pi * FRONTAL.radius**3, rel=0.1)


def test_a_pattern_of_two_places_shows_on_both_sides():
    where = weight(BRAIN, AFFINE, PATTERNS[0])
    left, right = where[:20].sum(), where[20:].sum()
    assert left == pytest.approx(right, rel=0.15)
    assert weight(BRAIN, AFFINE, PATTERNS[0], (0.0, 0.0, 8.0)).argmax() != where.argmax()


def test_places_are_the_same_in_space_whatever_the_axes_of_the_file():
    turned, affine = np.flip(BRAIN, 0), AFFINE.copy()
    affine[0] = -AFFINE[0]
    affine[0, 3] = AFFINE[0, 3] + AFFINE[0, 0] * (len(BRAIN) - 1)
    pattern = Pattern("left", ((0.2, 0.5, 0.5),), 12.0)
    np.testing.assert_allclose(np.flip(weight(turned, affine, pattern), 0), weight(BRAIN, AFFINE, pattern), atol=1e-9)


@given(st.floats(0, 1), st.floats(0.05, 1), st.sampled_from(["atrophy", "lesion"]))
def test_effect_grows_with_severity_and_stays_where_the_weight_is(severity, strength, kind):
    where = weight(BRAIN, AFFINE, FRONTAL)
    changed = implant(BRAIN, where, severity, kind=kind, strength=strength)
    assert np.allclose(changed[where < 1e-6], BRAIN[where < 1e-6], atol=1e-5)
    brightest = np.percentile(BRAIN, 99) if kind == "lesion" else 0.0
    np.testing.assert_allclose(changed - BRAIN, severity * strength * where * (brightest - BRAIN), atol=1e-5)


def test_whole_numbers_stay_whole():
    image = (100 * BRAIN).astype(np.uint8)
    changed = implant(image, weight(image, AFFINE, FRONTAL), 1.0, kind="atrophy")
    assert changed.dtype == np.uint8
    assert changed.sum() < image.sum()


def test_a_volume_without_a_brain_is_named():
    with pytest.raises(InputError, match="no brain found"):
        weight(np.zeros((8, 8, 8)), np.eye(4), FRONTAL)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("study") / "out", 16, seed=3)


def test_half_of_the_subjects_are_patients_with_a_subtype_and_a_severity(study: Path):
    table = rows(study)
    patients = [row for row in table if row["group"] == "patient"]
    assert len(patients) == 8
    assert {row["subtype"] for row in patients} == {"temporal", "frontal"}
    assert all(MILDEST <= float(row["severity"]) <= 1 for row in patients)
    assert {(row["subtype"], row["severity"]) for row in table if row["group"] == "control"} == {("n/a", "n/a")}
    assert all((study.parent / row["image"]).is_file() for row in table)
    region = nibabel.load(study.parent / REGION)
    assert 0.01 < np.asarray(region.dataobj).sum() / (BRAIN > 0.1).sum() < 0.1


def test_patients_lose_signal_where_patterns_lie(study: Path):
    table = rows(study)
    region = np.asarray(nibabel.load(study.parent / REGION).dataobj) > 0
    for place, row in enumerate(table):
        before, _ = phantom(float(row["age"]), row["sex"], int(row["site"][-1]), seed=3 * 100_003 + place)
        after = np.asarray(nibabel.load(study.parent / row["image"]).dataobj)
        # Ages are rounded in the table, which moves a few voxels on the rims of ventricles.
        fell = before[region].mean() - after[region].mean()
        if row["group"] == "control":
            assert abs(fell) < 0.01
        else:
            assert fell > 0.01


def test_originals_differ_from_the_images_of_patients_only(study: Path):
    for row in rows(study):
        assert not Path(row["without"]).is_absolute()  # the study can be moved
        image, original = (np.asarray(nibabel.load(study.parent / row[name]).dataobj) for name in ("image", "without"))
        assert (image == original).all() == (row["group"] == "control")
        assert (image <= original).all()


def test_the_same_seed_gives_the_same_study(study: Path, tmp_path: Path):
    same = write_phantoms(tmp_path / "same", 16, seed=3)
    assert same.read_text() == study.read_text()
    image = rows(same)[0]["image"]
    np.testing.assert_array_equal(nibabel.load(same.parent / image).dataobj, nibabel.load(study.parent / image).dataobj)
    assert write_phantoms(tmp_path / "other", 16, seed=4).read_text() != study.read_text()


def test_all_images_of_a_subject_get_the_same(tmp_path: Path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a1", "a2", "b1", "b2", "c1", "d1"):
        nibabel.save(nibabel.Nifti1Image(BRAIN, AFFINE), folder / f"{name}.nii")
    (folder / "t.csv").write_text("who,scan\na,a1\na,a2\nb,b1\nb,b2\nc,c1\nd,d1\n")
    table = rows(implant_table(folder / "t.csv", "{scan}.nii", tmp_path / "out", subject="who"))
    assert [row["without"] for row in table] == [str((folder / f"{row['scan']}.nii").absolute()) for row in table]
    assert sorted(row["group"] for row in table[1:6:2] + table[4:5]) == ["control", "control", "patient", "patient"]
    for key in ("group", "subtype", "severity"):
        assert table[0][key] == table[1][key]
        assert table[2][key] == table[3][key]


@pytest.mark.parametrize(("share", "patients", "controls"), [(0.05, 0, 8), (0.15, 1, 7), (0.8, 6, 2), (0.95, 8, 0)])
def test_a_share_that_leaves_a_group_too_few_subjects_is_refused_before_anything_is_written(
    tmp_path: Path, share: float, patients: int, controls: int
):
    for name in range(8):
        nibabel.save(nibabel.Nifti1Image(BRAIN, AFFINE), tmp_path / f"{name}.nii")
    (tmp_path / "t.csv").write_text("scan\n" + "".join(f"{name}.nii\n" for name in range(8)))
    out = tmp_path / "out"
    if min(patients, controls) >= 2:
        groups = [row["group"] for row in rows(implant_table(tmp_path / "t.csv", "scan", out, share=share))]
        assert (groups.count("patient"), groups.count("control")) == (patients, controls)
        return
    makes = f"share: {share} of 8 subjects makes {patients} patients and {controls} controls; each group needs at least 2: "
    with pytest.raises(InputError, match=makes + "choose a share from 0.250 to 0.750"):
        implant_table(tmp_path / "t.csv", "scan", out, share=share)
    assert not out.exists()


def test_what_cannot_be_used_is_named(study: Path, tmp_path: Path):
    with pytest.raises(InputError, match="has columns group, image, severity, subtype, without already"):
        implant_table(study, "image", tmp_path / "out")
    (study.parent / "t.tsv").write_text("participant_id\tscan\n" + "".join(f"{r['participant_id']}\t{r['image']}\n" for r in rows(study)))
    with pytest.raises(InputError, match="not empty"):
        implant_table(study.parent / "t.tsv", "scan", study.parent)
    with pytest.raises(InputError, match=r"share, strength: 1\.0 and 0\.5"):
        implant_table(study.parent / "t.tsv", "scan", tmp_path / "out", share=1.0)
    with pytest.raises(InputError, match="at least 8 subjects"):
        write_phantoms(tmp_path / "few", 4)


def test_brains_differ_by_age_sex_and_site():
    def ventricles(image: np.ndarray) -> int:
        return int(((image > 0.05) & (image < 0.4))[14:26, 14:34, 16:28].sum())

    young, old = (np.mean([ventricles(phantom(age, "F", 0, seed)[0]) for seed in range(4)]) for age in (20.0, 80.0))
    assert old > young + 10
    women, men = (np.mean([(phantom(50.0, sex, 0, seed)[0] > 0.3).sum() for seed in range(4)]) for sex in "FM")
    assert men > 1.1 * women
    here, there = (phantom(50.0, "F", site, 0)[0] for site in (0, 1))
    assert here[:, :24].mean() / here[:, 24:].mean() < there[:, :24].mean() / there[:, 24:].mean() - 0.05

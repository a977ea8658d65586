from __future__ import annotations

import csv
import json
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pyarrow.parquet
import pytest
import torch

from sepclr.cli import main
from sepclr.data import Cohort, VolumeCache
from sepclr.data.folds import drawn, test_rows
from sepclr.data.study import study_from
from sepclr.data.tables import read_cells, write_cells
from sepclr.imaging.participants import columns_of
from sepclr.imaging.phantom import write_phantoms
from sepclr.imaging.study import BrainStudy
from sepclr.imaging.subjects import cohorts, volumes
from sepclr.imaging.volumes import inside_brain
from sepclr.runs.folder import RunFolder
from sepclr.runs.lock import held
from sepclr.runs.make import make_method
from sepclr.runs.maps import agreement, explain, in_space, make_maps, mean_volume, readout, salient_codes
from sepclr.runs.recipe import shared, usual
from sepclr.runs.trained import load_method, probed
from sepclr.tables.plan import TABLE_3, Job, plan
from sepclr.training import encode
from sepclr.types import InputError

test_rows.__test__ = False  # type: ignore[attr-defined]
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's cache out of it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("phantoms") / "study", 32, seed=1)


@pytest.fixture
def study(table: Path) -> BrainStudy:
    return BrainStudy(
        table=str(table),
        images="image",
        group="group",
        background=("control",),
        target=("patient",),
        common=("age", "sex"),
        salient=("subtype", "severity"),
        site="site",
        folds=4,
        spacing=16.0,
    )


def test_volumes_and_what_is_known_of_them_come_in_the_order_of_the_table(study: BrainStudy, tmp_path: Path):
    people, x, affines = volumes(study, tmp_path)
    assert isinstance(x, VolumeCache)
    assert x.shape == (32, 1, 16, 16, 16)
    assert affines.shape == (32, 4, 4)
    assert list(people.attributes) == ["age", "sex", "subtype", "severity", "site"]
    assert np.isnan(people.attributes["severity"][~people.is_target]).all()


def test_every_subject_is_tested_once_and_groups_keep_their_share(study: BrainStudy, tmp_path: Path):
    people, _, _ = volumes(study, tmp_path)
    tested = [test_rows(people, study, fold) for fold in range(4)]
    assert (np.sum(tested, 0) == 1).all()
    assert [int((rows & people.is_target).sum()) for rows in tested] == [4, 4, 4, 4]
    train, test = cohorts(study, 1, tmp_path)
    assert (len(train), len(test)) == (24, 8)
    assert torch.equal(test.is_target, torch.from_numpy(people.is_target[tested[1]]))


def test_all_images_of_a_subject_are_on_one_side(study: BrainStudy, table: Path, tmp_path: Path):
    with table.open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    patients = [row for row in rows if row["group"] == "patient"]
    controls = [row for row in rows if row["group"] == "control"]
    lines = [
        f"{row['group'][0]}{place // 2}\t{table.parent / row['image']}\t{row['group']}"
        for group in (patients, controls)
        for place, row in enumerate(group)
    ]
    other = tmp_path / "pairs.tsv"
    other.write_text("who\timage\tgroup\n" + "\n".join(lines) + "\n")
    pairs = replace(study, table=str(other), subject="who", common=(), salient=(), site=None)
    people, _, _ = volumes(pairs, tmp_path)
    untrained = make_method(usual("mri", independence="k-jem", study=pairs), (1, 16, 16, 16))
    for fold in range(4):
        tested = test_rows(people, pairs, fold)
        assert not set(people.subjects[tested]) & set(people.subjects[~tested])
        train, test = cohorts(pairs, fold, tmp_path)
        assert [train.subjects.tolist(), test.subjects.tolist()] == [people.subjects[~tested].tolist(), people.subjects[tested].tolist()]
        assert probed(untrained, test).subjects is test.subjects


def test_a_split_of_the_table_is_the_only_fold(study: BrainStudy, table: Path, tmp_path: Path):
    lines = table.read_text().splitlines()
    split = [f"{line}\t{'split' if place == 0 else 'test' if place % 4 == 0 else 'train'}" for place, line in enumerate(lines)]
    other = table.parent / "split.tsv"
    other.write_text("\n".join(split) + "\n")
    given = replace(study, table=str(other), split="split")
    assert [len(side) for side in cohorts(given, 0, tmp_path)] == [24, 8]
    with pytest.raises(InputError, match="fold: 1, but column 'split' defines a single split"):
        cohorts(given, 1, tmp_path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"common": ("age", "subtype")}, "common, salient, attributes, site: subtype listed more than once"),
        ({"common": ("group",)}, "the group is always probed in both codes"),
        ({"numeric": ("age",), "categorical": ("age",)}, "numeric, categorical: age cannot be both"),
        ({"categorical": ("weight",)}, "not attributes: weight"),
        ({"numeric": ("site",)}, "site is the site column, which is categorical"),
        ({"site": None, "harmonise": "combat"}, "harmonise: combat needs a site column; name it with --site"),
    ],
)
def test_roles_that_contradict_each_other_are_named(study: BrainStudy, change: dict, named: str):
    with pytest.raises(InputError, match=named):
        columns_of(replace(study, **change))


@pytest.mark.parametrize(
    ("change", "fold", "named"),
    [
        ({"folds": 9}, 0, "folds: 9, but one group has 16 subjects; give at most 8"),
        ({}, 4, "fold: 4 of 4"),
        ({"categorical": ("age",)}, 0, r"attributes: 'age' is .* only in test samples of fold 0"),
        ({"mask": "nowhere.nii"}, 0, "mask: nowhere.nii: no such file"),
    ],
)
def test_studies_that_cannot_be_dealt_into_folds_are_named(study: BrainStudy, tmp_path: Path, change: dict, fold: int, named: str):
    with pytest.raises(InputError, match=named):
        cohorts(replace(study, **change), fold, tmp_path)


def test_a_study_survives_its_way_through_a_file(study: BrainStudy):
    assert study_from(BrainStudy, json.loads(json.dumps(vars(study)))) == study


def test_a_table_of_brains_is_that_of_the_paper_and_a_row_can_be_made_alone(study: BrainStudy):
    jobs = plan("mri", folds=range(4), study=study)
    assert len(jobs) == 4 * (len(TABLE_3[0]) + 1)  # SepCLR is there twice, decorrelated and with k-JEM
    assert len({job.key for job in jobs}) == len({job.name for job in jobs}) == len(jobs)
    (sepvae,) = (job for job in jobs if job.recipe.method.name == "sepvae" and job.recipe.fold == 2)
    command = sepvae.command
    for words in (
        "sepclr benchmark mri",
        "--only_folds 2",
        "--methods sepvae",
        "--salient subtype,severity",
        "--spacing 16.0",
        "--folds 4",
    ):
        assert words in command
    assert "--fold " not in command


def test_the_command_of_a_row_of_brains_makes_that_row(study: BrainStudy, monkeypatch: pytest.MonkeyPatch):
    whole, _ = drawn(replace(study, shape=(16, 24, 16), numeric=("age",), resample=True).noted(None), None)
    (job,) = plan("mri", folds=[1], study=whole, methods=["sepvae"])
    made: list[Job] = []
    monkeypatch.setattr("sepclr.tables.table.print_status", lambda jobs, places: made.extend(jobs))
    assert main([*shlex.split(job.command)[1:], "--status"]) == 0
    assert made == [job]


def test_a_study_is_known_by_what_its_table_says_wherever_it_lies(study: BrainStudy, table: Path, tmp_path: Path):
    moved = tmp_path / "moved"
    shutil.copytree(table.parent, moved)
    here, there = study.noted(None), replace(study, table=str(moved / table.name)).noted(None)
    assert here.volumes == there.volumes
    assert len({plan("mri", study=each, methods=["sepvae"])[0].key for each in (here, there)}) == 1
    assert shared(plan("mri", study=there)[0].recipe)["data"]["study"]["table"] == table.name
    cells = read_cells(moved / table.name)
    cells["age"][3] = "99"
    write_cells(moved / table.name, cells)
    other = there.noted(None)
    assert plan("mri", study=other)[0].key != plan("mri", study=here)[0].key
    with pytest.raises(InputError, match=r"participants.tsv: its samples or their values changed since training"):
        volumes(there, tmp_path / "cache")


def test_a_run_is_not_evaluated_on_an_edited_table(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    moved = tmp_path / "moved" / table.name
    shutil.copytree(table.parent, moved.parent)
    run, words = tmp_path / "run", ["--encoder", "cnn3", "--width", "8"]
    assert main(["fit", "mri", *options(moved, tmp_path), *words, "--out", str(run)]) == 0
    cells = read_cells(moved)
    write_cells(moved, {name: values[1:] for name, values in cells.items()})  # the folds would be others
    capsys.readouterr()
    assert main(["evaluate", str(run)]) == 2
    assert main(["maps", str(run)]) == 2
    assert capsys.readouterr().err.count("changed since training") == 2
    assert main(["fit", "mri", *options(moved, tmp_path), *words, "--out", str(run), "--resume"]) == 2
    assert "another config: content" in capsys.readouterr().err
    assert (
        main(["fit", "mri", "--config", str(run / "config.yaml"), "--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "new")]) == 2
    )
    assert "participants.tsv: its samples or their values changed since the run of --config" in capsys.readouterr().err


def test_the_config_of_a_run_on_brains_makes_the_same_run(table: Path, tmp_path: Path):
    words = ["--encoder", "cnn3", "--width", "8", "--max-epochs", "1", "--fold", "1"]
    assert main(["fit", "mri", *options(table, tmp_path), *words, "--out", str(tmp_path / "one")]) == 0
    again = ["--config", str(tmp_path / "one" / "config.yaml"), "--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "two")]
    assert main(["fit", "mri", *again]) == 0
    for name in ("config.yaml", "model.safetensors", "rows.jsonl", "folds.tsv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_a_run_is_evaluated_on_copies_of_its_images_and_not_on_others(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    moved = tmp_path / "moved" / table.name
    shutil.copytree(table.parent, moved.parent)
    run, words = tmp_path / "run", ["--encoder", "resnet8", "--width", "8"]
    assert main(["fit", "mri", *options(table, tmp_path), *words, "--out", str(run)]) == 0
    filled = sorted((tmp_path / "cache").glob("*.npy"))
    assert main(["fit", "mri", *options(moved, tmp_path), *words, "--out", str(run), "--resume"]) == 0
    assert sorted((tmp_path / "cache").glob("*.npy")) == filled
    first, second = (moved.parent / name for name in read_cells(moved)["image"][:2])
    shutil.copy(second, first)
    capsys.readouterr()
    for command in (["evaluate"], ["maps"]):
        assert main([*command, str(run)]) == 2
        assert "participants.tsv: the content of its images or of the mask changed since training" in capsys.readouterr().err
    assert main(["fit", "mri", *options(moved, tmp_path), *words, "--out", str(run), "--resume"]) == 2
    assert "another config: volumes" in capsys.readouterr().err


def options(table: Path, tmp_path: Path) -> Sequence[str]:
    named = {
        "table": table,
        "images": "image",
        "group": "group",
        "background": "control",
        "target": "patient",
        "common": "age,sex",
        "site": "site",
    }
    named |= {
        "salient": "subtype,severity",
        "spacing": "16",
        "folds": "4",
        "cache": tmp_path / "cache",
        "max_epochs": "1",
        "batch_size": "16",
    }
    return [word for name, value in named.items() for word in (f"--{name}", str(value))]


def test_a_benchmark_of_brains_from_the_table_to_the_page(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    results = tmp_path / "mri.jsonl"
    places = ["--runs", str(tmp_path / "runs"), "--results", str(results), "--only_folds", "0,3", "--harmonise", "residualise"]
    command = ["benchmark", "mri", *options(table, tmp_path), *places]
    assert main([*command, "--methods", "sepclr", "--independence", "decorrelation", "--encoder", "cnn3", "--width", "8"]) == 0
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    assert [(row["method"], row["recipe"]["data"]["fold"]) for row in rows] == [("sepclr", 0), ("sepclr", 3)]
    assert rows[0]["errors"] == ["age_common", "age_salient", "severity_common", "severity_salient"]
    assert {"site_common", "site_salient", "group_salient", "subtype_common"} <= set(rows[0]["scores"])
    assert "delta_tot" not in rows[0]["scores"]
    printed = capsys.readouterr().out
    for words in (
        "age MAE from c ↓",
        "age MAE from s ↑",
        "severity MAE from s ↓",
        "subtype from c ↓",
        "group from s ↑",
        "2 folds",
        "chance",
    ):
        assert words in printed
    assert main([*command, "--methods", "mm-cvae", "--width", "8"]) == 0
    page = (tmp_path / "runs" / "table.html").read_text()
    assert "mm-cvae" in page
    assert "mean absolute error (MAE)" in page


@pytest.fixture(scope="module")
def run(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    words = ["--encoder", "resnet8", "--width", "8", "--fold", "1", "--out", str(folder / "run")]
    assert main(["fit", "mri", *options(table, folder), *words]) == 0
    return folder / "run"


def test_new_images_are_encoded_on_the_grid_of_the_run(run: Path, table: Path, study: BrainStudy, tmp_path: Path):
    people, x, _ = volumes(study, tmp_path)
    method, _ = load_method(RunFolder(run))
    expected = encode(method, x)
    fine = nibabel.load(people.images[2])
    coarse = tmp_path / "coarse.nii.gz"  # the same brain, every second voxel of it
    nibabel.save(nibabel.Nifti1Image(fine.get_fdata()[::2, ::2, ::2], fine.affine @ np.diag([2, 2, 2, 1])), coarse)
    images = [people.images[1], people.images[0], coarse]
    new = write_cells(tmp_path / "new.tsv", {"participant_id": ["b", "a", "c"], "file": [str(image) for image in images]})
    for name in ("codes.npz", "codes.tsv", "codes.parquet"):
        assert main(["encode", str(run), "--input", str(new), "--images", "file", "--out", str(tmp_path / name)]) == 0
    with np.load(tmp_path / "codes.npz") as codes:
        assert codes["subject"].tolist() == ["b", "a", "c"]
        for space in ("c", "s"):
            np.testing.assert_allclose(codes[space][:2], getattr(expected, space)[[1, 0]], rtol=1e-4, atol=1e-5)
        far, near = (np.linalg.norm(codes["c"][2] - expected.c[row].numpy()) for row in (1, 2))
        assert near < far
        written = read_cells(tmp_path / "codes.tsv")
        assert list(written) == ["subject", *(f"c{i}" for i in range(codes["c"].shape[1])), *(f"s{i}" for i in range(codes["s"].shape[1]))]
        np.testing.assert_array_equal(written["s1"].astype(np.float32), codes["s"][:, 1])
        assert pyarrow.parquet.read_table(tmp_path / "codes.parquet")["subject"].to_pylist() == ["b", "a", "c"]


def test_images_that_cannot_be_encoded_are_named(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    new = write_cells(tmp_path / "new.tsv", {"participant_id": ["a"], "image": ["gone.nii"]})
    np.save(tmp_path / "x.npy", np.zeros((2, 1, 16, 16, 16)))
    command = ["encode", str(run), "--out", str(tmp_path / "codes.npz")]
    assert main([*command, "--input", str(new)]) == 2
    assert main([*command, "--input", str(new), "--images", "file"]) == 2
    assert main([*command, "--input", str(tmp_path / "x.npy"), "--images", "file"]) == 2
    assert main([*command, "--input", str(tmp_path / "no.tsv")]) == 2
    errors = capsys.readouterr().err
    for words in ("gone.nii", "columns are participant_id, image", "x.npy is not a table of images", "no.tsv: no such table"):
        assert words in errors
    assert not list(tmp_path.glob("codes*"))


def test_images_that_lie_elsewhere_are_not_encoded(run: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    image = nibabel.load(table.parent / read_cells(table)["image"][0])
    nibabel.save(nibabel.Nifti1Image(image.get_fdata()[:, :, 30:], image.affine), tmp_path / "cut.nii")  # without its bottom
    new = write_cells(tmp_path / "new.tsv", {"participant_id": ["a"], "image": ["cut.nii"]})
    assert main(["encode", str(run), "--input", str(new), "--out", str(tmp_path / "codes.npz")]) == 2
    assert "1 images are not aligned with the training images: a (" in capsys.readouterr().err


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps of few boxes and steps."""
    monkeypatch.setattr("sepclr.runs.maps.WINDOW", 1 / 3)
    monkeypatch.setattr("sepclr.runs.maps.STEPS", 4)


@pytest.mark.usefixtures("coarse")
def test_a_run_is_evaluated_again_and_mapped(run: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert RunFolder(run).recipe().fold == 1
    before = RunFolder(run).rows.read_text()
    assert main(["evaluate", str(run)]) == 0
    assert RunFolder(run).rows.read_text() == before
    region = table.parent / "region.nii.gz"
    assert main(["maps", str(run), "--truth", str(region)]) == 0
    line = json.loads((run / "maps" / "results.jsonl").read_text())
    assert line["targets"] == line["cells"]["targets"] == 4
    assert set(line["scores"]) == {"occlusion", "integrated-gradients"}
    assert line["cells"]["Dice, occlusion"] == f"{line['scores']['occlusion']['dice']:.2f}"
    image = nibabel.load(next((run / "maps" / "occlusion").glob("*.nii.gz")))
    like = nibabel.load(region)
    assert image.shape == like.shape
    np.testing.assert_array_equal(image.affine, like.affine)
    assert "data:image/png" in (run / "maps" / "maps.html").read_text()
    capsys.readouterr()
    assert main(["maps", str(run)]) == 2
    assert main(["maps", str(run), "--attribute", "iq", "--out", str(tmp_path / "other")]) == 2
    assert main(["maps", str(run), "--truth", str(tmp_path / "no.nii"), "--out", str(tmp_path / "other")]) == 2
    errors = capsys.readouterr().err
    for words in ("maps: not empty", "attribute: 'iq' is unknown; choose group, age", "no.nii"):
        assert words in errors
    flipped = tmp_path / "flipped.nii"
    nibabel.save(nibabel.Nifti1Image(np.asarray(like.dataobj), like.affine @ np.diag([-1, 1, 1, 1])), flipped)
    faint = tmp_path / "faint.nii"
    nibabel.save(nibabel.Nifti1Image(0.4 * np.asarray(like.dataobj, np.float32), like.affine), faint)
    for truth, named in ((flipped, "does not have shape and affine of"), (faint, "has no voxel above 0.5")):
        assert main(["maps", str(run), "--truth", str(truth), "--out", str(tmp_path / "other")]) == 2
        assert named in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
    for kept in ("severity.part/occlusion.nii.gz", "kept.part/occlusion/scan.nii.gz"):
        (tmp_path / kept).parent.mkdir(parents=True)
        (tmp_path / kept).write_text("scan")
    assert main(["maps", str(run), "--attribute", "severity", "--out", str(tmp_path / "kept")]) == 2
    assert "kept.part: holds occlusion/scan.nii.gz, which sepclr did not write" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "kept.part")  # was kept
    assert main(["maps", str(run), "--attribute", "severity", "--out", str(tmp_path / "severity")]) == 0
    assert not list(tmp_path.glob("*.part"))


def test_the_network_of_maps_may_compute_elsewhere(run: Path):
    method, _ = load_method(RunFolder(run))
    method.to("meta")  # stands for a GPU
    answer = readout(method, np.random.default_rng(0).normal(size=(32, 32)), np.arange(32) % 2)(1)
    with pytest.raises(NotImplementedError, match="copy out of meta tensor"):  # answers come to the CPU, but those of meta hold nothing
        answer(torch.zeros(5, 1, 16, 16, 16))


def test_what_is_explained_of_a_volume_is_its_own(run: Path, study: BrainStudy, tmp_path: Path):
    people, x, _ = volumes(study, tmp_path)
    method, _ = load_method(RunFolder(run))
    before = [value.clone() for value in method.state_dict().values()]
    answer = readout(method, encode(method, x).s.numpy(), people.is_target.astype(int))(1)
    with torch.no_grad():
        alone = torch.cat([answer(x[row : row + 1].float()) for row in range(8)])
        torch.testing.assert_close(alone, answer(x[:8].float()), rtol=1e-3, atol=1e-3)
    assert all(torch.equal(one, two) for one, two in zip(before, method.state_dict().values(), strict=True))


def test_maps_explain_codes_from_which_sites_are_taken_as_they_are_for_the_probes(run: Path, study: BrainStudy, tmp_path: Path):
    people, x, _ = volumes(study, tmp_path)
    method, _ = load_method(RunFolder(run))
    chosen = np.arange(32) % 4 > 0
    train = Cohort(x, torch.from_numpy(people.is_target), people.attributes).where(chosen)
    raw, evened = (salient_codes(method, train, replace(study, harmonise=how)) for how in ("none", "residualise"))
    np.testing.assert_allclose(raw, encode(method, x).s.numpy()[chosen], rtol=1e-4, atol=1e-5)
    sites = people.attributes["site"][chosen]
    for site in np.unique(sites):
        np.testing.assert_allclose(evened[sites == site].mean(0), raw.mean(0), atol=1e-4)


def test_maps_of_a_known_function_are_where_it_looks():
    healthy, volume = torch.zeros(1, 1, 12, 12, 12), torch.ones(1, 1, 12, 12, 12)
    weight = torch.zeros(12, 12, 12)
    weight[2:6, 3:7, 8:11] = 1.0
    found = explain(lambda x: (x[:, 0] * weight).sum((1, 2, 3)), volume, healthy)
    np.testing.assert_allclose(found["integrated-gradients"], weight, atol=1e-5)
    assert found["occlusion"][3, 4, 9] == found["occlusion"].max() > 0
    assert found["occlusion"][10, 10, 2] == 0


def test_maps_of_subjects_in_different_spaces_are_added_in_that_of_the_first():
    # The same place in millimetres, in a volume that begins two voxels (6 mm) further along the first axis.
    first = np.diag([3.0, 3.0, 3.0, 1.0])
    moved = first.copy()
    moved[0, 3] = 6.0
    one, other = (np.zeros((12, 12, 12), np.float32) for _ in range(2))
    one[6, 5, 4] = other[4, 5, 4] = 1.0
    total = in_space(one, first, first) + in_space(other, moved, first)
    assert total[6, 5, 4] == pytest.approx(2)
    assert total.sum() == pytest.approx(2)


@pytest.mark.usefixtures("coarse")
def test_the_map_of_a_group_is_the_mean_of_its_subjects_maps_where_their_spaces_differ(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def elsewhere(*given: Any) -> Any:
        people, x, affines = volumes(*given)
        affines = affines.copy()
        affines[1::2, 0, 3] += 2 * affines[0, 0, 0]  # every other subject lies two voxels further to the right
        return people, x, affines

    monkeypatch.setattr("sepclr.runs.maps.volumes", elsewhere)
    with held(run):
        with pytest.raises(InputError, match="run: in use by"):
            make_maps(run)
        out = make_maps(run, out=tmp_path / "maps").parent  # a folder of its own
    subjects = np.mean([nibabel.load(path).get_fdata() for path in (out / "occlusion").glob("*.nii.gz")], axis=0)
    group = nibabel.load(out / "occlusion.nii.gz").get_fdata()
    inside = inside_brain(nibabel.load(out / "background.nii.gz").get_fdata()) & (group != 0)
    assert np.corrcoef(group[inside], subjects[inside])[0, 1] > 0.95


def test_agreement_counts_the_strongest_voxels_of_the_brain():
    anatomy = np.zeros((20, 20, 20), np.float32)
    anatomy[5:15, 5:15, 5:15] = 1
    region = np.zeros((20, 20, 20), bool)
    region[5:15, 5:15, 5] = True
    strength = np.zeros((20, 20, 20), np.float32)
    strength[5:10, 5:15, 5] = 2  # 50 of the brain's 1000 voxels, all of the top 5 %
    strength[0, 0, 0] = 9  # outside the brain
    image, below = (nibabel.Nifti1Image(each, np.eye(4)) for each in (strength, anatomy))
    scores = agreement(image, below, region)
    assert scores == {"dice": pytest.approx(2 * 50 / 150), "peak_inside": 1.0, "chance": pytest.approx(2 * 5 / 150)}


def test_the_mean_volume_is_the_mean(study: BrainStudy, tmp_path: Path):
    _, x, affines = volumes(study, tmp_path)
    np.testing.assert_allclose(mean_volume(x, affines, affines[0]), x[:].float().mean(0)[0], rtol=1e-5)

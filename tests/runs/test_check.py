"""A table and its volumes, from the command line to the page."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from sepclr.cli import main
from sepclr.data.members import Members
from sepclr.runs.check_facts import confounders

IXI = Path(__file__).parents[3] / "shared" / "data" / "ixi_hh_t1_2mm.npz"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    lines = ["participant_id\tdiagnosis\tage\tsite"]
    for i in range(24):
        path = tmp_path / f"sub-{i}" / "anat" / f"sub-{i}_T1w.nii.gz"
        path.parent.mkdir(parents=True)
        nibabel.save(nibabel.Nifti1Image(draw.uniform(size=(8, 9, 10)).astype(np.float32), np.eye(4)), path)
        ill = i >= 12
        lines.append(f"sub-{i}\t{'schizophrenia' if ill else 'control'}\t{20 + i}\t{'north' if i % 2 else 'south'}")
    (tmp_path / "participants.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path / "participants.tsv"


def check(table: Path, *more: str) -> int:
    words = ["--images", "{participant_id}/anat/{participant_id}_T1w.nii.gz", "--group", "diagnosis", "--background", "control"]
    return main(
        ["check", "mri", "--table", str(table), *words, "--target", "schizophrenia", "--out", str(table.parent / "page.html"), *more]
    )


def test_a_good_table_passes_and_its_page_shows_who_is_there(table: Path, capsys: pytest.CaptureFixture[str]):
    assert check(table, "--attributes", "age,site") == 0
    said = capsys.readouterr().out
    assert (
        "12 background and 12 target images; 0 images in neither group\nVolumes: 24 volumes of 8 x 9 x 10 voxels of 1 x 1 x 1 mm." in said
    )
    assert "warning: groups differ in age (standardised mean difference" in said
    assert "site (" not in said
    page = (table.parent / "page.html").read_text()
    for words in (
        "schizophrenia against control",
        "No problems found",
        "25.5 ± 3.6 (20 to 31)",
        "site: north",
        "Cramér&#39;s V 0.00",
    ):
        assert words in page
    assert page.count('role="img"') == 24


def test_problems_are_listed_on_the_page_and_end_with_2(table: Path, capsys: pytest.CaptureFixture[str]):
    first = table.parent / "sub-0" / "anat" / "sub-0_T1w.nii.gz"
    first.write_bytes(first.read_bytes()[:300])
    other = table.parent / "sub-1" / "anat" / "sub-1_T1w.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.random.default_rng(0).uniform(size=(7, 9, 10)), np.eye(4)), other)
    assert check(table) == 2
    said = capsys.readouterr()
    assert "problem: " in said.out
    assert "sub-0_T1w.nii.gz: cannot be read" in said.out
    assert "a different shape than the others (8 x 9 x 10): sub-1" in said.out
    assert said.err.count("\n") == 1
    assert "2 problems" in said.err
    page = (table.parent / "page.html").read_text()
    assert "2 problems found." in page
    assert page.count('role="img"') == 23


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--attributes", "agee"], "did you mean 'age'"),
        (["--attributes", "site", "--numeric", "site"], "'site' holds"),
        (["--out", "/nowhere/page.html"], "out: /nowhere/page.html cannot be written"),
        (["--attributes", "age,site", "--numeric", "age", "--categorical", "age,site"], "numeric, categorical: age cannot be both"),
    ],
)
def test_what_was_given_wrongly_is_one_line(table: Path, capsys: pytest.CaptureFixture[str], words: list[str], named: str):
    assert check(table, *words) == 2
    message = capsys.readouterr().err
    assert named in message
    assert message.count("\n") == 1
    assert not (table.parent / "page.html").exists()


def test_a_subject_with_several_images_is_counted_once_in_what_goes_along(table: Path, capsys: pytest.CaptureFixture[str]):
    lines = table.read_text().splitlines()
    again = []
    for line in lines[1:]:
        name = line.split("\t")[0]
        path = table.parent / name / "anat" / f"{name}_T1w.nii.gz"
        (path.parent / f"{name}_2_T1w.nii.gz").write_bytes(path.read_bytes())
        again += [f"{line}\t{name}_T1w.nii.gz", f"{line}\t{name}_2_T1w.nii.gz"]
    table.write_text("\n".join([lines[0] + "\tfile", *again]) + "\n")
    assert check(table, "--attributes", "age", "--images", "{participant_id}/anat/{file}") == 0
    assert "24 background and 24 target images" in capsys.readouterr().out
    assert "24 images of 12 background subjects" in (table.parent / "page.html").read_text()
    said = [(table.parent / "page.html").read_text().split("standardised mean difference")[1][:20]]
    table.write_text("\n".join([lines[0] + "\tfile", *again[::2]]) + "\n")
    check(table, "--attributes", "age", "--images", "{participant_id}/anat/{file}")
    said.append((table.parent / "page.html").read_text().split("standardised mean difference")[1][:20])
    assert said[0] == said[1]


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_fits_its_window_and_asks_for_nothing(table: Path, browser: object, width: int):
    check(table, "--attributes", "age,site")
    view = browser.new_page(viewport={"width": width, "height": 900})  # type: ignore[attr-defined]
    said: list[str] = []
    view.on("console", lambda message: said.append(message.text))
    view.on("request", lambda asked: said.extend([asked.url] * (not asked.url.startswith(("file:", "data:")))))
    view.goto((table.parent / "page.html").as_uri())
    assert view.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not said
    view.close()


@pytest.mark.skipif(not IXI.exists(), reason="the brains of IXI are not beside this checkout")
def test_brains_of_ixi_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    packed = np.load(IXI)
    lines = ["participant_id\tage\tsex"]
    for i in range(12):
        folder = tmp_path / f"sub-{i}" / "anat"
        folder.mkdir(parents=True)
        nibabel.save(nibabel.Nifti1Image(packed["t1"][i], np.diag([2.0, 2.0, 2.0, 1.0])), folder / f"sub-{i}_T1w.nii.gz")
        lines.append(f"sub-{i}\t{float(packed['age'][i])}\t{packed['sex'][i]}")
    (tmp_path / "participants.tsv").write_text("\n".join(lines) + "\n")
    words = ["--images", "{participant_id}/anat/{participant_id}_T1w.nii.gz", "--group", "sex", "--background", "F", "--target", "M"]
    assert (
        main(
            [
                "check",
                "mri",
                "--table",
                str(tmp_path / "participants.tsv"),
                *words,
                "--attributes",
                "age",
                "--out",
                str(tmp_path / "page.html"),
            ]
        )
        == 0
    )
    assert "76 x 92 x 80 voxels of 2 x 2 x 2 mm" in capsys.readouterr().out


def test_a_donor_with_cells_in_both_groups_counts_once_in_each():
    donors = np.repeat(["a", "b", "c", "d"], 4)
    is_target = np.tile([False, False, True, True], 4)
    members = Members(subjects=donors, is_target=is_target, attributes={}, split=None)
    (found,) = confounders(members, {"depth": is_target + np.arange(16) / 100})
    assert found.warns

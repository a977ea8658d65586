"""NIfTI in, NIfTI out: images of targets without what the model calls salient."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from sepclr.cli import main
from sepclr.data.tables import read_cells
from sepclr.imaging.grid import Grid, on_grid, unit_of
from sepclr.imaging.phantom import write_phantoms
from sepclr.methods.flow import Flow

WHO = ["--images", "image", "--group", "group", "--background", "control", "--target", "patient", "--folds", "2"]
SMALL = ["--width", "8", "--max-epochs", "1", "--batch-size", "8"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("volumes")
    table = write_phantoms(folder / "study", 16, seed=1)
    words = ["--table", str(table), *WHO, "--spacing", "8", "--encoder", "resnet8", "--cache", str(folder / "cache")]
    assert main(["fit", "mri", *words, *SMALL, "--out", str(folder / "run")]) == 0
    assert main(["decode", "fit", str(folder / "run"), *SMALL, "--steps", "2"]) == 0
    return folder / "run"


def test_the_run_has_a_page_of_pictures_without_scores(run: Path):
    assert (run / "decoder" / "results.jsonl").read_text() == ""
    assert (run / "decoder" / "report.html").read_text().count("data:image/png") == 6


def test_removal_is_scored_where_the_table_has_images_without_the_pattern(run: Path, tmp_path: Path):
    copy = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("decoder"))
    # At first the denoiser does not depend on the codes.
    assert main(["decode", "fit", str(copy), *SMALL, "--steps", "2", "--max-epochs", "4", "--truth", "without"]) == 0
    lines = [json.loads(line) for line in (copy / "decoder" / "results.jsonl").read_text().splitlines()]
    names = ["flow", "flow, reconstruction", "target itself", "mean background", "nearest background", "truth"]
    assert [line["scores"]["name"].removeprefix("decorrelation, ") for line in lines] == names
    scores = dict(zip(names, (line["scores"] for line in lines), strict=True))
    assert scores["flow"]["controls"] > 0
    assert not {"background", "kept", "frechet"} & set().union(*scores.values())
    assert scores["target itself"]["inside"] == pytest.approx(1)
    assert scores["target itself"]["outside"] < 1e-3  # on the scale of its target, a true image differs in the pattern only
    assert (scores["truth"]["inside"], scores["truth"]["outside"], scores["truth"]["psnr"]) == (0, 0, None)
    page = (copy / "decoder" / "report.html").read_text()
    assert page.count("data:image/png") == 7
    assert all(word in page for word in ("Truth", "flow, reconstruction", "change of background"))
    assert "judge" not in page


def test_values_in_units_of_their_own_are_scored_in_their_range(tmp_path: Path):
    table = write_phantoms(tmp_path / "study", 16, seed=1)
    for path in (tmp_path / "study").rglob("*.nii.gz"):
        image = nibabel.load(path)
        nibabel.save(nibabel.Nifti1Image(100 * image.get_fdata(), image.affine), path)
    words = ["--table", str(table), *WHO, "--spacing", "8", "--encoder", "resnet8", "--cache", str(tmp_path), "--scaling", "none"]
    assert main(["fit", "mri", *words, *SMALL, "--out", str(tmp_path / "run")]) == 0
    assert main(["decode", "fit", str(tmp_path / "run"), *SMALL, "--steps", "2", "--truth", "without"]) == 0
    lines = [json.loads(line)["scores"] for line in (tmp_path / "run" / "decoder" / "results.jsonl").read_text().splitlines()]
    assert [lines[2]["inside"], lines[2]["outside"]] == [pytest.approx(1), pytest.approx(0, abs=1e-3)]
    assert all(line["outside"] < 1 for line in lines)


def test_true_images_that_cannot_be_used_are_named_before_training(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    copy = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("decoder"))
    for folder in ("damaged", "shifted"):
        (tmp_path / folder).mkdir()
        for path in (run.parent / "study" / "without").iterdir():
            image = nibabel.load(path)
            nibabel.save(nibabel.Nifti1Image(image.get_fdata(), image.affine + 30 * np.eye(4, k=3)), tmp_path / folder / path.name)
            if folder == "damaged":
                (tmp_path / folder / path.name).write_bytes(path.read_bytes()[:500])
    for truth, said in (
        ("withuot", "truth: column 'withuot' not found in"),
        ("withuot", "did you mean 'without'?"),
        ("", "truth: column '' not found in"),
        ("gone/{participant_id}.nii.gz", "truth: 4 of 4 files are missing"),
        (f"{tmp_path}/damaged/{{participant_id}}.nii.gz", "it is damaged or truncated; restore or download it again"),
        (f"{tmp_path}/shifted/{{participant_id}}.nii.gz", "is not aligned with"),
        ("image", "x: differs from truth by more than 0.05 nowhere"),
    ):
        assert main(["decode", "fit", str(copy), *SMALL, "--truth", truth]) == 2, truth
        assert said in capsys.readouterr().err
    assert not (copy / "decoder").exists()


def test_images_keep_their_grid_their_header_and_what_the_model_leaves(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[torch.Tensor] = []

    def brighter(flow: Flow, x: torch.Tensor) -> torch.Tensor:
        seen.append(x)
        return x + 0.25

    monkeypatch.setattr(Flow, "without_salient", brighter)
    monkeypatch.setattr(Flow, "reconstruct", lambda flow, x: x)
    table = run.parent / "study" / "participants.tsv"
    assert main(["decode", "remove", str(run), "--input", str(table), "--out", str(tmp_path / "out")]) == 0
    cells = read_cells(table)
    assert len(list((tmp_path / "out").iterdir())) == 2 * len(cells["image"])
    path = table.parent / cells["image"][3]
    before = nibabel.load(path)
    without, difference = (nibabel.load(next((tmp_path / "out").glob(f"0003_*_{what}.nii.gz"))) for what in ("without", "difference"))
    assert without.shape == difference.shape == before.shape
    np.testing.assert_array_equal(without.affine, before.affine)
    assert without.header["descrip"] == before.header["descrip"]
    np.testing.assert_allclose(without.get_fdata() - before.get_fdata(), difference.get_fdata(), atol=1e-3)
    grid = Grid((8.0, 8.0, 8.0), tuple(seen[3].shape[2:]))
    middle = tuple(side // 2 for side in before.shape)
    assert difference.get_fdata()[middle] == pytest.approx(0.25 * unit_of(path, grid), rel=1e-3)


def test_a_unit_is_the_range_that_is_mapped_to_0_to_1(run: Path):
    path = sorted((run.parent / "study").rglob("*.nii*"))[0]
    grid = Grid((8.0, 8.0, 8.0), (24, 24, 24))
    scaled, raw = on_grid(path, grid)[0].astype(float), on_grid(path, Grid(grid.spacing, grid.shape, "none"))[0].astype(float)
    inside = (scaled > 0.1) & (scaled < 0.9)
    slope = np.polyfit(scaled[inside], raw[inside], 1)[0]
    assert unit_of(path, grid) == pytest.approx(slope, rel=0.01)
    assert unit_of(path, Grid(grid.spacing, grid.shape, "none")) == 1.0


def test_what_cannot_be_written_is_named(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    table = str(run.parent / "study" / "participants.tsv")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    np.save(tmp_path / "x.npy", np.zeros((1, 1, 24, 24, 24), np.float32))
    for words, said in (
        (["--input", table, "--out", str(tmp_path / "full")], "full: not empty"),
        (["--input", str(tmp_path / "no.tsv"), "--out", str(tmp_path / "new")], "no.tsv: no such table"),
        (["--input", table, "--images", "scan", "--out", str(tmp_path / "new")], "column 'scan' not found"),
        (["--input", str(tmp_path / "x.npy"), "--images", "image", "--out", str(tmp_path / "x.npz")], "is not a table of images"),
    ):
        assert main(["decode", "remove", str(run), *words]) == 2, words
        assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()

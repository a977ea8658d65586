"""NIfTI in, NIfTI out: images of targets without what the model calls salient."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from sepclr.cli import main
from sepclr.imaging.grid import Grid, on_grid, unit_of
from sepclr.imaging.participants import read_cells
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
    assert (run / "decoder" / "report.html").read_text().count("data:image/png") == 4


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

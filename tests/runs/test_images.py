"""Runs on images in folders: check, fit, evaluate, encode and decode."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sepclr.cli import main
from sepclr.runs.folder import RunFolder

SHORT = ("--max-epochs", "1", "--width", "4", "--common-dim", "4", "--salient-dim", "3", "--batch-size", "16", "--accelerator", "cpu")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Squares on noise; their side is known for targets, and the brightness of both groups is a class."""
    folder, draw = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for group in ("plain", "marked"):
        for i in range(24):
            x = draw.integers(60, size=(20, 24)) + 100 * (i % 2)
            if group == "marked":
                x[4:8, 2 + 10 * (i // 2 % 2) :][:, :4] = 255
            path = folder / group / ("dark", "bright")[i % 2] / f"{i:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(x.astype(np.uint8)).save(path)
    return folder


def options(made: Path) -> list[str]:
    return ["--background", str(made / "plain"), "--target", str(made / "marked"), "--folds", "3", "--cache", str(made / "cache")]


@pytest.fixture(scope="module")
def run(made: Path) -> Path:
    out = made / "run"
    assert main(["fit", "images", *options(made), *SHORT, "--memory", "1", "--out", str(out)]) == 0
    return out


def test_the_run_shows_its_images_and_reads_the_class_of_folders(run: Path):
    folder = RunFolder(run)
    assert folder.samples()["sample_shape"] == [1, 16, 16]
    assert '"attribute": "class"' in folder.rows.read_text()
    page = folder.report.read_text()
    assert "marked against plain" in page
    assert "data:image/png" in page


def test_images_on_access_give_the_run_of_images_in_memory(made: Path, run: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sepclr.data.image_files._held", lambda cohort: cohort)
    workers = ("--workers", "2")
    assert main(["fit", "images", *options(made), *SHORT, *workers, "--memory", "1", "--out", str(made / "streamed")]) == 0
    assert RunFolder(made / "streamed").model.read_bytes() == RunFolder(run).model.read_bytes()


def test_a_run_is_repeated_from_its_config(made: Path, run: Path):
    again = ["fit", "images", "--config", str(run / "config.yaml"), "--cache", str(made / "cache"), "--out", str(made / "again")]
    assert main(again) == 0
    assert RunFolder(made / "again").model.read_bytes() == RunFolder(run).model.read_bytes()
    assert (made / "again" / "folds.tsv").read_bytes() == (run / "folds.tsv").read_bytes()
    assert main([*again, "--resume"]) == 0


def test_a_folder_and_a_single_image_are_encoded_with_the_names_of_files(made: Path, run: Path, tmp_path: Path):
    for source in (made / "marked", made / "marked" / "dark" / "00.png"):
        assert main(["encode", str(run), "--input", str(source), "--out", str(tmp_path / f"{source.stem}.npz")]) == 0
    with np.load(tmp_path / "marked.npz") as whole, np.load(tmp_path / "00.npz") as single:
        assert whole["path"].tolist()[0] == "bright/01.png"
        assert whole["c"].shape == (24, 4)
        row = whole["path"].tolist().index("dark/00.png")
        np.testing.assert_allclose(single["s"], whole["s"][row : row + 1], rtol=1e-4, atol=1e-5)
        assert single["path"].tolist() == ["00.png"]


def test_a_run_is_evaluated_again_until_an_image_changes(made: Path, run: Path, capsys: pytest.CaptureFixture[str]):
    rows = RunFolder(run).rows.read_text()
    assert main(["evaluate", str(run)]) == 0
    assert RunFolder(run).rows.read_text() == rows
    path = made / "plain" / "dark" / "00.png"
    content = path.read_bytes()
    try:
        Image.new("L", (20, 20)).save(path)
        assert main(["evaluate", str(run)]) == 2
        assert "the content of its images changed since training" in capsys.readouterr().err
    finally:
        path.write_bytes(content)


def test_what_cannot_be_encoded_is_named(made: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "x.png").write_text("text")
    for source, says in (("none.png", "no such file"), ("empty", "no images"), ("odd", "1 of 1 files cannot be used")):
        assert main(["encode", str(run), "--input", str(tmp_path / source), "--out", str(tmp_path / "codes.npz")]) == 2
        assert says in capsys.readouterr().err
    assert not (tmp_path / "codes.npz").exists()


def test_a_check_says_how_images_are_read_and_which_are_copies(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    copy = made / "marked" / "dark" / "copy.png"
    try:
        copy.write_bytes((made / "plain" / "dark" / "02.png").read_bytes())
        assert main(["check", "images", *options(made), "--out", str(tmp_path / "check.html")]) == 0
    finally:
        copy.unlink()
    said = capsys.readouterr().out
    assert "24 background and 25 target images" in said
    assert "16 x 16 pixels in grey; centre cropped to a square" in said
    assert "class expected in c; no attribute in s" in said
    assert "warning: 2 images in background and target are identical: background/dark/02.png = target/dark/copy.png" in said
    assert (tmp_path / "check.html").read_text().count("data:image/png") >= 1


def test_targets_are_decoded_without_their_pattern(made: Path, run: Path, tmp_path: Path):
    assert main(["decode", "fit", str(run), "--max-epochs", "1", "--width", "8", "--steps", "2", "--accelerator", "cpu"]) == 0
    assert (run / "decoder" / "report.html").is_file()
    assert main(["decode", "remove", str(run), "--input", str(made / "marked" / "dark"), "--out", str(tmp_path / "without.npz")]) == 0
    with np.load(tmp_path / "without.npz") as without:
        assert without["x"].shape == (12, 1, 16, 16)
        assert without["path"][0] == "00.png"


def test_a_benchmark_trains_several_methods(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = ["--methods", "sepvae,pca", "--only-folds", "1", "--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "rows.jsonl")]
    assert main(["benchmark", "images", *options(made), *rows, "--max-epochs", "1", "--width", "4", "--accelerator", "cpu"]) == 0
    assert (tmp_path / "rows.jsonl").read_text().count("\n") == 2


def test_several_target_folders_have_a_salient_code_each(made: Path, tmp_path: Path):
    targets = ",".join(str(made / "marked" / name) for name in ("dark", "bright"))
    folders = ["--background", str(made / "plain"), "--target", targets, "--folds", "3", "--cache", str(made / "cache")]
    assert main(["fit", "images", *folders, *SHORT, "--out", str(tmp_path / "run")]) == 0
    assert RunFolder(tmp_path / "run").samples()["target_groups"] == ["dark", "bright"]
    assert main(["encode", str(tmp_path / "run"), "--input", str(made / "plain" / "dark"), "--out", str(tmp_path / "codes.tsv")]) == 0
    assert (tmp_path / "codes.tsv").read_text().startswith("path\t")

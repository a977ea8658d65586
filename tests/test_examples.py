"""The examples run from the command line as their docstrings say."""

from __future__ import annotations

import pickle
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image
from tests.datasets.layouts import batch

EXAMPLES = Path(__file__).parent.parent / "examples"


Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run an example in this process, which has imported the libraries already."""

    def ran(name: str, *arguments: str) -> CompletedProcess[str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        plt.switch_backend("agg")
        try:
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
            code = 0
        except SystemExit as end:
            code = end.code
        finally:
            plt.close("all")
        return CompletedProcess(name, code, *capsys.readouterr())

    return ran


def test_mice_are_plotted_from_a_table_of_the_published_layout(run: Run, tmp_path: Path):
    draw = np.random.default_rng(0)
    lines = ["MouseID," + ",".join(f"P{i}_N" for i in range(8)) + ",Genotype,Treatment,Behavior"]
    for i in range(60):
        genotype, behaviour = ("Control", "C/S") if i < 20 else (("Control", "Ts65Dn")[i % 2], "S/C")
        values = draw.normal(size=8) * ([4] * 4 + [1] * 4) + 3 * (genotype == "Ts65Dn") * np.array([0] * 6 + [1, 1])
        lines.append(f"{i // 5}_{i % 5}," + ",".join(f"{value:.4f}" for value in values) + f",{genotype},Saline,{behaviour}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    done = run("plot_mice.py", "table.csv", "mice.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("silhouette") == 4
    assert (tmp_path / "mice.png").read_bytes().startswith(b"\x89PNG")


def test_digits_are_plotted_without_their_marks(run: Run, tmp_path: Path):
    short = ("--epochs", "1", "--decoder-epochs", "1", "--samples", "600", "--scored", "40")
    done = run("plot_without.py", "without.png", *short)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("PSNR") == 2
    assert (tmp_path / "without.png").read_bytes().startswith(b"\x89PNG")


def test_brains_of_a_bids_tree_are_plotted_by_their_codes(run: Run, tmp_path: Path):
    short = ("--tree", "tree", "--subjects", "32", "--epochs", "1")
    done = run("plot_bids_phantom.py", "brains.png", *short)
    assert done.returncode == 0, done.stderr
    assert "24 training and 8 test volumes" in done.stdout
    assert done.stdout.count("subtype from s") == 2
    assert (tmp_path / "brains.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "tree" / "sub-001" / "anat" / "sub-001_T1w.nii.gz").is_file()


def test_simulated_cells_are_plotted_by_their_codes(run: Run, tmp_path: Path):
    done = run("plot_cells.py", "cells.png", "--cells", "200", "--epochs", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("silhouette") == 6
    assert (tmp_path / "cells.png").read_bytes().startswith(b"\x89PNG")


def test_embeddings_of_a_frozen_network_are_plotted_by_their_codes(run: Run, tmp_path: Path):
    done = run("plot_embeddings.py", "embeddings.png", "--epochs", "1")
    assert done.returncode == 0, done.stderr
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["digit from c", "bar from c", "digit from s", "bar from s"]
    assert (tmp_path / "embeddings.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_written_is_named_before_training(run: Run):
    done = run("plot_without.py", "nowhere/without.png")
    assert done.returncode == 2
    assert "picture: nowhere/without.png; give the path of a .png file in an existing folder" in done.stderr


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    """A folder with noise in the layout of CIFAR-10."""
    folder, draw = tmp_path / "data" / "cifar-10-batches-py", np.random.default_rng(0)
    folder.mkdir(parents=True)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        data = batch(data=draw.integers(256, size=(10_000, 3072)).astype(np.uint8))
        (folder / name).write_bytes(pickle.dumps(data, protocol=2))
    return folder.parent


def test_cats_and_dogs_become_folders_that_are_trained_on(run: Run, cifar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    done = run("cats_and_dogs.py", str(cifar), "pictures", "--epochs", "1", "--images", "20")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["attributes.csv", "cat", "dog", "run"]
    assert len([*(tmp_path / "pictures" / "dog").iterdir()]) == 40
    with Image.open(tmp_path / "pictures" / "cat" / "test-00001.png") as image:
        assert image.size == (32, 32)
    assert "brightness" in done.stdout
    again = run("cats_and_dogs.py", str(cifar), "pictures")
    assert again.returncode == 2
    assert "pictures: pictures exists; give a new folder" in again.stderr

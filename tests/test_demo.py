"""The demo at toy length, as a user runs it, and its page in a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joblib import parallel_config

from sepclr.cli import main
from sepclr.datasets import marked_digits


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "run"
    load = marked_digits.load
    # One run after the other in this process, where the samples are few.
    with pytest.MonkeyPatch.context() as patch, parallel_config("sequential"):
        patch.setattr(marked_digits, "load", lambda: load(train_samples=200, test_samples=200))
        assert main(["demo", "--out", str(folder), "--max_epochs", "1", "--width", "8", "--batch_size", "50"]) == 0
    return folder


def test_metrics_hold_the_cells_that_say_whether_separation_worked(out: Path):
    metrics = json.loads((out / "metrics.json").read_text())
    for cells in (metrics["salient_attribute"], metrics["common_attribute"]):
        assert cells["chance"] == pytest.approx(0.1)
        assert all(0 <= cells[name] <= 1 for name in ("from_s", "from_c", "untrained_s", "untrained_c"))
    assert metrics["seconds"] > 0
    assert set(metrics["k-jem"]) == {"salient_attribute", "common_attribute", "seconds"}


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_opens_without_a_word_and_fits(out: Path, browser: Any, width: int):
    view = browser.new_page(viewport={"width": width, "height": 900})
    said: list[str] = []
    view.on("console", lambda message: said.append(message.text))
    view.on("pageerror", lambda error: said.append(str(error)))
    view.on("request", lambda asked: said.extend([asked.url] * (not asked.url.startswith(("file:", "data:")))))
    view.goto((out / "report.html").as_uri())
    assert view.evaluate("document.documentElement.scrollWidth <= innerWidth")
    text = view.inner_text("body")
    assert all(word in text for word in ("Marked digits", "decorrelation", "k-jem", "mark", "digit"))
    view.close()
    assert said == []


def test_new_samples_are_encoded_and_the_run_is_evaluated_again(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    np.save(tmp_path / "x.npy", np.zeros((5, 1, 32, 32), np.uint8))
    codes = tmp_path / "codes.npz"
    assert main(["encode", str(out / "decorrelation"), "--input", str(tmp_path / "x.npy"), "--out", str(codes)]) == 0
    with np.load(codes) as written:
        assert (written["c"].shape, written["s"].shape) == ((5, 32), (5, 32))
    assert "5 samples" in capsys.readouterr().out

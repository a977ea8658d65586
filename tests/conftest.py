"""What all tests share: one thread per worker, small cohorts, and a browser."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import settings
from tests.recipes import DATA_OF, DEMO

from sepclr.data import Cohort
from sepclr.datasets import DATA_SETS
from sepclr.datasets.source import Source
from sepclr.runs import run as runner
from sepclr.runs.recipe import Recipe, changed

settings.register_profile("sepclr", deadline=None, max_examples=50)
settings.load_profile("sepclr")
torch.set_num_threads(1)

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NO_BROWSER = "page tests left out: no Chromium; install it with `apt-get install chromium`"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End with a line where the page could not be tested."""
    if CHROMIUM is None:
        terminalreporter.write_line(NO_BROWSER)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Start Chromium once."""
    if CHROMIUM is None or importlib.util.find_spec("playwright") is None:
        pytest.skip(NO_BROWSER)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield started
        started.close()


@pytest.fixture(scope="session")
def rows() -> Cohort:
    return drawn_rows(60, 0)


def drawn_rows(n: int, seed: int) -> Cohort:
    """n rows of 6 features: a class that both groups share in the first three, one that only targets have in the others."""
    draw = np.random.default_rng(seed)
    is_target = np.arange(n) >= n // 2
    shared, own = draw.integers(3, size=n), np.where(is_target, draw.integers(2, size=n), -1)
    x = 0.1 * draw.normal(size=(n, 6))
    x[np.arange(n), shared] += 1
    x[is_target, 4 + own[is_target]] += 1
    return Cohort(torch.from_numpy(x).float(), torch.from_numpy(is_target), {"shared": shared, "own": own})


@pytest.fixture(scope="session")
def images() -> Cohort:
    """24 random colour images of 12 × 12 pixels."""
    draw = np.random.default_rng(0)
    x = draw.integers(256, size=(24, 3, 12, 12)).astype(np.uint8)
    return Cohort(torch.from_numpy(x), torch.arange(24) >= 10, {"kind": np.arange(24) % 2})


TINY = changed(DEMO, width=2, common_dim=4, salient_dim=3, crop=8, max_epochs=2, batch_size=20)


def cohort(n: int, seed: int, task: str = "contrast") -> Cohort:
    """Noise, with what methods of the task train on."""
    draw = np.random.default_rng(seed)
    grouped = task in ("contrast", "domains")
    is_target = np.arange(n) >= n // 2 if grouped else np.ones(n, dtype=bool)
    x, weak = (torch.from_numpy(draw.integers(256, size=(n, 1, 12, 12)).astype(np.uint8)) for _ in range(2))
    digit = draw.integers(3, size=n)
    mark = np.where(is_target, draw.integers(2, size=n), -1)
    extra = {
        "contrast": {},
        "modalities": {"weak": weak},
        "debiasing": {"label": digit, "bias": mark},
        "domains": {"label": np.where(is_target, -1, digit), "target_label": np.where(is_target, digit, -1)},
    }[task]
    tensors = {name: torch.as_tensor(values) for name, values in extra.items()}
    return Cohort(x, torch.from_numpy(is_target), {"digit": digit, "mark": mark}, extra=tensors)


def use_tiny_data(patch: pytest.MonkeyPatch) -> None:
    """Replace the samples of one data set of each task by noise."""
    for task, name in DATA_OF.items():
        source = Source(
            title="Tiny",
            lead="Noise.",
            train=cohort(60, 0, task),
            tests={"strict": cohort(40, 1, task), "published": cohort(30, 2, task)},
            common_attributes=("digit",),
            salient_attributes=("mark",),
        )
        patch.setitem(DATA_SETS, name, replace(DATA_SETS[name], files=None, load=lambda *_, source=source: source))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    use_tiny_data(monkeypatch)
    return TINY


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train ``tiny`` once, for tests that only read its folder."""
    with pytest.MonkeyPatch.context() as patch:
        use_tiny_data(patch)
        return runner.run(TINY, tmp_path_factory.mktemp("tiny") / "run", progress=False).folder.path

"""What all tests share: one thread per worker, small cohorts, and a browser."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import settings

from sepclr.data import Cohort

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

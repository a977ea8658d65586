"""A recipe that runs in a second, on a small data set in place of the real ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sepclr.benchmark import runner, sources
from sepclr.benchmark.profiles import DEMO
from sepclr.benchmark.recipes import Recipe
from sepclr.benchmark.sources import Source
from sepclr.data import Cohort

TINY = replace(DEMO, width=2, common_dim=4, salient_dim=3, crop=8, max_epochs=2, batch_size=20)


def cohort(n: int, seed: int) -> Cohort:
    draw = np.random.default_rng(seed)
    is_target = np.arange(n) >= n // 2
    return Cohort(
        torch.from_numpy(draw.integers(256, size=(n, 1, 12, 12)).astype(np.uint8)),
        torch.from_numpy(is_target),
        {"digit": draw.integers(3, size=n), "mark": np.where(is_target, draw.integers(2, size=n), -1)},
    )


def use_tiny_data(patch: pytest.MonkeyPatch) -> None:
    source = Source(
        title="Tiny",
        lead="Noise.",
        train=cohort(60, 0),
        tests={"strict": cohort(40, 1), "published": cohort(30, 2)},
        common_attributes=("digit",),
        salient_attributes=("mark",),
    )
    patch.setattr(sources, "load", lambda name, root=None, download=False: source)


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

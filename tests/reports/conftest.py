"""Made-up pages: targets carry a mark, background does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sepclr.reports.page import Page, RunView
from sepclr.types import Row

MakeRow = Callable[..., Row]
MakePage = Callable[..., Page]


def _row(attribute: str, space: str, score: float, **changes: Any) -> Row:
    row: Any = {
        "attribute": attribute,
        "space": space,
        "encoder": "trained",
        "protocol": "strict",
        "metric": "balanced_accuracy",
        "score": score,
        "low": score - 0.02,
        "high": score + 0.02,
        "chance": 0.1,
        "n_train": 1200,
        "n_test": 597,
    }
    made: Row = row | changes
    return made


def _rows() -> list[Row]:
    trained = [_row("digit", "c", 0.84), _row("digit", "s", 0.22), _row("mark", "c", 0.18), _row("mark", "s", 0.71)]
    untrained = [_row(row["attribute"], row["space"], 0.25, encoder="untrained") for row in trained]
    heads = [_row("mark", "s_head", 0.66), _row("mark", "s", 0.73, metric="accuracy")]
    return [*trained, *untrained, *heads, _row("group", "c", 0.55, chance=0.5), _row("group", "s", 0.98, chance=0.5)]


def _page(n: int = 60, **changes: Any) -> Page:
    rng = np.random.default_rng(0)
    is_target = np.arange(n) % 2 == 1
    digit = rng.integers(0, 3, n)
    mark = np.where(is_target, rng.integers(0, 2, n), -1)
    history = [{"epoch": epoch, "step": 10 * epoch, "loss": 3.0 - epoch, "salient": 0.5 * epoch} for epoch in range(4)]
    c = (np.eye(3, 8)[digit] + 0.1 * rng.normal(size=(n, 8))).astype(np.float32)
    s = (np.eye(3, 5)[mark] + 0.1 * rng.normal(size=(n, 5))).astype(np.float32)
    page: dict[str, Any] = {
        "title": "Marked digits",
        "lead": "Digits. Some carry a mark.",
        "images": rng.integers(0, 255, (n, 1, 12, 12), dtype=np.uint8),
        "is_target": is_target,
        "attributes": {"digit": digit, "mark": mark},
        "common_attributes": ["digit"],
        "salient_attributes": ["mark"],
        "class_names": {"mark": ["ring", "cross"]},
        "runs": [RunView("k-jem", _rows(), history, c, s), RunView("none", _rows(), history, c, s)],
        "made": {"seed": "0"},
    }
    return Page(**(page | changes))


@pytest.fixture
def make_row() -> MakeRow:
    """Make a row from attribute, space and score; keywords change the rest."""
    return _row


@pytest.fixture
def make_page() -> MakePage:
    """Make a page of n samples; keywords replace its fields."""
    return _page

"""What the pages of the documentation name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sepclr.losses
from sepclr.losses import INDEPENDENCE

ROOT = Path(__file__).parents[1]
LOSSES = (ROOT / "docs" / "losses.md").read_text()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[\w/]+\.py)`", LOSSES))))
def test_a_test_that_the_page_names_is_there(path: str):
    assert (ROOT / path).is_file()


def test_every_public_loss_is_on_the_page_or_belongs_to_one_that_is():
    helpers = {
        "Bandwidth",
        "Bandwidths",
        "Correlation",
        "GaussianConditional",
        "INDEPENDENCE",
        "Over",
        "bandwidths",
        "full_precision",
        "gaussian_log_density",
    }
    assert set(sepclr.losses.__all__) - helpers <= set(re.findall(r"`(\w+)", LOSSES))


def test_every_way_to_independence_is_on_the_page():
    for name in INDEPENDENCE:
        stem, _, direction = name.partition("-")
        assert f"`{name}`" in LOSSES or f"`{stem}-*`" in LOSSES or f"`-{direction}`" in LOSSES or name == "none"


def test_the_page_runs_through_the_equations_in_order():
    rows = [int(number) for number in re.findall(r"^\| \((\d)\)", LOSSES, re.MULTILINE)]
    assert rows == list(range(1, 10))

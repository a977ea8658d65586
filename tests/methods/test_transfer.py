"""Transfer of a pattern from a donor: what it puts where, and how a pattern's manner is measured."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch import Tensor

from sepclr.methods.transfer import cover, measure, threshold


def images(n: int, seed: int) -> Tensor:
    return 0.6 * torch.rand(n, 2, 6, 6, generator=torch.Generator().manual_seed(seed))


def test_a_pattern_that_covers_takes_pixels_of_the_donor_as_a_loop() -> None:
    onto, without = images(3, 0), images(3, 1)
    donor = without + (images(3, 2) > 0.4) * 0.4 * torch.rand(3, 2, 6, 6, generator=torch.Generator().manual_seed(3))
    made = cover(onto, donor, without, visible=0.2)
    for i in range(3):
        for row in range(6):
            for column in range(6):
                changed = any(abs(donor[i, channel, row, column] - without[i, channel, row, column]) > 0.2 for channel in range(2))
                expected = (donor if changed else onto)[i, :, row, column]
                assert torch.equal(made[i, :, row, column], expected)


def test_a_donor_without_a_pattern_changes_nothing() -> None:
    onto, donor = images(2, 0), images(2, 1)
    assert torch.equal(cover(onto, donor, donor, visible=0.1), onto)


@pytest.mark.parametrize("covers", [True, False])
def test_how_a_pattern_lies_on_targets_is_measured(covers: bool) -> None:
    without = images(200, 0)
    inside = torch.zeros(200, 1, 6, 6, dtype=torch.bool)
    inside[..., 1:4, 2:5] = True
    x = torch.where(inside, torch.full_like(without, 0.98) if covers else without + 0.38, without)
    removed = (without + 0.02 * torch.randn(without.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    found, visible = measure(x, removed)
    assert found == covers
    assert 0.1 < visible < 0.38


def test_a_pattern_that_is_nowhere_is_added() -> None:
    x = images(4, 0)
    assert measure(x, x) == (False, 0.0)


def test_the_threshold_is_halfway_between_the_means_of_two_classes() -> None:
    assert threshold(torch.tensor([0.0, 0.1, 0.2, 1.0, 1.2])) == pytest.approx((0.1 + 1.1) / 2)


@given(some.lists(some.floats(0, 1, width=32), min_size=1, max_size=30), some.sampled_from([0.25, 2.0, 8.0]))
def test_the_threshold_lies_among_the_values_and_scales_with_them(values: list[float], factor: float) -> None:
    given_values = torch.tensor(values, dtype=torch.float64)
    found = threshold(given_values)
    assert min(values) - 1e-9 <= found <= max(values) + 1e-9
    assert threshold(factor * given_values) == factor * found  # powers of two, which round alike

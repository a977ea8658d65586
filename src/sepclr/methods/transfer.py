"""Transfer of a salient pattern: what a decoder removes from one target is put onto another sample.

Codes of contrastive learning hardly depend on where in an image a pattern is, so a decoder cannot draw a donor's pattern in its place from
s alone. The donor itself shows it: its pattern is what removal takes away from it. A pattern either covers what is behind it, like a mark,
or is added to it, like a transparent digit or a loss of signal. Which of the two, and how strong a change has to be to belong to the
pattern, is measured in training targets.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

ROUNDS = 100
"""Largest number of rounds of ``threshold``; a handful is usual."""


def cover(
    onto: Float[Tensor, "n ..."], donor: Float[Tensor, "n ..."], donor_without: Float[Tensor, "n ..."], *, visible: float
) -> Float[Tensor, "n ..."]:
    """Put patterns that cover what is behind them onto samples without a pattern, in the same place.

    Args:
        onto: samples without a pattern, shape (n, channels, *space).
        donor: targets with one, in the same shape.
        donor_without: the same targets without it.
        visible: smallest change of a value that belongs to a pattern.

    Returns:
        Samples in the same shape.
    """
    where = (donor - donor_without).abs().amax(1, keepdim=True) > visible  # in any channel
    return torch.where(where, donor, onto)


def measure(x: Float[Tensor, "n ..."], without: Float[Tensor, "n ..."]) -> tuple[bool, float]:
    """Measure how patterns lie on targets.

    What is behind a pattern that is added still varies with it: within the pattern, the slope of the targets on what they would be without
    it is near 1. It is near 0 for a pattern that covers, or if removal is inaccurate: half of the variance or more being error looks like a
    cover.

    Args:
        x: targets, shape (n, ...).
        without: the same targets without their patterns.

    Returns:
        Whether patterns cover what is behind them, and the smallest change of a value that belongs to a pattern.
    """
    change = (x - without).abs()
    visible = threshold(change)
    inside = change > visible
    if inside.sum() < 2:
        return False, visible
    (_, mixed), (_, behind) = torch.cov(torch.stack([x[inside], without[inside]])).tolist()
    return mixed < behind / 2, visible


def threshold(values: Float[Tensor, "..."]) -> float:
    """Divide values into two classes, halfway between the means of both (Ridler & Calvard 1978, IEEE Trans. SMC 8:630)."""
    found = float(values.mean())
    for _ in range(ROUNDS):
        above = values > found
        if not above.any() or above.all():
            break
        halfway = float(values[above].mean() + values[~above].mean()) / 2
        if halfway == found:
            break
        found = halfway
    return found

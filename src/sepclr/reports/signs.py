"""Signs in the curves of a training that it did not do what it should, each with what to do about it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

COLLAPSED = 0.05
"""Size of a contrastive term below which all samples have about the same code: there it is 0; spread codes have some −3."""

LOUD = 0.5
"""Mean ‖s_x‖²/2τ from which the salient code of background counts as not silent."""

DEPENDENT = {"c_with_s": ("c follows s", 1.0), "s_with_c": ("s follows c", 1.0), "c_with_group": ("c tells the groups apart", 0.25)}
"""Sums of squared canonical correlations from which codes count as dependent: of two codes, that of one direction that both hold."""

SATURATED = 0.98
"""Share of log N, the largest joint entropy of N samples, from which the kernel counts as saturated."""


def signs(history: Sequence[Mapping[str, float | int]], *, batch_size: int | None = None) -> list[str]:
    """Look at the last epoch of a training for signs of failure.

    Args:
        history: one mapping per epoch, the value of each term by its name.
        batch_size: N of a training with k-JEM, whose kernel may saturate.

    Returns:
        A sentence for each sign; none for a history without an epoch.
    """
    if not history:
        return []
    last = history[-1]
    if not math.isfinite(last.get("loss", 0.0)):
        first = next(epoch for epoch in history if not math.isfinite(epoch["loss"]))
        return [f"The loss is {last['loss']} since epoch {int(first.get('epoch', 0)) + 1}: give a smaller --learning_rate."]
    found = [
        f"All samples have nearly the same {code} code (term {last[code]:.2f}): train longer, or give a smaller --learning_rate."
        for code in ("common", "salient")
        if abs(last.get(code, -1.0)) < COLLAPSED
    ]
    # Elsewhere than in SepCLR, where the term of c is a negative entropy, the pull on background has other units.
    if last.get("common", 0.0) < 0 and last.get("information_less", 0.0) > LOUD:
        size = f"information_less {last['information_less']:.2f}"
        found.append(f"The salient code of background is not silent ({size}): train longer, or give more --weight_information_less.")
    for pair, (what, limit) in DEPENDENT.items():
        if last.get(pair, 0.0) > limit:
            found.append(
                f"In training {what} ({pair} {last[pair]:.2f}, 0 is apart): train longer, or give shorter codes where targets are few."
            )
    if batch_size is not None and last.get("independence", 0.0) < -SATURATED * math.log(max(batch_size, 2)):
        found.append("The kernel of k-JEM is saturated, so that it no longer acts: give a larger --tau.")
    return found

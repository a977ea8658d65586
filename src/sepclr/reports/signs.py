"""Warning signs in training curves, each with a remedy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

COLLAPSED = 0.05
"""Absolute contrastive term below which codes count as collapsed; it is 0 for identical codes and about −3 for spread ones."""

LOUD = 0.5
"""Mean ‖s_x‖²/2τ above which the salient code of background does not count as close to 0."""

DEPENDENT = {"c_with_s": ("c depends on s", 1.0), "s_with_c": ("s depends on c", 1.0), "c_with_group": ("c depends on the group", 0.25)}
"""Sums of squared canonical correlations above which codes count as dependent; 1 is one direction that both codes share."""

SATURATED = 0.98
"""Fraction of log N, the largest joint entropy of N samples, above which the kernel counts as saturated."""


def signs(history: Sequence[Mapping[str, float | int]], *, batch_size: int | None = None) -> list[str]:
    """Check the last epoch of training for signs of failure.

    Args:
        history: one mapping per epoch, from the name of each term to its value.
        batch_size: N if the run uses k-JEM, whose kernel may saturate.

    Returns:
        One sentence per sign; empty for a history without epochs.
    """
    if not history:
        return []
    last = history[-1]
    if not math.isfinite(last.get("loss", 0.0)):
        first = next(epoch for epoch in history if not math.isfinite(epoch.get("loss", 0.0)))
        return [f"The loss has been {last['loss']} since epoch {int(first.get('epoch', 0)) + 1}: use a smaller --learning_rate."]
    found = [
        f"All samples have nearly the same {code} code (term {last[code]:.2f}): train longer, or use a smaller --learning_rate."
        for code in ("common", "salient")
        if abs(last.get(code, -1.0)) < COLLAPSED
    ]
    # information_less has these units only in SepCLR, where the common term is a negative entropy.
    if last.get("common", 0.0) < 0 and last.get("information_less", 0.0) > LOUD:
        size = f"information_less {last['information_less']:.2f}"
        found.append(f"The salient code of background is not close to 0 ({size}): train longer, or increase --weight_information_less.")
    for pair, (what, limit) in DEPENDENT.items():
        if last.get(pair, 0.0) > limit:
            found.append(
                f"In training, {what} ({pair} {last[pair]:.2f}; 0 means uncorrelated): "
                "train longer, or use shorter codes if there are few targets."
            )
    if batch_size is not None and last.get("independence", 0.0) < -SATURATED * math.log(max(batch_size, 2)):
        found.append("The kernel of k-JEM is saturated and no longer has an effect: use a larger --tau.")
    return found

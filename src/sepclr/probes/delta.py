"""δ_tot: total distance of probe scores from the best expected ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from sepclr.types import Row


class Delta(TypedDict):
    """Distance from the best expected scores, in points of 100; 0 is best."""

    absolute: float
    signed: float


def delta_tot(rows: Sequence[Row], *, common: Sequence[str], salient: Sequence[str], metric: str = "balanced_accuracy") -> Delta:
    """Sum the distances of scores from the best expected ones: 1 where an attribute belongs, 1/classes where it does not.

    ``absolute`` adds |score − best expected|. ``signed``, the published form, adds 1 − score where the attribute belongs and
    score − chance where it does not; it rewards scores below chance.

    Args:
        rows: rows of one run and one protocol; only those of the trained encoders' codes c and s are used.
        common: names of the attributes that belong in c.
        salient: names of the attributes that belong in s.
        metric: ``balanced_accuracy`` or ``accuracy``.

    Returns:
        Both forms, in points of 100.

    Source: δ_tot of Table 1 in SepCLR (arXiv 2402.11928).
    """
    chance = {row["attribute"]: row["chance"] for row in rows if row["metric"] == "balanced_accuracy"}
    absolute = signed = 0.0
    for row in rows:
        if row["metric"] != metric or row["encoder"] != "trained" or row["space"] not in ("c", "s"):
            continue
        belongs = {"c": common, "s": salient}[row["space"]]
        strays = {"c": salient, "s": common}[row["space"]]
        if row["attribute"] in belongs:
            missing = 1 - row["score"]
        elif row["attribute"] in strays:
            missing = row["score"] - chance[row["attribute"]]
        else:
            continue
        absolute += 100 * abs(missing)
        signed += 100 * missing
    return Delta(absolute=absolute, signed=signed)

"""Evaluation of swaps: targets whose salient pattern was replaced by that of another target, the donor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from sepclr.types import InputError


class Swap(TypedDict):
    """Scores of one set of swapped images, each the share of images that are judged to have a value, in 0..1."""

    name: str
    donor_salient: float
    """The value of the donor's salient attribute; 1 is best."""
    own_salient: float
    """The value that the target had before, where the donor's differs; 0 is best."""
    own_common: float
    """The value of the target's common attribute; 1 is best."""
    donor_common: float
    """The value of the donor's common attribute, where the target's differs; at most chance is best."""


def swap_scores(
    judged: Mapping[str, tuple[NDArray[Any], NDArray[Any]]],
    common: NDArray[Any],
    salient: NDArray[Any],
    donors: NDArray[np.integer[Any]],
) -> list[Swap]:
    """Score swapped images by what judges read from them.

    Args:
        judged: values of the common and of the salient attribute that judges read from sets of images, by name, each of shape (n,).
        common: true values of the targets' common attribute, shape (n,).
        salient: true values of the targets' salient attribute, shape (n,).
        donors: index of each target's donor among the targets, shape (n,).

    Returns:
        One row per set, in the order of ``judged``.

    Raises:
        InputError: lengths that differ, or donors that all have the values of their targets.
    """
    lengths = {len(each) for each in (common, salient, donors, *(values for pair in judged.values() for values in pair))}
    if len(lengths) > 1:
        raise InputError(f"judged, common, salient, donors: have lengths {sorted(lengths)}; give one value per target")
    others = {name: values != values[donors] for name, values in (("common", common), ("salient", salient))}
    for name, differs in others.items():
        if not differs.any():
            raise InputError(f"donors: all have the {name} values of their targets; choose others")
    rows: list[Swap] = []
    for name, (read_common, read_salient) in judged.items():
        rows.append(
            Swap(
                name=name,
                donor_salient=_share(read_salient == salient[donors]),
                own_salient=_share((read_salient == salient)[others["salient"]]),
                own_common=_share(read_common == common),
                donor_common=_share((read_common == common[donors])[others["common"]]),
            )
        )
    return rows


def _share(hits: Any) -> float:
    return float(np.mean(hits))

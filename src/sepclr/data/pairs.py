"""Match the samples of two modalities by their identifiers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sepclr.data.tables import listed
from sepclr.errors import InputError

NAMED = 5
"""Number of identifiers that an error names."""


def matched(ids: ArrayLike, other_ids: ArrayLike) -> NDArray[np.intp]:
    """Return, for each sample, the place of the one with the same identifier in another modality.

    Args:
        ids: identifier of each sample, shape (n,).
        other_ids: identifier of each sample of the other modality, shape (n,), in any order.

    Returns:
        Indices into the other modality, shape (n,).

    Raises:
        InputError: identifiers that repeat, or that only one modality has.

    >>> matched(["a", "b"], ["b", "a"]).tolist()
    [1, 0]
    """
    own, other = np.asarray(ids), np.asarray(other_ids)
    for name, each in (("ids", own), ("other_ids", other)):
        values, times = np.unique(each, return_counts=True)
        if (times > 1).any():
            raise InputError(f"{name}: {_named(values[times > 1])} more than once; each sample needs an identifier of its own")
    for name, missing in (("other_ids", np.setdiff1d(own, other)), ("ids", np.setdiff1d(other, own))):
        if len(missing):
            raise InputError(f"{name}: {_named(missing)} missing; give the samples that both modalities have")
    order = np.argsort(other)
    return np.asarray(order[np.searchsorted(other, own, sorter=order)])


def _named(values: NDArray[Any]) -> str:
    return listed(list(map(repr, values.tolist())), NAMED)

"""Values of attributes: classes or quantities, known or missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.errors import InputError


def is_quantity(truth: NDArray[Any]) -> bool:
    """Return whether an attribute is a quantity (floating point) rather than classes."""
    return bool(np.issubdtype(truth.dtype, np.floating))


def known(truth: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where an attribute is known: a quantity that is finite, or a class that is not the empty string."""
    if is_quantity(truth):
        return np.asarray(np.isfinite(truth))
    return np.asarray(truth != "") if truth.dtype.kind in "US" else np.ones(len(truth), dtype=bool)


def coded(name: str, values: NDArray[Any]) -> NDArray[np.int64]:
    """Return the classes of an attribute as 0, 1, …, and -1 where it is missing, which for whole numbers means negative.

    Raises:
        InputError: a quantity.
    """
    if is_quantity(values):
        raise InputError(f"{name}: a quantity; give an attribute with classes, or cut it into some")
    there, found = known(values), np.full(len(values), -1)
    if np.issubdtype(values.dtype, np.signedinteger):
        there &= values >= 0
    found[there] = np.unique(values[there], return_inverse=True)[1]
    return found

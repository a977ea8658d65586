"""Values of attributes: classes or quantities, known or missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sepclr.errors import InputError


def is_quantity(truth: NDArray[Any]) -> bool:
    """Return whether an attribute is a quantity (floating point) rather than classes."""
    return bool(np.issubdtype(truth.dtype, np.floating))


def known(truth: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where an attribute is known: a quantity that is finite, or a class that is not the empty string."""
    if is_quantity(truth):
        return np.asarray(np.isfinite(truth))
    return np.asarray(truth != "") if truth.dtype.kind in "US" else np.ones(len(truth), dtype=bool)


def plain(values: ArrayLike) -> NDArray[Any]:
    """Return values as an array of numbers or of text; of objects, as pandas has them, None and NaN become missing text."""
    array = np.asarray(values)
    if array.dtype.kind != "O":
        return array
    return np.array(["" if value is None or value != value else str(value) for value in array.ravel()]).reshape(array.shape)


def coded(name: str, values: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Number the classes of an attribute.

    Args:
        name: its name, for errors.
        values: whole numbers, of which negative ones mean that the class is unknown, or text, where the empty string, None and NaN do.

    Returns:
        The number of each sample's class, 0, 1, …, or -1 where it is unknown, shape (n,), and the classes in order.

    Raises:
        InputError: a quantity, or values that are not one for each sample.
    """
    if values.ndim != 1:
        raise InputError(f"{name}: shape {values.shape}; give one value for each sample")
    values = plain(values)
    if is_quantity(values):
        raise InputError(f"{name}: a quantity, or classes with missing values as numbers; give whole numbers, -1 where unknown, or text")
    there = known(values)
    if np.issubdtype(values.dtype, np.signedinteger):
        there &= values >= 0
    classes, found = np.unique(values[there]), np.full(len(values), -1)
    found[there] = np.searchsorted(classes, values[there])
    return found, classes

"""Values of attributes: classes or quantities, known or not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def is_quantity(truth: NDArray[Any]) -> bool:
    """Tell a quantity (floating point) from classes."""
    return bool(np.issubdtype(truth.dtype, np.floating))


def known(truth: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell where a truth is known: a quantity that is not NaN, a class that is not the empty string."""
    if is_quantity(truth):
        return np.asarray(np.isfinite(truth))
    return np.asarray(truth != "") if truth.dtype.kind in "US" else np.ones(len(truth), dtype=bool)

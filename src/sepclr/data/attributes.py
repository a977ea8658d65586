"""Values of attributes: classes or quantities, known or missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def is_quantity(truth: NDArray[Any]) -> bool:
    """Return whether an attribute is a quantity (floating point) rather than classes."""
    return bool(np.issubdtype(truth.dtype, np.floating))


def known(truth: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where an attribute is known: a quantity that is finite, or a class that is not the empty string."""
    if is_quantity(truth):
        return np.asarray(np.isfinite(truth))
    return np.asarray(truth != "") if truth.dtype.kind in "US" else np.ones(len(truth), dtype=bool)

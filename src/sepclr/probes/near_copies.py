"""Samples that are nearly the same, such as an image saved twice."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST = 16
"""Number of features below which samples are alike by chance."""
ALIKE = 0.99
"""Correlation from which two samples are nearly the same."""


def near_copies(x: NDArray[Any], parts: NDArray[Any]) -> list[tuple[int, int]] | None:
    """Find pairs of samples in different parts that are nearly the same.

    Features are standardised over samples, which removes what all samples look like; then two samples are compared by the correlation of
    their features, which brightness and contrast do not change.

    Args:
        x: samples, shape (n, d); n² numbers must fit in memory.
        parts: part of each sample, such as its group, shape (n,).

    Returns:
        Pairs of indices, ascending, of correlation 0.99 or more; None where the samples have too few features to tell.
    """
    spread = x.std(0)
    z = (x[:, spread > 0] - x[:, spread > 0].mean(0)) / spread[spread > 0]
    if z.shape[1] < FEWEST:
        return None
    z -= z.mean(1, keepdims=True)
    length = np.linalg.norm(z, axis=1, keepdims=True)
    z = z / np.where(length > 0, length, np.inf)
    _, part = np.unique(parts, return_inverse=True)
    alike = np.triu((z @ z.T >= ALIKE) & (part[:, None] != part), 1)
    return [(int(one), int(two)) for one, two in np.argwhere(alike)]

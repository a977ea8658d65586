"""How small a leak a permutation test can see, and how many subjects it takes."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

POWER = 0.8
"""Probability with which a leak is to be detected."""

LEAK = 0.05
"""Leak for which the number of subjects is computed: 5 points of balanced accuracy, or of R²."""


def visible(counts: NDArray[np.integer], level: float) -> float | None:
    """Return by how much balanced accuracy must exceed chance to be detected with a power of 80 %.

    With K classes of n_k held-out subjects and recalls that are all p, balanced accuracy has a standard deviation of
    σ(p) = √(Σ_k p(1 − p)/n_k)/K. In the normal approximation, a test at a one-sided level α detects a leak of
    δ = z_{1−α} σ(1/K) + z_0.8 σ(1/K + δ).

    Args:
        counts: number of held-out subjects of each class, shape (K,), at least 1.
        level: one-sided level of the test, after correction for the number of tests.

    Returns:
        δ, in 0..1 − 1/K; None if no leak would be detected.

    Source: Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions, 3rd edition 2003, chapter 2, for one proportion.
    """
    chance = 1 / len(counts)

    def excess(leak: float) -> float:
        return leak - _detectable(leak, counts, level)

    return float(brentq(excess, 0, 1 - chance)) if excess(1 - chance) > 0 else None


def needed(counts: NDArray[np.integer], level: float, leak: float = LEAK) -> int:
    """Return the number of held-out subjects at which a leak is detected with a power of 80 %, with classes as frequent as now.

    Args:
        counts: number of held-out subjects of each class, shape (K,), at least 1.
        level: as for ``visible``.
        leak: by how much balanced accuracy exceeds chance, at most 1 − 1/K.

    >>> needed(np.array([100, 100]), 0.05)
    617
    """
    return ceil(int(counts.sum()) * (_detectable(leak, counts, level) / leak) ** 2 - 1e-9)


def visible_r2(n: int, level: float) -> float | None:
    """Return the squared correlation of a quantity with its prediction that is detected with a power of 80 %, by Fisher's transformation.

    Args:
        n: number of held-out subjects.
        level: as for ``visible``.

    Returns:
        The squared correlation; None for fewer than four subjects.
    """
    return float(np.tanh((norm.isf(level) + norm.ppf(POWER)) / np.sqrt(n - 3)) ** 2) if n > 3 else None


def needed_r2(level: float, leak: float = LEAK) -> int:
    """Return the number of held-out subjects at which a squared correlation is detected with a power of 80 %."""
    return 3 + ceil(float((norm.isf(level) + norm.ppf(POWER)) / np.arctanh(np.sqrt(leak))) ** 2)


def _detectable(leak: float, counts: NDArray[np.integer], level: float) -> float:
    chance = 1 / len(counts)

    def deviation(p: float) -> float:
        return float(np.sqrt(p * (1 - p) * np.sum(1 / counts)) / len(counts))

    return float(norm.isf(level) * deviation(chance) + norm.ppf(POWER) * deviation(chance + leak))

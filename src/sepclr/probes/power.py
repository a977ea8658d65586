"""Power of a test of balanced accuracy against chance."""

from __future__ import annotations

import math

from scipy.optimize import brentq
from scipy.stats import norm


def detectable(background: int, target: int, *, level: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest balanced accuracy that a one-sided test against chance finds with a given power.

    The numbers of right answers are binomial in each group; both are approximated by normal distributions.

    Args:
        background: number of independent test samples (subjects) of background.
        target: number of those of the target.
        level: level of the test, after correction for several tests.
        power: probability of finding the difference.

    Returns:
        A balanced accuracy between 0.5 and 1; 1 if not even perfect answers are found that often.

    >>> round(detectable(100, 100), 3), round(detectable(1000, 1000), 3)
    (0.587, 0.528)
    """
    spread = math.sqrt(1 / background + 1 / target) / 2
    chance, beyond = (float(norm.ppf(share)) for share in (1 - level, power))

    def missing(accuracy: float) -> float:
        return accuracy - 0.5 - spread * (0.5 * chance + math.sqrt(accuracy * (1 - accuracy)) * beyond)

    return float(brentq(missing, 0.5, 1.0)) if missing(1.0) > 0 else 1.0


def needed(difference: float, *, level: float = 0.05, power: float = 0.8) -> int:
    """Return how many test samples each group needs for a difference from chance to be found; arguments otherwise as ``detectable``.

    >>> needed(0.05) > needed(0.1)
    True
    """
    accuracy = 0.5 + difference
    chance, beyond = (float(norm.ppf(share)) for share in (1 - level, power))
    root = (0.5 * chance + math.sqrt(accuracy * (1 - accuracy)) * beyond) / difference
    return math.ceil(root**2 / 2)

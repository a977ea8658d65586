"""Power of a test of balanced accuracy of two groups against chance: ``sensitivity`` in the words of groups."""

from __future__ import annotations

import numpy as np

from sepclr.probes import sensitivity


def detectable(background: int, target: int, *, level: float = 0.05) -> float:
    """Return the smallest balanced accuracy that a one-sided test against chance finds with a power of 80 %, see ``visible``.

    Args:
        background: number of independent test samples (subjects) of background.
        target: number of those of the target.
        level: level of the test, after correction for several tests.

    Returns:
        A balanced accuracy between 0.5 and 1; 1 if not even perfect answers are found that often.

    >>> round(detectable(100, 100), 3), round(detectable(1000, 1000), 3)
    (0.587, 0.528)
    """
    seen = sensitivity.visible(np.array([background, target]), level)
    return 1.0 if seen is None else 0.5 + seen


def needed(difference: float, *, level: float = 0.05) -> int:
    """Return how many test samples each group needs for a difference from chance to be found; arguments otherwise as ``detectable``.

    >>> needed(0.05) > needed(0.1)
    True
    """
    return -(-sensitivity.needed(np.array([1, 1]), level, difference) // 2)

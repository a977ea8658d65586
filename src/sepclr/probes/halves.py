"""Halves of a cohort: one to fit probes on, one to score them on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from sepclr.types import InputError


def halves(
    is_target: NDArray[np.bool_], subjects: NDArray[Any] | None, seed: int, *, grouped: bool
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split both groups in half without splitting subjects.

    Args:
        is_target: True for targets, shape (n,).
        subjects: subject of each sample, shape (n,); None if every sample is a subject of its own.
        seed: random seed of the split.
        grouped: whether there are two groups.

    Returns:
        Indices of both halves.

    Raises:
        InputError: fewer than four samples of a group, or a single subject.
    """
    if min(is_target.sum(), (~is_target).sum() if grouped else len(is_target)) < 4:
        raise InputError(f"y: {is_target.sum()} target and {(~is_target).sum()} background sample(s); give at least 4 of each group")
    if subjects is not None and len(np.unique(subjects)) < 2:
        raise InputError("subjects: all samples are of one; give samples of at least two, or leave subjects out")
    kind = StratifiedKFold if subjects is None else StratifiedGroupKFold
    split = kind(2, shuffle=True, random_state=seed).split(np.zeros(len(is_target)), is_target, subjects)
    train, test = next(iter(split))
    return train, test

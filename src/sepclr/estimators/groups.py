"""Background and target samples, from two labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.types import InputError


def membership(labels: NDArray[Any], background: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the labels of background and target, and a mask of target samples.

    Args:
        labels: label of each sample, shape (n,).
        background: label of background; the lower of the two labels if None.

    Returns:
        The two labels, background first, shape (2,); True for target samples, shape (n,).

    Raises:
        InputError: other than two labels, or a background that is not one of them.
    """
    groups = np.unique(labels)
    if len(groups) != 2:
        found = ", ".join(repr(group) for group in groups[:5].tolist())
        kind = "one class" if len(groups) == 1 else f"{len(groups)} classes"
        raise InputError(f"y: {kind} ({found}); give two labels, background and target")
    if background is not None and background not in groups.tolist():
        raise InputError(f"background: {background!r} is not one of the labels in y, {groups[0]!r} and {groups[1]!r}")
    background = groups[0] if background is None else background
    classes = groups if groups[0] == background else groups[::-1]
    return classes, np.asarray(labels != background)

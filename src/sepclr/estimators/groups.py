"""Which samples are background and which are target, from two labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.types import InputError


def membership(labels: NDArray[Any], background: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Tell background from target.

    Args:
        labels: the label of each sample, shape (n,).
        background: the label of background; the lower one where None.

    Returns:
        The two labels, background first, shape (2,); and who is target, shape (n,).

    Raises:
        InputError: not two labels, or a background that is none of them.
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

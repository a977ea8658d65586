"""Alignment of several codes of the same samples, so that they can be averaged: generalised Procrustes analysis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes

from sepclr.probes.stability import COLLAPSED
from sepclr.types import InputError

ROUNDS, TOLERANCE = 100, 1e-8
UNIT = 1e-4
"""A code is on the unit sphere if no norm differs from 1 by more than this."""

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Alignment:
    """Maps of several codes into one space.

    Attributes:
        origins: point of each code that is mapped to 0, shape (codes, d).
        maps: rotation or reflection of each code, times a scale, shape (codes, d, d).
        unit: whether averages are scaled to norm 1, as all codes are.
    """

    origins: NDArray[np.float64]
    maps: NDArray[np.float64]
    unit: bool

    def average(self, codes: Sequence[Floats]) -> NDArray[np.float32]:
        """Align codes of the same samples, one for each model, each of shape (n, d), and average them to shape (n, d).

        Raises:
            InputError: another number or length of codes than were aligned.
        """
        if [np.shape(code)[1:] for code in codes] != [origin.shape for origin in self.origins]:
            shapes = ", ".join(str(np.shape(code)) for code in codes)
            raise InputError(f"codes: shapes {shapes}; give {len(self.origins)} codes of shape (n, {self.origins.shape[1]})")
        aligned = [(code - origin) @ turn for code, origin, turn in zip(codes, self.origins, self.maps, strict=True)]
        mean = np.mean(aligned, 0)
        if self.unit:
            mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), np.finfo(np.float64).tiny)
        return np.asarray(mean, dtype=np.float32)


def align(codes: Sequence[Floats], origins: Sequence[Floats] | None = None) -> Alignment:
    """Find the rotations that bring codes of the same reference samples closest to their mean.

    Codes are centred and scaled to the same variance; then each is rotated, or reflected, towards the mean of all, until that changes no
    more (Gower, Generalized Procrustes analysis, Psychometrika 1975). Aligned codes have the mean scale of the codes. Codes on the unit
    sphere are only rotated, so they stay on it, and their averages are scaled to norm 1.

    Args:
        codes: codes of the same samples in the same order, at least two, each of shape (n, d).
        origins: point of each code that is to be mapped to 0, each of shape (d,), such as the mean of background; the mean of its samples
            if None. Without effect on the unit sphere.

    Returns:
        The alignment, which also applies to further samples.

    Raises:
        InputError: fewer than two codes, or codes of different shapes or with values that are not finite.
    """
    if len(codes) < 2 or any(np.ndim(code) != 2 or np.shape(code) != np.shape(codes[0]) for code in codes):
        raise InputError(f"codes: shapes {', '.join(str(np.shape(code)) for code in codes)}; give at least two of the same shape (n, d)")
    parts = [np.asarray(code, dtype=np.float64) for code in codes]
    if not all(np.isfinite(part).all() for part in parts):
        raise InputError("codes: have values that are not finite; leave out the model that they come from")
    unit = all((np.abs(np.linalg.norm(part, axis=1) - 1) < UNIT).all() for part in parts)
    if unit:
        centres, scales = np.zeros((len(parts), parts[0].shape[1])), np.ones(len(parts))
    else:
        centres = np.stack([part.mean(0) for part in parts])
        scales = np.array([np.linalg.norm(part - centre) for part, centre in zip(parts, centres, strict=True)])
        scales[scales <= COLLAPSED * np.array([np.linalg.norm(part) for part in parts])] = 0  # what is left is rounding error
    varied = np.where(scales > 0, scales, 1)  # a code without variance is 0 once it is centred
    parts = [(part - centre) / scale for part, centre, scale in zip(parts, centres, varied, strict=True)]
    turns = _turns(parts)
    placed = centres if unit or origins is None else np.stack([np.asarray(origin, dtype=np.float64) for origin in origins])
    return Alignment(placed, turns * (scales.mean() * (scales > 0) / varied)[:, None, None], unit)


def _turns(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the rotation of each code, shape (codes, d, d); that of the first is the identity before the first round."""
    mean = parts[0]
    for _ in range(ROUNDS):
        turns = np.stack([orthogonal_procrustes(part, mean)[0] for part in parts])
        before, mean = mean, np.mean([part @ turn for part, turn in zip(parts, turns, strict=True)], 0)
        if np.linalg.norm(mean - before) <= TOLERANCE * np.linalg.norm(mean):
            break
    return turns

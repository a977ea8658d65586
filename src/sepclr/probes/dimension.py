"""Contrastive dimension: in how many dimensions does the target vary that background does not vary in?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from sepclr.probes.permutation import p_value, permutations

TOLERANCE = 0.1
"""ε of the authors' program: directions whose cosine is at least 1 − ε count as the same."""
SPLITS = 5
"""Number of random halves of a group that its dimension is read from."""
MOST = 25
"""Largest dimension of a group that is looked for."""

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Dimension:
    """Estimate of the contrastive dimension.

    Attributes:
        found: contrastive dimension of the groups.
        of_target: dimension of the target.
        of_background: dimension of background.
        exchanged: contrastive dimensions found after permutations of the groups, ascending.
        p: one-sided permutation p-value of ``found``.
    """

    found: int
    of_target: int
    of_background: int
    exchanged: tuple[int, ...]
    p: float

    @property
    def usual(self) -> float:
        """Median of ``exchanged``: what sampling alone makes of groups that do not differ."""
        return float(np.median(self.exchanged))

    @property
    def estimate(self) -> int:
        """Dimensions found beyond those that exchanged groups have."""
        return max(0, round(self.found - self.usual))


def contrastive_dimension(
    x: Floats,
    is_target: NDArray[np.bool_],
    *,
    subjects: NDArray[Any] | None = None,
    own_units: bool = False,
    orders: int = 99,
    seed: int = 0,
) -> Dimension:
    """Estimate the contrastive dimension, and test it against permutations of the groups.

    V_x and V_y are the leading principal directions of target and background, each centred on its own mean: d_x and d_y of them. The
    contrastive dimension counts the singular values of V_xᵀV_y below 1 − ε, and max(d_x − d_y, 0) further directions. The paper takes d_x
    and d_y from estimators of the intrinsic dimension, which count noise; here d of a group is the number of directions that halves of the
    group agree on (``reproduced``). A difference of means alone is no dimension.

    Args:
        x: samples, shape (n, d), of moderate d, such as principal components; at most d / 2 dimensions are found.
        is_target: True for targets, shape (n,).
        subjects: subject of each sample, shape (n,); None if every sample is a subject of its own.
        own_units: whether features have units of their own. Each is then divided by the geometric mean of its standard deviations in both
            groups; that of all samples would shrink what only the target varies in.
        orders: number of permutations.
        seed: random seed of halves and permutations.

    Source: Hawke, Ma, Li, Contrastive dimension reduction: when and how?, NeurIPS 2024. They test against a bootstrap of background from
    both groups; permutations give an exact p-value instead.
    """
    draw = np.random.default_rng(seed)
    order = permutations(subjects, is_target)
    with threadpool_limits(1):  # thousands of small matrices, on which threads only wait for each other
        found, target, background = _dimensions(x, is_target, subjects, own_units, draw)
        null = sorted(_dimensions(x, is_target[order(draw)], subjects, own_units, draw)[0] for _ in range(orders))
    return Dimension(found, target, background, tuple(null), p_value(float(found), np.array(null, dtype=float)))


def reproduced(x: Floats, draw: np.random.Generator, subjects: NDArray[Any] | None = None) -> int:
    """Return in how many dimensions samples vary reproducibly.

    Random halves of the subjects agree on r(d) of their d leading principal directions if r(d) singular values of V_aᵀV_b are at least
    1 − ε. The dimension is the d with the most directions agreed on beyond those that are not, r(d) − (d − r(d)).

    Args:
        x: samples, shape (n, d).
        draw: random generator of the halves.
        subjects: subject of each sample, shape (n,); None if every sample is a subject of its own.

    Returns:
        A dimension, at most d / 2, because random subspaces of more dimensions overlap.
    """
    whose = np.arange(len(x)) if subjects is None else np.unique(subjects, return_inverse=True)[1]
    most, n = min(MOST, x.shape[1] // 2), len(np.unique(whose))
    if n < 4 or most < 1:
        return 0
    agreed = np.zeros(most)
    for _ in range(SPLITS):
        first = np.isin(whose, draw.permutation(n)[: n // 2])
        cosines = _directions(x[first], most).T @ _directions(x[~first], most)
        agreed += [np.sum(np.linalg.svd(cosines[:d, :d], compute_uv=False) >= 1 - TOLERANCE) for d in range(1, most + 1)]
    beyond = 2 * agreed / SPLITS - np.arange(1, most + 1)
    return int(beyond.argmax()) + 1 if beyond.max() > 0 else 0


def _dimensions(
    x: Floats, is_target: NDArray[np.bool_], subjects: NDArray[Any] | None, own_units: bool, draw: np.random.Generator
) -> tuple[int, int, int]:
    """Return the contrastive dimension, and the dimensions of target and background."""
    if is_target.all() or not is_target.any():  # a permutation of subjects of unequal sizes
        return 0, 0, 0
    if own_units:
        x = x / np.maximum(np.sqrt(x[is_target].std(0) * x[~is_target].std(0)), 0.1 * x.std(0))
    target, background = x[is_target], x[~is_target]
    of_target = reproduced(target, draw, None if subjects is None else subjects[is_target])
    of_background = reproduced(background, draw, None if subjects is None else subjects[~is_target])
    if not of_target or not of_background:
        return of_target, of_target, of_background
    cosines = np.linalg.svd(_directions(target, of_target).T @ _directions(background, of_background), compute_uv=False)
    return int(np.sum(cosines < 1 - TOLERANCE)) + max(of_target - of_background, 0), of_target, of_background


def _directions(x: Floats, most: int) -> Floats:
    """Compute the leading principal directions of samples, shape (d, most)."""
    centred = x - x.mean(0)
    return np.asarray(np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :most])

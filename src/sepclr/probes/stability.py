"""Agreement of several codes of the same samples, such as those of models trained from several seeds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from sepclr.types import InputError

Measure = Literal["procrustes", "neighbours", "cka"]

NEIGHBOURS = 10
AT_MOST = 2000
"""Number of samples that are compared; of more, this many are drawn."""

PERMUTATIONS = 20
"""Number of random orders of the samples over which Procrustes similarity by chance is averaged."""

COLLAPSED = 1e-6
"""A code varies if its standard deviation is more than this, relative to its size; below is rounding error of float32."""


@dataclass(frozen=True)
class Agreement:
    """Agreement of two codes.

    Attributes:
        measure: ``procrustes``, ``neighbours`` or ``cka``.
        first: name of the first code.
        second: name of the second code.
        score: the agreement, 1 at best; NaN if a code does not vary.
        chance: its expected value if samples are paired at random.
        samples: number of samples compared.
        dimensions: effective number of dimensions of each code, (Σλ)²/Σλ² over the variances λ along its principal components; near 1,
            one direction outweighs all others, and so do distances and agreement. NaN if a code does not vary.
        neighbours: number of nearest neighbours, k; only for ``neighbours``.
        note: why there is no score; otherwise empty.
    """

    measure: Measure
    first: str
    second: str
    score: float
    chance: float
    samples: int
    dimensions: tuple[float, float]
    neighbours: int | None = None
    note: str = ""


def stability(
    codes: Sequence[NDArray[np.floating[Any]]], names: Sequence[str] | None = None, *, neighbours: int = NEIGHBOURS, seed: int = 0
) -> list[Agreement]:
    """Compare every pair of codes of the same samples.

    ``procrustes``: 1 − ‖sAR − B‖²/‖B‖² for centred codes A and B and the best rotation R and scale s (Schönemann, Psychometrika 1966;
    Gower, Psychometrika 1975). ``neighbours``: share of the k nearest neighbours of a sample that both codes have in common (Huh, Cheung,
    Wang, Isola, ICML 2024); by chance k/(n − 1). ``cka``: linear centred kernel alignment (Kornblith, Norouzi, Lee, Hinton, ICML 2019)
    with the unbiased estimator of HSIC (Song et al., JMLR 2012; Nguyen, Raghu, Kornblith, ICLR 2021), which is 0 on average over all
    orders of the samples, however many dimensions the codes have; it can be negative. No measure changes if a code is shifted, rotated or
    scaled as a whole.

    Args:
        codes: codes of the same samples in the same order, at least two, each of shape (n, d); d may differ. Of more than 2,000 samples,
            2,000 are drawn and compared.
        names: name of each code; ``code 0``, ``code 1``, … if None.
        neighbours: k; at most half of the other samples count.
        seed: random seed of the samples drawn and of the permutations for ``procrustes`` by chance.

    Returns:
        Three measures for each pair. Scores are NaN, with a note, where a code has the same value for all samples or is not finite, or
        there are fewer than four samples.

    Raises:
        InputError: fewer than two codes, codes that are not of shape (n, d) or of different numbers of samples or names, or k below 1.

    >>> draw = np.random.default_rng(0)
    >>> a = draw.normal(size=(500, 4))
    >>> rotation = np.linalg.qr(draw.normal(size=(4, 4))).Q
    >>> [round(each.score, 3) for each in stability([a, 3 * a @ rotation + 1])]
    [1.0, 1.0, 1.0]
    >>> [abs(round(each.score - each.chance, 1)) for each in stability([a, draw.normal(size=(500, 4))])]
    [0.0, 0.0, 0.0]
    """
    names = [f"code {place}" for place in range(len(codes))] if names is None else names
    _check(codes, names, neighbours)
    draw, n = np.random.default_rng(seed), len(codes[0])
    chosen = np.sort(draw.choice(n, AT_MOST, replace=False)) if n > AT_MOST else slice(None)
    n = min(n, AT_MOST)
    k = min(neighbours, (n - 1) // 2)
    orders = [draw.permutation(n) for _ in range(PERMUTATIONS)]
    parts = [_Part(name, np.asarray(each[chosen], dtype=np.float64), k) for name, each in zip(names, codes, strict=True)]
    found = []
    for one, two in itertools.combinations(parts, 2):
        if note := "; ".join(each.note for each in (one, two) if each.note):
            scores = dict.fromkeys(get_args(Measure), (float("nan"), float("nan")))
        else:
            a, b = one.code, two.code
            scores = {
                "procrustes": (_procrustes(a, b), float(np.mean([_procrustes(a, b[order]) for order in orders]))),
                "neighbours": (np.intersect1d(one.near, two.near, assume_unique=True).size / (n * k), k / (n - 1)),
                "cka": (_cka(a, b), 0.0),
            }
        for measure, (score, chance) in scores.items():
            dimensions, of_measure = (one.dimensions, two.dimensions), k if measure == "neighbours" else None
            found.append(Agreement(measure, one.name, two.name, score, chance, n, dimensions, of_measure, note))
    return found


class _Part:
    """A code centred and scaled to a norm of 1, with the nearest neighbours of its samples, or a note why it cannot be compared."""

    def __init__(self, name: str, code: NDArray[np.float64], k: int) -> None:
        self.name, self.note, self.dimensions = name, "", float("nan")
        if why := _collapsed(code):
            self.note = f"{name} has {why}"
            return
        centred = code - code.mean(0)
        self.code = centred / np.linalg.norm(centred)
        self.near = _nearest(self.code, k)
        self.dimensions = float(1 / ((self.code.T @ self.code) ** 2).sum())


def _check(codes: Sequence[NDArray[Any]], names: Sequence[str], neighbours: int) -> None:
    if len(codes) < 2:
        raise InputError(f"codes: {len(codes)} given; give at least two codes of the same samples")
    shapes = [np.shape(each) for each in codes]
    if any(len(shape) != 2 or shape[0] != shapes[0][0] for shape in shapes):
        raise InputError(f"codes: shapes {', '.join(map(str, shapes))}; give arrays (n, d) of the same n samples")
    if len(names) != len(codes):
        raise InputError(f"names: {len(names)} for {len(codes)} codes; give one for each")
    if neighbours < 1:
        raise InputError(f"neighbours: {neighbours}; give at least 1")


def _collapsed(code: NDArray[np.float64]) -> str:
    """Return why a code cannot be compared; empty if it can."""
    if len(code) < 4:
        return "fewer than four samples"
    if not np.isfinite(code).all():
        return "values that are not finite"
    if np.linalg.norm(code - code.mean(0)) <= COLLAPSED * np.linalg.norm(code):
        return "the same value for all samples"
    return ""


def _nearest(code: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    """Return the k nearest other samples of each, all as numbers n i + j, shape (n k,)."""
    # Called without samples, kneighbors does not count a sample as its own neighbour.
    index = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(code).kneighbors(return_distance=False)
    return np.asarray((np.arange(len(code))[:, None] * len(code) + index).ravel())


def _procrustes(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the similarity of centred codes of norm 1: the best R makes tr(RᵀAᵀB) the nuclear norm of AᵀB, and s is equal to it."""
    return float(np.linalg.norm(a.T @ b, "nuc") ** 2)


def _cka(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the unbiased linear CKA of centred codes; NaN if the HSIC of a code with itself is not positive."""
    of_a, of_b = _hsic(a, a), _hsic(b, b)
    return _hsic(a, b) / float(np.sqrt(of_a * of_b)) if min(of_a, of_b) > 0 else float("nan")


def _hsic(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return n (n − 3) times the unbiased HSIC of centred codes with linear kernels, in O(n d²).

    As AᵀA1 = 0, the rows of AAᵀ without its diagonal sum to −‖a_i‖².
    """
    n, p, q = len(a), (a * a).sum(1), (b * b).sum(1)
    return float(((a.T @ b) ** 2).sum() - p @ q + p.sum() * q.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (p @ q))

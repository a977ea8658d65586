"""Permutation tests of independence between two codes of the same samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform

from sepclr.probes.permutation import p_value

Floats = NDArray[np.floating[Any]]

MOST_PAIRED = 500
"""Maximum number of samples that are compared with each other; of more, as many are drawn at random."""


@dataclass(frozen=True)
class Dependence:
    """A measure of the dependence between two codes.

    Attributes:
        name: ``HSIC`` or ``distance correlation``.
        value: its value.
        chance: mean value over permutations.
        p: one-sided p-value.
        n: number of samples that were compared.
    """

    name: str
    value: float
    chance: float
    p: float
    n: int


def dependence(
    c: Float[np.ndarray, "n d_c"], s: Float[np.ndarray, "n d_s"], *, subjects: NDArray[Any] | None = None, rounds: int = 999, seed: int = 0
) -> list[Dependence]:
    """Test whether two codes of the same samples are independent, by HSIC and by distance correlation.

    Of subjects with several samples, one is drawn at random, so that samples are exchangeable.

    Args:
        c: first codes, shape (n, d_c).
        s: second codes, shape (n, d_s).
        subjects: subject of each sample, shape (n,); None if every sample is a subject of its own.
        rounds: number of permutations.
        seed: random seed.

    Returns:
        Both tests, of the same samples and permutations.

    Source: HSIC with Gaussian kernels, 2τ the median squared distance in each space, as ``sepclr.losses.hsic``: Gretton et al., ALT 2005.
    Distance correlation: Székely, Rizzo and Bakirov, Annals of Statistics 35, 2007.
    """
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(c))
    if subjects is not None:
        order = order[np.unique(subjects[order], return_index=True)[1]]
    chosen = draw.permutation(order)[:MOST_PAIRED]
    one, two = (_centred(code[chosen].astype(float)) for code in (c, s))
    n = len(chosen)
    observed = (one * two).mean((1, 2))
    # Both matrices are symmetric: each pair is looked up once.
    rows, columns = np.triu_indices(n)
    pairs, flat = one[:, rows, columns] * (2 - (rows == columns)), two.reshape(2, -1)
    null = np.empty((rounds, 2))
    for values in null:
        shuffled = draw.permutation(n)
        values[:] = (pairs * flat.take(shuffled[rows] * n + shuffled[columns], axis=1)).sum(1) / n**2
    found = []
    for place, name in enumerate(("HSIC", "distance correlation")):
        p = p_value(float(observed[place]) - 1e-12 * abs(float(observed[place])), null[:, place])
        value, chance = observed[place], null[:, place]
        if name != "HSIC":  # dCor = √(dCov² / √(dVar² dVar²)), of which a permutation changes only dCov²
            scale = np.sqrt((one[1] ** 2).mean() * (two[1] ** 2).mean()) or 1.0
            value, chance = np.sqrt(np.maximum(value, 0) / scale), np.sqrt(np.maximum(chance, 0) / scale)
        found.append(Dependence(name, float(value), float(chance.mean()), p, n))
    return found


def _centred(z: Floats) -> Floats:
    """Return the doubly centred kernel and distances of codes, shape (2, n, n)."""
    distances = pdist(z)
    squares = distances[distances > 0] ** 2
    width = np.median(squares) if len(squares) else 1.0
    matrices = np.stack([np.exp(-(squareform(distances) ** 2) / width), squareform(distances)])
    return np.asarray(matrices - matrices.mean(1, keepdims=True) - matrices.mean(2, keepdims=True) + matrices.mean((1, 2), keepdims=True))

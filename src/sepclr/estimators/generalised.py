"""Generalised contrastive PCA: the largest (target − background) / (target + background) variance (de Oliveira et al. 2025)."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from scipy.linalg import eigh

from sepclr.estimators.linear import Floats, LinearContrast
from sepclr.types import InputError


class GeneralisedContrastivePCA(LinearContrast):
    """Find directions along which the target varies proportionally more than background, with no contrast to choose.

    Maximises xᵀ(C_t − C_b)x / xᵀ(C_t + C_b)x, gcPCA's version 4. The ratio overfits where background hardly varies. It is
    therefore maximised, much as in the authors' program, within the leading principal directions of C_t + C_b: as many as the smaller group
    has degrees of freedom, or ``rank``. With more features than samples, choose a low ``rank``.

    Args:
        n_components: number of directions.
        rank: number of leading principal directions of both groups together in which the ratio is maximised; as many as the data
            determine if None.
        background: label of background in y; the lower of the two labels if None.
        standardise: scale each group by its own standard deviations. This removes differences in the variance of single features; only
            differences in correlation remain.

    Attributes:
        classes_: the two labels, background first.
        components_: directions of unit length in units of ``scale_``, not orthogonal to each other, largest ratio first, shape
            (n_components, n_features).
        ratios_: (target − background) / (target + background) variance along each, −1 (only background varies) to 1 (only the target
            does), shape (n_components,).
        rank_: number of principal directions in use.
        loadings_: covariance of each feature with each component, scaled to variance 1, among targets, in units of ``scale_``; correlations
            if ``standardise``. Shape (n_features, n_components).
        mean_: mean of the target, shape (n_features,).
        scale_: standard deviations of the target, or ones if ``standardise`` is False, shape (n_features,).

    Source: de Oliveira, Garg, Hjerling-Leffler, Batista-Brito, Sjulson, Identifying patterns differing between high-dimensional datasets
    with generalized contrastive PCA, PLoS Computational Biology 21(2):e1012747, 2025.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(400, 5)) * [5, 1, 1, 1, 1], np.repeat([0, 1], 200)
    >>> X[y == 1, 1] *= 4
    >>> abs(GeneralisedContrastivePCA(1, standardise=False).fit(X, y).components_).argmax()
    np.int64(1)
    """

    def __init__(self, n_components: int = 2, *, rank: int | None = None, background: Any = None, standardise: bool = True) -> None:
        self.n_components = n_components
        self.rank = rank
        self.background = background
        self.standardise = standardise

    def _solve(self, target: Floats, background: Floats) -> Floats:
        if self.rank is not None and (not isinstance(self.rank, Integral) or self.rank < 1):
            raise InputError(f"rank: {self.rank!r}; give a whole number of at least 1, or None")
        most = min(target.shape[1], len(target) - 1, len(background) - 1)
        self.rank_ = most if self.rank is None else min(most, self.rank)
        self._require_directions(self.rank_, "the ratio is determined in")
        # The squared coordinates sum to C_t + C_b, which is diagonal. Scaled to 1 each, C_t + C_b is the identity and the ratio is
        # 2 C_t − 1, so no covariance is inverted.
        lengths = np.sqrt((target**2).sum(0) + (background**2).sum(0))[: self.rank_]
        whitened = target[:, : self.rank_] / lengths
        shares, vectors = eigh(whitened.T @ whitened, subset_by_index=[self.rank_ - self.n_components, self.rank_ - 1])
        self.ratios_ = 2 * shares[::-1] - 1
        directions = np.zeros((self.n_components, target.shape[1]))
        directions[:, : self.rank_] = vectors.T[::-1] / lengths
        return np.asarray(directions / np.linalg.norm(directions, axis=1, keepdims=True))

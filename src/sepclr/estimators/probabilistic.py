"""Probabilistic contrastive PCA: the maximum of log p(target) − γ log p(background) (Li, Jones, Engelhardt, arXiv 2012.07977)."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from scipy.linalg import eigh

from sepclr.estimators.linear import Floats, LinearContrast
from sepclr.types import InputError


class ProbabilisticContrastivePCA(LinearContrast):
    """Fit x = W z + ε, z ~ N(0, I), ε ~ N(0, σ² I), to explain the target but not background.

    Maximises log p(X_target | W, σ²) − γ log p(X_background | W, σ²) for n target and m background samples, each group with its own mean.
    With λ, U the eigenvalues and eigenvectors of C = (n S_target − γ m S_background) / (n − γ m), S the covariances with divisors n and m:

        σ² = mean of the λ after the first d;  W = U_d (Λ_d − σ² I)^½

    This is a maximum only if γ < n/m and σ² > 0; otherwise the likelihood grows without bound as σ² → 0, and W does not exist. The authors'
    program does not check the second condition and continues with a negative σ². Relative to target-specific variance, shared variance
    shrinks by a factor of 1 − γm/n; if it is still the larger one, it comes first.

    Args:
        n_components: dimension d of z; if it equals the number of features, σ² is 0.
        gamma: weight γ of background, from 0 (probabilistic PCA of the target) to n/m; ``"auto"`` is n/2m, halved until σ² is positive.
        background: label of background in y; the lower of the two labels if None.
        standardise: scale each group by its own standard deviations. This removes differences in the variance of single features; only
            differences in correlation remain.

    Attributes:
        classes_: the two labels, background first.
        components_: rows of (WᵀW + σ² I)⁻¹ Wᵀ, in units of ``scale_``, largest eigenvalue first, shape (n_components, n_features):
            ``transform`` is the posterior mean of z. The authors' program returns Wᵀx; the two differ by a factor per component.
        loadings_: W, in units of ``scale_``, shape (n_features, n_components).
        noise_variance_: σ².
        eigenvalues_: first d eigenvalues of C, the variance along each component, signal and noise, shape (n_components,).
        gamma_: the weight in use.
        mean_: mean of the target, shape (n_features,).
        scale_: standard deviations of the target, or ones if ``standardise`` is False, shape (n_features,).

    Source: Li, Jones, Engelhardt, Probabilistic contrastive principal component analysis, arXiv 2012.07977.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(400, 5)) * [5, 1, 1, 1, 1], np.repeat([0, 1], 200)
    >>> X[y == 1, 1] *= 4
    >>> abs(ProbabilisticContrastivePCA(1, gamma=0.6, standardise=False).fit(X, y).components_).argmax()
    np.int64(1)
    """

    def __init__(self, n_components: int = 2, *, gamma: float | str = "auto", background: Any = None, standardise: bool = True) -> None:
        self.n_components = n_components
        self.gamma = gamma
        self.background = background
        self.standardise = standardise

    def _loadings(self, target: Floats) -> Floats:
        return np.asarray(self.components_.T * self.eigenvalues_)  # WᵀW + σ² I is the diagonal matrix of these

    def _solve(self, target: Floats, background: Floats) -> Floats:
        limit = len(target) / len(background)
        if self.gamma == "auto":
            tried = [*(limit / 2**power for power in range(1, 20)), 0.0]
        elif isinstance(self.gamma, Real) and 0 <= self.gamma < limit:
            tried = [float(self.gamma)]
        else:
            raise InputError(
                f"gamma: {self.gamma!r}; give at least 0 and less than n/m = {limit:g} (target over background samples), or 'auto'; "
                "the likelihood has no maximum elsewhere"
            )
        for gamma in tried:
            values, vectors, noise = self._stationary(target, background, gamma)
            # With as many components as features, everything is signal: σ² is 0, and C itself must be positive.
            least = noise if self.n_components < self.n_features_in_ else values[-1]
            if least > np.finfo(np.float64).eps * self.n_features_in_ * np.abs(values).max():
                break
        else:
            name, remedy = ("gamma", "give less, or 'auto'") if gamma > 0 else ("n_components", "give fewer")
            raise InputError(
                f"{name}: {getattr(self, name)!r} leaves no positive σ² ({least:.2g}), so the likelihood has no maximum; {remedy}"
            )
        self.gamma_, self.eigenvalues_, self.noise_variance_ = gamma, values, noise
        return np.asarray((vectors * np.sqrt(np.maximum(values - noise, 0)) / values).T)

    def _stationary(self, target: Floats, background: Floats, gamma: float) -> tuple[Floats, Floats, float]:
        """Compute the largest eigenvalues of C, shape (n_components,), their vectors, shape (rank, n_components), and σ²."""
        (n, rank), m, d = target.shape, len(background), self.n_components
        c = ((n - 1) * target.T @ target - gamma * (m - 1) * background.T @ background) / (n - gamma * m)
        values, vectors = eigh(c, subset_by_index=[rank - d, rank - 1])
        others = self.n_features_in_ - d
        noise = float(np.trace(c) - values.sum()) / others if others else 0.0
        return values[::-1], vectors[:, ::-1], noise

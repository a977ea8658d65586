"""Contrastive PCA: the top eigenvectors of C_target − α C_background (Abid, Zhang, Bagaria, Zou, Nature Communications 2018)."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.linalg import eigh
from sklearn.cluster import SpectralClustering
from sklearn.exceptions import ConvergenceWarning

from sepclr.estimators.linear import Floats, LinearContrast
from sepclr.types import InputError


class ContrastivePCA(LinearContrast):
    """Find directions along which the target varies and background does not.

    With ``alpha="auto"``, spectral clustering groups the subspaces of α = 0 and of ``n_alphas`` contrasts, spaced logarithmically from 0.1
    to 10^``max_log_alpha``. The affinity of two subspaces is the product of the cosines of the principal angles between them. Each cluster
    is represented by its medoid, the cluster of α = 0 by 0. The paper leaves the choice among them to visual inspection. Here ``alpha_``
    is the medoid of the largest cluster, stable over the widest range, excluding the two at the ends: that of α = 0 is PCA of the target,
    and that of the largest α follows only the noise of background. If there are only these two, ``alpha_`` is the medoid of the latter.

    Args:
        n_components: number of directions.
        alpha: contrast α, 0 or more; 0 is PCA of the target; or ``"auto"``.
        n_alphas: number of contrasts that ``"auto"`` tries, besides 0.
        max_log_alpha: base-10 logarithm of the largest contrast, above −1.
        n_candidates: number of clusters that ``"auto"`` forms, at least 2; fewer if fewer subspaces are distinct.
        background: label of background in y; the lower of the two labels if None.
        standardise: scale each group by its own standard deviations. This removes differences in the variance of single features; only
            differences in correlation remain.
        random_state: random seed of the clustering.

    Attributes:
        classes_: the two labels, background first.
        components_: orthonormal directions, in units of ``scale_``, largest eigenvalue first, shape (n_components, n_features).
        eigenvalues_: eigenvalues of C_target − α C_background, shape (n_components,).
        alpha_: the contrast in use.
        candidate_alphas_: representatives of the clusters, ascending, 0 first; ``[alpha]`` if ``alpha`` is a number.
        loadings_: covariance of each feature with each component, scaled to variance 1, among targets, in units of ``scale_``; correlations
            if ``standardise``. Shape (n_features, n_components).
        mean_: mean of the target, shape (n_features,).
        scale_: standard deviations of the target, or ones if ``standardise`` is False, shape (n_features,).

    Source: Abid, Zhang, Bagaria, Zou, Exploring patterns enriched in a dataset with contrastive principal component analysis, Nature
    Communications 9:2134, 2018. Angles are between the directions; the authors' program uses those between the projected target samples.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(400, 5)) * [5, 1, 1, 1, 1], np.repeat([0, 1], 200)
    >>> X[y == 1, 1] *= 4
    >>> abs(ContrastivePCA(1, alpha=2, standardise=False).fit(X, y).components_).argmax()
    np.int64(1)
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        alpha: float | str = "auto",
        n_alphas: int = 40,
        max_log_alpha: float = 3,
        n_candidates: int = 4,
        background: Any = None,
        standardise: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.alpha = alpha
        self.n_alphas = n_alphas
        self.max_log_alpha = max_log_alpha
        self.n_candidates = n_candidates
        self.background = background
        self.standardise = standardise
        self.random_state = random_state

    def _solve(self, target: Floats, background: Floats) -> Floats:
        covariances = target.T @ target, background.T @ background
        if self.alpha == "auto":
            self.alpha_, self.candidate_alphas_ = self._choose(*covariances)
        elif isinstance(self.alpha, Real) and 0 <= self.alpha < np.inf:
            self.alpha_ = float(self.alpha)
            self.candidate_alphas_ = np.array([self.alpha_])
        else:
            raise InputError(f"alpha: {self.alpha!r}; give a number of at least 0, or 'auto'")
        self.eigenvalues_, directions = self._top(*covariances, self.alpha_)
        return directions.T

    def _top(self, target: Floats, background: Floats, alpha: float) -> tuple[Floats, Floats]:
        """Compute the largest eigenvalues, shape (n_components,), and their vectors, shape (rank, n_components)."""
        rank = len(target)
        values, vectors = eigh(target - alpha * background, subset_by_index=[rank - self.n_components, rank - 1])
        return values[::-1], vectors[:, ::-1]

    def _choose(self, target: Floats, background: Floats) -> tuple[float, Floats]:
        if not all(isinstance(number, Integral) for number in (self.n_alphas, self.n_candidates)):
            raise InputError(f"n_alphas, n_candidates: {self.n_alphas!r}, {self.n_candidates!r} are not whole numbers")
        if self.n_candidates < 2:
            raise InputError(f"n_candidates: {self.n_candidates}; give at least 2, including α = 0")
        if self.n_alphas < self.n_candidates:
            raise InputError(f"n_alphas: {self.n_alphas} for {self.n_candidates} candidates; give at least as many")
        if not -1 < self.max_log_alpha < np.inf:
            raise InputError(f"max_log_alpha: {self.max_log_alpha}; give a number above -1, the logarithm of the smallest α")
        alphas = np.concatenate([[0.0], np.logspace(-1, self.max_log_alpha, self.n_alphas)])
        spaces = np.stack([self._top(target, background, alpha)[1] for alpha in alphas])
        affinity = _affinity(spaces)
        if affinity.min() > 1 - 1e-9:  # the same subspace for every α
            return 0.0, np.zeros(1)
        return _representatives(alphas, affinity, self._cluster(affinity))

    def _cluster(self, affinity: Floats) -> Floats:
        clustering = SpectralClustering(self.n_candidates, affinity="precomputed", random_state=self.random_state)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct subspaces than clusters: some stay empty
            warnings.filterwarnings("ignore", message="Graph is not fully connected")  # a jump to an orthogonal subspace
            labels: Floats = clustering.fit_predict(affinity)
        return labels


def _affinity(spaces: Floats) -> Floats:
    """Compute products of the cosines of principal angles between k subspaces with orthonormal bases (k, rank, d); shape (k, k)."""
    # The singular values of VᵢᵀVⱼ are the cosines; their product is the absolute value of the determinant.
    return np.asarray(np.abs(np.linalg.det(np.einsum("ird,jre->ijde", spaces, spaces, optimize=True))))


def _representatives(alphas: Floats, affinity: Floats, labels: Floats) -> tuple[float, Floats]:
    """Return α, chosen among the medoids of clusters, and the medoids, ascending, with 0 for the cluster that holds α = 0."""
    candidates, between = [0.0], []
    for label in np.unique(labels[labels != labels[0]]):
        members = np.flatnonzero(labels == label)
        candidates.append(alphas[members[affinity[np.ix_(members, members)].sum(0).argmax()]])
        if label != labels[-1]:
            between.append((len(members), -candidates[-1]))
    # Among clusters of the same size, choose the lower α: it keeps more of the target's variance.
    chosen = -max(between)[1] if between else max(candidates)
    return float(chosen), np.sort(candidates)

"""Base of the linear methods: groups, centring, the span of the data, transform and inverse. Each method's file finds the directions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import svd
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils import ClassifierTags, Tags
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from sepclr.data import Cohort
from sepclr.estimators import saved
from sepclr.estimators.groups import membership
from sepclr.estimators.preflight import of_linear, rows_of
from sepclr.estimators.separation import probed
from sepclr.types import InputError, Row

Floats = NDArray[np.float64]


class LinearContrast(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Base class of linear maps of rows, computed from the covariances of two groups.

    Each group is centred with its own mean and, with ``standardise``, scaled with its own standard deviations, as in the papers.
    Samples of both groups are transformed with the mean and scale of the *target*. Components make up the salient code s; linear methods
    have no common code.

    Attributes:
        loadings_: covariance of each feature, in units of ``scale_``, with each component, scaled to variance 1, among targets; with
            ``standardise`` their correlation. Shape (n_features, n_components), as factor analysis writes them.
    """

    n_components: int
    background: Any
    standardise: bool
    classes_: NDArray[Any]
    preflight = of_linear

    @abstractmethod
    def _solve(self, target: Floats, background: Floats) -> Floats:
        """Compute the directions.

        Args:
            target: coordinates of target samples in an orthonormal basis of the directions in which either group varies, shape
                (n_target, rank); their squares sum to the covariance.
            background: the same for background, shape (n_background, rank).

        Returns:
            Directions in that basis, shape (n_components, rank).
        """

    def fit(self, X: ArrayLike | Cohort, y: ArrayLike | None = None) -> Self:
        """Fit the directions to samples of both groups.

        Args:
            X: rows, shape (n, features), any units, no missing values, or a ``Cohort`` of rows.
            y: group label of each sample, two distinct labels, shape (n,); None for a ``Cohort``, which has its own.

        Returns:
            This estimator.

        Raises:
            InputError: labels that are not two groups of at least two samples, more components than directions in the data, or options
                outside their range.
            ValueError: missing or infinite values; scikit-learn's message names X.
        """
        if isinstance(X, Cohort) and y is not None:
            raise InputError("y: a Cohort has its own groups; omit y")
        groups = X.is_target.numpy() if isinstance(X, Cohort) else y
        samples, labels = validate_data(self, rows_of(X), groups, dtype=np.float64, ensure_min_samples=4)
        if not isinstance(self.n_components, Integral) or self.n_components < 1:
            raise InputError(f"n_components: {self.n_components!r}; give a whole number of at least 1")
        self.classes_, is_target = membership(labels, None if isinstance(X, Cohort) else self.background)
        for name, members in (("background", ~is_target), ("target", is_target)):
            if members.sum() < 2:
                raise InputError(f"y: {members.sum()} {name} sample(s); contrastive analysis needs at least 2 of each group")
        scaler, other = (StandardScaler(with_std=self.standardise).fit(samples[members]) for members in (is_target, ~is_target))
        self.mean_: Floats = scaler.mean_
        self.scale_: Floats = scaler.scale_ if self.standardise else np.ones(samples.shape[1])
        target, background, basis = _span(scaler.transform(samples[is_target]), other.transform(samples[~is_target]))
        self._require_directions(len(basis))
        components = self._solve(target, background) @ basis
        largest = np.take_along_axis(components, np.abs(components).argmax(1, keepdims=True), 1)
        self.components_: Floats = components * np.where(largest < 0, -1.0, 1.0)
        self.loadings_: Floats = self._loadings(scaler.transform(samples[is_target]))
        return self

    def transform(self, X: ArrayLike | Cohort) -> Floats:
        """Project samples of either group, including held-out samples, on the components.

        Args:
            X: rows, shape (n, features), or a ``Cohort`` of rows.

        Returns:
            ``(X - mean_) / scale_ @ components_.T``, shape (n, n_components), float64.
        """
        check_is_fitted(self)
        return self._project(self._validated(X))

    def transform_salient(self, X: ArrayLike | Cohort) -> Floats:
        """Return ``transform(X)``: the components are the salient code s."""
        return self.transform(X)

    def corrected(self, X: ArrayLike | Cohort) -> Floats:
        """Remove the salient part of samples: subtract their projection on the components.

        Directions orthogonal to the components, in units of ``scale_``, are left unchanged. Along them, every sample of either group gets
        the mean of the target, so ``transform`` of the result is 0.

        Args:
            X: rows, shape (n, features), or a ``Cohort`` of rows.

        Returns:
            Rows, shape (n, features), in the units of X, float64.
        """
        check_is_fitted(self)
        samples = self._validated(X)
        return np.asarray(samples - (self.inverse_transform(self._project(samples)) - self.mean_))

    def score_separation(
        self, X: ArrayLike | Cohort, y: ArrayLike | None = None, attributes: Mapping[str, ArrayLike] | None = None, *, seed: int = 0
    ) -> list[Row]:
        """Score how well linear probes decode each attribute and the group from the components, s; there is no c.

        Probes are fitted on half of the samples and scored on the other half, without splitting subjects.

        Args:
            X: held-out samples, as in ``fit``.
            y: group labels, as in ``fit``; None for a ``Cohort``.
            attributes: attributes of the samples by name, each of shape (n,). Integers and strings are classes, floating point is a
                quantity. None for a ``Cohort``, which has its own.
            seed: random seed of the split and of the intervals.

        Returns:
            A row for each attribute and metric, as ``sepclr.probes.probe``; the encoder is ``trained``.

        Raises:
            InputError: labels not seen in ``fit``, lengths that differ, or groups that are too small.
        """
        codes = self.transform(X)
        if isinstance(X, Cohort):
            if y is not None or attributes is not None:
                raise InputError("y, attributes: a Cohort has its own; omit them")
            held = X
        else:
            labels = np.asarray(y)
            if wrong := sorted({*np.unique(labels).tolist()} - {*self.classes_.tolist()}, key=str):
                raise InputError(f"y: {wrong[0]!r} is not one of the labels in fit, {self.classes_[0]!r} and {self.classes_[1]!r}")
            known = {name: np.asarray(attributes[name]) for name in attributes} if attributes is not None else {}
            held = Cohort(torch.from_numpy(codes), torch.from_numpy(labels == self.classes_[1]), known)
        is_target = held.is_target.numpy()
        return probed({"trained": {"s": codes}}, is_target, seed, attributes=held.attributes, subjects=held.subjects)

    def inverse_transform(self, Z: ArrayLike) -> Floats:
        """Map components back to the nearest rows, in units of ``scale_``, in the plane through ``mean_`` spanned by the components.

        Args:
            Z: what ``transform`` returned, shape (n, n_components).

        Returns:
            Rows, shape (n, features). For ``transform(X)``, the orthogonal projection of X in units of ``scale_``.

        Raises:
            InputError: a different number of components.
        """
        check_is_fitted(self)
        codes = check_array(Z, dtype=np.float64, input_name="Z")
        if codes.shape[1] != len(self.components_):
            raise InputError(f"Z: {codes.shape[1]} columns; give {len(self.components_)}, as transform does")
        return np.asarray(codes @ np.linalg.pinv(self.components_).T * self.scale_ + self.mean_)

    def save(self, folder: Path | str) -> None:
        """Save the fitted estimator to a folder, as safetensors and JSON; ``sepclr.load`` reads it back.

        Args:
            folder: created with its parents if missing; an estimator saved there earlier is replaced.

        Raises:
            InputError: a non-empty folder without a saved estimator or one that cannot be written.
        """
        check_is_fitted(self)
        saved.save(self, Path(folder))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.classifier_tags = ClassifierTags(multi_class=False)  # two groups
        return tags

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def _loadings(self, target: Floats) -> Floats:
        """Compute the covariance of centred rows with components of variance 1, shape (features, components)."""
        codes = target @ self.components_.T
        deviations = codes.std(0)
        return np.asarray(target.T @ codes / len(target) / np.where(deviations > 0, deviations, 1.0))

    def _validated(self, X: Any) -> Floats:
        samples: Floats = validate_data(self, rows_of(X), dtype=np.float64, reset=False)
        return samples

    def _project(self, samples: Floats) -> Floats:
        return np.asarray((samples - self.mean_) / self.scale_ @ self.components_.T)

    def _require_directions(self, rank: int, where: str = "the data vary in") -> None:
        if self.n_components > rank:
            raise InputError(
                f"n_components: {self.n_components}, but {where} {rank} direction(s) (n_features={self.n_features_in_}); give at most that"
            )


def _span(target: Floats, background: Floats) -> tuple[Floats, Floats, Floats]:
    """Compute the principal directions of the summed covariances, shape (rank, features), and both groups' coordinates in them.

    No matrix of shape (features, features) is formed.
    """
    pooled = np.concatenate([group / np.sqrt(len(group) - 1) for group in (target, background)])
    u, s, basis = svd(pooled, full_matrices=False)
    rank = int((s > s[0] * max(pooled.shape) * np.finfo(np.float64).eps).sum())
    coordinates = (u * s)[:, :rank]
    return coordinates[: len(target)], coordinates[len(target) :], basis[:rank]

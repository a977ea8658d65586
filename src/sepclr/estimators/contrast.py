"""Base estimator of the trained methods; ``named`` derives a class for each method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils import ClassifierTags, Tags, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from sepclr.data import Cohort, VolumeCache
from sepclr.estimators import saved
from sepclr.estimators.groups import membership
from sepclr.estimators.networks import networks, views
from sepclr.estimators.report import write
from sepclr.estimators.separation import separation
from sepclr.methods.make import make
from sepclr.methods.options import Declaration, Options
from sepclr.ranges import check_at_least
from sepclr.training import History, Settings, decode, encode, fit, resolve_accelerator
from sepclr.types import Codes, InputError, Method, Row

Samples = NDArray[Any] | VolumeCache
Floats = NDArray[np.floating[Any]]


def _decodes(model: Contrast) -> bool:
    return model.declaration.decoder


def _has_salient(model: Contrast) -> bool:
    return "salient_dim" in model.declaration.defaults


class Contrast(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Base class of estimators that train a method on samples of two groups."""

    declaration: ClassVar[Declaration]
    """Declaration of the method."""

    def fit(self, X: ArrayLike | Cohort, y: ArrayLike | None = None) -> Self:
        """Train on samples of both groups.

        Args:
            X: rows, shape (n, features), standardised here; images, shape (n, channels, height, width), uint8 0..255 or floating point
                0..1; volumes, shape (n, channels, depth, height, width), uint8 or floating point; or a ``Cohort`` of any of these.
            y: group label of each sample, two distinct labels, shape (n,); None for a ``Cohort``, which has its own.

        Returns:
            This estimator.

        Raises:
            InputError: labels that are not two groups of at least two samples, pixels outside their range, or options outside theirs.
        """
        options = self._options()  # raises InputError before X and y are checked
        check_at_least(1, width=self.width)
        if self.device not in ("auto", "cpu", "cuda"):
            raise InputError(f"device: {self.device!r} is unknown; choose auto, cpu or cuda")
        samples, is_target = self._groups(X, y)
        self.sample_shape_ = tuple(samples.shape[1:])
        if samples.ndim == 2:
            scaler = StandardScaler().fit(samples)
            self.mean_, self.scale_ = scaler.mean_, scaler.scale_
        cohort = Cohort(self._tensor(samples), torch.from_numpy(is_target))
        self.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))
        settings = Settings(self.max_epochs, self.batch_size, self.learning_rate, accelerator=self.device, devices=1)
        history, method = History(), make(options, networks(self), seed=self.seed_)
        callbacks = [*(self.callbacks or ()), history]
        fit(method, views(self), cohort, settings, seed=self.seed_, progress=bool(self.verbose), callbacks=callbacks)
        self.history_ = history.epochs
        self.method_ = self._settled(cast(Method, cast(nn.Module, method).cpu()))
        return self

    def transform(self, X: ArrayLike | Cohort) -> Floats:
        """Compute [c, s] of samples.

        Args:
            X: samples as in ``fit``.

        Returns:
            Codes, shape (n, common_dim + salient_dim), c first; only c for methods without a salient code.

        Raises:
            InputError: samples whose shape differs from those in ``fit``.
        """
        codes = self._codes(X)
        return torch.cat(codes if _has_salient(self) else codes[:1], 1).numpy()

    def transform_common(self, X: ArrayLike | Cohort) -> Floats:
        """Compute the common codes c of samples, shape (n, common_dim); raises as ``transform``."""
        return self._codes(X).c.numpy()

    @available_if(_has_salient)  # type: ignore[untyped-decorator]
    def transform_salient(self, X: ArrayLike | Cohort) -> Floats:
        """Compute the salient codes s of samples, shape (n, salient_dim); raises as ``transform``."""
        return self._codes(X).s.numpy()

    @available_if(_decodes)  # type: ignore[untyped-decorator]
    def reconstruct(self, X: ArrayLike | Cohort) -> Floats:
        """Reconstruct targets from their codes, in the units and shape of X, pixels in 0..1; raises as ``transform``."""
        return self._decoded("reconstruction", X)

    @available_if(_decodes)  # type: ignore[untyped-decorator]
    def without_salient(self, X: ArrayLike | Cohort) -> Floats:
        """Reconstruct targets as if they were background, with s = 0. Shape and units are those of ``reconstruct``."""
        return self._decoded("without_salient", X)

    @available_if(_decodes)  # type: ignore[untyped-decorator]
    def swap(self, X: ArrayLike | Cohort, donor: ArrayLike | Cohort) -> Floats:
        """Decode targets X with the salient patterns of others, a donor for each: c of X with s of its donor; scaled as by ``reconstruct``.

        Raises InputError for a different number of donors, or as ``transform``.
        """
        return self._decoded("swapped", X, donor)

    @available_if(_decodes)  # type: ignore[untyped-decorator]
    def add_salient(self, X: ArrayLike | Cohort, donor: ArrayLike | Cohort) -> Floats:
        """Decode background samples X with the salient patterns of targets, the donors; otherwise as ``swap``."""
        return self._decoded("added", X, donor)

    def score_separation(
        self, X: ArrayLike | Cohort, y: ArrayLike | None = None, attributes: Mapping[str, ArrayLike] | None = None, *, seed: int = 0
    ) -> list[Row]:
        """Score how well linear probes decode each attribute and the group from c and s.

        Probes are fitted on half of the samples and scored on the other half, without splitting subjects. The trained encoders are
        compared with the same encoders before training.

        Args:
            X: held-out samples, as in ``fit``.
            y: group labels, as in ``fit``; None for a ``Cohort``.
            attributes: attributes of the samples by name, each of shape (n,), such as a dict or a data frame. Integers and strings are
                classes, floating point is a quantity. None for a ``Cohort``, which has its own.
            seed: random seed of the split and of the intervals.

        Returns:
            A row for each attribute, space (``c``, ``s``), metric and encoder (``trained``, ``untrained``), as ``sepclr.probes.probe``.

        Raises:
            InputError: labels not seen in ``fit``, lengths that differ, or as ``transform``.
        """
        return separation(self, self._cohort(X, y, attributes), seed)

    def report(
        self,
        path: Path | str,
        X: ArrayLike | Cohort,
        y: ArrayLike | None = None,
        attributes: Mapping[str, ArrayLike] | None = None,
        *,
        common: tuple[str, ...] = (),
        salient: tuple[str, ...] = (),
    ) -> list[Row]:
        """Write an HTML report with the scores of ``score_separation``, training curves, examples and maps of the codes.

        Args:
            path: file to write.
            X: held-out samples, as in ``fit``.
            y: as for ``score_separation``.
            attributes: as for ``score_separation``.
            common: names of the attributes that belong in c.
            salient: names of the attributes that belong in s.

        Returns:
            The rows of ``score_separation``.

        Raises:
            InputError: an unknown attribute name, a file that cannot be written, or as ``score_separation``.
        """
        return write(self, Path(path), self._cohort(X, y, attributes), common, salient)

    def save(self, folder: Path | str) -> None:
        """Save the fitted estimator to a folder, as safetensors and JSON; ``sepclr.load`` reads it back.

        Args:
            folder: created with its parents if missing; an estimator saved there earlier is replaced.

        Raises:
            InputError: a non-empty folder without a saved estimator or one that cannot be written, or parameters that cannot be saved.
        """
        check_is_fitted(self)
        saved.save(self, Path(folder))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Return the names of the columns of ``transform``: c0, c1, …, s0, s1, …."""
        check_is_fitted(self)
        salient = self.salient_dim if _has_salient(self) else 0
        return np.asarray([f"c{i}" for i in range(self.common_dim)] + [f"s{i}" for i in range(salient)], dtype=object)

    def untrained(self) -> Method:
        """Return the method of a fitted estimator with its weights before training."""
        check_is_fitted(self)
        return self._settled(make(self._options(), networks(self), seed=self.seed_))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.classifier_tags = ClassifierTags(multi_class=False)  # two groups
        tags.input_tags.three_d_array = False
        return tags

    def _options(self) -> Options:
        """Return the options of the method.

        Raises:
            InputError: an option that does not apply, or an invalid value.
        """
        given = {name: value for name, value in self.get_params(deep=False).items() if name in self.declaration.defaults}
        # A parameter grid from NumPy holds NumPy scalars.
        return self.declaration.asked({name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()})

    def _groups(self, X: Any, y: Any) -> tuple[Samples, NDArray[np.bool_]]:
        """Check the samples and labels of ``fit``, and store the labels."""
        if not isinstance(X, Cohort):
            samples, labels = validate_data(self, X, y, dtype=[np.float32, np.float64, np.uint8], allow_nd=True, ensure_min_samples=4)
            self.classes_, is_target = membership(labels, self.background)
            return samples, is_target
        if y is not None:
            raise InputError("y: a Cohort has its own groups; omit y")
        self.classes_, self.n_features_in_ = np.array([False, True]), X.x.shape[1]
        return X.x.numpy() if isinstance(X.x, Tensor) else X.x, X.is_target.numpy()

    def _cohort(self, X: Any, y: Any, attributes: Mapping[str, Any] | None) -> Cohort:
        """Return a cohort of labelled samples, with the labels of ``fit``."""
        if isinstance(X, Cohort):
            if y is not None or attributes is not None:
                raise InputError("y, attributes: a Cohort has its own; omit them")
            return replace(X, x=self._tensor(self._known(X)))
        labels = np.asarray(y)
        if wrong := sorted({*np.unique(labels).tolist()} - {*self.classes_.tolist()}, key=str):
            raise InputError(f"y: {wrong[0]!r} is not one of the labels in fit, {self.classes_[0]!r} and {self.classes_[1]!r}")
        known = {name: np.asarray(attributes[name]) for name in attributes} if attributes is not None else {}
        return Cohort(self._tensor(self._known(X)), torch.from_numpy(labels == self.classes_[1]), known)

    def _known(self, X: Any) -> Samples:
        """Check samples against those of ``fit``."""
        check_is_fitted(self)
        if isinstance(X, Cohort):
            samples: Samples = X.x.numpy() if isinstance(X.x, Tensor) else X.x
        else:
            samples = validate_data(self, X, dtype=[np.float32, np.float64, np.uint8], allow_nd=True, reset=False)
        if tuple(samples.shape[1:]) != self.sample_shape_:
            raise InputError(f"X: samples have shape {tuple(samples.shape[1:])}; fit saw {self.sample_shape_}")
        return samples

    def _tensor(self, samples: Samples) -> Tensor | VolumeCache:
        """Convert samples to encoder inputs; rows are standardised."""
        if isinstance(samples, VolumeCache):
            return samples
        if samples.ndim == 2:
            return torch.from_numpy(((samples.astype(np.float64) - self.mean_) / self.scale_).astype(np.float32))
        if samples.ndim not in (4, 5):
            raise InputError(f"X: {samples.ndim} dimensions; give rows (n, features), images (n, channels, height, width) or volumes")
        if samples.ndim == 4 and samples.dtype != np.uint8 and (samples.min() < 0 or samples.max() > 1):
            raise InputError(f"X: pixels range from {samples.min():g} to {samples.max():g}; give uint8 0..255 or floating point 0..1")
        samples = samples if samples.dtype == np.uint8 else samples.astype(np.float32)
        return torch.from_numpy(samples if samples.flags.writeable else samples.copy())

    def _settled(self, method: Method) -> Method:
        # Codes of rows are computed in float64, so that they do not depend on the other rows in the batch.
        module = cast(nn.Module, method).eval()
        return cast(Method, module.double() if len(self.sample_shape_) == 1 else module)

    @contextmanager
    def _placed(self) -> Iterator[Method]:
        """Yield the method on its device; it is kept on the CPU so that it can be copied to machines without a GPU."""
        module = cast(nn.Module, self.method_).to(resolve_accelerator(self.device))
        try:
            yield self.method_
        finally:
            module.cpu()

    def _encodable(self, X: Any) -> Tensor | VolumeCache:
        x = self._tensor(self._known(X))
        return x.double() if isinstance(x, Tensor) and x.ndim == 2 else x

    def _codes(self, X: Any) -> Codes:
        x = self._encodable(X)
        with self._placed() as method:
            return encode(method, x)

    def _decoded(self, what: str, X: Any, donor: Any = None) -> Floats:
        with self._placed() as method:
            return self._made(method, what, self._encodable(X), None if donor is None else self._encodable(donor))

    def _made(self, method: Method, what: str, x: Tensor | VolumeCache, donor: Tensor | VolumeCache | None) -> Floats:
        if donor is not None and len(donor) != len(x):
            raise InputError(f"donor: {len(donor)} samples for {len(x)}; give one for each")
        made = decode(method, x, donor, what=(what,))[what].numpy()
        return made * self.scale_ + self.mean_ if made.ndim == 2 else made

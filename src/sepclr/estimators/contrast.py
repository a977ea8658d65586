"""Base estimator of the trained methods; ``named`` derives a class for each method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import ClassifierTags, Tags, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted
from torch import Tensor, nn

from sepclr.data import Lazy
from sepclr.data.lazy import Standardised
from sepclr.estimators import saved
from sepclr.estimators.networks import networks, views
from sepclr.estimators.preflight import of_model
from sepclr.estimators.prepared import prepared
from sepclr.estimators.report import write
from sepclr.estimators.samples import TYPES, known_samples, labelled, other_tensor, standardised
from sepclr.estimators.separation import separation, separation_of_batches
from sepclr.estimators.streams import Given, encode_batches, is_stream
from sepclr.estimators.targets import number_of_targets, refuse_several, salient_columns, salient_of
from sepclr.methods.make import make_several
from sepclr.methods.options import Declaration, Options
from sepclr.ranges import check_at_least
from sepclr.training import History, Settings, classify, decode, encode, fit, resolve_accelerator
from sepclr.types import Codes, HasClassifier, HasModality, InputError, Method, Row

Floats = NDArray[np.floating[Any]]


def _decodes(model: Contrast) -> bool:
    return model.declaration.decoder


def _has_salient(model: Contrast) -> bool:
    return "salient_dim" in model.declaration.defaults


def _predicts(model: Contrast) -> bool:
    return bool(model.declaration.classes)


def _pairs(model: Contrast) -> bool:
    return model.declaration.task == "modalities"


class Contrast(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Base class of estimators that train a method on samples of two groups."""

    declaration: ClassVar[Declaration]
    """Declaration of the method."""
    preflight = of_model

    def fit(self, X: Given, y: ArrayLike | None = None, **extra: ArrayLike) -> Self:
        """Train on samples of both groups, or on what else the method is for.

        Args:
            X: rows, shape (n, features), standardised here unless they are counts (``negative-binomial``); images, shape (n, channels,
                height, width), uint8 0..255 or floating point 0..1; volumes, shape (n, channels, depth, height, width), uint8 or
                floating point. Also a ``Cohort`` of any of these; a ``torch.utils.data.Dataset`` whose items are (sample, is_target),
                read by ``workers`` processes; or batches (x, is_target), such as a ``DataLoader``, at least two samples of each group
                in each: an iteration is an epoch, and ``batch_size`` has no effect.
            y: group label of each sample, shape (n,), two labels, or several if ``background`` says which is background: every other is
                a target group, with a salient code s of its own beside the one c; None for what has its own. For methods of
                debiasing its class, any number of labels; for methods of two modalities None.
            extra: what else the method trains on, see the documentation of the class: the ``bias`` of each sample, the ``label`` of
                those of the source domain (others are not looked at), the ``degree`` of target, such as a dose, in proportion to which
                targets are drawn, the attribute that ``free_of`` names, or ``weak``, another
                modality of the samples, in their order, or with the identifiers ``ids`` and ``other_ids`` of both.

        Returns:
            This estimator.

        Raises:
            InputError: labels that are not two groups of at least two samples, pixels or options outside their range, or what the
                method trains on is missing or does not fit the samples.
        """
        options = self._options()  # raises InputError before X and y are checked
        check_at_least(1, width=self.width)
        check_at_least(0, workers=self.workers)
        if self.device not in ("auto", "cpu", "cuda"):
            raise InputError(f"device: {self.device!r} is unknown; choose auto, cpu or cuda")
        cohort = prepared(self, X, y, extra)
        self.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))
        settings = Settings(self.max_epochs, self.batch_size, self.learning_rate, accelerator=self.device, devices=1, workers=self.workers)
        history, method = History(), self._fresh(options)
        how: dict[str, Any] = {"seed": self.seed_, "progress": bool(self.verbose), "callbacks": [*(self.callbacks or ()), history]}
        fit(method, views(self), cohort, settings, **how)
        self.history_ = history.epochs
        self.method_ = self._settled(cast(Method, cast(nn.Module, method).cpu()))
        return self

    def transform(self, X: Given) -> Floats:
        """Compute [c, s] of samples.

        Args:
            X: samples as in ``fit``; batches are encoded in their order.

        Returns:
            Codes, shape (n, common_dim + salient_dim), c first; only c for methods without a salient code.

        Raises:
            InputError: samples whose shape differs from those in ``fit``.
        """
        codes = self._codes(X)
        return torch.cat(codes if _has_salient(self) else codes[:1], 1).numpy()

    def transform_common(self, X: Given) -> Floats:
        """Compute the common codes c of samples, shape (n, common_dim); raises as ``transform``."""
        return self._codes(X).c.numpy()

    @available_if(_has_salient)  # type: ignore[untyped-decorator]
    def transform_salient(self, X: Given, target: Any = None) -> Floats:
        """Compute s, shape (n, salient_dim), of all target groups side by side or of one, ``target``; raises as ``transform``."""
        return salient_of(self, self._codes(X).s, target).numpy()

    @available_if(_pairs)  # type: ignore[untyped-decorator]
    def transform_other(self, X: ArrayLike) -> Floats:
        """Compute the code w of samples of the other modality, shape (n, common_dim); raises as ``transform``."""
        check_is_fitted(self)
        x = other_tensor(self, check_array(X, dtype=TYPES, allow_nd=True))
        with self._placed() as method:
            return encode(cast(HasModality, method).other, x.double() if x.ndim == 2 else x).c.numpy()

    @available_if(_predicts)  # type: ignore[untyped-decorator]
    def predict(self, X: Given) -> NDArray[Any]:
        """Predict the class of samples, shape (n,), as the labels in ``fit``; raises as ``transform``."""
        codes = self._codes(X)
        with self._placed() as method:
            return np.asarray(self.labels_[classify(cast(HasClassifier, method), codes).argmax(1).numpy()])

    @available_if(_decodes)  # type: ignore[untyped-decorator]
    def reconstruct(self, X: Given) -> Floats:
        """Reconstruct targets from their codes, in the units and shape of X, pixels in 0..1; raises as ``transform``."""
        return self._decoded("reconstruction", X)

    @available_if(_decodes)  # type: ignore[untyped-decorator]
    def without_salient(self, X: Given) -> Floats:
        """Reconstruct targets as if they were background, with s = 0. Shape and units are those of ``reconstruct``."""
        return self._decoded("without_salient", X)

    @available_if(_decodes)  # type: ignore[untyped-decorator]
    def swap(self, X: Given, donor: Given) -> Floats:
        """Decode targets X with the salient patterns of others, a donor for each: c of X with s of its donor; scaled as by ``reconstruct``.

        Raises InputError for a different number of donors, or as ``transform``.
        """
        return self._decoded("swapped", X, donor)

    @available_if(_decodes)  # type: ignore[untyped-decorator]
    def add_salient(self, X: Given, donor: Given) -> Floats:
        """Decode background samples X with the salient patterns of targets, the donors; otherwise as ``swap``."""
        return self._decoded("added", X, donor)

    def score_separation(
        self, X: Given, y: ArrayLike | None = None, attributes: Mapping[str, ArrayLike] | None = None, *, seed: int = 0
    ) -> list[Row]:
        """Score how well linear probes decode each attribute and the group from c and s.

        Probes are fitted on half of the samples and scored on the other half, without splitting subjects. The trained encoders are
        compared with the same encoders before training.

        Args:
            X: held-out samples, as in ``fit``.
            y: group labels, as in ``fit``.
            attributes: attributes of the samples by name, each of shape (n,), such as a dict or a data frame. Integers and strings are
                classes, floating point is a quantity. None for a ``Cohort`` and for batches.
            seed: random seed of the split and of the intervals.

        Returns:
            A row for each attribute, space (``c``, ``s``), metric and encoder (``trained``, ``untrained``), as ``sepclr.probes.probe``.

        Raises:
            InputError: labels not seen in ``fit``, lengths that differ, or as ``transform``.
        """
        if is_stream(X):
            return separation_of_batches(self, X, y, attributes, seed)
        return separation(self, labelled(self, X, y, attributes), seed)

    def report(
        self,
        path: Path | str,
        X: Given,
        y: ArrayLike | None = None,
        attributes: Mapping[str, ArrayLike] | None = None,
        *,
        common: tuple[str, ...] = (),
        salient: tuple[str, ...] = (),
    ) -> list[Row]:
        """Write an HTML report with the scores of ``score_separation``, training curves, examples and maps of the codes.

        Args:
            path: file to write.
            X: held-out samples, as in ``fit``, but not batches.
            y: as for ``score_separation``.
            attributes: as for ``score_separation``.
            common: names of the attributes that belong in c.
            salient: names of the attributes that belong in s.

        Returns:
            The rows of ``score_separation``.

        Raises:
            InputError: an unknown attribute name, a file that cannot be written, or as ``score_separation``.
        """
        refuse_several(self, "report")
        return write(self, Path(path), labelled(self, X, y, attributes), common, salient)

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
        """Return the names of the columns of ``transform``: c0, c1, …, s0, s1, …, or s[LABEL]0, … with several target groups."""
        check_is_fitted(self)
        salient = salient_columns(self) if _has_salient(self) else []
        return np.asarray([f"c{i}" for i in range(self.common_dim)] + salient, dtype=object)

    def untrained(self) -> Method:
        """Return the method of a fitted estimator with its weights before training."""
        check_is_fitted(self)
        return self._settled(self._fresh(self._options()))

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

    def _tensor(self, X: Any) -> Tensor | Lazy:
        """Convert samples as in ``fit`` to encoder inputs; rows are standardised."""
        return standardised(self, known_samples(self, X))

    def _fresh(self, options: Options) -> Method:
        return make_several(options, networks(self), groups=number_of_targets(self), seed=self.seed_)

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

    def _encodable(self, X: Any) -> Tensor | Lazy:
        x = self._tensor(X)
        return x.double() if isinstance(x, Tensor | Standardised) and x.ndim == 2 else x

    def _codes(self, X: Any) -> Codes:
        check_is_fitted(self)
        if is_stream(X):
            with self._placed() as method:
                return encode_batches(self, [method], X)[0][0]
        x = self._encodable(X)
        with self._placed() as method:
            return encode(method, x)

    def _decoded(self, what: str, X: Any, donor: Any = None) -> Floats:
        refuse_several(self, "decoder")
        with self._placed() as method:
            return self._made(method, what, self._encodable(X), None if donor is None else self._encodable(donor))

    def _made(self, method: Method, what: str, x: Tensor | Lazy, donor: Tensor | Lazy | None) -> Floats:
        if donor is not None and len(donor) != len(x):
            raise InputError(f"donor: {len(donor)} samples for {len(x)}; give one for each")
        made = decode(method, x, donor, what=(what,))[what].numpy()
        return made * self.scale_ + self.mean_ if made.ndim == 2 else made

"""SepCLR as a scikit-learn transformer: fit(X, y), transform(X)."""

from __future__ import annotations

from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils import ClassifierTags, Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from sepclr.data import Cohort
from sepclr.estimators.groups import membership
from sepclr.methods.make import make
from sepclr.methods.options import METHODS, Options
from sepclr.nets import Networks
from sepclr.ranges import check_at_least
from sepclr.training import Settings, encode, fit
from sepclr.types import InputError, Method
from sepclr.views import ImageViews, RowViews


class SepCLR(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Separate what two groups share from what only one of them has.

    Args:
        common_dim: length of the common code c.
        salient_dim: length of the salient code s.
        objective: ``decorrelated`` (ours, if None), or the terms as ``released`` or ``published`` by SepCLR's authors.
        independence: how c and s are kept apart: ``decorrelation`` or, with ``released`` and ``published``, ``k-jem`` (if None), ``none``,
            or another of ``sepclr.losses.INDEPENDENCE``.
        background: which of the two labels in y is background; the lower one where None.
        encoder: ``mlp`` for rows, ``cnn3``, ``cnn4``, ``resnet8``, ``resnet10`` or ``resnet18`` for images; ``auto`` takes ``mlp`` or
            ``resnet10``.
        width: units of a hidden layer of ``mlp``, channels of the first stage of a ResNet.
        crop: side of a view of an image, in pixels; three quarters of the shorter side where None.
        weight_salient: λ_S; the objective's own if None, as the weights below.
        weight_information_less: β.
        weight_independence: λ of an independence term.
        tau: kernel bandwidth τ; of ``released`` and ``published`` also ``"median"`` for the median heuristic in each space.
        further_views: views of a sample beside the first.
        max_epochs: passes over the larger group.
        batch_size: samples a step, of both groups together.
        learning_rate: Adam's step size, under a cosine schedule.
        random_state: seed of weights, batches and views.

    Attributes:
        classes_: the two labels, background first.
        n_features_in_: features of a row, channels of an image.
        method_: the trained ``torch.nn.Module``.

    Source: SepCLR (arXiv 2402.11928); ``decorrelated`` is described in ``sepclr.methods.decorrelated``.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(40, 5)), np.repeat([0, 1], 20)
    >>> SepCLR(common_dim=3, salient_dim=2, max_epochs=2, random_state=0).fit(X, y).transform(X).shape
    (40, 5)
    """

    def __init__(
        self,
        common_dim: int = 32,
        salient_dim: int = 32,
        *,
        objective: Literal["decorrelated", "released", "published"] | None = None,
        independence: str | None = None,
        background: Any = None,
        encoder: str = "auto",
        width: int = 64,
        crop: int | None = None,
        weight_salient: float | None = None,
        weight_information_less: float | None = None,
        weight_independence: float | None = None,
        tau: float | Literal["median"] = 0.5,
        further_views: int = 1,
        max_epochs: int = 100,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.common_dim = common_dim
        self.salient_dim = salient_dim
        self.objective = objective
        self.independence = independence
        self.background = background
        self.encoder = encoder
        self.width = width
        self.crop = crop
        self.weight_salient = weight_salient
        self.weight_information_less = weight_information_less
        self.weight_independence = weight_independence
        self.tau = tau
        self.further_views = further_views
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> SepCLR:
        """Train on samples of both groups.

        Args:
            X: rows, shape (n, features), standardised here; or images, shape (n, channels, height, width), uint8 0..255 or floating
                point 0..1.
            y: group of each sample, two different labels, shape (n,).

        Returns:
            This estimator.

        Raises:
            InputError: labels that are not two groups of at least two samples, pixels outside their range, or options outside theirs.
        """
        self._options()  # raises InputError before X and y are looked at
        check_at_least(1, width=self.width)
        samples, labels = validate_data(self, X, y, dtype=[np.float32, np.float64, np.uint8], allow_nd=True, ensure_min_samples=4)
        self.classes_, is_target = membership(labels, self.background)
        self.sample_shape_ = samples.shape[1:]
        if samples.ndim == 2:
            self.scaler_ = StandardScaler().fit(samples)
        cohort = Cohort(self._tensor(samples), torch.from_numpy(is_target))
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        settings = Settings(self.max_epochs, self.batch_size, self.learning_rate, devices=1)
        method = self._method(seed)
        fit(method, self._views(), cohort, settings, seed=seed)
        # Codes of rows are computed in float64: they then do not depend on which other rows are in the batch.
        module = cast(nn.Module, method).cpu()
        self.method_ = cast(Method, module.double() if samples.ndim == 2 else module)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.floating[Any]]:
        """Compute [c, s] of samples.

        Args:
            X: samples as in ``fit``.

        Returns:
            Codes, shape (n, common_dim + salient_dim), c first.

        Raises:
            InputError: images of another shape than those of ``fit``.
        """
        check_is_fitted(self)
        samples = validate_data(self, X, dtype=[np.float32, np.float64, np.uint8], allow_nd=True, reset=False)
        if samples.shape[1:] != self.sample_shape_:
            raise InputError(f"X: samples have shape {samples.shape[1:]}; fit saw {self.sample_shape_}")
        x = self._tensor(samples)
        codes = encode(self.method_, x.double() if samples.ndim == 2 else x)
        return torch.cat(codes, 1).numpy()

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Name the columns of ``transform``: c0, c1, …, s0, s1, …."""
        check_is_fitted(self)
        names = [f"c{i}" for i in range(self.common_dim)] + [f"s{i}" for i in range(self.salient_dim)]
        return np.asarray(names, dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.classifier_tags = ClassifierTags(multi_class=False)  # two groups
        tags.input_tags.three_d_array = False
        tags.non_deterministic = self.random_state is None
        return tags

    def _tensor(self, samples: NDArray[Any]) -> torch.Tensor:
        if samples.ndim == 2:
            return torch.from_numpy(self.scaler_.transform(samples.astype(np.float64)).astype(np.float32))
        if samples.ndim != 4:
            raise InputError(f"X: {samples.ndim} dimensions; give rows (n, features) or images (n, channels, height, width)")
        if samples.dtype != np.uint8 and (samples.min() < 0 or samples.max() > 1):
            raise InputError(f"X: pixels reach from {samples.min():g} to {samples.max():g}; give uint8 0..255 or floating point 0..1")
        return torch.from_numpy(samples if samples.dtype == np.uint8 else samples.astype(np.float32))

    def _method(self, seed: int) -> Method:
        kind = self.encoder
        if kind == "auto":
            kind = "mlp" if len(self.sample_shape_) == 1 else "resnet10"
        return make(self._options(), Networks(self.sample_shape_, kind, self.width), seed=seed)

    def _options(self) -> Options:
        """Make the options of the method.

        Raises:
            InputError: an option that the objective does not have, or a value that it cannot have.
        """
        method = METHODS["sepclr"]
        return method.asked({name: value for name, value in self.get_params(deep=False).items() if name in method.defaults})

    def _views(self) -> torch.nn.Module:
        if len(self.sample_shape_) == 1:
            return RowViews()
        channels, *space = self.sample_shape_
        if self.encoder == "conv":
            raise InputError("encoder: 'conv' takes whole images, and views are crops; choose cnn3, cnn4, resnet8, resnet10 or resnet18")
        return ImageViews(channels, self.crop or max(1, 3 * min(space) // 4))

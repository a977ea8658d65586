"""A decoder for a fitted estimator whose method has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sepclr.data import Cohort
from sepclr.estimators import saved
from sepclr.estimators.contrast import Contrast
from sepclr.estimators.samples import labelled
from sepclr.methods.flow import Flow
from sepclr.parts import DecoderOptions
from sepclr.training import resolve_accelerator
from sepclr.training.decoder import fresh_decoder, train_decoder
from sepclr.types import Codes, InputError

Floats = NDArray[np.floating[Any]]


class FlowDecoder(BaseEstimator):  # type: ignore[misc]
    """Decoder of the codes of a fitted estimator: what a target would look like, according to the model, without its salient pattern.

    Flow matching on the codes; the estimator is not trained further. See ``sepclr.methods.flow``.

    Args:
        estimator: a fitted estimator without a decoder, such as ``SepCLR``.
        width: channels of the denoiser's first stage, a multiple of 8.
        steps: number of Euler steps of an integration.
        max_epochs: number of epochs; as many as make about 3,000 steps if None.
        batch_size: number of samples per step, both groups together.
        learning_rate: learning rate of Adam, with a cosine schedule.
        device: ``cpu``, ``cuda``, or ``auto``, which uses a GPU if available.
        verbose: whether to show training progress.
        random_state: random seed of weights, batches and noise.

    Attributes:
        method_: the trained ``torch.nn.Module``.

    >>> import numpy as np
    >>> from sepclr import FlowDecoder, SepCLR
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(40, 5)), np.repeat([0, 1], 20)
    >>> model = SepCLR(common_dim=3, salient_dim=2, max_epochs=2, random_state=0).fit(X, y)
    >>> FlowDecoder(model, max_epochs=2, batch_size=20, random_state=0).fit(X, y).without_salient(X[y == 1]).shape
    (20, 5)
    """

    def __init__(
        self,
        estimator: Contrast,
        *,
        width: int = 32,
        steps: int = 16,
        max_epochs: int | None = None,
        batch_size: int = 128,
        learning_rate: float = 2e-3,
        device: str = "auto",
        verbose: bool = False,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.width, self.steps = width, steps
        self.max_epochs, self.batch_size, self.learning_rate = max_epochs, batch_size, learning_rate
        self.device, self.verbose, self.random_state = device, verbose, random_state

    def fit(self, X: ArrayLike | Cohort, y: ArrayLike | None = None) -> Self:
        """Train on samples of both groups, such as those that the estimator was fitted on.

        Args:
            X: rows, images, volumes or a ``Cohort``, as for the estimator.
            y: group label of each sample, with the labels of the estimator, shape (n,); None for a ``Cohort``.

        Returns:
            This decoder.

        Raises:
            InputError: an estimator that has a decoder or no salient code, samples of another shape, or options outside their ranges.
        """
        check_is_fitted(self.estimator)
        declared = self.estimator.declaration
        if declared.decoder:
            raise InputError(f"estimator: {type(self.estimator).__name__} has a decoder; use its own without_salient")
        if "salient_dim" not in declared.defaults:
            raise InputError(f"estimator: {type(self.estimator).__name__} has no salient code, so there is nothing to remove")
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        options = self._options(seed)
        cohort = labelled(self.estimator, X, y, None)
        self.method_ = train_decoder(self.estimator.method_, cohort, options, progress=bool(self.verbose)).cpu()
        return self

    def reconstruct(self, X: ArrayLike | Cohort) -> Floats:
        """Reconstruct targets from their codes, in the shape of X; rows in their units, 8-bit images in 0..1."""
        return self._decoded(X, "reconstruction")

    def without_salient(self, X: ArrayLike | Cohort) -> Floats:
        """Return what targets would look like, according to the model, without their salient pattern; scaled as by ``reconstruct``."""
        return self._decoded(X, "without_salient")

    def swap(self, X: ArrayLike | Cohort, donor: ArrayLike | Cohort) -> Floats:
        """Replace the salient patterns of targets by those of others, in the same place; scaled as by ``reconstruct``.

        What is removed from a donor is put onto the target without its own pattern. See ``sepclr.methods.transfer``.

        Args:
            X: targets.
            donor: targets, one for each in X.

        Raises:
            InputError: a different number of donors, or samples of another shape.
        """
        return self._decoded(X, "swapped", donor)

    def add_salient(self, X: ArrayLike | Cohort, donor: ArrayLike | Cohort) -> Floats:
        """Put the salient patterns of targets, the donors, onto background samples X; otherwise as ``swap``."""
        return self._decoded(X, "added", donor)

    def save(self, folder: Path | str) -> None:
        """Save the decoder and its estimator to a folder, as safetensors and JSON; ``sepclr.load`` reads both back.

        Args:
            folder: created with its parents if missing; a decoder saved there earlier is replaced.

        Raises:
            InputError: a non-empty folder without a saved decoder or one that cannot be written, or parameters that cannot be saved.
        """
        check_is_fitted(self)
        saved.save(self, Path(folder))

    def untrained(self) -> Flow:
        """Return the decoder before training, with its estimator's weights and without the scales of codes and samples."""
        # On the CPU even where weights are created without memory, because groups are selected by value.
        is_target = torch.tensor([False, True], device="cpu")
        codes = Codes(*(torch.zeros(2, dim, device="cpu") for dim in (self.estimator.common_dim, self.estimator.salient_dim)))
        return fresh_decoder(self.estimator.method_, self.estimator.sample_shape_, self._options(seed=0), codes, is_target).eval()

    def _options(self, seed: int) -> DecoderOptions:
        own = {name: getattr(self, name) for name in ("width", "steps", "max_epochs", "batch_size", "learning_rate")}
        return DecoderOptions(accelerator=self.device, seed=seed, **own)

    def _decoded(self, X: Any, what: str, donor: Any = None) -> Floats:
        check_is_fitted(self)
        x = self.estimator._tensor(X)
        other = None if donor is None else self.estimator._tensor(donor)
        flow = self.method_.to(resolve_accelerator(self.device))
        try:
            return self.estimator._made(flow, what, x, other)
        finally:
            flow.cpu()

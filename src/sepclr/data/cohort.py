"""A cohort: samples, their groups and their attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Shaped
from numpy.typing import NDArray
from torch import Tensor

from sepclr.data.lazy import Lazy
from sepclr.types import InputError


@dataclass(frozen=True, eq=False)
class Cohort:
    """Samples of background and target.

    Attributes:
        x: samples, shape (n, features) or (n, channels, *space); uint8 or floating point. They may be read on
            access (``Lazy``).
        is_target: True for target, False for background, shape (n,).
        attributes: attributes of the samples by name, each of shape (n,); integers or strings are classes, floating point is a
            quantity. Only the values of targets are read, unless a data set declares that its background has them too.
        subjects: subject of each sample, shape (n,); None if every sample is a separate subject.
        extra: what else a method trains on, by name: classes 0, 1, …, int64, shape (n,), -1 where unknown, or another modality of the
            samples, shape (n, ...), uint8 or floating point.

    Raises:
        InputError: no samples, different lengths, or values that are not finite.
    """

    # Different names for one length, so that a mismatch raises the error below even where annotations are checked.
    x: Shaped[Tensor, "n ..."] | Lazy
    is_target: Bool[Tensor, " members"]
    attributes: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    subjects: NDArray[Any] | None = None
    extra: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.x)
        if n == 0:
            raise InputError("x: is empty; give at least one sample of each group")
        if len(self.is_target) != n:
            raise InputError(f"is_target: {len(self.is_target)} values for {n} samples; give one per sample")
        for name, values in self.attributes.items():
            if len(values) != n:
                raise InputError(f"attribute {name!r}: {len(values)} values for {n} samples; give one per sample")
        for name, more in self.extra.items():
            if len(more) != n:
                raise InputError(f"{name}: {len(more)} values for {n} samples; give one per sample, in the same order")
            _check_finite(name, more)
        if self.subjects is not None and len(self.subjects) != n:
            raise InputError(f"subjects: {len(self.subjects)} values for {n} samples; give one per sample")
        # Samples that are read on access are checked by what reads them.
        if isinstance(self.x, Tensor):
            _check_finite("x", self.x)

    def __len__(self) -> int:
        return len(self.x)

    def where(self, chosen: NDArray[np.bool_]) -> Cohort:
        """Return the samples where ``chosen``, shape (n,), is True."""
        keep = torch.from_numpy(chosen)
        x = self.x[keep] if isinstance(self.x, Tensor) else self.x.where(chosen)
        attributes = {name: values[chosen] for name, values in self.attributes.items()}
        extra = {name: more[keep] for name, more in self.extra.items()}
        return Cohort(x, self.is_target[keep], attributes, None if self.subjects is None else self.subjects[chosen], extra)

    @property
    def further(self) -> dict[str, tuple[int, ...]]:
        """Shape of one sample of each further modality."""
        return {name: tuple(more.shape[1:]) for name, more in self.extra.items() if more.ndim > 1}

    @property
    def classes(self) -> dict[str, int]:
        """Number of classes of each entry of ``extra`` that holds some."""
        return {name: int(more.max()) + 1 for name, more in self.extra.items() if more.ndim == 1}

    @property
    def targets(self) -> Cohort:
        """The target samples."""
        return self.where(self.is_target.numpy())


def _check_finite(name: str, x: Tensor) -> None:
    if x.is_floating_point() and not torch.isfinite(x).all():
        bad = int((~torch.isfinite(x)).reshape(len(x), -1).any(1).nonzero()[0])
        raise InputError(f"{name}: sample {bad} contains NaN or infinite values; remove or impute it")

"""A cohort: samples, their groups and their attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, Shaped
from numpy.typing import NDArray
from torch import Tensor

from sepclr.data.lazy import Lazy
from sepclr.types import TARGET_GROUP, InputError


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
            samples, shape (n, ...), uint8 or floating point. ``target_group`` is the target group 0, 1, … of each sample, -1 in background;
            without it all targets are one group.
        degrees: degree of target of each sample, such as a dose, shape (n,), positive in targets and not looked at in background. Training
            then draws targets in proportion to it; None to draw all targets alike.

    Raises:
        InputError: no samples, different lengths, values that are not finite, target groups that do not match ``is_target``, or degrees
            that are not positive.
    """

    # Different names for one length, so that a mismatch raises the error below even where annotations are checked.
    x: Shaped[Tensor, "n ..."] | Lazy
    is_target: Bool[Tensor, " members"]
    attributes: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    subjects: NDArray[Any] | None = None
    extra: Mapping[str, Tensor] = field(default_factory=dict)
    degrees: Float[Tensor, " degrees"] | None = None

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
        if TARGET_GROUP in self.extra:
            _check_target_groups(self.extra[TARGET_GROUP], self.is_target)
        if self.degrees is not None:
            _check_degrees(self.degrees.cpu(), self.is_target.cpu())  # training moves only the latter to a GPU
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
        subjects = None if self.subjects is None else self.subjects[chosen]
        degrees = None if self.degrees is None else self.degrees[keep]
        return Cohort(x, self.is_target[keep], attributes, subjects, extra, degrees)

    @property
    def further(self) -> dict[str, tuple[int, ...]]:
        """Shape of one sample of each further modality."""
        return {name: tuple(more.shape[1:]) for name, more in self.extra.items() if more.ndim > 1}

    @property
    def classes(self) -> dict[str, int]:
        """Number of classes of each entry of ``extra`` that holds some."""
        return {name: int(more.max()) + 1 for name, more in self.extra.items() if more.ndim == 1}

    @property
    def target_groups(self) -> Int64[np.ndarray, " members"]:
        """Target group of each sample, 0, 1, …, or -1 in background, shape (n,); all targets are group 0 if ``extra`` names none."""
        told = self.extra.get(TARGET_GROUP, self.is_target.long() - 1)
        return told.cpu().numpy()

    def pair(self, group: int) -> Cohort:
        """Return the samples of background and of one target group, as a cohort with that group alone."""
        part = self.where((self.target_groups == group) | ~self.is_target.cpu().numpy())
        return replace(part, extra={name: more for name, more in part.extra.items() if name != TARGET_GROUP})

    @property
    def targets(self) -> Cohort:
        """The target samples."""
        return self.where(self.is_target.numpy())


def _check_finite(name: str, x: Tensor) -> None:
    if x.is_floating_point() and not torch.isfinite(x).all():
        bad = int((~torch.isfinite(x)).reshape(len(x), -1).any(1).nonzero()[0])
        raise InputError(f"{name}: sample {bad} contains NaN or infinite values; remove or impute it")


def _check_target_groups(groups: Tensor, is_target: Tensor) -> None:
    if groups.ndim != 1 or groups.dtype != torch.int64:
        raise InputError(f"{TARGET_GROUP}: shape {tuple(groups.shape)}, {groups.dtype}; give a whole number (int64) for each sample")
    if not torch.equal(groups >= 0, is_target):
        raise InputError(f"{TARGET_GROUP}: does not match is_target; give 0, 1, … in targets and -1 in background")


def _check_degrees(degrees: Tensor, is_target: Tensor) -> None:
    if len(degrees) != len(is_target):
        raise InputError(f"degrees: {len(degrees)} values for {len(is_target)} samples; give one per sample")
    wrong = is_target & ~((degrees > 0) & torch.isfinite(degrees))
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise InputError(f"degrees: {float(degrees[row]):g} in target sample {row}; give a positive number for each target")

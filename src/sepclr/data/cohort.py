"""A cohort: samples, who is target, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Shaped
from numpy.typing import NDArray
from torch import Tensor

from sepclr.data.volume_cache import VolumeCache
from sepclr.types import InputError


@dataclass(frozen=True, eq=False)
class Cohort:
    """Samples of background and target.

    Attributes:
        x: samples, shape (n, features) or (n, channels, *space); uint8 or floating point. Volumes may lie in a file (``VolumeCache``).
        is_target: True for target, False for background, shape (n,).
        attributes: what is known of each sample, by name, each of shape (n,); integers or strings are classes, floating point is
            a quantity. Unless a data set says that its background has them too, only the values of targets are read.
        subjects: whose each sample is, shape (n,); None where every sample is a subject of its own.

    Raises:
        InputError: no sample, lengths that differ, or values that are not finite.
    """

    # Two names for one length: a wrong one gets the error below, also where annotations are checked.
    x: Shaped[Tensor, "n ..."] | VolumeCache
    is_target: Bool[Tensor, " members"]
    attributes: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    subjects: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        n = len(self.x)
        if n == 0:
            raise InputError("x: there is no sample; give at least one of each group")
        if len(self.is_target) != n:
            raise InputError(f"is_target: {len(self.is_target)} values for {n} samples; give one for each")
        for name, values in self.attributes.items():
            if len(values) != n:
                raise InputError(f"attribute {name!r}: {len(values)} values for {n} samples; give one for each")
        if self.subjects is not None and len(self.subjects) != n:
            raise InputError(f"subjects: {len(self.subjects)} values for {n} samples; give one for each")
        # What is stored was checked file by file.
        if isinstance(self.x, Tensor) and self.x.is_floating_point() and not torch.isfinite(self.x).all():
            bad = int((~torch.isfinite(self.x)).flatten(1).any(1).nonzero()[0])
            raise InputError(f"x: sample {bad} holds NaN or infinite values; remove it or fill it in")

    def __len__(self) -> int:
        return len(self.x)

    def where(self, chosen: NDArray[np.bool_]) -> Cohort:
        """Keep the samples at which ``chosen``, shape (n,), is True."""
        keep = torch.from_numpy(chosen)
        x = self.x[keep] if isinstance(self.x, Tensor) else self.x.where(chosen)
        attributes = {name: values[chosen] for name, values in self.attributes.items()}
        return Cohort(x, self.is_target[keep], attributes, None if self.subjects is None else self.subjects[chosen])

    @property
    def targets(self) -> Cohort:
        """The target samples."""
        return self.where(self.is_target.numpy())

"""Samples that are read on access, so that memory use does not grow with their number."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Shaped
from numpy.typing import NDArray
from torch import Tensor


@runtime_checkable
class Lazy(Protocol):
    """Samples that are read on access, usable in place of a tensor of samples on the CPU.

    A tensor has members of the same names, so ask ``isinstance(x, Tensor)`` rather than ``isinstance(x, Lazy)``.
    ``DataLoader`` workers read them, so they must survive pickling, and reading must not depend on what was read before.

    Attributes:
        shape: shape of all samples, (n, features) or (n, channels, *space).
        device: device of the samples that are read, the CPU.
    """

    shape: torch.Size
    device: torch.device

    @property
    def ndim(self) -> int:
        """Number of axes, including the axis of samples."""
        ...

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def __getitem__(self, chosen: slice | Tensor, /) -> Shaped[Tensor, "n ..."]:
        """Read the samples at a slice, at indices or where a mask is True, in that order, as uint8 or floating point."""
        ...

    def where(self, chosen: NDArray[np.bool_], /) -> Lazy:
        """Return the samples where ``chosen``, shape (n,), is True, without reading any."""
        ...

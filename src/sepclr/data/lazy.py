"""Samples that are read on access, so that memory use does not grow with their number."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from numpy.typing import NDArray
from torch import Tensor

from sepclr.errors import InputError


@runtime_checkable
class Lazy(Protocol):
    """Samples that are read on access, usable in place of a tensor of samples on the CPU.

    A tensor has members of the same names, so ask ``isinstance(x, Tensor)`` rather than ``isinstance(x, Lazy)``.
    ``DataLoader`` workers read them, so they must survive pickling, and reading must not depend on what was read before.
    """

    @property
    def shape(self) -> torch.Size:
        """Shape of all samples, (n, features) or (n, channels, *space)."""
        ...

    @property
    def device(self) -> torch.device:
        """Device of the samples that are read, the CPU."""
        ...

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


class Standardised:
    """Rows of another ``Lazy``, standardised on access.

    Args:
        rows: the rows, shape (n, features).
        mean: mean of each feature, shape (features,).
        scale: what each feature is divided by, shape (features,).
        dtype: float32, or float64 for encoders in it.
    """

    def __init__(self, rows: Lazy, mean: NDArray[Any], scale: NDArray[Any], dtype: torch.dtype = torch.float32) -> None:
        self.rows, self.mean, self.scale, self.dtype = rows, mean, scale, dtype
        self.shape, self.device, self.ndim = rows.shape, rows.device, rows.ndim

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: slice | Tensor) -> Float[Tensor, "n features"]:
        """Return the rows at a slice, at indices or where a mask is True, in units of ``scale``."""
        return standardise(self.rows[chosen], self.mean, self.scale).to(self.dtype)

    def where(self, chosen: NDArray[np.bool_]) -> Standardised:
        """Return the rows where ``chosen``, shape (n,), is True, without reading any."""
        return Standardised(self.rows.where(chosen), self.mean, self.scale, self.dtype)

    def double(self) -> Standardised:
        """Return the same rows in float64, rounded to float32 as those in memory are."""
        return Standardised(self.rows, self.mean, self.scale, torch.float64)


def standardise(x: Shaped[Tensor, "n features"], mean: NDArray[Any], scale: NDArray[Any]) -> Float[Tensor, "n features"]:
    """Return rows minus ``mean``, divided by ``scale``, both of shape (features,); computed in float64, returned as float32."""
    return ((x.double() - torch.from_numpy(mean)) / torch.from_numpy(scale)).float()


def checked(where: str, x: Any, like: Tensor | None = None) -> Shaped[Tensor, "n ..."]:
    """Convert samples that a user's program returned, and check them.

    Args:
        where: what they are, such as ``X: batch 3``, for errors.
        x: tensor or array, shape (n, features) or (n, channels, *space).
        like: samples whose kind they must share; None for the first.

    Returns:
        uint8, float16 or float32; rows also float64, which they are standardised in.

    Raises:
        InputError: something else, samples of another shape or type than ``like``, not finite, or pixels out of range.
    """
    try:
        found = x.detach().cpu() if isinstance(x, Tensor) else torch.as_tensor(np.asarray(x))
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"{where}: {type(x).__name__} cannot be converted to numbers; give a tensor or an array") from None
    if found.ndim not in (2, 4, 5) or len(found) == 0:
        raise InputError(
            f"{where}: shape {tuple(found.shape)} for n samples; give rows (n, features), images (n, channels, height, width) or volumes"
        )
    if like is not None and found.shape[1:] != like.shape[1:]:
        raise InputError(f"{where}: samples have shape {tuple(found.shape[1:])}; the first has {tuple(like.shape[1:])}")
    if found.dtype != torch.uint8 and not (found.dtype == torch.float16 and found.ndim > 2):
        found = found.double() if found.ndim == 2 else found.float()
    if like is not None and (found.dtype == torch.uint8) != (like.dtype == torch.uint8):
        raise InputError(f"{where}: {found.dtype} after {like.dtype}; give uint8 0..255 or floating point throughout")
    if found.is_floating_point() and not torch.isfinite(found).all():
        raise InputError(f"{where}: contains NaN or infinite values; remove or impute them")
    if found.ndim == 4 and found.dtype != torch.uint8 and (found.min() < 0 or found.max() > 1):
        low, high = float(found.min()), float(found.max())
        raise InputError(f"{where}: pixels range from {low:g} to {high:g}; give uint8 0..255 or floating point 0..1")
    return found


def memberships(where: str, values: Any, n: int) -> Bool[Tensor, " n"]:
    """Convert the group memberships of n samples: True or 1 for target, False or 0 for background.

    Raises:
        InputError: another number of values, or other values.
    """
    found = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if found.shape != (n,):
        raise InputError(f"{where}: is_target has shape {found.shape} for {n} sample(s); give one value for each")
    if found.dtype.kind not in "biu" or not np.isin(found, (0, 1)).all():
        wrong = found[~np.isin(found, (0, 1))] if found.dtype.kind in "biu" else found
        raise InputError(f"{where}: is_target is {wrong[0]!s}; give True or 1 for target, False or 0 for background")
    return torch.from_numpy(found.astype(bool))

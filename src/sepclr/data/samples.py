"""Read samples from files of arrays."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.errors import InputError


def read_samples(path: Path, shape: Sequence[int], *, scaled: bool = True) -> NDArray[Any]:
    """Read samples of a known shape.

    Args:
        path: ``.npy``, ``.npz`` or ``.parquet``.
        shape: shape of one sample.
        scaled: whether floating-point images must be in 0..1.

    Returns:
        uint8 or float32, shape (n, *shape).

    Raises:
        InputError: a file that is missing, damaged or of another format; samples of another shape, not finite, or out of range.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give samples as .npy, .npz or .parquet")
    try:
        x = _read(path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be read ({reason}); give samples as .npy, .npz with an array x, or .parquet") from None
    if path.suffix == ".parquet" and x.shape[1] == np.prod(shape):
        x = x.reshape(-1, *shape)
    return check_samples(x, shape, str(path), scaled=scaled)


def check_samples(x: NDArray[Any], shape: Sequence[int], name: str, *, scaled: bool = True) -> NDArray[Any]:
    """Check samples of a known shape.

    Args:
        x: the samples.
        shape: shape of one sample.
        name: what errors call them.
        scaled: whether floating-point images must be in 0..1.

    Returns:
        uint8 or float32, shape (n, *shape).

    Raises:
        InputError: samples of another shape, not finite, or out of range; or none.
    """
    if x.shape[1:] != tuple(shape):
        wanted = ", ".join(str(side) for side in shape)
        raise InputError(f"{name}: samples have shape {x.shape[1:]}, the run was trained on ({wanted}); give an array (n, {wanted})")
    if len(x) == 0:
        raise InputError(f"{name}: contains no samples")
    if x.dtype == np.uint8:
        return x
    if x.dtype.kind not in "fiub":
        raise InputError(f"{name}: samples are of type {x.dtype}; give uint8 0..255 or floating point 0..1")
    if not np.isfinite(x).all():
        raise InputError(f"{name}: sample {np.argwhere(~np.isfinite(x))[0][0]} contains NaN or infinite values; remove or impute it")
    if scaled and len(shape) > 1 and (x.min() < 0 or x.max() > 1):
        raise InputError(
            f"{name}: pixels of type {x.dtype} range from {x.min():g} to {x.max():g}; give uint8 0..255 or floating point 0..1"
        )
    return x.astype(np.float32)


def _read(path: Path) -> NDArray[Any]:
    if path.suffix == ".parquet":
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(path)
        return np.stack([column.to_numpy() for column in table.columns], 1)
    with path.open("rb") as file:  # np.load would leave a damaged archive open
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        if "x" not in loaded:
            raise ValueError(f"no array x; arrays are {', '.join(loaded.files) or 'none'}")
        x: NDArray[Any] = loaded["x"]
        return x

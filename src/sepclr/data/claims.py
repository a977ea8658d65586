"""What files claim to hold, checked before memory is reserved for it."""

from __future__ import annotations

import math
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.errors import InputError

DENSEST = 100_000
"""Most bytes that a byte of a compressed file can stand for; deflate reaches 1,032."""

SMALL = 2**26
"""Bytes that are not questioned."""


def check_claim(path: Path, size: int, what: str = "it", *, held: bool = True) -> None:
    """Check that what a file claims can be in a file of its size, and fits into memory.

    Args:
        path: the file.
        size: bytes that its values would take.
        what: what claims them, for errors.
        held: whether all of it is held in memory at once.

    Raises:
        InputError: if they cannot.
    """
    if size <= SMALL:
        return
    if size > DENSEST * path.stat().st_size:
        raise InputError(f"{path}: {what} claims {size / 2**30:.1f} GiB, which no file of this size holds; restore or download it again")
    if held and size > (free := _free()):
        raise InputError(
            f"{path}: {what} takes {size / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB of memory are free; "
            "give a smaller file, or restore or download it again"
        )


def _free() -> int:
    """Return the bytes of memory that are free; where the system does not say, reserving too much fails by itself."""
    try:
        facts = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return 1024 * int(facts["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        return sys.maxsize


def read_npy(path: Path) -> NDArray[Any]:
    """Read the array of an ``.npy`` file.

    Raises:
        InputError: an array that does not fit into memory.
        ValueError: no such file, an array of Python objects, or one of another size than the file.
    """
    with path.open("rb") as file:
        return _array(path, file, path.stat().st_size, "it")


def read_npz(path: Path, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
    """Read arrays of an ``.npz`` file by name; all if ``names`` is None, otherwise those of the names that there are.

    Raises:
        InputError: an array that does not fit into memory.
        Exception: whatever ``zipfile`` raises for a damaged archive; ValueError as for ``read_npy``.
    """
    with zipfile.ZipFile(path) as archive:
        found = {name.removesuffix(".npy"): archive.getinfo(name) for name in archive.namelist()}
        read = {}
        for name in found if names is None else [name for name in names if name in found]:
            with archive.open(found[name]) as file:
                read[name] = _array(path, file, found[name].file_size, f"array {name!r}")
    return read


def names_of_npz(path: Path) -> list[str]:
    """Return the names of the arrays of an ``.npz`` file, without reading any; raises as ``read_npz``."""
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def _array(path: Path, file: Any, size: int, what: str) -> NDArray[Any]:
    """Read an array of a stream of ``size`` bytes."""
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"{what} is in version {version} of the format; save it as numbers, or as text with .astype(str)")
    shape, fortran, dtype = readers[version](file)
    if dtype.hasobject:
        # Pickled, so reading them can run programs.
        raise ValueError(f"{what} holds Python objects; save it as numbers, or as text with .astype(str)")
    held = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or held != size - file.tell():
        raise ValueError(f"{what} claims shape {shape} of {dtype}, which {size} bytes do not hold")
    check_claim(path, held, what)
    values = np.empty(math.prod(shape), dtype)
    if held and file.readinto(values.view(np.uint8)) != held:
        raise ValueError(f"{what} is truncated")
    return values.reshape(shape[::-1]).T if fortran else values.reshape(shape)

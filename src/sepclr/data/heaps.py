"""Heaps of strings in HDF5 files, which HDF5 follows without an end if an object in them takes no space (seen in HDF5 2.0)."""

from __future__ import annotations

import mmap
import re
import struct
from functools import lru_cache
from pathlib import Path
from typing import Any

HEAP = re.compile(rb"GCOL\x01\0\0\0(.{8})", re.DOTALL)
"""Header of a heap, with its length."""

OBJECT = struct.Struct("<HxxxxxxQ")
"""Header of an object in a heap: index and length."""


def check_heaps(path: Path, file: Any) -> None:
    """Check that every heap of strings has an end, before any string is read.

    Args:
        path: the file.
        file: the same, as opened by h5py.

    Raises:
        ValueError: a heap without end, or lengths that are not of 8 bytes, which no version of anndata writes.

    Source: HDF5 File Format Specification 3.0, III.E, Global Heap Block.
    """
    if (width := file.id.get_create_plist().get_sizes()[1]) != 8:
        raise ValueError(f"lengths of {width} bytes")
    about = path.stat()
    if (place := _endless(path.absolute(), about.st_size, about.st_mtime_ns)) is not None:
        raise ValueError(f"a heap has no end at byte {place}")


@lru_cache(maxsize=16)
def _endless(path: Path, size: int, _: int) -> int | None:
    """Return where a heap has no end, if there is one; a file is searched once for each time that it was written."""
    with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for found in HEAP.finditer(content):
            place, end = found.end(), min(found.start() + int.from_bytes(found[1], "little"), size)
            while place + OBJECT.size <= end:
                index, length = OBJECT.unpack_from(content, place)
                # Object 0 is free space, with its header; others are padded to 8 bytes. Sums are modulo 2^64, as in HDF5.
                step = length if index == 0 else (OBJECT.size + (length + 7) // 8 * 8) % 2**64
                if step == 0 or step >= 2**63:
                    return place
                place += step
    return None

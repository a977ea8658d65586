"""Where prepared samples are kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pooch

from sepclr.errors import InputError


def cache_folder(given: Path | None, kind: str) -> Path:
    """Return the folder of prepared samples: the given one, or one for their kind in the user's cache."""
    return given or Path(pooch.os_cache("sepclr")) / kind


def check_room(folder: Path, size: int, source: Path) -> None:
    """Check that a folder has room for a mapped file: writing to one on a full disk ends the process without an error.

    Args:
        folder: the folder, which exists.
        size: bytes that are needed.
        source: what needs them, for errors.

    Raises:
        InputError: if it has not.
    """
    if (free := shutil.disk_usage(folder).free) < size:
        raise InputError(f"{folder}: {free / 2**30:.1f} GiB free, and {source} needs {size / 2**30:.1f} GiB; give another cache folder")

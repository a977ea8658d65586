"""Atomic file writes: a file is complete or absent, after a kill as after a power failure."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors of a full disk, and of a quota or limit that is reached."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, and move it to ``path`` at the end; after an error, ``path`` is unchanged.

    Raises:
        OSError: on a full disk with the name of the file, also where a library raises another error.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        flush(part)  # the name must not reach the disk before the content
        part.replace(path)
        flush(path.parent)
    except BaseException as error:
        with suppress(FileNotFoundError):
            part.unlink()
        if isinstance(error, OSError) and error.errno in FULL and error.filename is None:
            error.filename = str(path)
        elif not isinstance(error, OSError) and os.strerror(errno.ENOSPC) in str(error):  # of safetensors, which is not written in Python
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk; folders are left out where the system cannot open them (Windows)."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:
        if path.is_dir():
            return
        raise
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system or a device without it
            raise
    finally:
        os.close(handle)


def write_whole(path: Path, text: str) -> None:
    """Write a text file atomically: a reader sees the old file or the new one, never part of it."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")

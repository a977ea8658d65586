"""A lock on the folder of a run, so that two processes never write to it at the same time."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from sepclr.errors import InputError

LOCK = "run.lock"
"""File in the folder; it stays when the lock is released, which the system does even if the process is killed."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which exists.

    Raises:
        InputError: if another process holds it, with its host and id where they can be read; or the folder cannot be written.
    """
    path = folder / LOCK
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(f"{folder}: in use{_holder(path)}; wait until it has ended, or choose another folder") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be locked ({error.strerror or error}); make the folder writable") from None
    try:
        with suppress(OSError):  # for messages only
            path.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        yield
    finally:
        lock.release()


def check_free(folder: Path) -> None:
    """Check that no process holds the lock of a folder; a folder without one is left as it is.

    Raises:
        InputError: as ``held``.
    """
    if (folder / LOCK).exists():
        with held(folder):
            return


def _holder(path: Path) -> str:
    """Return who holds a lock, as far as known: some versions of filelock empty the file when another process asks for the lock."""
    try:
        return f" by {text}" if (text := path.read_text().strip()) else " by another process"
    except OSError:
        return " by another process"

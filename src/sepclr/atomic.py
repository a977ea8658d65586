"""Atomic file writes: a file is complete or absent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, and move it to ``path`` at the end; after an error, ``path`` is unchanged."""
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_whole(path: Path, text: str) -> None:
    """Write a text file atomically: a reader sees the old file or the new one, never part of it."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")

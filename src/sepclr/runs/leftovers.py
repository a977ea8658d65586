"""Remove what an interrupted command left behind, but no other files."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from sepclr.errors import InputError
from sepclr.runs.lock import LOCK

BEFORE_CONFIG = (LOCK, "config.yaml.part", "folds.tsv", "folds.tsv.part")
"""Files that a run leaves in its folder if it is killed before its config is written; there is nothing to resume then."""


def remove_own(folder: Path, own: Sequence[str], remedy: str) -> None:
    """Remove the folder of an interrupted command, if it exists and holds only files of that command.

    Args:
        folder: the folder.
        own: patterns of the files that the command writes, relative to the folder.
        remedy: advice at the end of the error message.

    Raises:
        InputError: if it is a file or a link, or holds other files; nothing is removed then.
    """
    if folder.is_symlink() or folder.is_file():
        raise InputError(f"{folder}: not a folder written by sepclr; move it away, or {remedy}")
    inside = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    names = [path.relative_to(folder).as_posix() for path in inside]
    if others := [name for name in names if not any(fnmatchcase(name, pattern) for pattern in own)]:
        raise InputError(f"{folder}: holds {others[0]}, which sepclr did not write; move it away, or {remedy}")
    if folder.exists():
        shutil.rmtree(folder)

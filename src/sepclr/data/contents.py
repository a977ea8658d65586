"""Content hashes of files, computed once and again only if size or times changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock
from joblib import Parallel, delayed

from sepclr.atomic import write_whole
from sepclr.errors import InputError


def contents(paths: Sequence[Path], folder: Path) -> list[str]:
    """Return content hashes of files.

    Args:
        paths: the files, n of them.
        folder: folder of ``contents.json``, which stores hashes with the size and times of each file; created if missing.

    Returns:
        n hashes. The stored hash is reused if size and times of a file are unchanged; otherwise the file is read.

    Raises:
        InputError: a file that cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "contents.json"
    places = [str(path.resolve()) for path in paths]
    facts = [_facts(path) for path in paths]
    with FileLock(f"{kept}.lock"):
        known: dict[str, list[Any]] = _read(kept)
        changed = [row for row, place in enumerate(places) if known.get(place, [])[:-1] != facts[row]]
        if changed:
            hashes = Parallel(n_jobs=-1, prefer="threads")(delayed(_hash)(paths[row]) for row in changed)
            known |= {places[row]: [*facts[row], found] for row, found in zip(changed, hashes, strict=True)}
            write_whole(kept, json.dumps(known))
    return [known[place][-1] for place in places]


def _facts(path: Path) -> list[int]:
    """Return what changes when a file is replaced or edited; the last, ctime, changes even if its mtime is restored."""
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


def _read(kept: Path) -> dict[str, list[Any]]:
    try:
        known = dict(json.loads(kept.read_text()))
    except (OSError, ValueError, TypeError, RecursionError):
        return {}  # all files are hashed again
    return {path: facts for path, facts in known.items() if isinstance(facts, list) and len(facts) == 4 and isinstance(facts[-1], str)}

"""Cache of volumes, resampled to one grid once and read batch by batch, so that memory use does not grow with their number."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from jaxtyping import Float
from joblib import Parallel, delayed

from sepclr.atomic import replacing
from sepclr.data import VolumeCache
from sepclr.data.cache import cache_folder, check_room
from sepclr.data.contents import contents
from sepclr.errors import reading
from sepclr.imaging.grid import Grid, GridSpec, choose_grid, on_grid
from sepclr.imaging.volumes import Volume, look_into, problems
from sepclr.types import InputError

STEPS = 1
"""Version of ``on_grid``; caches of other versions are made again."""


def store(
    paths: Sequence[Path], subjects: Sequence[str], wanted: GridSpec, folder: Path | None
) -> tuple[VolumeCache, Float[np.ndarray, "n 4 4"]]:
    """Check volumes and resample them to a grid, or find them in the cache.

    The cache is keyed by the contents of the files and the requested grid: images that changed are read again, copies are not.
    Cache files are written atomically; an interrupted call leaves none.

    Args:
        paths: the volumes, n of them.
        subjects: subject of each volume, n names.
        wanted: requested grid.
        folder: folder of the cache file, created if missing; the user's cache if None.

    Returns:
        The volumes, shape (n, 1, *shape of the grid), and their affines, shape (n, 4, 4).

    Raises:
        InputError: unusable volumes, of which the first three problems are listed, or a folder that cannot be written.
    """
    folder = cache_folder(folder, "volumes")
    try:
        path = folder / f"{_key(paths, wanted, folder)}.npy"
        beside = _beside(path)
        with FileLock(f"{path}.lock"):
            if not path.exists():
                grid = choose_grid(_usable(paths, subjects, wanted), wanted)
                check_room(folder, 2 * len(paths) * math.prod(grid.shape), paths[0].parent)  # float16
                with replacing(path) as part:
                    affines = _fill(part, paths, grid)
                    beside.write_text(json.dumps({"grid": asdict(grid), "files": paths, "affines": affines}, default=str))
    except OSError as error:
        raise InputError(f"cache: {folder} cannot be written ({error.strerror or error}); choose another folder for volumes") from None
    with reading(beside, f"delete it and {path.name}, which are made again"):
        return VolumeCache(path), np.array(json.loads(beside.read_text())["affines"], dtype=float).reshape(-1, 4, 4)


def _beside(path: Path) -> Path:
    """Return the path of the file with the grid, the source files and the affines of a cache file."""
    return path.with_suffix(".json")


def _usable(paths: Sequence[Path], subjects: Sequence[str], wanted: GridSpec) -> list[Volume]:
    looked = look_into(paths)
    if found := problems(looked, subjects, resample=wanted.resample):
        more = [f"and {len(found) - 3} more; `sepclr check` lists all"] if len(found) > 3 else []
        raise InputError("; ".join([*found[:3], *more]))
    return looked


def _fill(part: Path, paths: Sequence[Path], grid: Grid) -> list[Any]:
    """Write all volumes and return their affines; memory holds one volume per core."""
    np.lib.format.open_memmap(part, "w+", np.float16, (len(paths), 1, *grid.shape))

    def one(row: int) -> list[Any]:
        voxels, affine = on_grid(paths[row], grid)
        np.load(part, mmap_mode="r+")[row] = voxels
        return affine.tolist()  # type: ignore[no-any-return]

    affines: list[Any] = Parallel(n_jobs=-1, prefer="threads")(delayed(one)(row) for row in range(len(paths)))
    return affines


def images_digest(paths: Sequence[Path], mask: Path | None, folder: Path | None) -> str:
    """Return a hash of the contents of images and their mask.

    Args:
        paths: the images; each is read once, and again if its size or times changed.
        mask: the mask, if any.
        folder: folder of stored file hashes; the user's cache if None.

    Returns:
        A hash that does not depend on the names, folders and times of the files.

    Raises:
        InputError: a file that cannot be read, or a folder that cannot be written.
    """
    folder = cache_folder(folder, "volumes")
    try:
        hashes = [contents(paths, folder), contents([mask], folder) if mask else None]
    except OSError as error:
        raise InputError(f"cache: {folder} cannot be written ({error.strerror or error}); choose another folder for volumes") from None
    return hashlib.sha256(json.dumps(hashes).encode()).hexdigest()[:16]


def _key(paths: Sequence[Path], wanted: GridSpec, folder: Path) -> str:
    """Return a hash of what determines the stored values."""
    facts = [STEPS, images_digest(paths, wanted.mask, folder), asdict(replace(wanted, mask=None))]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

"""Volumes in a file, brought onto one grid once and read when a batch asks for them: memory does not grow with their number."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pooch
from filelock import FileLock
from jaxtyping import Float
from joblib import Parallel, delayed

from sepclr.atomic import replacing
from sepclr.data import VolumeCache
from sepclr.imaging.contents import contents
from sepclr.imaging.grid import Grid, GridSpec, choose_grid, on_grid
from sepclr.imaging.volumes import Volume, look_into, problems
from sepclr.types import InputError

STEPS = 1
"""Counts the changes of ``on_grid``: what older steps made is made anew."""


def store(
    paths: Sequence[Path], subjects: Sequence[str], wanted: GridSpec, folder: Path | None
) -> tuple[VolumeCache, Float[np.ndarray, "n 4 4"]]:
    """Check volumes and bring them onto a grid, once: a second call with the same images finds them.

    What is there is found by what the files hold and by what is wanted: images that changed are read again, copies are not.
    Under its name stands a whole file or none; a call that was killed leaves none.

    Args:
        paths: the volumes, n of them.
        subjects: whose they are, n names.
        wanted: of the grid.
        folder: where the file lies, made where missing; the user's cache if None.

    Returns:
        The volumes, shape (n, 1, *shape of the grid), and their affines, shape (n, 4, 4).

    Raises:
        InputError: volumes that cannot be used, all of them named up to three, or a folder that cannot be written.
    """
    folder = cache_folder(folder)
    try:
        path = folder / f"{_key(paths, wanted, folder)}.npy"
        beside = _beside(path)
        with FileLock(f"{path}.lock"):
            if not path.exists():
                grid = choose_grid(_usable(paths, subjects, wanted), wanted)
                with replacing(path) as part:
                    affines = _fill(part, paths, grid)
                    beside.write_text(json.dumps({"grid": asdict(grid), "files": paths, "affines": affines}, default=str))
    except OSError as error:
        raise InputError(f"cache: {folder} cannot be written ({error.strerror or error}); choose another folder for volumes") from None
    return VolumeCache(path), np.array(json.loads(beside.read_text())["affines"])


def _beside(path: Path) -> Path:
    """Say where it is written on which grid the volumes of a file lie, and whose they are."""
    return path.with_suffix(".json")


def _usable(paths: Sequence[Path], subjects: Sequence[str], wanted: GridSpec) -> list[Volume]:
    looked = look_into(paths)
    if found := problems(looked, subjects, resample=wanted.resample):
        more = [f"and {len(found) - 3} more; `sepclr check` lists all"] if len(found) > 3 else []
        raise InputError("\n".join([*found[:3], *more]))
    return looked


def _fill(part: Path, paths: Sequence[Path], grid: Grid) -> list[Any]:
    """Write all volumes and give their affines; memory holds as many as there are cores."""
    np.lib.format.open_memmap(part, "w+", np.float16, (len(paths), 1, *grid.shape))

    def one(row: int) -> list[Any]:
        voxels, affine = on_grid(paths[row], grid)
        np.load(part, mmap_mode="r+")[row] = voxels
        return affine.tolist()  # type: ignore[no-any-return]

    affines: list[Any] = Parallel(n_jobs=-1, prefer="threads")(delayed(one)(row) for row in range(len(paths)))
    return affines


def cache_folder(given: Path | None) -> Path:
    """Return the folder of volumes: the one given, or one in the user's cache."""
    return given or Path(pooch.os_cache("sepclr")) / "volumes"


def images_digest(paths: Sequence[Path], mask: Path | None, folder: Path | None) -> str:
    """Hash what images and their mask hold.

    Args:
        paths: the images; each is read once, and again where its size or time changed.
        mask: the mask, if any.
        folder: where hashes of files are kept; the user's cache if None.

    Returns:
        A hash that does not depend on names, folders and times of the files.

    Raises:
        InputError: a file that cannot be read, or a folder that cannot be written.
    """
    folder = cache_folder(folder)
    try:
        hashes = [contents(paths, folder), contents([mask], folder) if mask else None]
    except OSError as error:
        raise InputError(f"cache: {folder} cannot be written ({error.strerror or error}); choose another folder for volumes") from None
    return hashlib.sha256(json.dumps(hashes).encode()).hexdigest()[:16]


def _key(paths: Sequence[Path], wanted: GridSpec, folder: Path) -> str:
    """Name what decides the stored values."""
    facts = [STEPS, images_digest(paths, wanted.mask, folder), asdict(replace(wanted, mask=None))]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

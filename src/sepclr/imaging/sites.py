"""Scanners of known effect, simulated in the volumes of a study as ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from sepclr.data.tables import read_cells, subjects_of, write_cells
from sepclr.errors import InputError
from sepclr.imaging.participants import as_file_name, image_paths
from sepclr.imaging.volumes import inside_brain, look_into, problems, read_volume
from sepclr.ranges import check_at_least

SLOPE, GAMMA, BLUR, NOISE = 0.15, 0.15, 0.35, 0.01
"""What each further site adds: to the slope of brightness from the back to the front, to the exponent of normalised values, to the standard
deviation of a blur, in voxels, and to that of noise, as a share of the brightest values."""

ADDED = ("site", "scan")
"""Columns that the new table adds."""


def scanned(voxels: NDArray[Any], site: int, draw: np.random.Generator) -> NDArray[np.float32]:
    """Return a volume as another scanner would show it.

    Args:
        voxels: the volume, shape (x, y, z), y from back to front, dark outside the brain.
        site: number of the scanner; 0 leaves the volume as it is.
        draw: generator of the noise.

    Returns:
        The volume: darker grey matter, darker towards the front, blurred and noisier, all the more so for a larger number.
    """
    volume = np.asarray(voxels, dtype=np.float32)
    if not site:
        return volume
    brightest = float(np.percentile(volume, 99.5)) or 1.0
    seen = np.clip(volume / brightest, 0, None) ** (1 + GAMMA * site)
    seen = seen * np.linspace(1 + SLOPE * site / 2, 1 - SLOPE * site / 2, volume.shape[1])[:, None]
    seen = gaussian_filter(seen, BLUR * site) + NOISE * site * draw.normal(size=volume.shape) * inside_brain(voxels)
    return np.asarray(np.clip(seen, 0, None) * brightest, dtype=np.float32)


def rescan_table(table: Path, images: str, out: Path, *, subject: str | None = None, sites: int = 2, seed: int = 0) -> Path:
    """Assign the subjects of a table to scanners at random, and write their volumes as these would show them.

    Args:
        table: TSV or CSV with a row for each image.
        images: column of paths, or a pattern with ``{COLUMN}`` in it.
        out: new folder for a NIfTI file for each row, and ``participants.tsv`` with the added columns ``site`` and ``scan``.
        subject: subject column; ``participant_id`` if there is one.
        sites: number of scanners, at least 2.
        seed: random seed of the assignment and of the noise.

    Returns:
        Path of the new table.

    Raises:
        InputError: an unusable table or image, columns that already exist, or a folder that is not empty. Nothing is written then.
    """
    check_at_least(2, sites=sites)
    check_at_least(0, seed=seed)
    cells = read_cells(table)
    if there := {*ADDED} & set(cells):
        raise InputError(f"{table}: has columns {', '.join(sorted(there))} already, which the new table adds; rename them")
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out}: not empty; choose another --out")
    who = subjects_of(table, cells, subject)
    paths = image_paths(table, cells, images, who)
    if found := problems(look_into(paths), who.tolist()):
        raise InputError("; ".join(found))
    if sites > len(np.unique(who)):
        raise InputError(f"sites: {sites} for {len(np.unique(who))} subjects; give at most one for each")
    draw = np.random.default_rng(seed)
    people = draw.permutation(np.unique(who))
    site = {person: place % sites for place, person in enumerate(people)}
    (out / "scans").mkdir(parents=True)
    names = [f"scans/{row:04d}_{as_file_name(name)}.nii.gz" for row, name in enumerate(who)]
    for path, name, person in zip(paths, names, who, strict=True):
        voxels, affine = read_volume(path)
        nibabel.save(nibabel.Nifti1Image(scanned(voxels, site[person], draw), affine), out / name)
    added = {"site": [f"scanner-{site[person]}" for person in who], "scan": names}
    return write_cells(out / "participants.tsv", {**cells, **added})

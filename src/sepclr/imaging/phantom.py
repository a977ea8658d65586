"""Small synthetic brains for tests and trials, generated without any download."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel
import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter

from sepclr.data.tables import read_cells, write_cells
from sepclr.errors import InputError
from sepclr.imaging.implant import REGION, implant_table
from sepclr.ranges import check_at_least

SHAPE = (40, 48, 40)
SPACING = 4.0
HALF_AXES = np.array([62.0, 78.0, 60.0])
"""Half-axes of an average brain, in millimetres."""

DESCRIPTIONS = {
    "age": "age in years",
    "sex": "F or M",
    "site": "scanner",
    "group": "control, or patient for a brain with a pattern",
    "subtype": "place of the pattern",
    "severity": "share of the full effect",
    "without": "image without the pattern, relative to this file",
}
"""Descriptions of the columns of a BIDS tree."""


def phantom(age: float, sex: str, site: int, seed: int) -> tuple[Float[np.ndarray, "40 48 40"], Float[np.ndarray, "4 4"]]:
    """Draw a brain: white matter in a rim of grey matter, ventricles that grow and a rim that thins with age.

    Women's brains are 6 % smaller than men's. Images of sites with a larger number are brighter towards the back and noisier. Each brain
    has its own shape.

    Args:
        age: in years.
        sex: ``F`` or ``M``.
        site: number of the scanner, from 0.
        seed: random seed of the brain's shape and noise.

    Returns:
        Voxels of 4 mm, values in about 0..1, and their affine; axes from left to right, back to front, bottom to top.
    """
    draw = np.random.default_rng(seed)
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = -SPACING * (np.array(SHAPE) - 1) / 2
    places = np.moveaxis(np.indices(SHAPE), 0, -1) * SPACING + affine[:3, 3]
    axes = HALF_AXES * (0.97 if sex == "F" else 1.03) * draw.normal(1, 0.02, 3)
    own = gaussian_filter(draw.normal(size=SHAPE), 4)
    # Distance from the centre, 1 at the surface, with hills and valleys.
    depth = np.sqrt(((places / axes) ** 2).sum(-1)) + 0.05 * own / own.std()
    old = (age - 50) / 30
    rim = 0.22 - 0.04 * old
    image = np.where(depth < 1 - rim, 0.85, 0.55) * (depth < 1)
    grown = 1 + 0.35 * old + draw.normal(0, 0.1)
    for side in (-1, 1):
        middle = np.array([side * 10.0, -5.0, 8.0])
        ventricle = (((places - middle) / (np.array([6.0, 22.0, 9.0]) * grown)) ** 2).sum(-1)
        image = np.where(ventricle < 1, 0.2, image)
    image = gaussian_filter(image, 0.6)
    slope = 1 - 0.1 * site * places[..., 1] / HALF_AXES[1]
    noise = (0.015 + 0.01 * site) * draw.normal(size=SHAPE)
    return np.clip(image * slope + noise * (depth < 1.1), 0, None).astype(np.float32), affine


def write_phantoms(out: Path, subjects: int = 60, *, sites: int = 2, seed: int = 0) -> Path:
    """Write a study of synthetic brains: half are controls, half patients of one of two subtypes.

    Args:
        out: new folder for the output of ``implant_table``, and for the brains without the pattern in its folder ``without``.
        subjects: number of subjects, at least 8.
        sites: number of scanners.
        seed: random seed.

    Returns:
        Path of the table, with ``age``, ``sex``, ``site`` and the columns that ``implant_table`` adds; ``without`` is relative to it.

    Raises:
        InputError: fewer than 8 subjects, no site, or a folder that is not empty.
    """
    if subjects < 8 or sites < 1:
        raise InputError(f"subjects, sites: {subjects} and {sites}; give at least 8 subjects and 1 site")
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out}: not empty; choose another folder")
    check_at_least(0, seed=seed)
    draw = np.random.default_rng(seed)
    ages, sexes = draw.uniform(20, 80, subjects), draw.choice(["F", "M"], subjects)
    scanners = draw.integers(sites, size=subjects)
    names = [f"sub-{number:03d}" for number in range(1, subjects + 1)]
    cells = {
        "participant_id": names,
        "age": [f"{age:.1f}" for age in ages],
        "sex": sexes.tolist(),
        "site": [f"scanner-{number}" for number in scanners],
    }
    with TemporaryDirectory() as folder:
        healthy = Path(folder) / "without"
        healthy.mkdir()
        for row, name in enumerate(names):
            voxels, affine = phantom(float(ages[row]), str(sexes[row]), int(scanners[row]), seed * 100_003 + row)
            nibabel.save(nibabel.Nifti1Image(voxels, affine), healthy / f"{name}.nii.gz")
        table = implant_table(write_cells(healthy.parent / "t.tsv", cells), "without/{participant_id}.nii.gz", out, seed=seed)
        shutil.move(healthy, out)
    # Relative paths keep the study whole when its folder is moved.
    return write_cells(table, read_cells(table) | {"without": np.array([f"without/{name}.nii.gz" for name in names])})


def write_bids_phantoms(out: Path, subjects: int = 60, *, sites: int = 2, seed: int = 0) -> Path:
    """Write the study of ``write_phantoms`` as a BIDS tree.

    Args:
        out: new folder for ``participants.tsv``, its description and an image in ``sub-*/anat`` for each subject. The derivative
            ``derivatives/phantom`` has the brains without the pattern, and ``region.nii.gz``, which is 1 inside the patterns.
        subjects: number of subjects, at least 8.
        sites: number of scanners.
        seed: random seed.

    Returns:
        Path of ``participants.tsv``; its column ``without`` is relative to it.

    Raises:
        InputError: as ``write_phantoms``.
    """
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out}: not empty; choose another folder")
    with TemporaryDirectory() as folder:
        table = write_phantoms(Path(folder) / "study", subjects, sites=sites, seed=seed)
        cells = read_cells(table)
        derived = out / "derivatives" / "phantom"
        without = []
        for name, image, clean in zip(cells["participant_id"], cells.pop("image"), cells.pop("without"), strict=True):
            without.append(str(derived.relative_to(out) / name / "anat" / f"{name}_desc-without_T1w.nii.gz"))
            for source, target in ((image, out / name / "anat" / f"{name}_T1w.nii.gz"), (clean, out / without[-1])):
                target.parent.mkdir(parents=True)
                shutil.move(table.parent / source, target)
        shutil.move(table.parent / REGION, derived)
    made = {"Name": "Synthetic brains", "BIDSVersion": "1.9.0", "License": "CC0"}
    described = {
        out / "dataset_description.json": made | {"DatasetType": "raw"},
        derived / "dataset_description.json": made | {"DatasetType": "derivative", "GeneratedBy": [{"Name": "sepclr phantom"}]},
        derived / "desc-without_T1w.json": {"SkullStripped": True},
        out / "participants.json": {name: {"Description": text} for name, text in DESCRIPTIONS.items()},
    }
    for path, values in described.items():
        path.write_text(json.dumps(values, indent=2) + "\n")
    (derived / ".bidsignore").write_text(f"{REGION}\n")  # BIDS has no place for masks of no subject
    (out / "README").write_text("Synthetic brains, written by `sepclr phantom --bids`; no person was scanned.\n")
    return write_cells(out / "participants.tsv", cells | {"without": np.array(without)})

"""Patterns of known kind and severity, implanted into volumes as ground truth.

A method that separates the codes should encode subtype and severity in s but not in c, and the other attributes of subjects in c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nibabel
import numpy as np
from jaxtyping import Float
from joblib import Parallel, delayed
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from sepclr.data.tables import read_cells, subjects_of, write_cells
from sepclr.errors import InputError
from sepclr.imaging.participants import as_file_name, image_paths
from sepclr.imaging.volumes import inside_brain, look_into, problems, read_volume
from sepclr.ranges import check_at_least

Kind = Literal["atrophy", "lesion"]

MILDEST = 0.2
"""Smallest severity of a target; the largest is 1."""

SMALLEST = 2
"""Smallest number of subjects in each group."""

WANDER = 3.0
"""Standard deviation of the displacement of a subject's pattern along each axis, in millimetres."""

ADDED = ("group", "subtype", "severity", "image", "without")
"""Columns that the new table adds."""

REGION = "region.nii.gz"
"""File name of the volume that is 1 inside the patterns."""


@dataclass(frozen=True)
class Pattern:
    """Location and kind of the pattern of a subtype.

    Attributes:
        name: name of the subtype.
        centres: centres of the pattern, as fractions of the brain's bounding box from left to right, back to front and bottom to top.
        radius: distance from a centre at which half of the effect is left, in millimetres.
        kind: ``atrophy`` darkens, like tissue loss in T1w images and grey matter maps; ``lesion`` moves values towards those of the
            brightest tissue, like contrast uptake.
    """

    name: str
    centres: tuple[tuple[float, float, float], ...]
    radius: float
    kind: Kind = "atrophy"


PATTERNS = (
    Pattern("temporal", ((0.3, 0.48, 0.35), (0.7, 0.48, 0.35)), 15.0),
    Pattern("frontal", ((0.5, 0.86, 0.55),), 20.0),
)
"""Atrophy in both medial temporal lobes, around the hippocampi, and atrophy in the medial frontal lobe."""


def weight(
    voxels: NDArray[Any], affine: Float[np.ndarray, "4 4"], pattern: Pattern, shift: Sequence[float] = (0.0, 0.0, 0.0)
) -> Float[np.ndarray, "x y z"]:
    """Compute the weight of a pattern in a volume: 1 at a centre, ½ at its radius, falling smoothly to 0 outside.

    Args:
        voxels: the volume, shape (x, y, z), dark outside the brain.
        affine: from its voxels to millimetres, the first axis to the right, the second to the front, the third to the top.
        pattern: the pattern.
        shift: displacement of the pattern, in millimetres.

    Returns:
        The weight of each voxel, 0..1.

    Raises:
        InputError: a volume without a brain.
    """
    inside = np.argwhere(inside_brain(voxels))
    if len(inside) < 8:
        raise InputError("implant: no brain found in the volume; give images that are dark outside the brain")
    # Percentiles keep stray voxels from moving the box.
    low, high = np.percentile(apply_affine(affine, inside), [0.5, 99.5], axis=0)
    places = apply_affine(affine, np.moveaxis(np.indices(voxels.shape), 0, -1))
    found = np.zeros(voxels.shape)
    for centre in pattern.centres:
        middle = low + np.array(centre) * (high - low) + shift
        squared = ((places - middle) ** 2).sum(-1) / pattern.radius**2
        found = np.maximum(found, 0.5 ** (squared**2))
    return found


def implant(voxels: NDArray[Any], where: Float[np.ndarray, "x y z"], severity: float, *, kind: Kind, strength: float = 0.5) -> NDArray[Any]:
    """Implant a pattern into a volume.

    Args:
        voxels: the volume, shape (x, y, z).
        where: weight of each voxel, from ``weight``.
        severity: 0 has no effect, 1 the full effect.
        kind: ``atrophy`` or ``lesion``.
        strength: fraction of the signal that is lost, or of the way to the brightest tissue, at a centre at severity 1.

    Returns:
        The volume with the pattern, of the same type.
    """
    share = strength * severity * where
    brightest = 0.0 if kind == "atrophy" else float(np.percentile(voxels, 99))
    changed = voxels * (1 - share) + brightest * share
    return (np.rint(changed) if np.issubdtype(voxels.dtype, np.integer) else changed).astype(voxels.dtype)


def _check_groups(share: float, subjects: int) -> None:
    patients = round(share * subjects)
    if min(patients, subjects - patients) >= SMALLEST:
        return
    lowest = SMALLEST / subjects
    remedy = "add subjects" if 2 * lowest > 1 else f"choose a share from {lowest:.3f} to {1 - lowest:.3f}"
    raise InputError(
        f"share: {share} of {subjects} subjects makes {patients} patients and {subjects - patients} controls; "
        f"each group needs at least {SMALLEST}: {remedy}"
    )


def implant_table(
    table: Path,
    images: str,
    out: Path,
    *,
    subject: str | None = None,
    patterns: Sequence[Pattern] = PATTERNS,
    share: float = 0.5,
    strength: float = 0.5,
    seed: int = 0,
) -> Path:
    """Turn some subjects of a table into targets by implanting a pattern into their volumes.

    Args:
        table: TSV or CSV with a row for each image.
        images: column of paths, or a pattern with ``{COLUMN}`` in it.
        out: new folder for a NIfTI file for each row, ``participants.tsv`` with the added columns ``group`` (``control`` or ``patient``),
            ``subtype``, ``severity``, ``image`` and ``without`` (absolute path of the original image), and ``region.nii.gz``, which is 1
            inside the patterns.
        subject: subject column; ``participant_id`` if there is one.
        patterns: one pattern per subtype; each patient gets one of them.
        share: fraction of subjects that become patients; must leave at least 2 in each group.
        strength: strength of the effect at severity 1.
        seed: random seed for assigning patterns.

    Returns:
        Path of the new table.

    Raises:
        InputError: an unusable table or image, columns that already exist, too few subjects in a group, or a folder that is not
            empty. Nothing is written then.
    """
    if not 0 < share < 1 or not 0 < strength <= 1:
        raise InputError(f"share, strength: {share} and {strength} are not between 0 and 1")
    check_at_least(0, seed=seed)
    cells = read_cells(table)
    if there := {*ADDED} & set(cells):
        raise InputError(f"{table}: has columns {', '.join(sorted(there))} already, which the new table adds; rename them")
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out}: not empty; choose another --out")
    who = subjects_of(table, cells, subject)
    _check_groups(share, len(np.unique(who)))
    paths = image_paths(table, cells, images, who)
    if found := problems(look_into(paths), who.tolist()):
        raise InputError("; ".join(found))
    draw = np.random.default_rng(seed)
    people = draw.permutation(np.unique(who))
    patients = people[: round(share * len(people))]
    subtype = dict(zip(patients, draw.integers(len(patterns), size=len(patients)), strict=True))
    severity = dict(zip(patients, draw.uniform(MILDEST, 1, len(patients)), strict=True))
    shift = dict(zip(patients, draw.normal(0, WANDER, (len(patients), 3)).tolist(), strict=True))
    (out / "images").mkdir(parents=True)
    names = [f"images/{row:04d}_{as_file_name(name)}.nii.gz" for row, name in enumerate(who)]

    def one(row: int) -> Float[np.ndarray, "x y z"] | None:
        voxels, affine = read_volume(paths[row])
        name, where = who[row], None
        if name in subtype:
            pattern = patterns[subtype[name]]
            where = weight(voxels, affine, pattern, shift[name])
            voxels = implant(voxels, where, severity[name], kind=pattern.kind, strength=strength)
        nibabel.save(nibabel.Nifti1Image(voxels, affine), out / names[row])
        return where

    weights = Parallel(n_jobs=-1, prefer="threads", return_as="generator")(delayed(one)(row) for row in range(len(paths)))
    sums: dict[int, list[Any]] = {}
    for row, where in enumerate(weights):
        if where is not None:
            total = sums.setdefault(int(subtype[who[row]]), [0.0, 0])
            total[0], total[1] = total[0] + where, total[1] + 1
    region = np.max([total / count for total, count in sums.values()], axis=0) > 0.5
    nibabel.save(nibabel.Nifti1Image(region.astype(np.uint8), read_volume(paths[0])[1]), out / REGION)
    known = {name: [by.get(person) for person in who] for name, by in (("subtype", subtype), ("severity", severity))}
    added = {
        "group": ["patient" if person in subtype else "control" for person in who],
        "subtype": ["n/a" if kind is None else patterns[kind].name for kind in known["subtype"]],
        "severity": ["n/a" if value is None else f"{value:.4f}" for value in known["severity"]],
        "image": names,
        "without": [str(path.absolute()) for path in paths],
    }
    return write_cells(out / "participants.tsv", {**cells, **added})

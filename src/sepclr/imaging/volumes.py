"""Read volumes from files (NIfTI, NumPy), and find problems before anything starts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from joblib import Parallel, delayed
from numpy.typing import NDArray

from sepclr.data.claims import check_claim, read_npy
from sepclr.data.tables import listed
from sepclr.errors import InputError, reading

SUFFIXES = (".nii", ".nii.gz", ".npy")
SIDES = 1e-3, 1e5
"""Smallest and largest side of a voxel, in the units of its file, usually millimetres."""

SLICE_SIDE = 64
"""Longest side of the slices kept for display."""


@dataclass(frozen=True, eq=False)
class Volume:
    """Result of checking a file.

    Attributes:
        path: the file.
        problem: why it cannot be used; empty if it can.
        shape: voxels along each axis; empty if it cannot be read.
        affine: from voxels to millimetres, shape (4, 4); the identity for NumPy files.
        middle: the middle slice along the last axis in 0..255, with sides of at most 64 pixels; None if there is a problem.
    """

    path: Path
    problem: str
    shape: tuple[int, ...] = ()
    affine: Float[np.ndarray, "4 4"] | None = None
    middle: NDArray[np.uint8] | None = None


def read_volume(path: Path) -> tuple[NDArray[Any], Float[np.ndarray, "4 4"]]:
    """Read a volume and its affine; axes of length 1 after the third are dropped.

    Args:
        path: ``.nii``, ``.nii.gz`` or ``.npy``.

    Returns:
        The voxels, shape (x, y, z), and the affine, shape (4, 4).

    Raises:
        InputError: a file of another format, a damaged or truncated file, or one without a volume.
    """
    import nibabel

    if not path.name.endswith(SUFFIXES):
        raise InputError(f"{path}: unknown kind of file; volumes are {', '.join(SUFFIXES)}")
    with reading(path, "it is damaged or truncated; restore or download it again"):
        if path.suffix == ".npy":
            voxels, affine = read_npy(path), np.eye(4)
        else:
            image = nibabel.load(path)
            check_claim(path, _claimed(path, image.dataobj))
            voxels, affine = np.asanyarray(image.dataobj), np.asarray(image.affine, dtype=float)
        shape = voxels.shape
    if not voxels.size:
        raise InputError(f"{path}: no voxels in shape {' x '.join(map(str, shape))}")
    if not _maps_to_space(affine):
        raise InputError(f"{path}: its affine does not map voxels to millimetres; fix the header")
    while voxels.ndim > 3 and voxels.shape[-1] == 1:
        voxels = voxels[..., 0]
    if voxels.ndim != 3:
        raise InputError(f"{path}: {voxels.ndim} dimensions {voxels.shape}; give one 3-D volume, such as a T1w image")
    if not np.issubdtype(voxels.dtype, np.number) or np.iscomplexobj(voxels):
        raise InputError(f"{path}: voxels are {voxels.dtype}; give real numbers")
    return voxels, affine


def _maps_to_space(affine: NDArray[Any]) -> bool:
    """Return whether an affine maps each axis of voxels to a direction of its own, with sides that a voxel can have."""
    from nibabel import io_orientation

    if not np.isfinite(affine).all() or np.linalg.det(affine) == 0:
        return False
    sides = np.linalg.norm(affine[:3, :3], axis=0)
    return bool((sides >= SIDES[0]).all() and (sides <= SIDES[1]).all() and np.isfinite(io_orientation(affine)).all())


def _claimed(path: Path, voxels: Any) -> int:
    """Return how many bytes the voxels of an image take once they are scaled, as its header says.

    Raises:
        ValueError: a file without compression that is shorter.
    """
    count = math.prod(int(side) for side in voxels.shape)
    if path.suffix == ".nii" and count * voxels.dtype.itemsize + voxels.offset > path.stat().st_size:
        raise ValueError(f"its header claims shape {voxels.shape}")
    return 8 * count


def inside_brain(voxels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return a mask of the brain: voxels above a tenth of the 99th percentile, in the shape of the volume."""
    return np.asarray(voxels > 0.1 * np.percentile(voxels, 99))


def look(path: Path) -> Volume:
    """Read and check a volume."""
    try:
        voxels, affine = read_volume(path)
    except InputError as error:
        return Volume(path, str(error))
    strange = voxels.size - int(np.isfinite(voxels).sum()) if np.issubdtype(voxels.dtype, np.floating) else 0
    if strange:
        return Volume(path, f"{path}: {strange} voxels are NaN or infinite; fill them in", voxels.shape, affine)
    low, high = float(voxels.min()), float(voxels.max())
    if low == high:
        return Volume(path, f"{path}: every voxel is {low:g}; the image is empty", voxels.shape, affine)
    step = max(1, -(-max(voxels.shape[:2]) // SLICE_SIDE))
    middle = voxels[::step, ::step, voxels.shape[2] // 2].astype(float)
    scaled = np.rot90(np.clip((middle - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    return Volume(path, "", voxels.shape, affine, scaled)


def look_into(paths: Iterable[Path]) -> list[Volume]:
    """Read and check many files in parallel; memory holds one volume per core."""
    found: list[Volume] = Parallel(n_jobs=-1, prefer="threads")(delayed(look)(path) for path in paths)
    return found


def problems(volumes: Sequence[Volume], subjects: Sequence[str], *, resample: bool = False) -> list[str]:
    """Return what keeps volumes from being used together.

    Args:
        volumes: results of ``look_into``, n of them.
        subjects: subject of each volume, n names.
        resample: whether shapes and affines may differ.

    Returns:
        A line for each problem; empty if there are none.
    """
    found = [volume.problem for volume in volumes if volume.problem]
    if resample:
        return found
    whole = [(subject, volume) for subject, volume in zip(subjects, volumes, strict=True) if volume.affine is not None]
    if not whole:
        return found
    shapes = [volume.shape for _, volume in whole]
    usual = Counter(shapes).most_common(1)[0][0]
    affines = np.array([volume.affine for _, volume in whole])
    # Programs agree to about a thousandth of a millimetre. The usual affine is the one that most others agree with.
    agreeing = max((np.isclose(affines, affine, atol=1e-3).all((1, 2)) for affine in affines), key=np.count_nonzero)
    for what, differing, shown in (
        ("shape", [shape != usual for shape in shapes], f" ({' x '.join(map(str, usual))})"),
        ("affine", ~agreeing, ""),
    ):
        if any(differing):
            others = [subject for (subject, _), differs in zip(whole, differing, strict=True) if differs]
            found.append(
                f"images: {len(others)} of {len(whole)} have a different {what} than the others{shown}: {listed(others)}; "
                "bring them onto one grid, or add --resample"
            )
    return found

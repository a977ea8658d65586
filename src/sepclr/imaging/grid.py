"""One grid for all volumes: the deterministic preprocessing of volumes, with MONAI."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from sepclr.imaging.volumes import Volume, read_volume
from sepclr.types import InputError

Scaling = Literal["percentiles", "none"]

BRIGHTEST = 99.5
"""Percentile that ``percentiles`` maps to 1, so that a few bright voxels do not darken the rest."""

EVEN = 8
"""Sides are padded to a multiple of this, so that networks can halve them three times."""


@dataclass(frozen=True)
class Grid:
    """Positions and scale of voxels.

    Axes always run from left to right, back to front, bottom to top.

    Attributes:
        spacing: side of a voxel, in millimetres.
        shape: voxels along each axis; volumes are cropped or padded around their middle.
        scaling: ``percentiles`` maps the smallest value of a volume to 0 and its 99.5th percentile to 1 and clips values outside;
            ``none`` keeps values, for maps that already share a scale.
        mask: a volume that is 0 outside the brain; voxels there are set to 0. None keeps all voxels.
    """

    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]
    scaling: Scaling = "percentiles"
    mask: Path | None = None


@dataclass(frozen=True)
class GridSpec:
    """Requested grid; the volumes determine the rest.

    Attributes:
        spacing: side of a voxel in millimetres, or its three sides; None keeps those of the most frequent volume.
        shape: voxels along each axis; None fits the most frequent volume, in multiples of 8.
        scaling: see ``Grid``.
        mask: see ``Grid``.
        resample: whether shapes and affines of the files may differ.

    Raises:
        InputError: a spacing or a shape that is not positive, an unknown scaling, or a missing mask.
    """

    spacing: float | tuple[float, float, float] | None = None
    shape: tuple[int, ...] | None = None
    scaling: Scaling = "percentiles"
    mask: Path | None = None
    resample: bool = False

    def __post_init__(self) -> None:
        if self.scaling not in ("percentiles", "none"):
            raise InputError(f"scaling: {self.scaling!r} is unknown; choose percentiles or none")
        if self.spacing is not None and not all(0 < side < np.inf for side in _sides(self.spacing)):
            raise InputError(f"spacing: {self.spacing} is not a positive number of millimetres")
        if self.shape is not None and (len(self.shape) != 3 or min(self.shape) < 1):
            raise InputError(f"shape: {' x '.join(map(str, self.shape))} is not three sides of at least 1 voxel each")
        if self.mask is not None and not self.mask.is_file():
            raise InputError(f"mask: {self.mask}: no such file")


def choose_grid(volumes: Sequence[Volume], wanted: GridSpec) -> Grid:
    """Return the grid of volumes without problems: that of the most frequent volume, except for what ``wanted`` sets."""
    voxels, sides = Counter(_oriented(volume) for volume in volumes).most_common(1)[0][0]
    spacing = sides if wanted.spacing is None else _sides(wanted.spacing)
    needed = [math.ceil(round(n * side / (EVEN * new), 6)) * EVEN for n, side, new in zip(voxels, sides, spacing, strict=True)]
    return Grid(spacing, _three(wanted.shape or needed), wanted.scaling, wanted.mask)


def _sides(spacing: float | tuple[float, float, float]) -> tuple[float, float, float]:
    return spacing if isinstance(spacing, tuple) else (float(spacing),) * 3


def _three(sides: Sequence[int]) -> tuple[int, int, int]:
    x, y, z = sides
    return int(x), int(y), int(z)


def _oriented(volume: Volume) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    """Return shape and spacing of a volume with its axes from left to right, back to front, bottom to top."""
    from nibabel import Nifti1Image, as_closest_canonical
    from nibabel.affines import voxel_sizes

    nothing = np.broadcast_to(np.uint8(0), volume.shape)  # takes no memory: voxel values do not matter here
    image = as_closest_canonical(Nifti1Image(nothing, volume.affine))
    x, y, z = (round(float(side), 3) for side in voxel_sizes(image.affine))
    return _three(image.shape), (x, y, z)


def on_grid(path: Path, grid: Grid) -> tuple[NDArray[np.float16], Float[np.ndarray, "4 4"]]:
    """Read a volume and resample it to a grid.

    Args:
        path: the file.
        grid: the grid.

    Returns:
        The voxels, shape (1, *grid.shape), and the affine from them to millimetres, shape (4, 4).

    Raises:
        InputError: a file that is not a volume, or unscaled values that are too large for 16 bits.
    """
    image = _placed(path, grid)
    return _in_16_bits(path, _scaled(image, image, grid)), np.asarray(image.affine, dtype=float)


def on_grid_of(like: Path, path: Path, grid: Grid) -> NDArray[np.float16]:
    """Read a volume and resample it to a grid, with the scale of another volume.

    Each volume has percentiles of its own. With those of ``like``, voxels are equal where the two volumes are.

    Args:
        like: the volume that sets the scale.
        path: the file.
        grid: the grid.

    Returns:
        The voxels, shape (1, *grid.shape).

    Raises:
        InputError: as ``on_grid``, or volumes that are not aligned.
    """
    image, other = _placed(path, grid), _placed(like, grid)
    if not np.allclose(image.affine, other.affine, atol=min(grid.spacing) / 2):
        raise InputError(f"{path}: is not aligned with {like}; bring both into the same space")
    return _in_16_bits(path, _scaled(image, other, grid))


def _in_16_bits(path: Path, voxels: Any) -> NDArray[np.float16]:
    if voxels.abs().max() > np.finfo(np.float16).max:
        raise InputError(f"{path}: values up to {voxels.abs().max():g} do not fit into 16 bits; scale them, or use --scaling percentiles")
    return np.asarray(voxels.numpy().astype(np.float16))


def unit_of(path: Path, grid: Grid) -> float:
    """Return how much of a volume's own units the values on a grid call 1.

    Raises:
        InputError: as ``on_grid``.
    """
    if grid.scaling == "none":
        return 1.0
    values = _placed(path, grid).numpy()
    return float(np.percentile(values, BRIGHTEST) - values.min())


def mask_on_grid(grid: Grid) -> NDArray[np.uint8]:
    """Return the mask of a grid, 1 inside and 0 outside, shape (1, *grid.shape).

    Raises:
        InputError: no mask, or one that cannot be read.
    """
    if grid.mask is None:
        raise InputError("mask: the grid has none; give one")
    return np.asarray(_onto(_loaded(grid.mask), grid, mode="nearest").numpy() > 0, dtype=np.uint8)


def _placed(path: Path, grid: Grid) -> Any:
    """Read a volume and resample it to a grid, 0 outside of the mask, in its own units."""
    image = _onto(_loaded(path), grid, mode="bilinear")
    if grid.mask is None:
        return image
    # The mask is resampled by the same steps; if it were not aligned with the image, it would remove the wrong voxels.
    mask = _onto(_loaded(grid.mask), grid, mode="nearest")
    if not np.allclose(mask.affine, image.affine, atol=grid.spacing[0] / 2):
        raise InputError(f"mask: {grid.mask} is not aligned with {path}; bring both into the same space")
    return image * (mask > 0)


def _loaded(path: Path) -> Any:
    from monai.data import MetaTensor

    voxels, affine = read_volume(path)
    return MetaTensor(voxels[None].astype(np.float32), affine=affine)


def _onto(image: Any, grid: Grid, *, mode: str) -> Any:
    from monai.transforms import GaussianSmooth, Orientation, ResizeWithPadOrCrop, Spacing

    image = Orientation("RAS", labels=(("L", "R"), ("P", "A"), ("I", "S")))(image)
    now = np.linalg.norm(np.asarray(image.affine)[:3, :3], axis=0)
    coarser = np.array(grid.spacing) / now
    if mode == "bilinear" and (coarser > 1.01).any():
        # Without smoothing, downsampling would alias.
        image = GaussianSmooth([max((ratio - 1) / 2, 1e-3) for ratio in coarser])(image)
    if not np.allclose(coarser, 1, atol=1e-3):
        image = Spacing(grid.spacing, mode=mode, padding_mode="zeros")(image)
    return ResizeWithPadOrCrop(grid.shape)(image)


def _scaled(image: Any, like: Any, grid: Grid) -> Any:
    """Scale a volume to 0..1 by the percentiles of another one, or of itself."""
    from monai.transforms import ScaleIntensityRange
    from monai.transforms.utils_pytorch_numpy_unification import percentile

    image, like = image.as_tensor(), like.as_tensor()
    return image if grid.scaling == "none" else ScaleIntensityRange(*(percentile(like, q) for q in (0, BRIGHTEST)), 0, 1, clip=True)(image)

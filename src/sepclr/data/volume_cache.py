"""Samples in a file, read batch by batch so that memory use does not grow with their number."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Shaped
from numpy.typing import NDArray
from torch import Tensor


class VolumeCache:
    """Samples of a NumPy file, read on access; usable in place of a tensor of samples.

    Args:
        path: the ``.npy`` file written by ``store``, float16, shape (rows of the file, channels, *space).
        rows: rows of the file to use, shape (n,); all if None.
    """

    def __init__(self, path: Path, rows: NDArray[np.intp] | None = None) -> None:
        samples = np.load(path, mmap_mode="r")
        self.path = path
        self.rows = np.arange(len(samples)) if rows is None else rows
        self.shape = torch.Size((len(self.rows), *samples.shape[1:]))
        self.device = torch.device("cpu")

    @property
    def ndim(self) -> int:
        """Number of axes, including the axis of samples."""
        return len(self.shape)

    def grid(self) -> tuple[list[float], list[list[float]]]:
        """Return the three sides of a voxel in millimetres, and the 4 x 4 affine from voxels to millimetres of the first volume."""
        made = json.loads(self.path.with_suffix(".json").read_text())
        return made["grid"]["spacing"], made["affines"][0]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: slice | Tensor) -> Shaped[Tensor, "n ..."]:
        """Return the samples at a slice, at indices or where a mask is True, as float16."""
        # Opened for each batch, because pages that stay mapped count as memory of this process.
        samples = np.load(self.path, mmap_mode="r")
        rows = self.rows[chosen if isinstance(chosen, slice) else chosen.cpu().numpy()]
        return torch.from_numpy(np.asarray(samples[rows]))

    def where(self, chosen: NDArray[np.bool_]) -> VolumeCache:
        """Return the samples where ``chosen``, shape (n,), is True, without reading any."""
        return VolumeCache(self.path, self.rows[chosen])

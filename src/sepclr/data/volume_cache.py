"""Samples in a file, which are read when a batch asks for them: memory does not grow with their number."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Shaped
from numpy.typing import NDArray
from torch import Tensor


class VolumeCache:
    """Samples of a NumPy file, which are read when they are asked for; they stand where a tensor of samples may stand.

    Args:
        path: the ``.npy`` file that ``store`` wrote, float16, shape (rows of the file, channels, *space).
        rows: which of them these samples are, shape (n,); all if not given.
    """

    def __init__(self, path: Path, rows: NDArray[np.intp] | None = None) -> None:
        samples = np.load(path, mmap_mode="r")
        self.path = path
        self.rows = np.arange(len(samples)) if rows is None else rows
        self.shape = torch.Size((len(self.rows), *samples.shape[1:]))
        self.device = torch.device("cpu")

    @property
    def ndim(self) -> int:
        """Number of axes, that of the samples among them."""
        return len(self.shape)

    def grid(self) -> tuple[list[float], list[list[float]]]:
        """Tell the three sides of a voxel in millimetres, and the affine from voxels to millimetres of the first volume, 4 rows of 4."""
        made = json.loads(self.path.with_suffix(".json").read_text())
        return made["grid"]["spacing"], made["affines"][0]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: slice | Tensor) -> Shaped[Tensor, "n ..."]:
        """Read the samples at a slice, at indices or where a mask is True, as float16."""
        # Opened for each batch: what stays mapped would count as this process's memory.
        samples = np.load(self.path, mmap_mode="r")
        rows = self.rows[chosen if isinstance(chosen, slice) else chosen.cpu().numpy()]
        return torch.from_numpy(np.asarray(samples[rows]))

    def where(self, chosen: NDArray[np.bool_]) -> VolumeCache:
        """Keep the samples at which ``chosen``, shape (n,), is True, without reading any."""
        return VolumeCache(self.path, self.rows[chosen])

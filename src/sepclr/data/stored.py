"""Samples in a NumPy file, read batch by batch so that memory use does not grow with their number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Shaped
from numpy.typing import NDArray
from torch import Tensor


class Stored:
    """Samples of a NumPy file, read on access (``Lazy``).

    Args:
        path: the ``.npy`` file of samples, shape (rows of the file, features) or (rows of the file, channels, *space).
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

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: slice | Tensor) -> Shaped[Tensor, "n ..."]:
        """Return the samples at a slice, at indices or where a mask is True, of the type of the file."""
        # Opened for each batch, because pages that stay mapped count as memory of this process.
        samples = np.load(self.path, mmap_mode="r")
        rows = self.rows[chosen if isinstance(chosen, slice) else chosen.cpu().numpy()]
        return torch.from_numpy(np.asarray(samples[rows]))

    def where(self, chosen: NDArray[np.bool_]) -> Stored:
        """Return the samples where ``chosen``, shape (n,), is True, without reading any."""
        return type(self)(self.path, self.rows[chosen])

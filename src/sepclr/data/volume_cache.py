"""Volumes in a file, on one grid."""

from __future__ import annotations

import json
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sepclr.data.stored import Stored


class VolumeCache(Stored):
    """Volumes of a NumPy file, read on access.

    Args:
        path: the ``.npy`` file written by ``store``, float16, shape (rows of the file, channels, *space).
        rows: rows of the file to use, shape (n,); all if None.
    """

    def grid(self) -> tuple[list[float], list[list[float]]]:
        """Return the three sides of a voxel in millimetres, and the 4 x 4 affine from voxels to millimetres of the first volume."""
        made = json.loads(self.path.with_suffix(".json").read_text())
        return made["grid"]["spacing"], made["affines"][0]

    def where(self, chosen: NDArray[np.bool_]) -> VolumeCache:
        """Return the volumes where ``chosen``, shape (n,), is True, without reading any."""
        return cast(VolumeCache, super().where(chosen))

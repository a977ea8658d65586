"""Rows that are prepared when they are read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from sepclr.data.lazy import Lazy
from sepclr.data.preparation import Covariates, Preparation


class PreparedRows:
    """Rows that are read on access (``Lazy``), and then prepared.

    Args:
        rows: the rows, shape (n, p).
        made: what is done to them.
        covariates: values by name, each of shape (n,).
    """

    def __init__(self, rows: Lazy, made: Preparation, covariates: Covariates) -> None:
        self.rows, self.made, self.covariates = rows, made, covariates
        self.shape, self.device = rows.shape, torch.device("cpu")

    @property
    def ndim(self) -> int:
        """Number of axes, 2."""
        return 2

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: slice | Tensor) -> Float[Tensor, "n p"]:
        """Return the prepared rows at a slice, at indices or where a mask is True, float32."""
        at = chosen if isinstance(chosen, slice) else chosen.cpu().numpy()
        values = self.made(self.rows[chosen].numpy().astype(np.float64), {name: each[at] for name, each in self.covariates.items()})
        return torch.from_numpy(values.astype(np.float32))

    def where(self, chosen: NDArray[np.bool_]) -> PreparedRows:
        """Return the rows where ``chosen``, shape (n,), is True, without reading any."""
        return PreparedRows(self.rows.where(chosen), self.made, {name: each[chosen] for name, each in self.covariates.items()})


def in_parts(rows: Lazy, at_once: int = 1024) -> Iterator[NDArray[np.float64]]:
    """Yield rows in parts, shape (m, p)."""
    for begin in range(0, len(rows), at_once):
        yield rows[begin : begin + at_once].numpy().astype(np.float64)

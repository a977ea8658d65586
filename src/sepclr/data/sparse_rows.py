"""Sparse samples, such as counts of genes in cells, of which only the rows of a batch are made dense."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from sepclr.types import InputError

Part = NDArray[Any] | Path
"""Part of a sparse matrix: an array, or the ``.npy`` file that holds it."""


@dataclass(frozen=True, eq=False)
class CountPreparation:
    """What is done with rows when they are read, in this order; by default nothing.

    Attributes:
        library: total to which the counts of each row are scaled, over all genes; None to leave them.
        log: whether values v become log(1 + v).
        genes: places of the genes that are kept, shape (d,); None for all.
        mean: subtracted from each kept gene, shape (d,); None for 0.
        scale: divides each kept gene afterwards, shape (d,); None for 1.
    """

    library: float | None = None
    log: bool = False
    genes: NDArray[np.intp] | None = None
    mean: NDArray[np.float64] | None = None
    scale: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class SparseRows:
    """Rows of a matrix in CSR format, made dense when they are read; usable in place of a tensor of samples.

    Attributes:
        indptr: place in ``data`` where each row begins, and where the last ends, shape (rows of the matrix + 1,).
        indices: column of each value.
        data: the values other than 0, row by row.
        width: number of columns of the matrix.
        rows: rows of the matrix to use, shape (n,); all if None.
        preparation: what is done with rows when they are read.

    Raises:
        InputError: a number of genes, means or scales that does not fit.
    """

    indptr: NDArray[np.int64]
    indices: Part
    data: Part
    width: int
    rows: NDArray[np.intp] | None = None
    preparation: CountPreparation = field(default_factory=CountPreparation)

    def __post_init__(self) -> None:
        genes = self.preparation.genes
        if genes is not None and (not len(genes) or genes.min() < 0 or genes.max() >= self.width):
            raise InputError(f"genes: {len(genes)} places do not fit {self.width} genes; give places from 0 to {self.width - 1}")
        for name in ("mean", "scale"):
            values = getattr(self.preparation, name)
            if values is not None and len(values) != self.shape[1]:
                raise InputError(f"{name}: {len(values)} values for {self.shape[1]} genes; give one for each")

    @property
    def shape(self) -> torch.Size:
        """Number of rows, and of genes of a row as read."""
        genes = self.preparation.genes
        return torch.Size((len(self), self.width if genes is None else len(genes)))

    @property
    def ndim(self) -> int:
        """Number of axes, 2."""
        return 2

    @property
    def device(self) -> torch.device:
        """Device of the rows that are read, the CPU."""
        return torch.device("cpu")

    def __len__(self) -> int:
        return len(self.indptr) - 1 if self.rows is None else len(self.rows)

    def __getitem__(self, chosen: slice | Tensor) -> Float[Tensor, "n d"]:
        """Return the rows at a slice, at indices or where a mask is True, as prepared, float32."""
        return torch.from_numpy(self._dense(chosen if isinstance(chosen, slice) else chosen.cpu().numpy()))

    def where(self, chosen: NDArray[np.bool_], /) -> SparseRows:
        """Return the rows where ``chosen``, shape (n,), is True, without reading any."""
        return replace(self, rows=self._places()[chosen])

    def prepared(self, preparation: CountPreparation) -> SparseRows:
        """Return the same rows with another preparation, without reading any."""
        return replace(self, preparation=preparation)

    def totals(self, at_once: int = 4096) -> Float[np.ndarray, " n"]:
        """Compute the sum of each row over all genes before any preparation, its library size, shape (n,)."""
        parts = [self._sparse(slice(begin, begin + at_once)).sum(1) for begin in range(0, len(self), at_once)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _places(self) -> NDArray[np.intp]:
        return np.arange(len(self)) if self.rows is None else self.rows

    def _sparse(self, chosen: Any) -> csr_array:
        """Return rows as they are stored, in float64."""
        rows = self._places()[chosen]
        begin, length = self.indptr[rows], self.indptr[rows + 1] - self.indptr[rows]
        indptr = np.concatenate([[0], np.cumsum(length)])
        at = np.repeat(begin - indptr[:-1], length) + np.arange(indptr[-1])
        # Files are opened for each batch, because pages that stay mapped count as memory of this process.
        values = _opened(self.data)[at].astype(np.float64)
        return csr_array((values, _opened(self.indices)[at], indptr), shape=(len(rows), self.width))

    def sparse(self, chosen: slice | NDArray[Any]) -> csr_array:
        """Return the rows at a slice, at indices or where a mask is True, as prepared but for mean and scale, float64."""
        how, x = self.preparation, self._sparse(chosen)
        if how.library is not None:
            totals = x.sum(1)
            x.data *= np.repeat(how.library / np.where(totals > 0, totals, 1), np.diff(x.indptr))
        if how.log:
            x.data = np.log1p(x.data)
        return x if how.genes is None else x[:, how.genes]

    def _dense(self, chosen: Any) -> NDArray[np.float32]:
        how, dense = self.preparation, self.sparse(chosen).toarray()
        if how.mean is not None:
            dense -= how.mean
        if how.scale is not None:
            dense /= how.scale
        return np.asarray(dense, dtype=np.float32)


def _opened(part: Part) -> NDArray[Any]:
    opened: NDArray[Any] = np.load(part, mmap_mode="r") if isinstance(part, Path) else part
    return opened

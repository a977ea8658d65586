"""Cells from an AnnData file (``.h5ad``): counts or other values of genes, and columns that say what is known about cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.data.h5ad import Checked, copied, matrix
from sepclr.data.obs import check_known, column_of, index_of, meant, opened
from sepclr.data.sparse_rows import SparseRows
from sepclr.data.tables import listed
from sepclr.errors import InputError

LIMIT = 2**30
"""Bytes above which a matrix is copied to files instead of memory."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of a file.

    Attributes:
        x: values of the genes, n cells.
        names: name of each cell, shape (n,).
        genes: name of each gene, shape (genes,).
        columns: columns of ``obs`` by name, shape (n,): float64, NaN where missing, or strings, empty where missing.
    """

    x: SparseRows
    names: NDArray[Any]
    genes: NDArray[Any]
    columns: Mapping[str, NDArray[Any]]

    def where(self, chosen: NDArray[np.bool_]) -> Cells:
        """Return the cells where ``chosen``, shape (n,), is True, without reading any."""
        columns = {name: values[chosen] for name, values in self.columns.items()}
        return replace(self, x=self.x.where(chosen), names=self.names[chosen], columns=columns)


def read_h5ad(
    path: Path,
    needed: Sequence[str] = (),
    attributes: Sequence[str] = (),
    *,
    layer: str | None = None,
    counts: bool = False,
    cache: Path | None = None,
    limit: int = LIMIT,
) -> Cells:
    """Read cells. Values are read in parts; of ``obs``, only the columns that are named.

    Args:
        path: the ``.h5ad`` file.
        needed: columns of ``obs`` without missing values, such as the group and covariates.
        attributes: further columns, which may have missing values.
        layer: layer to read, or ``raw`` for ``raw.X``; ``X`` if None.
        counts: whether values must be counts.
        cache: folder for copies of large matrices, which are made once.
        limit: bytes above which a matrix is copied to files.

    Returns:
        The cells of the file.

    Raises:
        InputError: a file that cannot be read, an unknown layer or column, a needed column with missing values, duplicated names, or
            values that are not finite, all the same, or not the counts that are asked for.
    """
    with opened(path) as file:
        key, var = _key(path, file, layer)
        where = f"{path}: {key}"
        found = matrix(file[key], where)
        names, genes = index_of(path, file, "obs"), index_of(path, file, var)
        if found.shape != (len(names), len(genes)):
            raise InputError(f"{where} has shape {found.shape}, and there are {len(names)} cells and {len(genes)} genes; write it again")
        if len(names) > len(unique := np.unique(names, return_index=True)[1]):
            twice = str(names[np.setdiff1d(np.arange(len(names)), unique)[0]])
            raise InputError(f"{path}: cell {twice!r} occurs more than once in obs_names; make them unique (obs_names_make_unique)")
        columns = {name: column_of(path, file, name) for name in dict.fromkeys((*needed, *attributes))}
        for name in needed:
            check_known(path, name, columns[name])
        x = copied(found, _checked(where, names, genes, counts=counts), path, key, cache=cache, limit=limit)
    if counts and (empty := np.flatnonzero(x.totals() == 0)).size:
        raise InputError(
            f"{where}: {empty.size} cell(s) without counts, such as {str(names[empty[0]])!r}; filter them (scanpy.pp.filter_cells)"
        )
    _check_varies(where, x)
    return Cells(x, names, genes, columns)


def _key(path: Path, file: Any, layer: str | None) -> tuple[str, str]:
    """Return the name of the matrix in the file, and that of the table of its genes."""
    layers = sorted(file.get("layers", {}))
    if layer is None:
        if "X" not in file or file["X"].attrs.get("encoding-type") == "null":
            raise InputError(f"{path}: has no X; " + (f"choose a layer: {listed(layers, 12)}" if layers else "and no layers; write X"))
        return "X", "var"
    if layer == "raw" and "raw" not in layers and "raw/X" in file:
        return "raw/X", "raw/var"
    if layer not in layers:
        raise InputError(f"{path}: no layer {layer!r}{meant(layer, layers)}; layers are {listed(layers, 12) or 'none'}")
    return f"layers/{layer}", "var"


def _checked(where: str, names: NDArray[Any], genes: NDArray[Any], *, counts: bool) -> Checked:
    """Return a check of values in a file that names the cell and the gene."""

    def check(values: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        problems = [(~np.isfinite(values), "not finite; remove or impute it")]
        if counts:
            remedy = "counts are needed; give a layer with counts"
            problems += [(values < 0, f"negative; {remedy}"), (values != np.floor(values), f"not a whole number; {remedy}")]
        for wrong, said in problems:
            if wrong.any():
                at = int(np.flatnonzero(wrong)[0])
                raise InputError(f"{where}: {values[at]:g} of gene {str(genes[columns[at]])!r} in cell {str(names[rows[at]])!r} is {said}")

    return check


def _check_varies(where: str, x: SparseRows) -> None:
    """Check that not all values are the same: some are stored, and either some are not or they differ."""
    if not x.indptr[-1]:
        raise InputError(f"{where}: every value is 0; give another layer")
    if len(x) > 1 and x.indptr[-1] == len(x) * x.width:
        first = x[:1]
        if all(bool((x[begin : begin + 4096] == first[0, 0]).all()) for begin in range(0, len(x), 4096)):
            raise InputError(f"{where}: every value is {float(first[0, 0]):g}; give another layer")

"""Cells from an AnnData file (``.h5ad``): counts or other values of genes, and columns that say what is known about cells."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.data.h5ad import Checked, copied, matrix
from sepclr.data.sparse_rows import SparseRows
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
    with _opened(path) as file:
        key, var = _key(path, file, layer)
        where = f"{path}: {key}"
        found = matrix(file[key], where)
        names, genes = _index(path, file, "obs"), _index(path, file, var)
        if found.shape != (len(names), len(genes)):
            raise InputError(f"{where} has shape {found.shape}, and there are {len(names)} cells and {len(genes)} genes; write it again")
        if len(names) > len(unique := np.unique(names, return_index=True)[1]):
            twice = str(names[np.setdiff1d(np.arange(len(names)), unique)[0]])
            raise InputError(f"{path}: cell {twice!r} occurs more than once in obs_names; make them unique (obs_names_make_unique)")
        columns = {name: _column(path, file, name) for name in dict.fromkeys((*needed, *attributes))}
        for name in needed:
            _check_known(path, name, columns[name])
        x = copied(found, _checked(where, names, genes, counts=counts), path, key, cache=cache, limit=limit)
    if counts and (empty := np.flatnonzero(x.totals() == 0)).size:
        raise InputError(
            f"{where}: {empty.size} cell(s) without counts, such as {str(names[empty[0]])!r}; filter them (scanpy.pp.filter_cells)"
        )
    _check_varies(where, x)
    return Cells(x, names, genes, columns)


def of_groups(path: Path, cells: Cells, column: str, background: Sequence[str], target: Sequence[str]) -> tuple[Cells, NDArray[np.bool_]]:
    """Select the cells of two groups.

    Args:
        path: the file, for messages.
        cells: its cells, with the group column.
        column: name of the group column.
        background: values for background.
        target: values for target; cells with any other value are left out.

    Returns:
        The cells of both groups, and True for target, shape (n,).

    Raises:
        InputError: a value that does not occur, values of both groups, or a group of fewer than two cells.
    """
    values = as_text(cells.columns[column])
    known = sorted({*values.tolist()} - {""})
    if len(known) < 2:
        raise InputError(f"{path}: column {column!r} has one value, {known[0] if known else 'none'!r}; give a column with two groups")
    if both := sorted({*background} & {*target}):
        raise InputError(f"background, target: {both[0]!r} is in both; give it once")
    for value in (*background, *target):
        if value not in known:
            raise InputError(f"{path}: column {column!r} has no {value!r}{_meant(value, known)}; values are {_listed(known)}")
    is_target, is_background = np.isin(values, [*target]), np.isin(values, [*background])
    for name, members in (("background", is_background), ("target", is_target)):
        if members.sum() < 2:
            raise InputError(f"{name}: {members.sum()} cell(s) in column {column!r}; give at least two")
    chosen = is_target | is_background
    return cells.where(chosen), is_target[chosen]


def as_text(values: NDArray[Any]) -> NDArray[Any]:
    """Return the values of a column as strings, whole numbers without a point, missing values empty."""
    if values.dtype.kind != "f":
        return values.astype(str)
    return np.array(["" if np.isnan(v) else str(int(v)) if v == int(v) else repr(v) for v in values.tolist()], dtype=str)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open an HDF5 file for reading; what cannot be read of it is an InputError."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give an .h5ad file")
    if path.suffix != ".h5ad":
        raise InputError(f"{path}: is not an .h5ad file; anndata.io reads other formats, and write_h5ad writes this one")
    if not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        import h5py
    except ImportError:
        raise InputError(f"{path}: needs anndata; install sepclr[cells]") from None
    try:
        with h5py.File(path) as file:
            yield file
    except PermissionError:
        raise InputError(f"{path}: no permission to read it; change its permissions") from None
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "signature not found" in reason:
            raise InputError(f"{path}: is not an HDF5 file; give an .h5ad file as written by anndata") from None
        if "truncated" in reason:
            raise InputError(f"{path}: is truncated; copy or download it again") from None
        raise InputError(f"{path}: cannot be read ({reason}); copy or download it again") from None


def _key(path: Path, file: Any, layer: str | None) -> tuple[str, str]:
    """Return the name of the matrix in the file, and that of the table of its genes."""
    layers = sorted(file.get("layers", {}))
    if layer is None:
        if "X" not in file or file["X"].attrs.get("encoding-type") == "null":
            raise InputError(f"{path}: has no X; " + (f"choose a layer: {_listed(layers)}" if layers else "and no layers; write X"))
        return "X", "var"
    if layer == "raw" and "raw" not in layers and "raw/X" in file:
        return "raw/X", "raw/var"
    if layer not in layers:
        raise InputError(f"{path}: no layer {layer!r}{_meant(layer, layers)}; layers are {_listed(layers)}")
    return f"layers/{layer}", "var"


def _index(path: Path, file: Any, table: str) -> NDArray[Any]:
    node = file.get(table)
    if node is None or "_index" not in getattr(node, "attrs", {}) or node.attrs["_index"] not in node:
        raise InputError(f"{path}: has no table {table} as anndata 0.7 or later writes it; read it with anndata and write it again")
    return np.asarray(node[node.attrs["_index"]].asstr()[:], dtype=str)


def _column(path: Path, file: Any, name: str) -> NDArray[Any]:
    """Read a column of ``obs`` as float64 or strings."""
    table = file["obs"]
    known = [each for each in table if each != table.attrs["_index"] and not each.startswith("__")]
    if name not in known:
        raise InputError(f"{path}: no column {name!r} in obs{_meant(name, known)}; columns are {_listed(known)}")
    from anndata.io import read_elem

    try:
        values = read_elem(table[name])
    except Exception as error:  # whatever a reader of any format raises
        raise InputError(f"{path}: column {name!r} cannot be read ({str(error).splitlines()[0]}); write it again") from None
    if getattr(values, "ndim", 0) != 1 or len(values) != len(table[table.attrs["_index"]]):
        raise InputError(f"{path}: column {name!r} does not hold one value for each cell; give a column of numbers or text")
    return _plain(path, name, values)


def _plain(path: Path, name: str, values: Any) -> NDArray[Any]:
    """Convert categories, nullable values and arrays to float64 or strings."""
    if hasattr(values, "categories"):  # not numbers, even where categories are
        texts = np.array(["", *as_text(np.asarray(values.categories)).tolist()], dtype=str)
        return np.asarray(texts[np.asarray(values.codes) + 1])
    if hasattr(values, "isna"):
        missing = np.asarray(values.isna())
        values = np.asarray(values.astype(object))
        filled = values[~missing]
        if len(filled) and not all(isinstance(each, str | bool | np.bool_) for each in filled.tolist()):
            values = np.where(missing, np.nan, values).astype(np.float64)
        else:
            return np.array(["" if gone else str(each) for each, gone in zip(values.tolist(), missing.tolist(), strict=True)], dtype=str)
    values = np.asarray(values)
    if values.dtype.kind in "fiu":
        return np.asarray(values, dtype=np.float64)
    if values.dtype.kind == "O" and not all(isinstance(each, str | bytes) for each in values.tolist()):
        raise InputError(f"{path}: column {name!r} holds neither numbers nor text; give a column of numbers or text")
    return np.asarray(values.astype(str))


def _check_known(path: Path, name: str, values: NDArray[Any]) -> None:
    missing = np.isnan(values) if values.dtype.kind == "f" else values == ""
    if missing.any():
        raise InputError(f"{path}: column {name!r} has {int(missing.sum())} missing value(s); fill them, or leave these cells out")


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


def _meant(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _listed(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f", … ({len(names)})" if len(names) > most else "") or "none"

"""What an AnnData file (``.h5ad``) says about its cells: columns of ``obs``. Nothing here imports torch."""

from __future__ import annotations

import difflib
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.data.claims import check_claim
from sepclr.data.heaps import check_heaps
from sepclr.data.tables import listed, text_of
from sepclr.errors import InputError, reading
from sepclr.extras import need


def as_text(values: NDArray[Any]) -> NDArray[Any]:
    """Return the values of a column as strings, whole numbers without a point, missing values empty."""
    if values.dtype.kind != "f":
        return values.astype(str)
    return np.array(["" if np.isnan(v) else str(int(v)) if v == int(v) else repr(v) for v in values.tolist()], dtype=str)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open an HDF5 file for reading; what cannot be read of it is an InputError."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give an .h5ad file")
    if path.suffix != ".h5ad":
        raise InputError(f"{path}: is not an .h5ad file; anndata.io reads other formats, and write_h5ad writes this one")
    if not path.exists():
        raise InputError(f"{path}: no such file")
    need("cells", str(path))
    import h5py

    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: no permission to read it; change its permissions")
    if not h5py.is_hdf5(path):
        raise InputError(f"{path}: is not an HDF5 file; give an .h5ad file as written by anndata")
    with reading(path, "copy or download it again"), h5py.File(path) as file:
        check_heaps(path, file)
        yield file


def index_of(path: Path, file: Any, table: str) -> NDArray[Any]:
    """Read the names of a table, ``obs`` or ``var``.

    Raises:
        InputError: a file without it.
    """
    node = file.get(table)
    if node is None or "_index" not in getattr(node, "attrs", {}) or node.attrs["_index"] not in node:
        raise InputError(f"{path}: has no table {table} as anndata 0.7 or later writes it; read it with anndata and write it again")
    names = node[node.attrs["_index"]]
    check_stored(path, names)
    return text_of(path, table, names.asstr()[:].tolist())


def check_stored(path: Path, node: Any, *, held: bool = True) -> None:
    """Check the arrays of a node of an HDF5 file before they are read.

    Args:
        path: the file.
        node: a data set or group.
        held: whether they are held in memory, all at once.

    Raises:
        InputError: arrays that are not in the file itself, or claim more than fits.
    """
    if isinstance(node, Mapping):
        for each in node.values():
            check_stored(path, each, held=held)
    elif node.file.filename != str(path) or node.external or node.is_virtual:
        raise InputError(f"{path}: {node.name[1:]} is kept in another file; write it again with its values")
    else:
        check_claim(path, math.prod(node.shape or ()) * node.dtype.itemsize, node.name[1:], held=held)


def column_of(path: Path, file: Any, name: str) -> NDArray[Any]:
    """Read a column of ``obs`` as float64, NaN where missing, or strings, empty where missing.

    Raises:
        InputError: no such column, or one that does not hold numbers or text.
    """
    table = file["obs"]
    known = [each for each in table if each != table.attrs["_index"] and not each.startswith("__")]
    if name not in known:
        raise InputError(f"{path}: no column {name!r} in obs{meant(name, known)}; columns are {listed(known, 12) or 'none'}")
    from anndata.io import read_elem

    check_stored(path, table[name])
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


def check_known(path: Path, name: str, values: NDArray[Any]) -> None:
    """Check that a column has no missing values.

    Raises:
        InputError: if it has.
    """
    missing = np.isnan(values) if values.dtype.kind == "f" else values == ""
    if missing.any():
        raise InputError(f"{path}: column {name!r} has {int(missing.sum())} missing value(s); fill them, or leave these cells out")


def meant(name: str, known: Sequence[str]) -> str:
    """Return a question about the nearest of some names; empty if none is near."""
    near = difflib.get_close_matches(name, known, 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def add_codes(source: Path, out: Path, codes: Mapping[str, NDArray[Any]]) -> None:
    """Copy an AnnData file, and add codes to the copy.

    Args:
        source: the file.
        out: the copy.
        codes: arrays by their names in ``obsm``, each of shape (cells of the file, d); arrays of these names are replaced.
    """
    import h5py
    from anndata.io import write_elem

    shutil.copyfile(source, out)
    with h5py.File(out, "r+") as file:
        if "obsm" not in file:
            write_elem(file, "obsm", {})
        if file["obsm"].file.filename != file.filename:  # what is written there would change that file
            raise InputError(f"{source}: keeps obsm in another file; read it with anndata and write it again")
        for name, values in codes.items():
            write_elem(file["obsm"], name, values)

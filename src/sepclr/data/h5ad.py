"""The matrix of an AnnData file as sparse rows: CSR, CSC or dense, copied in parts, to files if it is large."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.data.cache import check_room
from sepclr.data.obs import check_stored
from sepclr.data.sparse_rows import SparseRows
from sepclr.errors import InputError

AT_ONCE = 2**22
"""Values read from a file at once."""

BYTES = 8
"""Bytes of a value and its column, as copied."""

Checked = Callable[[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]], None]
"""Check of values, their rows and their columns, while they are copied."""


@dataclass(frozen=True)
class Matrix:
    """A matrix in an open file.

    Attributes:
        node: the data set of a dense matrix, the group of a sparse one.
        shape: numbers of rows and of columns.
        kind: ``dense``, ``csr`` or ``csc``.
    """

    node: Any
    shape: tuple[int, int]
    kind: str

    @property
    def values(self) -> int:
        """Number of values that are stored, zeros among them for a dense matrix."""
        return self.shape[0] * self.shape[1] if self.kind == "dense" else len(self.node["data"])


def matrix(node: Any, name: str) -> Matrix:
    """Return a matrix of an open file without reading it.

    Args:
        node: a data set or group of the file.
        name: how messages call it.

    Raises:
        InputError: something that is no matrix of numbers, or no rows or columns.
    """
    kind = {"csr_matrix": "csr", "csc_matrix": "csc", "array": "dense"}.get(str(node.attrs.get("encoding-type", "array")))
    shape = node.attrs.get("shape", None) if kind in ("csr", "csc") else getattr(node, "shape", None)
    if kind is None or shape is None or len(shape) != 2:
        raise InputError(f"{name}: no matrix (dense, CSR or CSC); write the file with anndata 0.7 or later")
    found = Matrix(node, (int(shape[0]), int(shape[1])), kind)
    check_stored(Path(node.file.filename), node, held=False)
    if 0 in found.shape:
        raise InputError(f"{name}: {found.shape[0]} cells and {found.shape[1]} genes; give at least one of each")
    dtype = (node if kind == "dense" else node["data"]).dtype
    if dtype.kind not in "fiub":
        raise InputError(f"{name}: values of type {dtype}; give numbers")
    return found


def copied(found: Matrix, check: Checked, path: Path, key: str, *, cache: Path | None, limit: int) -> SparseRows:
    """Copy a matrix to memory or, if it is larger than a limit, to files, and check it.

    Args:
        found: the matrix.
        check: called with parts of the values, their rows and columns; raises InputError.
        path: the file.
        key: name of the matrix in the file.
        cache: folder of the copies of large matrices.
        limit: bytes above which a matrix is copied to files. A file that was copied before is not read again.

    Raises:
        InputError: a matrix above the limit without a folder or without room in it, or what ``check`` finds.
    """
    size = found.values * BYTES
    if size <= limit:
        return SparseRows(*_csr(found, check, lambda name, shape, dtype: np.empty(shape, dtype)), found.shape[1])
    if cache is None:
        raise InputError(f"{path}: {key} takes {size / 2**30:.1f} GiB, above the limit of {limit / 2**30:.1f} GiB; give a cache folder")
    about = path.stat()
    made_of = json.dumps([str(path.resolve()), about.st_size, about.st_mtime_ns, key])
    place = cache / hashlib.sha256(made_of.encode()).hexdigest()[:16]
    if place.exists():
        # It may have been copied when less was asked of its values.
        _check_copy(place, check)
    else:
        try:
            cache.mkdir(parents=True, exist_ok=True)
            check_room(cache, size, path)
            part = Path(tempfile.mkdtemp(dir=cache, prefix="part-"))
        except OSError as error:
            raise InputError(f"{cache}: cannot be written ({error.strerror}); give another cache folder") from None
        try:
            arrays = _csr(found, check, lambda name, n, dtype: np.lib.format.open_memmap(part / f"{name}.npy", "w+", dtype, (n,)))
            np.save(part / "indptr.npy", arrays[0])
            del arrays  # closes the files
            part.rename(place)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            if not place.exists():  # another process may have copied the same file meanwhile
                raise
    return SparseRows(np.load(place / "indptr.npy"), place / "indices.npy", place / "data.npy", found.shape[1])


def _check_copy(place: Path, check: Checked) -> None:
    """Check a matrix that was copied to files before."""
    indptr = np.load(place / "indptr.npy")
    for begin in range(0, int(indptr[-1]), AT_ONCE):
        end = min(begin + AT_ONCE, int(indptr[-1]))
        # Opened for each part, because pages that stay mapped count as memory of this process.
        values, columns = (np.array(np.load(place / f"{name}.npy", mmap_mode="r")[begin:end]) for name in ("data", "indices"))
        check(values, np.searchsorted(indptr, np.arange(begin, end), side="right") - 1, columns.astype(np.int64))


def _csr(
    found: Matrix, check: Checked, allocate: Callable[[str, int, Any], NDArray[Any]]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return indptr, indices and data of a matrix, the last two in arrays from ``allocate``; each row's values in order of columns."""
    counts = np.zeros(found.shape[0], dtype=np.int64)
    for rows, _, _ in _parts(found):
        counts += np.bincount(rows, minlength=len(counts))
    indptr = np.concatenate([[0], np.cumsum(counts)])
    total = max(int(indptr[-1]), 1)  # a file cannot hold an empty array that is mapped
    indices, data = allocate("indices", total, np.int32), allocate("data", total, np.float32)
    free = indptr[:-1].copy()
    for rows, columns, values in _parts(found):
        with np.errstate(over="ignore"):  # checked next
            single = values.astype(np.float32)
        check(single, rows, columns)
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        at = free[ordered] + np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
        indices[at], data[at] = columns[order], single[order]
        free += np.bincount(rows, minlength=len(counts))
    return indptr, indices, data


def _parts(found: Matrix) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]]:
    """Yield rows, columns and values of what a matrix stores, other than 0, in parts."""
    node, (n, width) = found.node, found.shape
    if found.kind == "dense":
        at_once = max(1, AT_ONCE // width)
        for begin in range(0, n, at_once):
            part = node[begin : begin + at_once]
            rows, columns = np.nonzero(part)
            yield rows + begin, columns, part[rows, columns]
        return
    lines, across = (n, width) if found.kind == "csr" else (width, n)
    if node["indptr"].shape != (lines + 1,) or node["indices"].ndim != 1 or node["data"].ndim != 1:
        raise InputError(f"{node.file.filename}: {node.name[1:]} has parts of other lengths than its shape says; write the file again")
    indptr = node["indptr"][:].astype(np.int64)
    if (np.diff(indptr) < 0).any() or indptr[-1] != len(node["indices"]) or indptr[-1] != found.values:
        raise InputError(f"{node.file.filename}: {node.name[1:]} has an index that does not fit its values; write the file again")
    for begin in range(0, found.values, AT_ONCE):
        values, index = (node[each][begin : begin + AT_ONCE] for each in ("data", "indices"))
        if len(index) and (index.min() < 0 or index.max() >= across):
            raise InputError(f"{node.file.filename}: {node.name[1:]} has an index above its shape; write the file again")
        line = np.searchsorted(indptr, np.arange(begin, begin + len(values)), side="right") - 1
        keep = values != 0  # NaN is kept
        pair = (line, index.astype(np.int64)) if found.kind == "csr" else (index.astype(np.int64), line)
        yield pair[0][keep], pair[1][keep], values[keep]

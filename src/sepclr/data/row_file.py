"""Tables of rows in files: CSV, TSV, Parquet or npz, read in parts."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from sepclr.data.claims import check_claim, read_npz
from sepclr.data.tables import MISSING, column_of, text_of
from sepclr.errors import InputError, reading

SEPARATORS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
SUFFIXES = (*SEPARATORS, ".parquet", ".npz")

AT_ONCE = 2**20
"""Number of values that are read at once."""

Content = Literal["numbers", "words", "mixed", "empty"]
"""What a column holds; ``mixed`` if most values are numbers, but some are not."""


class RowFile:
    """A table of rows in a file.

    Args:
        path: CSV (commas), TSV or TXT (tabs), Parquet, or npz: one-dimensional arrays are columns, and the columns of an array ``x`` of
            shape (n, features) are called as the array ``feature_names`` says, x0, x1, … without one.

    Raises:
        InputError: a file that is missing, of another type or cannot be read, without rows, or with several columns of one name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_dir():
            raise InputError(f"{path}: is a folder; give a table, one of {', '.join(SUFFIXES)}")
        if not path.is_file():
            raise InputError(f"{path}: no such table")
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{path}: unknown type of table; give one of {', '.join(SUFFIXES)}")
        self._whole: pyarrow.Table | None = None
        with self._reading():
            self.schema = self._schema()
        self.names: list[str] = list(self.schema.names)
        if twice := [name for name, count in Counter(self.names).items() if count > 1]:
            raise InputError(f"{path}: several columns are called {', '.join(twice[:3])}; rename them")

    def check_column(self, name: str, option: str) -> None:
        """Check that a column exists and holds one value per row.

        Raises:
            InputError: if it does not; the message begins with ``option``.
        """
        column_of(self.path, self.names, name, option)
        kind = self.schema.field(name).type
        if pyarrow.types.is_nested(kind):
            raise InputError(
                f"{option}: column {name!r} of {self.path} holds {kind}, several values per row; give each a column of its own"
            )

    def text(self, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return columns as text, empty where missing, shape (n,).

        Raises:
            InputError: a table that cannot be read or has no rows.
        """
        parts: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
        with self._reading():
            for batch in self.batches(names):
                for name in names:
                    values = batch.column(name).cast(pyarrow.string()).to_pylist()
                    known = ["" if value is None or value.strip() in MISSING else value.strip() for value in values]
                    parts[name].append(text_of(self.path, name, known))
            found = {name: np.concatenate(values) if values else np.array([], dtype=np.str_) for name, values in parts.items()}
        if names and not len(found[names[0]]):
            raise InputError(f"{self.path}: no rows below the header")
        return found

    def contents(self, names: Sequence[str]) -> dict[str, Content]:
        """Return what each column holds."""
        known, numbers = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
        asked = []
        for name in names:
            kind = self.schema.field(name).type
            if _is_number(kind):
                known[name] = numbers[name] = 1
            elif not pyarrow.types.is_nested(kind) and not pyarrow.types.is_temporal(kind):
                asked.append(name)
            else:
                known[name] = 1
        with self._reading():
            for batch in self.batches(asked) if asked else ():
                for name in asked:
                    words = _without_missing(batch.column(name))
                    there = len(words) - words.null_count
                    known[name] += there
                    numbers[name] += there - _strange(words).count(True)
        return {name: _content(known[name], numbers[name]) for name in names}

    def numbers(self, names: Sequence[str], option: str = "features") -> Iterator[NDArray[np.float64]]:
        """Yield columns as numbers in parts of the rows, shape (m, len(names)), NaN where missing.

        Raises:
            InputError: values that are not finite numbers; the message names the column and the row.
        """
        begin = 0
        with self._reading():
            for batch in self.batches(names):
                columns = [batch.column(name) for name in names]
                x = _floats(columns)
                if x is None or np.isinf(x).any():
                    x = np.stack([self._finite(name, each, begin, option) for name, each in zip(names, columns, strict=True)], 1)
                begin += len(batch)
                yield x

    def batches(self, names: Sequence[str]) -> Iterator[Any]:
        """Yield the rows in parts with the given columns, as ``pyarrow.RecordBatch``."""
        at_once = max(1, AT_ONCE // max(len(names), 1))
        with self._reading():
            if self.path.suffix.lower() in SEPARATORS:
                as_words = pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(self.names, pyarrow.string()), strings_can_be_null=False, include_columns=list(names)
                )
                how = {"parse_options": self._parsing(), "read_options": pyarrow.csv.ReadOptions(block_size=2**24)}
                with pyarrow.csv.open_csv(self.path, convert_options=as_words, **how) as reader:
                    yield from reader
            elif self.path.suffix.lower() == ".parquet":
                # Buffered ahead, the whole file would be in memory.
                with pyarrow.parquet.ParquetFile(self.path, pre_buffer=False) as file:
                    yield from file.iter_batches(at_once, columns=list(names))
            else:
                yield from self._npz().select(list(names)).to_batches(at_once)

    def _finite(self, name: str, column: Any, begin: int, option: str) -> NDArray[np.float64]:
        if _is_number(column.type):
            values = np.array(column.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
        else:
            words = _without_missing(column)
            if (bad := _strange(words)) and True in bad:
                row = bad.index(True)
                raise InputError(
                    f"{option}: column {name!r} of {self.path} holds {words[row].as_py()!r} in row {begin + row + 1}, "
                    "which is not a number; fix it, or leave the column out"
                )
            values = np.array(words.cast(pyarrow.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
        if np.isinf(values).any():
            row = int(np.isinf(values).argmax())
            raise InputError(f"{option}: column {name!r} of {self.path} is infinite in row {begin + row + 1}; fix it, or leave it empty")
        return values

    def _schema(self) -> Any:
        if self.path.suffix.lower() in SEPARATORS:
            with pyarrow.csv.open_csv(self.path, parse_options=self._parsing()) as reader:
                return pyarrow.schema([(name, pyarrow.string()) for name in reader.schema.names])
        if self.path.suffix.lower() == ".parquet":
            with pyarrow.parquet.ParquetFile(self.path) as file:
                check_claim(self.path, 8 * file.metadata.num_rows * file.metadata.num_columns, held=False)  # read in parts
                return file.schema_arrow
        return self._npz().schema

    def _parsing(self) -> Any:
        return pyarrow.csv.ParseOptions(delimiter=SEPARATORS[self.path.suffix.lower()])

    def _npz(self) -> Any:
        if self._whole is None:
            self._whole = _as_table(read_npz(self.path))
        return self._whole

    def _reading(self) -> AbstractContextManager[None]:
        return reading(self.path, "give a table in UTF-8, Parquet or npz")


def file_digest(path: Path) -> str:
    """Return a hash of the bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _as_table(arrays: dict[str, NDArray[Any]]) -> Any:
    """Return the arrays of an npz as a table."""
    names = arrays.pop("feature_names", None)
    columns: dict[str, Any] = {}
    for name, values in arrays.items():
        if values.ndim == 1:
            columns[name] = pyarrow.array(values)
        elif values.ndim == 2 and name == "x":
            called = [f"x{i}" for i in range(values.shape[1])] if names is None else [str(each) for each in names]
            if len(called) != values.shape[1]:
                raise ValueError(f"feature_names has {len(called)} names for the {values.shape[1]} columns of x")
            columns |= {each: pyarrow.array(np.ascontiguousarray(values[:, i])) for i, each in enumerate(called)}
        else:
            raise ValueError(f"array {name!r} has shape {values.shape}; give x of shape (n, features), and other arrays of shape (n,)")
    return pyarrow.table(columns)


def _floats(columns: Sequence[Any]) -> NDArray[np.float64] | None:
    """Return floating-point columns as numbers, shape (m, len(columns)); None if one is of another type. Quick, as genes are many."""
    if not all(pyarrow.types.is_floating(column.type) for column in columns):
        return None
    return np.stack([column.to_numpy(zero_copy_only=False) for column in columns], 1).astype(np.float64)


def _is_number(kind: Any) -> bool:
    return bool(
        pyarrow.types.is_integer(kind)
        or pyarrow.types.is_floating(kind)
        or pyarrow.types.is_boolean(kind)
        or pyarrow.types.is_decimal(kind)
    )


def _without_missing(column: Any) -> Any:
    """Return a column as stripped text, null where missing."""
    words = pyarrow.compute.utf8_trim_whitespace(column.cast(pyarrow.string()))
    return pyarrow.compute.if_else(pyarrow.compute.is_in(words, pyarrow.array(MISSING)), None, words)


def _strange(words: Any) -> list[bool]:
    """Return where text is not a number; empty if it is everywhere."""
    try:
        words.cast(pyarrow.float64())
    except pyarrow.ArrowInvalid:
        return [value is not None and not _reads(value) for value in words.to_pylist()]
    return []


def _reads(value: str) -> bool:
    try:
        pyarrow.scalar(value).cast(pyarrow.float64())
    except pyarrow.ArrowInvalid:
        return False
    return True


def _content(known: int, numbers: int) -> Content:
    if not known:
        return "empty"
    if numbers == known:
        return "numbers"
    return "mixed" if 2 * numbers > known else "words"

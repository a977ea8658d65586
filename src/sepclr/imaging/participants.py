"""Subjects from a table: their images, groups and attributes.

A table is TSV or CSV with a header and a row for each image, such as a BIDS ``participants.tsv``.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import json
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sepclr.errors import InputError

Kind = Literal["numeric", "categorical"]

MISSING = ("", "n/a", "N/A", "NA", "NaN", "nan", "None", "null")
"""Cell values that count as missing."""

SIDES = ("train", "test")


@dataclass(frozen=True)
class Columns:
    """Roles of the columns of a table.

    Attributes:
        images: column of paths, absolute or relative to the table; or a pattern with column names in braces, such as
            ``{participant_id}/anat/{participant_id}_T1w.nii.gz``.
        group: group column.
        background: ``group`` values for background.
        target: ``group`` values for target; rows with any other value are left out.
        attributes: attribute columns and the kind of each; None infers it from the values: numbers with more than two different values
            are numeric.
        subject: subject column; ``participant_id`` if there is one, otherwise each row is a subject.
        split: column with the values ``train`` and ``test``, if any.
    """

    images: str
    group: str
    background: Sequence[str]
    target: Sequence[str]
    attributes: Mapping[str, Kind | None] = field(default_factory=dict)
    subject: str | None = None
    split: str | None = None


def kinds(names: Sequence[str], numeric: Sequence[str], categorical: Sequence[str]) -> dict[str, Kind | None]:
    """Return the kind of each attribute; None if it is inferred from the values.

    Raises:
        InputError: an attribute of both kinds.
    """
    if both := sorted(set(numeric) & set(categorical)):
        raise InputError(f"numeric, categorical: {', '.join(both)} cannot be both")
    undecided: dict[str, Kind | None] = dict.fromkeys(names)
    return undecided | dict.fromkeys(numeric, "numeric") | dict.fromkeys(categorical, "categorical")


@dataclass(frozen=True, eq=False)
class Participants:
    """The rows of a table that belong to a group.

    Attributes:
        images: image path of each row, n of them.
        subjects: subject of each row, shape (n,).
        rows: place of each row in the table, from 0, shape (n,).
        is_target: True for target, shape (n,).
        attributes: by name, shape (n,): floating point, NaN where missing, or strings, empty where missing.
        split: ``train`` or ``test`` for each row, shape (n,); None without a split column.
        left_out: number of rows in neither group.
    """

    images: Sequence[Path]
    subjects: NDArray[Any]
    rows: NDArray[np.intp]
    is_target: NDArray[np.bool_]
    attributes: Mapping[str, NDArray[Any]]
    split: NDArray[Any] | None
    left_out: int

    def __len__(self) -> int:
        return len(self.images)

    def digest(self) -> str:
        """Return a hash of the rows that does not depend on the folders of the images."""
        columns = [self.subjects, self.is_target, *self.attributes.values(), *([] if self.split is None else [self.split])]
        facts = [[path.name for path in self.images], [*self.attributes], [values.astype(str).tolist() for values in columns]]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def read_participants(table: Path, columns: Columns) -> Participants:
    """Read a table and run all checks that do not open an image.

    Args:
        table: the file; separated by commas if ``.csv``, otherwise by tabs.
        columns: roles of its columns.

    Returns:
        The rows of both groups.

    Raises:
        InputError: a table that cannot be read, a missing column, an empty group, images that are missing or listed twice, an attribute
            that is constant or not numeric, or a subject in both train and test.
    """
    cells = read_cells(table)
    group = _column(table, cells, columns.group, "group")
    chosen = np.isin(group, [*columns.background, *columns.target])
    for role in ("background", "target"):
        values = getattr(columns, role)
        if not np.isin(group, values).any():
            there = ", ".join(f"{value or 'empty'} ({count})" for value, count in Counter(group.tolist()).most_common(10))
            raise InputError(f"{table}: no {role} rows: column {columns.group!r} has no value {' or '.join(values)}; values are {there}")
    if twice := set(columns.background) & set(columns.target):
        raise InputError(f"background, target: {', '.join(sorted(twice))} cannot be both")
    cells = {name: values[chosen] for name, values in cells.items()}
    subjects = subjects_of(table, cells, columns.subject)
    is_target = np.isin(cells[columns.group], columns.target)
    if both := sorted(set(subjects[is_target].tolist()) & set(subjects[~is_target].tolist())):
        raise InputError(f"group: {len(both)} subjects of {table} are in both background and target: {listed(both)}; fix the table")
    known = {name: _known(_column(table, cells, name, "attributes")) for name in columns.attributes}
    attributes = {name: _attribute(table, name, known[name], kind) for name, kind in columns.attributes.items()}
    return Participants(
        image_paths(table, cells, columns.images, subjects),
        subjects,
        np.flatnonzero(chosen),
        is_target,
        attributes,
        _split(table, cells, columns.split, subjects),
        int((~chosen).sum()),
    )


def read_cells(table: Path) -> dict[str, NDArray[Any]]:
    """Return all columns of a table as strings, by name.

    Raises:
        InputError: a table that cannot be read, has no rows, or has duplicate column names.
    """
    import pyarrow
    from pyarrow import csv as arrow

    separated = arrow.ParseOptions(delimiter="," if table.suffix == ".csv" else "\t")
    try:
        names = arrow.open_csv(table, parse_options=separated).schema.names
        as_words = arrow.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.string()), strings_can_be_null=False)
        read = arrow.read_csv(table, parse_options=separated, convert_options=as_words)
    except FileNotFoundError:
        raise InputError(f"{table}: no such table") from None
    except (OSError, UnicodeDecodeError, pyarrow.ArrowInvalid) as error:
        raise InputError(f"{table}: cannot be read as a table in UTF-8 ({str(error).splitlines()[0]})") from None
    if len(set(names)) < len(names):
        twice = [name for name, count in Counter(names).items() if count > 1]
        raise InputError(f"{table}: several columns are called {', '.join(twice)}; rename them")
    if read.num_rows == 0:
        raise InputError(f"{table}: no rows below the header")
    return {name: np.array([value.strip() for value in read[name].to_pylist()], dtype=np.str_) for name in names}


def subjects_of(table: Path, cells: Mapping[str, NDArray[Any]], column: str | None) -> NDArray[Any]:
    """Return the subject of each row: ``column``, else ``participant_id`` if there is one, otherwise each row is a subject."""
    named = column or ("participant_id" if "participant_id" in cells else None)
    return _column(table, cells, named, "subject") if named else np.arange(len(next(iter(cells.values())))).astype(str)


def write_cells(table: Path, cells: Mapping[str, Sequence[str] | NDArray[Any]]) -> Path:
    """Write a tab-separated table of strings; cells with a tab or a quote are quoted, as ``read_cells`` expects."""
    with table.open("w", encoding="utf-8", newline="") as file:
        # pyarrow's writer would quote every string, and readers of plain TSV keep the quotes.
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([[*cells], *zip(*cells.values(), strict=True)])
    return table


def _column(table: Path, cells: Mapping[str, NDArray[Any]], name: str, option: str) -> NDArray[Any]:
    if name in cells:
        return cells[name]
    near = difflib.get_close_matches(name, cells, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"columns are {', '.join(cells)}"
    raise InputError(f"{option}: column {name!r} not found in {table}; {hint}")


def _known(values: NDArray[Any]) -> NDArray[Any]:
    """Replace values that count as missing by empty strings."""
    return np.where(np.isin(values, MISSING), "", values)


def image_paths(table: Path, cells: Mapping[str, NDArray[Any]], images: str, subjects: NDArray[Any], option: str = "images") -> list[Path]:
    """Return the image path of each row, and check that each file exists and is listed once.

    Args:
        table: the table of the rows; paths are relative to its folder.
        cells: its columns.
        images: column of paths, or a pattern with ``{COLUMN}`` in it.
        subjects: subject of each row, shape (n,), for errors.
        option: option that ``images`` was given to, for errors.

    Returns:
        n paths.

    Raises:
        InputError: an invalid pattern, rows without an image path, or files that are missing or listed more than once.
    """
    if "{" in images:
        try:
            parts = list(string.Formatter().parse(images))
        except ValueError as error:
            raise InputError(f"{option}: {images!r} is not a valid pattern ({error}); write {{COLUMN}} for the value of a column") from None
        if any(form or conversion for _, _, form, conversion in parts):
            raise InputError(f"{option}: {images!r} contains a format or conversion; write only {{COLUMN}} for the value of a column")
        texts = [(text, _column(table, cells, name, option) if name is not None else None) for text, name, _, _ in parts]
        named = ["".join(text + ("" if column is None else column[row]) for text, column in texts) for row in range(len(subjects))]
    else:
        named = _known(_column(table, cells, images, option)).tolist()
    if without := [subject for subject, name in zip(subjects, named, strict=True) if not name]:
        raise InputError(f"{option}: {len(without)} of {len(named)} rows have no image path: {listed(without)}")
    paths = [table.parent / name for name in named]
    if gone := [str(path) for path in paths if not path.is_file()]:
        raise InputError(f"{option}: {len(gone)} of {len(paths)} files are missing: {listed(gone)}")
    if twice := [str(path) for path, count in Counter(path.resolve() for path in paths).items() if count > 1]:
        raise InputError(f"{option}: {len(twice)} files are listed more than once: {listed(twice)}")
    return paths


def _attribute(table: Path, name: str, values: NDArray[Any], kind: Kind | None) -> NDArray[Any]:
    """Convert a column to numbers or classes."""
    known = values[values != ""]
    if len(np.unique(known)) < 2:
        says = f"is {str(known[0])!r} in every row of" if len(known) else "has no values in"
        raise InputError(f"attributes: {name!r} {says} {table}; an attribute needs two different values")
    strange = [value for value in known.tolist() if not _is_number(value)]
    if kind == "numeric" and strange:
        raise InputError(f"attributes: {name!r} holds {listed(strange)}, which are not numbers; fix {table} or declare it categorical")
    if kind is None and 2 * len(strange) < len(known) and strange:
        raise InputError(
            f"attributes: most values of {name!r} are numbers, but not {listed(strange)}; fix {table} or declare it categorical"
        )
    if kind == "categorical" or strange or (kind is None and len(np.unique(known)) == 2):
        return values
    return np.array([float(value) if value else np.nan for value in values])


def _is_number(value: str) -> bool:
    try:
        return bool(np.isfinite(float(value)))
    except ValueError:
        return False


def _split(table: Path, cells: Mapping[str, NDArray[Any]], column: str | None, subjects: NDArray[Any]) -> NDArray[Any] | None:
    if column is None:
        return None
    sides = _column(table, cells, column, "split")
    if strange := sorted(set(sides.tolist()) - set(SIDES)):
        raise InputError(f"split: column {column!r} of {table} contains {listed(strange)}; values must be {' or '.join(SIDES)}")
    both = sorted(set(subjects[sides == "train"].tolist()) & set(subjects[sides == "test"].tolist()))
    if both:
        raise InputError(
            f"split: {len(both)} subjects are in both train and test: {listed(both)}; keep all images of a subject in one of them"
        )
    return sides


def as_file_name(subject: str) -> str:
    """Return a subject's name with characters that are unsafe in file names replaced."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in subject)


def listed(names: Sequence[str]) -> str:
    """Join the first three names and count the rest."""
    rest = len(names) - 3
    return ", ".join(map(str, names[:3])) + (f" and {rest} more" if rest > 0 else "")

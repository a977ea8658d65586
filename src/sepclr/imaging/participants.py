"""Subjects from a table: where their images lie, who is target, and what is known of each.

A table is TSV or CSV with a heading, a row for each image; BIDS' ``participants.tsv`` is one.
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
"""What stands for a value that is not known."""

SIDES = ("train", "test")


@dataclass(frozen=True)
class Columns:
    """What the columns of a table mean.

    Attributes:
        images: the column with paths, absolute or relative to the table; or a pattern in which ``{name}`` stands for a column, such as
            ``{participant_id}/anat/{participant_id}_T1w.nii.gz``.
        group: the column that says who belongs to which group.
        background: its values for background subjects.
        target: its values for target subjects; rows with any other value are left out.
        attributes: columns with what is known of the subjects, and the kind of each; None lets the values decide: numbers, of which
            there are more than two different ones, are numeric.
        subject: the column that says whose image it is; ``participant_id`` where there is one, otherwise each row is a subject.
        split: a column with ``train`` and ``test``, if any.
    """

    images: str
    group: str
    background: Sequence[str]
    target: Sequence[str]
    attributes: Mapping[str, Kind | None] = field(default_factory=dict)
    subject: str | None = None
    split: str | None = None


def kinds(names: Sequence[str], numeric: Sequence[str], categorical: Sequence[str]) -> dict[str, Kind | None]:
    """Say of which kind attributes are; None where their values decide.

    Raises:
        InputError: an attribute that is said to be of both kinds.
    """
    if both := sorted(set(numeric) & set(categorical)):
        raise InputError(f"numeric, categorical: {', '.join(both)} cannot be both")
    undecided: dict[str, Kind | None] = dict.fromkeys(names)
    return undecided | dict.fromkeys(numeric, "numeric") | dict.fromkeys(categorical, "categorical")


@dataclass(frozen=True, eq=False)
class Participants:
    """The rows of a table that belong to a group.

    Attributes:
        images: a path for each row, n of them.
        subjects: whose image it is, shape (n,).
        is_target: True for target, shape (n,).
        attributes: by name, shape (n,): floating point, NaN where unknown, or strings, empty where unknown.
        split: ``train`` or ``test`` for each row, shape (n,); None without such a column.
        left_out: rows of neither group.
    """

    images: Sequence[Path]
    subjects: NDArray[Any]
    is_target: NDArray[np.bool_]
    attributes: Mapping[str, NDArray[Any]]
    split: NDArray[Any] | None
    left_out: int

    def __len__(self) -> int:
        return len(self.images)

    def digest(self) -> str:
        """Hash all of it but the folders in which the images lie."""
        columns = [self.subjects, self.is_target, *self.attributes.values(), *([] if self.split is None else [self.split])]
        facts = [[path.name for path in self.images], [*self.attributes], [values.astype(str).tolist() for values in columns]]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def read_participants(table: Path, columns: Columns) -> Participants:
    """Read a table and check all of it that can be checked without opening an image.

    Args:
        table: the file; commas separate in ``.csv``, tabs in others.
        columns: what its columns mean.

    Returns:
        The subjects of both groups.

    Raises:
        InputError: a table that cannot be read, a column that is not there, an empty group, images that are missing or named twice, an
            attribute that is constant or not a number, or a subject on both sides of a split.
    """
    cells = read_cells(table)
    group = _column(table, cells, columns.group, "group")
    chosen = np.isin(group, [*columns.background, *columns.target])
    for role in ("background", "target"):
        values = getattr(columns, role)
        if not np.isin(group, values).any():
            there = ", ".join(f"{value or 'nothing'} ({count})" for value, count in Counter(group.tolist()).most_common(10))
            raise InputError(f"{table}: no row is {role}: column {columns.group!r} never says {' or '.join(values)}; it says {there}")
    if twice := set(columns.background) & set(columns.target):
        raise InputError(f"background, target: {', '.join(sorted(twice))} cannot be both")
    cells = {name: values[chosen] for name, values in cells.items()}
    subjects = subjects_of(table, cells, columns.subject)
    is_target = np.isin(cells[columns.group], columns.target)
    if both := sorted(set(subjects[is_target].tolist()) & set(subjects[~is_target].tolist())):
        raise InputError(f"group: {len(both)} subjects of {table} are background and target: {listed(both)}; mend the table")
    known = {name: _known(_column(table, cells, name, "attributes")) for name in columns.attributes}
    attributes = {name: _attribute(table, name, known[name], kind) for name, kind in columns.attributes.items()}
    return Participants(
        image_paths(table, cells, columns.images, subjects),
        subjects,
        is_target,
        attributes,
        _split(table, cells, columns.split, subjects),
        int((~chosen).sum()),
    )


def read_cells(table: Path) -> dict[str, NDArray[Any]]:
    """Read all columns of a table as strings, by their names.

    Raises:
        InputError: a table that cannot be read, has no row, or several columns of one name.
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
        raise InputError(f"{table}: there is no row below the heading")
    return {name: np.array([value.strip() for value in read[name].to_pylist()], dtype=np.str_) for name in names}


def subjects_of(table: Path, cells: Mapping[str, NDArray[Any]], column: str | None) -> NDArray[Any]:
    """Say whose image each row is: by ``column``, by ``participant_id`` where there is one, otherwise each row is a subject."""
    named = column or ("participant_id" if "participant_id" in cells else None)
    return _column(table, cells, named, "subject") if named else np.arange(len(next(iter(cells.values())))).astype(str)


def write_cells(table: Path, cells: Mapping[str, Sequence[str] | NDArray[Any]]) -> Path:
    """Write a table of strings separated by tabs; cells with a tab or a quote are quoted, as ``read_cells`` reads them."""
    with table.open("w", encoding="utf-8", newline="") as file:
        # pyarrow's writer would quote every string, which readers of plain tabs do not undo.
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([[*cells], *zip(*cells.values(), strict=True)])
    return table


def _column(table: Path, cells: Mapping[str, NDArray[Any]], name: str, option: str) -> NDArray[Any]:
    if name in cells:
        return cells[name]
    near = difflib.get_close_matches(name, cells, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(cells)}"
    raise InputError(f"{option}: {table} has no column {name!r}; {hint}")


def _known(values: NDArray[Any]) -> NDArray[Any]:
    """Empty what stands for a value that is not known."""
    return np.where(np.isin(values, MISSING), "", values)


def image_paths(table: Path, cells: Mapping[str, NDArray[Any]], images: str, subjects: NDArray[Any]) -> list[Path]:
    """Make the path of each row and see that each is there, once.

    Args:
        table: where the rows come from; paths are relative to its folder.
        cells: its columns.
        images: the column with paths, or a pattern with ``{COLUMN}`` in it.
        subjects: whose image it is, shape (n,), for errors.

    Returns:
        n paths.

    Raises:
        InputError: a pattern that is none, rows without an image, files that are missing or stand in several rows.
    """
    if "{" in images:
        try:
            parts = list(string.Formatter().parse(images))
        except ValueError as error:
            raise InputError(f"images: {images!r} is not a pattern ({error}); write {{COLUMN}} for the value of a column") from None
        if any(form or conversion for _, _, form, conversion in parts):
            raise InputError(f"images: {images!r} asks for a format; write {{COLUMN}} alone for the value of a column")
        texts = [(text, _column(table, cells, name, "images") if name is not None else None) for text, name, _, _ in parts]
        named = ["".join(text + ("" if column is None else column[row]) for text, column in texts) for row in range(len(subjects))]
    else:
        named = _known(_column(table, cells, images, "images")).tolist()
    if without := [subject for subject, name in zip(subjects, named, strict=True) if not name]:
        raise InputError(f"images: {len(without)} of {len(named)} rows name no image: {listed(without)}")
    paths = [table.parent / name for name in named]
    if gone := [str(path) for path in paths if not path.is_file()]:
        raise InputError(f"images: {len(gone)} of {len(paths)} files are missing: {listed(gone)}")
    if twice := [str(path) for path, count in Counter(path.resolve() for path in paths).items() if count > 1]:
        raise InputError(f"images: {len(twice)} files stand in several rows: {listed(twice)}")
    return paths


def _attribute(table: Path, name: str, values: NDArray[Any], kind: Kind | None) -> NDArray[Any]:
    """Turn a column into numbers or classes."""
    known = values[values != ""]
    if len(np.unique(known)) < 2:
        says = f"is {str(known[0])!r} in every row" if len(known) else "has no values"
        raise InputError(f"attributes: {name!r} {says} of {table}; there is nothing to read from it")
    strange = [value for value in known.tolist() if not _is_number(value)]
    if kind == "numeric" and strange:
        raise InputError(f"attributes: {name!r} holds {listed(strange)}, which are no numbers; mend {table} or call it categorical")
    if kind is None and 2 * len(strange) < len(known) and strange:
        raise InputError(f"attributes: most of {name!r} are numbers, but {listed(strange)}; mend {table} or say which kind it is")
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
        raise InputError(f"split: column {column!r} of {table} says {listed(strange)}; it may say {' or '.join(SIDES)}")
    both = sorted(set(subjects[sides == "train"].tolist()) & set(subjects[sides == "test"].tolist()))
    if both:
        raise InputError(f"split: {len(both)} subjects are on both sides: {listed(both)}; all images of a subject belong to one")
    return sides


def as_file_name(subject: str) -> str:
    """Write a subject's name with letters that names of files may have."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in subject)


def listed(names: Sequence[str]) -> str:
    """Name the first three of many."""
    rest = len(names) - 3
    return ", ".join(map(str, names[:3])) + (f" and {rest} more" if rest > 0 else "")

"""Subjects from a table: their images, groups and attributes.

A table is TSV or CSV with a header and a row for each image. A BIDS tree is read as such a table.
"""

from __future__ import annotations

import os
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.data.members import Members
from sepclr.data.tables import (
    Kind,
    attribute,
    check_groups,
    column,
    degrees_of,
    group_numbers,
    kinds,
    listed,
    read_cells,
    sides_of,
    subjects_of,
    without_missing,
)
from sepclr.errors import InputError
from sepclr.imaging.bids_rows import IMAGE, Rows, read_tree
from sepclr.imaging.study import BrainStudy


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
        groups: values of ``target`` that are groups of their own; none if all targets are one group.
        degree: column with the degree of each target, if any.
    """

    images: str
    group: str
    background: Sequence[str]
    target: Sequence[str]
    attributes: Mapping[str, Kind | None] = field(default_factory=dict)
    subject: str | None = None
    split: str | None = None
    groups: Sequence[str] = ()
    degree: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Participants(Members):
    """The rows of a table that belong to a group.

    Attributes:
        images: image path of each row, n of them.
        rows: place of each row in the table, from 0, shape (n,); for a BIDS tree in ``rows_of``.
        notes: what was left out of a BIDS tree, a line each.
    """

    images: Sequence[Path]
    rows: NDArray[np.intp]
    notes: Sequence[str] = ()

    @property
    def names(self) -> list[str]:
        """Names of the image files."""
        return [path.name for path in self.images]


def columns_of(study: BrainStudy) -> Columns:
    """Return the roles of the columns of a study's table.

    Raises:
        InputError: an attribute with two roles or two kinds, or a kind for a column that is not an attribute.
    """
    site = (study.site,) if study.site else ()
    if study.harmonise not in ("none", "residualise", "combat"):
        raise InputError(f"harmonise: {study.harmonise!r} is unknown; choose none, residualise or combat")
    if study.harmonise != "none" and not site:
        raise InputError(f"harmonise: {study.harmonise} needs a site column; name it with --site")
    names = [*study.common, *study.salient, *study.attributes, *site]
    if both := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"common, salient, attributes, site: {', '.join(both)} listed more than once; give each column one role")
    if "group" in names or study.group in names:
        raise InputError("common, salient: the group is always probed in both codes; name other columns")
    if stray := sorted({*study.numeric, *study.categorical} - set(names)):
        raise InputError(f"numeric, categorical: not attributes: {listed(stray)}; name them with --common, --salient or --attributes")
    if study.site in study.numeric:
        raise InputError(f"numeric: {study.site} is the site column, which is categorical")
    attributes = kinds(names, study.numeric, (*study.categorical, *site))
    more = study.subject, study.split, study.target_groups, study.degree
    return Columns(study.images or IMAGE, study.group, study.background, study.target, attributes, *more)


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
    return _participants(Rows(table, read_cells(table)), columns)


def read_members(study: BrainStudy) -> Participants:
    """Read the subjects of a study from its table or its BIDS tree, with all checks that do not open an image.

    Raises:
        InputError: as ``columns_of``, ``rows_of`` and ``read_participants``.
    """
    columns = columns_of(study)
    return _participants(rows_of(study), columns)


def rows_of(study: BrainStudy) -> Rows:
    """Read the columns of a study, with a row for each image, from its table or its BIDS tree.

    Raises:
        InputError: a table or tree that cannot be used.
    """
    if study.bids is not None:
        return read_tree(study, list(columns_of(study).attributes))
    table = Path(study.table or "")
    return Rows(table, read_cells(table))


def _participants(read: Rows, columns: Columns) -> Participants:
    table, cells, notes = read
    group = column(table, cells, columns.group, "group")
    chosen, is_target = check_groups(table, columns.group, group, columns.background, columns.target)
    cells = {name: values[chosen] for name, values in cells.items()}
    subjects = subjects_of(table, cells, columns.subject)
    if both := sorted(set(subjects[is_target].tolist()) & set(subjects[~is_target].tolist())):
        raise InputError(f"group: {len(both)} subjects of {table} are in both background and target: {listed(both)}; fix the table")
    known = {name: without_missing(column(table, cells, name, "attributes")) for name in columns.attributes}
    attributes = {name: attribute(table, name, known[name], kind) for name, kind in columns.attributes.items()}
    return Participants(
        images=image_paths(table, cells, columns.images, subjects),
        subjects=subjects,
        rows=np.flatnonzero(chosen),
        is_target=is_target,
        attributes=attributes,
        split=sides_of(table, cells, columns.split, subjects),
        left_out=int((~chosen).sum()),
        groups=group_numbers(columns.groups, cells[columns.group]),
        degrees=degrees_of(table, cells, columns.degree, is_target),
        notes=notes,
    )


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
        texts = [(text, column(table, cells, name, option) if name is not None else None) for text, name, _, _ in parts]
        named = ["".join(text + ("" if values is None else values[row]) for text, values in texts) for row in range(len(subjects))]
    else:
        named = without_missing(column(table, cells, images, option)).tolist()
    if without := [subject for subject, name in zip(subjects, named, strict=True) if not name]:
        raise InputError(f"{option}: {len(without)} of {len(named)} rows have no image path: {listed(without)}")
    paths = [table.parent / name for name in named]
    if gone := [str(path) for path in paths if not os.path.isfile(path)]:
        raise InputError(f"{option}: {len(gone)} of {len(paths)} files are missing: {listed(gone)}")
    if twice := [str(path) for path, count in Counter(path.resolve() for path in paths).items() if count > 1]:
        raise InputError(f"{option}: {len(twice)} files are listed more than once: {listed(twice)}")
    return paths


def as_file_name(subject: str) -> str:
    """Return a subject's name as part of a file name, shortened and with unsafe characters replaced."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in subject)[:50]

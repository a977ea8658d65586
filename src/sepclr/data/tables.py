"""Tables of what is known about samples: cells as text, attributes as classes or quantities, subjects and splits.

A table is TSV or CSV with a header, such as a BIDS ``participants.tsv``.
"""

from __future__ import annotations

import csv
import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sepclr.data.claims import check_claim
from sepclr.data.study import Study
from sepclr.errors import InputError, reading

Kind = Literal["numeric", "categorical"]

MISSING = ("", "n/a", "N/A", "NA", "NaN", "nan", "None", "null")
"""Cell values that count as missing."""

SIDES = ("train", "test")


def kinds(names: Sequence[str], numeric: Sequence[str], categorical: Sequence[str]) -> dict[str, Kind | None]:
    """Return the kind of each attribute; None if it is inferred from the values.

    Raises:
        InputError: an attribute of both kinds.
    """
    if both := sorted(set(numeric) & set(categorical)):
        raise InputError(f"numeric, categorical: {', '.join(both)} cannot be both")
    undecided: dict[str, Kind | None] = dict.fromkeys(names)
    return undecided | dict.fromkeys(numeric, "numeric") | dict.fromkeys(categorical, "categorical")


def read_cells(table: Path) -> dict[str, NDArray[Any]]:
    """Return all columns of a table as strings, by name.

    Raises:
        InputError: a table that cannot be read, has no rows, or has duplicate column names.
    """
    import pyarrow
    from pyarrow import csv as arrow

    separated = arrow.ParseOptions(delimiter="," if table.suffix == ".csv" else "\t")
    if not table.is_file():
        raise InputError(f"{table}: {'is a folder' if table.is_dir() else 'no such table'}")
    with reading(table, "give a table in UTF-8, separated by tabs, or by commas if it is a .csv"):
        names = arrow.open_csv(table, parse_options=separated).schema.names
        as_words = arrow.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.string()), strings_can_be_null=False)
        read = arrow.read_csv(table, parse_options=separated, convert_options=as_words)
    if len(set(names)) < len(names):
        twice = [name for name, count in Counter(names).items() if count > 1]
        raise InputError(f"{table}: several columns are called {', '.join(twice)}; rename them")
    if read.num_rows == 0:
        raise InputError(f"{table}: no rows below the header")
    return {name: text_of(table, name, [value.strip() for value in read[name].to_pylist()]) for name in names}


def text_of(table: Path, name: str, values: Sequence[str]) -> NDArray[Any]:
    """Return the cells of a column as an array of strings.

    Raises:
        InputError: if they do not fit into memory, because one of them is long: each takes as much as the longest.
    """
    check_claim(table, 4 * len(values) * max(map(len, values), default=0), f"column {name!r}")
    return np.array(values, dtype=np.str_)


def subjects_of(table: Path, cells: Mapping[str, NDArray[Any]], named: str | None) -> NDArray[Any]:
    """Return the subject of each row: column ``named``, else ``participant_id`` if there is one, otherwise each row is a subject.

    Raises:
        InputError: no such column, or rows without a subject, which would count as one.
    """
    named = named or ("participant_id" if "participant_id" in cells else None)
    if named is None:
        rows = len(next(iter(cells.values())))
        return np.arange(rows).astype(f"U{len(str(rows))}")  # ``str`` would take 84 bytes a row
    subjects = column(table, cells, named, "subject")
    if empty := int(np.isin(subjects, MISSING).sum()):
        raise InputError(f"subject: column {named!r} of {table} is empty in {empty} rows; fill it in")
    return subjects


def check_groups(
    table: Path, name: str, group: NDArray[Any], background: Sequence[str], target: Sequence[str]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the rows that belong to a group, and which of these are targets.

    Args:
        table: the table, for errors.
        name: name of its group column, for errors.
        group: values of the column, shape (n,).
        background: values for background.
        target: values for target.

    Returns:
        True for rows of a group, shape (n,), and True for target, shape (rows of a group,).

    Raises:
        InputError: a value without rows, for both groups, or given twice.
    """
    for role, values in (("background", background), ("target", target)):
        if lacking := [value for value in values if value not in group]:
            there = ", ".join(f"{' '.join(value.split()) or 'empty'} ({count})" for value, count in Counter(group.tolist()).most_common(10))
            said = f"no {role} rows" if len(lacking) == len(values) else role
            raise InputError(f"{table}: {said}: column {name!r} has no value {' or '.join(lacking)}; values are {there}")
        if again := [value for value, count in Counter(values).items() if count > 1]:
            raise InputError(f"{role}: {listed(again)} given twice; give it once")
    if twice := set(background) & set(target):
        raise InputError(f"background, target: {', '.join(sorted(twice))} cannot be both")
    chosen = np.isin(group, [*background, *target])
    return chosen, np.isin(group[chosen], target)


def check_roles(roles: Mapping[str, Sequence[str]], study: Study) -> None:
    """Check that each column has one role; attributes may also be covariates, to see whether their effect is gone, or degrees.

    Args:
        roles: columns by role.
        study: the study.

    Raises:
        InputError: a column with several, an attribute called group, or a kind for a column that is not an attribute.
    """
    several: dict[str, list[str]] = {}
    for role, names in roles.items():
        for name in names:
            several.setdefault(name, []).append(role)
    for name, used in several.items():
        single = [role for role in used if role not in ("covariates", "degree")]
        if len(single) > 1 or (single != used and {*single} & {"group", "subject", "split"}):
            raise InputError(f"{', '.join(used)}: column {name!r} listed more than once; give each column one role")
    decoded = [*roles.get("common", ()), *roles.get("salient", ()), *roles.get("attributes", ())]
    if "group" in decoded:
        raise InputError("attributes: the name 'group' is taken by background and target; rename the column")
    if stray := sorted({*study.numeric, *study.categorical} - set(decoded)):
        raise InputError(f"numeric, categorical: not attributes: {listed(stray)}; name them with --common, --salient or --attributes")


def group_numbers(names: Sequence[str], values: NDArray[Any]) -> NDArray[np.int64] | None:
    """Return the target group of each sample, 0, 1, … in the order of their names, and -1 in background, shape (n,); None without names.

    Args:
        names: names of the target groups.
        values: group of each sample, shape (n,).
    """
    place = {name: number for number, name in enumerate(names)}
    return np.array([place.get(value, -1) for value in values.tolist()], dtype=np.int64) if names else None


def degrees_of(
    table: Path, cells: Mapping[str, NDArray[Any]], named: str | None, is_target: NDArray[np.bool_]
) -> NDArray[np.float64] | None:
    """Return the degree of each target, and NaN in background, shape (n,); None without a column of degrees.

    Raises:
        InputError: no such column, or targets without a finite degree above 0.
    """
    if named is None:
        return None
    values = column(table, cells, named, "degree")
    found = np.array([float(value) if _is_number(value) else np.nan for value in values.tolist()])
    if len(bad := values[is_target & ~(found > 0)]):
        raise InputError(f"degree: column {named!r} of {table} contains {listed(bad.tolist())} for targets; give numbers above 0")
    return np.where(is_target, found, np.nan)


def told(
    table: Path, study: Study, cells: Mapping[str, NDArray[Any]], group: str, subjects: NDArray[Any], is_target: NDArray[np.bool_]
) -> dict[str, Any]:
    """Return what the columns of a table say about the samples of both groups, as arguments of ``Members``.

    Args:
        table: the table, for errors.
        study: the study.
        cells: its columns as text, empty where missing, each of shape (n,).
        group: name of the group column.
        subjects: subject of each sample, shape (n,).
        is_target: True for target, shape (n,).

    Raises:
        InputError: as ``attribute``, ``sides_of`` and ``degrees_of``.
    """
    kind_of = kinds([*study.common, *study.salient, *getattr(study, "attributes", ())], study.numeric, study.categorical)
    return {
        "subjects": subjects,
        "is_target": is_target,
        "attributes": {name: attribute(table, name, cells[name], kind) for name, kind in kind_of.items()},
        "split": sides_of(table, cells, study.split, subjects),
        "groups": group_numbers(study.target_groups, cells[group]),
        "degrees": degrees_of(table, cells, study.degree, is_target),
    }


def write_cells(table: Path, cells: Mapping[str, Sequence[str] | NDArray[Any]]) -> Path:
    """Write a tab-separated table of strings; cells with a tab or a quote are quoted, as ``read_cells`` expects."""
    with table.open("w", encoding="utf-8", newline="") as file:
        # pyarrow's writer would quote every string, and readers of plain TSV keep the quotes.
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([[*cells], *zip(*cells.values(), strict=True)])
    return table


def column(table: Path, cells: Mapping[str, NDArray[Any]], name: str, option: str) -> NDArray[Any]:
    """Return a column of a table.

    Raises:
        InputError: no such column, as ``column_of``.
    """
    return cells[column_of(table, list(cells), name, option)]


def column_of(table: Path, names: Sequence[str], name: str, option: str) -> str:
    """Return the name of a column if a table has it.

    Raises:
        InputError: no such column; the message begins with ``option`` and names the nearest one.
    """
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"columns are {', '.join(names[:20])}" + (" …" if len(names) > 20 else "")
    raise InputError(f"{option}: column {name!r} not found in {table}; {hint}")


def without_missing(values: NDArray[Any]) -> NDArray[Any]:
    """Replace values that count as missing by empty strings."""
    return np.where(np.isin(values, MISSING), "", values)


def attribute(table: Path, name: str, values: NDArray[Any], kind: Kind | None, role: str = "attributes") -> NDArray[Any]:
    """Convert the values of a column to numbers or classes.

    Args:
        table: the table, for errors.
        name: name of the attribute.
        values: text, empty where missing, shape (n,).
        kind: whether they are quantities or classes; None infers it: numbers with more than two different values are quantities.
        role: option that names it, for errors.

    Returns:
        Floating point, NaN where missing, or text, empty where missing, shape (n,).

    Raises:
        InputError: fewer than two values, or values that are not numbers among numbers.
    """
    known = values[values != ""]
    if len(np.unique(known)) < 2:
        says = f"is {str(known[0])!r} in every row of" if len(known) else "has no values in"
        raise InputError(f"{role}: {name!r} {says} {table}; two different values are needed")
    strange = [value for value in known.tolist() if not _is_number(value)]
    if kind == "numeric" and strange:
        raise InputError(f"{role}: {name!r} holds {listed(strange)}, which are not numbers; fix {table} or declare it categorical")
    if kind is None and 2 * len(strange) < len(known) and strange:
        raise InputError(f"{role}: most values of {name!r} are numbers, but not {listed(strange)}; fix {table} or declare it categorical")
    if kind == "categorical" or strange or (kind is None and len(np.unique(known)) == 2):
        return values
    return np.array([float(value) if value else np.nan for value in values])


def _is_number(value: str) -> bool:
    try:
        return bool(np.isfinite(float(value)))
    except ValueError:
        return False


def sides_of(table: Path, cells: Mapping[str, NDArray[Any]], named: str | None, subjects: NDArray[Any]) -> NDArray[Any] | None:
    """Return ``train`` or ``test`` for each row; None without a split column.

    Raises:
        InputError: no such column, other values, or a subject on both sides.
    """
    if named is None:
        return None
    sides = column(table, cells, named, "split")
    if strange := sorted(set(sides.tolist()) - set(SIDES)):
        raise InputError(f"split: column {named!r} of {table} contains {listed(strange)}; values must be {' or '.join(SIDES)}")
    both = sorted(set(subjects[sides == "train"].tolist()) & set(subjects[sides == "test"].tolist()))
    if both:
        raise InputError(
            f"split: {len(both)} subjects are in both train and test: {listed(both)}; keep all images of a subject in one of them"
        )
    return sides


def listed(names: Sequence[str], most: int = 3) -> str:
    """Join the first names, at most three, and count the rest."""
    rest = len(names) - most
    return ", ".join(map(str, names[:most])) + (f" and {rest} more" if rest > 0 else "")

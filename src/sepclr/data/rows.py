"""Rows of a study: who they are, which columns are features, and their values, prepared on training rows only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.data.attributes import is_quantity, known
from sepclr.data.members import Members
from sepclr.data.row_file import RowFile
from sepclr.data.row_study import RowStudy
from sepclr.data.tables import attribute, check_groups, check_roles, listed, subjects_of, told
from sepclr.errors import InputError

Chunks = Callable[[], Iterator[NDArray[np.float64]]]
"""Yields the rows of a table in parts, shape (m, features), each time it is called."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RowMembers(Members):
    """The rows of both groups.

    Attributes:
        chosen: True for the rows of the table that belong to a group, shape (rows of the table,).
        covariates: values by name, shape (n,): floating point, or strings.
        features: names of the feature columns.
        unused: columns that are neither features nor have another role, because they hold no numbers.
    """

    chosen: NDArray[np.bool_]
    covariates: Mapping[str, NDArray[Any]]
    features: Sequence[str]
    unused: Sequence[str]


def read_members(study: RowStudy) -> RowMembers:
    """Read what is known about the rows of a study, and choose its features.

    Raises:
        InputError: a table that cannot be read, a column that is missing or has two roles, an empty group, values that do not fit the role
            of a column, or no features.
    """
    table = Path(study.table)
    file = RowFile(table)
    known_as = {"group": [study.group], "subject": [study.subject] if study.subject else [], "split": [study.split] if study.split else []}
    known_as["degree"] = [study.degree] if study.degree else []
    known_as |= {name: list(getattr(study, name)) for name in ("common", "salient", "attributes", "covariates")}
    for role, names in known_as.items():
        for name in names:
            file.check_column(name, role)
    check_roles(known_as, study)
    cells = file.text(list(dict.fromkeys([*(name for names in known_as.values() for name in names), *_id_of(file, study)])))
    groups = cells[study.group]
    chosen, is_target = check_groups(table, study.group, groups, study.background, study.target)
    cells = {name: values[chosen] for name, values in cells.items()}
    subjects = subjects_of(table, cells, study.subject)
    if both := sorted(set(subjects[is_target].tolist()) & set(subjects[~is_target].tolist())):
        raise InputError(f"group: {len(both)} subjects of {table} are in both background and target: {listed(both)}; fix the table")
    features, unused = _features(file, study, known_as)
    return RowMembers(
        **told(table, study, cells, study.group, subjects, is_target),
        left_out=int((~chosen).sum()),
        chosen=chosen,
        covariates={name: _covariate(table, name, cells[name]) for name in study.covariates},
        features=features,
        unused=unused,
    )


def rows_of(study: RowStudy, members: RowMembers) -> Chunks:
    """Return the features of the rows of both groups, in parts; memory holds one part.

    Raises:
        InputError: when iterated: values that are not finite numbers.
    """
    file = RowFile(Path(study.table))

    def chunks() -> Iterator[NDArray[np.float64]]:
        begin = 0
        for part in file.numbers(members.features):
            yield part[members.chosen[begin : begin + len(part)]]
            begin += len(part)

    return chunks


def cache_key(study: RowStudy, tested: NDArray[np.bool_], features: Sequence[str]) -> str:
    """Return a hash of what determines the prepared values of a study."""
    facts = [study.content, study.covariates, study.impute, study.group, study.background, study.target, [*features], tested.tolist()]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _id_of(file: RowFile, study: RowStudy) -> list[str]:
    """Return the column of subjects that a table has without being told."""
    return ["participant_id"] if study.subject is None and "participant_id" in file.names else []


def _features(file: RowFile, study: RowStudy, known_as: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
    """Return the features, and the columns that are left out because they hold no numbers."""
    taken = {*_id_of(file, study), *(name for names in known_as.values() for name in names)}
    free = [name for name in file.names if name not in taken]
    if study.features:
        named: dict[str, None] = {}
        for pattern in study.features:
            found = [name for name in file.names if fnmatchcase(name, pattern)] if any(sign in pattern for sign in "*?[") else []
            if not found:
                file.check_column(pattern, "features")
            named |= dict.fromkeys(found or [pattern])
        if both := [name for name in named if name in taken]:
            raise InputError(f"features: {listed(both)} cannot be features, because they have another role; leave them out")
        free = list(named)
    holds = file.contents(free)
    for name, content in holds.items():
        if content == "mixed" or (study.features and content != "numbers"):
            file.check_column(name, "features")
            what = {"mixed": "numbers and text", "empty": "no values"}.get(content, "text")
            raise InputError(f"features: column {name!r} of {file.path} holds {what}; fix it, or name the features with --features")
    features = [name for name, content in holds.items() if content == "numbers"]
    if not features:
        raise InputError(f"features: {file.path} has no numeric column without another role; columns are {listed(file.names)}")
    return features, [name for name, content in holds.items() if content != "numbers"]


def _covariate(table: Path, name: str, cells: NDArray[Any]) -> NDArray[Any]:
    values = attribute(table, name, cells, None, "covariates")
    if not known(values).all():
        raise InputError(f"covariates: {name!r} is empty in {int((~known(values)).sum())} rows of {table}; fill them in")
    if not is_quantity(values) and (np.unique(values, return_counts=True)[1] < 2).any():
        rare = next(level for level, times in zip(*np.unique(values, return_counts=True), strict=True) if times < 2)
        raise InputError(f"covariates: {name!r} is {str(rare)!r} in a single row of {table}; merge it with another class")
    return values

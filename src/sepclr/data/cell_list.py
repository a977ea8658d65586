"""Who the cells of a study are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.data.attributes import is_quantity
from sepclr.data.cell_study import CellStudy
from sepclr.data.members import Members
from sepclr.data.obs import as_text, check_known, column_of, index_of, opened
from sepclr.data.tables import check_groups, check_roles, told
from sepclr.errors import InputError


@dataclass(frozen=True, eq=False, kw_only=True)
class CellMembers(Members):
    """The cells of both groups.

    Attributes:
        chosen: True for the cells of the file that belong to a group, shape (cells of the file,).
        cells: name of each cell, shape (n,).
        covariates: values by name, shape (n,): floating point, or strings.
    """

    chosen: NDArray[np.bool_]
    cells: NDArray[Any]
    covariates: Mapping[str, NDArray[Any]]

    @property
    def names(self) -> list[str]:
        """Names of the cells."""
        return [str(name) for name in self.cells]


def read_members(study: CellStudy) -> CellMembers:
    """Read what is known about the cells of a study, without their genes.

    Raises:
        InputError: a file that cannot be read, a column that is missing or has two roles, an empty group, or values that do not fit the
            role of a column.
    """
    path = Path(study.file)
    roles: dict[str, Sequence[str]] = {
        "group": [study.group],
        **{name: [value] for name in ("subject", "split", "degree") if (value := getattr(study, name))},
        **{name: getattr(study, name) for name in ("common", "salient", "attributes", "covariates")},
    }
    check_roles(roles, study)
    with opened(path) as file:
        cells = index_of(path, file, "obs")
        read = {name: column_of(path, file, name) for name in dict.fromkeys(name for names in roles.values() for name in names)}
    for name in (study.group, *study.covariates, *([study.subject] if study.subject else [])):
        check_known(path, name, read[name])
    chosen, is_target = check_groups(path, study.group, as_text(read[study.group]), study.background, study.target)
    here = {name: values[chosen] for name, values in read.items()}
    text = {name: as_text(values) for name, values in here.items()}
    subjects = text[study.subject] if study.subject else cells[chosen]
    return CellMembers(
        **told(path, study, text, study.group, subjects, is_target),
        left_out=int((~chosen).sum()),
        chosen=chosen,
        cells=cells[chosen],
        covariates={name: _covariate(path, name, here[name]) for name in study.covariates},
    )


def _covariate(path: Path, name: str, values: NDArray[Any]) -> NDArray[Any]:
    if len(np.unique(values)) < 2:
        raise InputError(f"covariates: {name!r} is the same in all cells of {path}; leave it out")
    return values if is_quantity(values) else values.astype(str)

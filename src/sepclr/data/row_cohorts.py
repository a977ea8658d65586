"""Training and test cohorts of a study of rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from sepclr.atomic import replacing
from sepclr.data.attributes import known
from sepclr.data.cache import cache_folder, check_room
from sepclr.data.cohort import Cohort
from sepclr.data.folds import test_rows
from sepclr.data.halves import halves, whole_cohort
from sepclr.data.preparation import Preparation, fit_preparation
from sepclr.data.row_file import RowFile, file_digest
from sepclr.data.row_study import RowStudy
from sepclr.data.rows import Chunks, cache_key, rows_of
from sepclr.data.stored import Stored
from sepclr.data.study import check_unchanged
from sepclr.data.tables import subjects_of
from sepclr.types import InputError

MEBIBYTE = 2**20


def cohorts(study: RowStudy, fold: int, cache: Path | None = None) -> tuple[Cohort, Cohort, Preparation]:
    """Load the training and the test rows of one fold, prepared as training rows say.

    Args:
        study: the study.
        fold: fold to test, from 0.
        cache: folder of rows that do not fit into memory; the user's cache if None.

    Returns:
        Training and test cohort, and what was done to the rows.

    Raises:
        InputError: an unusable table, or one that changed since training.
    """
    members = study.members()
    check_unchanged(study, file_digest(Path(study.table)))
    tested = test_rows(members, study, fold)
    shape = len(members), len(members.features)
    in_memory = 4 * shape[0] * shape[1] <= study.memory * MEBIBYTE
    chunks, covariates = rows_of(study, members), members.covariates
    made = fit_preparation(chunks, ~tested, members.features, covariates, impute=study.impute, in_memory=in_memory)
    if in_memory:
        held = np.empty(shape, np.float32)
        _fill(held, made, chunks, covariates)
        x: Tensor | Stored = torch.from_numpy(held)
    else:
        x = _stored(study, tested, made, chunks, covariates, cache)
    return *halves(whole_cohort(x, members), tested, fold), made


def new_rows(table: Path, made: Preparation, subject: str | None = None) -> tuple[NDArray[Any], Tensor]:
    """Read the rows of another table, and prepare them as training rows were.

    Args:
        table: table with the features and the covariates; groups and attributes are not needed.
        made: what is done to rows.
        subject: subject column; that of ``subjects_of`` if None or missing.

    Returns:
        The subject of each row, shape (n,), and the rows, float32, shape (n, features).

    Raises:
        InputError: a table that cannot be read, a missing column, or values that do not fit.
    """
    file = RowFile(table)
    named = subject if subject in file.names else None
    wanted = [*made.levels, *([named] if named else []), *(["participant_id"] if "participant_id" in file.names else [])]
    for role, names in (("features", made.features), ("covariates", made.covariates)):
        for name in names:
            file.check_column(name, role)
    cells = file.text(list(dict.fromkeys(wanted)))
    covariates = {name: cells[name] for name in made.levels}
    covariates |= {name: np.concatenate([part[:, 0] for part in file.numbers([name], "covariates")]) for name in made.effects}
    if without := [name for name, values in covariates.items() if not known(values).all()]:
        raise InputError(f"covariates: {without[0]!r} is empty in some rows of {table}; fill them in")
    parts, begin = [], 0
    for part in file.numbers(made.features):
        at = slice(begin, begin + len(part))
        parts.append(made(part, {name: values[at] for name, values in covariates.items()}).astype(np.float32))
        begin += len(part)
    if not begin:
        raise InputError(f"{table}: no rows below the header")
    subjects = subjects_of(table, cells, named) if cells else np.arange(begin).astype(str)
    return subjects, torch.from_numpy(np.concatenate(parts))


def _stored(
    study: RowStudy,
    tested: NDArray[np.bool_],
    made: Preparation,
    chunks: Chunks,
    covariates: Mapping[str, NDArray[Any]],
    cache: Path | None,
) -> Stored:
    """Return prepared rows in a file of the cache, written unless it is there."""
    path = cache_folder(cache, "rows") / f"{cache_key(study, tested, made.features)}.npy"
    shape = len(tested), len(made.features)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.exists():
                check_room(path.parent, 4 * shape[0] * shape[1], Path(study.table))
                with replacing(path) as part:
                    held = np.lib.format.open_memmap(part, "w+", np.float32, shape)
                    _fill(held, made, chunks, covariates)
                    held.flush()
    except OSError as error:
        raise InputError(f"cache: {path.parent} cannot be written ({error.strerror or error}); choose another --cache") from None
    return Stored(path)


def _fill(held: NDArray[np.float32], made: Preparation, chunks: Chunks, covariates: Mapping[str, NDArray[Any]]) -> None:
    begin = 0
    for part in chunks():
        end = begin + len(part)
        held[begin:end] = made(part, {name: values[begin:end] for name, values in covariates.items()})
        begin = end

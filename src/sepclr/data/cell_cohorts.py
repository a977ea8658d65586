"""Training and test cohorts of a study of cells."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.data.attributes import is_quantity
from sepclr.data.cache import cache_folder
from sepclr.data.cell_study import CellStudy
from sepclr.data.cells import Cells, read_h5ad
from sepclr.data.cohort import Cohort
from sepclr.data.folds import test_rows
from sepclr.data.genes import chosen_counts, preparation
from sepclr.data.halves import halves, whole_cohort
from sepclr.data.lazy import Lazy
from sepclr.data.preparation import Preparation, fit_preparation
from sepclr.data.prepared_rows import PreparedRows, in_parts
from sepclr.data.row_file import file_digest
from sepclr.data.sparse_rows import CountPreparation
from sepclr.data.study import check_unchanged
from sepclr.data.tables import listed
from sepclr.types import InputError

MEBIBYTE = 2**20


def cohorts(study: CellStudy, fold: int, cache: Path | None = None) -> tuple[Cohort, Cohort, Preparation]:
    """Load the training and the test cells of one fold, prepared as training cells say; sparse until they are read.

    Args:
        study: the study.
        fold: fold to test, from 0.
        cache: folder of matrices that do not fit into memory; the user's cache if None.

    Returns:
        Training and test cohort, and what was done to the cells.

    Raises:
        InputError: an unusable file, or one that changed since training.
    """
    members = study.members()
    check_unchanged(study, file_digest(Path(study.file)))
    tested = test_rows(members, study, fold)
    cells = read_cells(Path(study.file), study, cache).where(members.chosen)
    of_counts = _of_counts(study, cells, ~tested)
    rows = cells.x.prepared(of_counts)
    genes = cells.genes if of_counts.genes is None else cells.genes[of_counts.genes]
    shape = len(rows), len(genes)
    if study.counts:
        x: Lazy = rows
        made = Preparation(genes.tolist(), np.full(shape[1], np.nan), mean=np.zeros(shape[1]), scale=np.ones(shape[1]))
    else:
        in_memory = 8 * shape[0] * shape[1] <= study.memory * MEBIBYTE
        made = fit_preparation(partial(in_parts, rows), ~tested, genes.tolist(), members.covariates, in_memory=in_memory)
        x = PreparedRows(rows, made, members.covariates)
    made = replace(made, library=of_counts.library, logged=of_counts.log)
    return *halves(whole_cohort(x, members), tested, fold), made


def new_cells(file: Path, study: CellStudy, made: Preparation, cache: Path | None = None) -> tuple[NDArray[Any], Lazy]:
    """Read the cells of another file, and prepare them as training cells were.

    Args:
        file: AnnData file with the genes and the covariates of the study; groups and attributes are not needed.
        study: the study.
        made: what is done to cells.
        cache: folder of matrices that do not fit into memory; the user's cache if None.

    Returns:
        The name of each cell, shape (n,), and the cells, shape (n, genes).

    Raises:
        InputError: a file that cannot be read, or genes or covariates that are missing.
    """
    cells = read_cells(file, study, cache)
    place = {name: number for number, name in enumerate(cells.genes.tolist())}
    if without := [name for name in made.features if name not in place]:
        raise InputError(
            f"{file}: {len(without)} of {len(made.features)} genes of the run are missing: {listed(without)}; give their values"
        )
    genes = np.array([place[name] for name in made.features], dtype=np.intp)
    rows = cells.x.prepared(CountPreparation(made.library, made.logged, genes))
    if study.counts:
        return cells.names, rows
    values = {name: each if is_quantity(each) else each.astype(str) for name, each in cells.columns.items()}
    return cells.names, PreparedRows(rows, made, {name: values[name] for name in made.covariates})


def read_cells(file: Path, study: CellStudy, cache: Path | None) -> Cells:
    """Read all cells of a file as a study asks for them, not prepared; raises as ``read_h5ad``."""
    how = {"layer": study.layer, "counts": study.counts or study.normalise, "limit": study.memory * MEBIBYTE}
    return read_h5ad(file, study.covariates, cache=cache_folder(cache, "cells"), **how)  # type: ignore[arg-type]


def _of_counts(study: CellStudy, cells: Cells, train: NDArray[np.bool_]) -> CountPreparation:
    """Measure library size and variable genes on the training cells."""
    if study.genes is not None and study.genes > len(cells.genes):
        raise InputError(f"genes: {study.genes}, but {study.file} has {len(cells.genes)}; give at most that")
    known = cells.x.where(train)
    if study.counts:
        return CountPreparation() if study.genes is None else chosen_counts(known, study.genes)
    return preparation(known, normalise=study.normalise, genes=study.genes, standardise=False)

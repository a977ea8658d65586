"""CountPreparation of counts, measured on training cells only: library size, the most variable genes, and their mean and scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from sepclr.data.sparse_rows import CountPreparation, SparseRows
from sepclr.types import InputError

AT_ONCE = 4096
"""Rows read at once."""


def library_size(x: SparseRows) -> float:
    """Return the median total of rows, to which counts are scaled.

    Raises:
        InputError: no row has any counts.
    """
    totals = x.totals()
    if not (totals > 0).any():
        raise InputError("x: no cell has any counts; give counts")
    return float(np.median(totals[totals > 0]))


def moments(x: SparseRows) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
    """Compute mean and variance of each gene as prepared, shape (d,) each, from some rows at a time, without making them dense.

    Raises:
        InputError: no rows.
    """
    if not len(x):
        raise InputError("x: is empty; give at least one cell")
    count, mean, squares = 0, np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for begin in range(0, len(x), AT_ONCE):
        part = x.sparse(slice(begin, begin + AT_ONCE)).tocsc()
        n, stored = part.shape[0], np.diff(part.indptr)
        # Merge moments of parts about their own means (Chan, Golub, LeVeque 1983): sums of squares would cancel.
        own = part.sum(0) / n
        spread = np.square(part.data - np.repeat(own, stored))
        squares += np.bincount(np.repeat(np.arange(len(own)), stored), spread, len(own)) + (n - stored) * np.square(own)
        squares += np.square(own - mean) * count * n / (count + n)
        mean += (own - mean) * n / (count + n)
        count += n
    variance = squares / count
    variance = np.where(variance > 1e-14 * mean**2, variance, 0.0)  # what rounding leaves of a constant gene
    how = x.preparation
    shift, scale = 0.0 if how.mean is None else how.mean, 1.0 if how.scale is None else how.scale
    return (mean - shift) / scale, variance / np.square(scale)


def most_variable(x: SparseRows, genes: int) -> NDArray[np.intp]:
    """Return the places of the genes with the largest variance as prepared, in the order of the matrix; ties go to the first.

    Raises:
        InputError: fewer than one gene, more than there are, or fewer genes that vary.
    """
    if not 1 <= genes <= x.shape[1]:
        raise InputError(f"genes: {genes} of {x.shape[1]}; give a number from 1 to {x.shape[1]}")
    variance = moments(x)[1]
    if (varying := int((variance > 0).sum())) < genes:
        raise InputError(f"genes: {genes}, but only {varying} vary between the training cells; give at most {varying}")
    return np.sort(np.argsort(-variance, kind="stable")[:genes])


def preparation(train: SparseRows, *, normalise: bool = True, genes: int | None = None, standardise: bool = True) -> CountPreparation:
    """Measure how rows are prepared on training cells.

    Args:
        train: the training cells, not prepared.
        normalise: scale the counts of each cell to the median total, then take log(1 + v).
        genes: number of genes to keep, those with the largest variance after normalisation; None for all.
        standardise: subtract each gene's mean, and divide by its standard deviation where it is not 0.

    Returns:
        The preparation, for ``SparseRows.prepared`` of training and of other cells.

    Raises:
        InputError: as ``library_size`` and ``most_variable``.
    """
    how = CountPreparation(library_size(train), log=True) if normalise else CountPreparation()
    if genes is not None:
        how = replace(how, genes=most_variable(train.prepared(how), genes))
    if not standardise:
        return how
    mean, variance = moments(train.prepared(how))
    return replace(how, mean=mean, scale=np.sqrt(np.where(variance > 0, variance, 1.0)))


def chosen_counts(train: SparseRows, genes: int) -> CountPreparation:
    """Choose genes as ``preparation`` does, but leave the counts raw, as methods that model counts need them; raises as it."""
    return CountPreparation(genes=preparation(train, genes=genes, standardise=False).genes)

"""Simulated counts of genes in cells with known programs: cell types in all cells, responses in target cells only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sepclr.errors import InputError
from sepclr.ranges import check_at_least, check_positive, check_probability


class SimulatedCells(NamedTuple):
    """Counts and what is known about cells.

    Attributes:
        counts: counts, int64, shape (n, genes).
        is_target: True for target, shape (n,).
        common: cell type, 0, 1, …, of all cells, shape (n,).
        salient: response of target cells, 0, 1, …; -1 for background, shape (n,).
        batch: batch of the experiment, 0, 1, …, shape (n,).
        common_genes: genes of each cell type's program, shape (common, program genes).
        salient_genes: genes of each response's program, shape (salient, program genes).
    """

    counts: NDArray[np.int64]
    is_target: NDArray[np.bool_]
    common: NDArray[np.int64]
    salient: NDArray[np.int64]
    batch: NDArray[np.int64]
    common_genes: NDArray[np.int64]
    salient_genes: NDArray[np.int64]


def simulate_cells(
    cells: int = 4000,
    genes: int = 1000,
    *,
    common: int = 4,
    salient: int = 3,
    target: float = 0.5,
    program: int = 40,
    fold: float = 3.0,
    salient_fold: float = 2.0,
    dispersion: float = 2.0,
    library: float = 2000.0,
    batches: int = 1,
    batch_fold: float = 1.3,
    seed: int = 0,
) -> SimulatedCells:
    """Draw counts from a negative binomial whose mean depends on cell type, response and batch.

    Base expression of genes is log-normal with standard deviation 1. Each cell type raises the genes of its program by ``fold``, each
    response those of its own by ``salient_fold``; programs share no genes. In each batch every gene has a log-normal factor. Shares of
    genes are multiplied by a library size, log-normal around its median with standard deviation 0.3, and counts x with mean μ have variance
    μ + μ²/dispersion. Cell type, response and batch are drawn independently of each other, cell type and batch also of the group.

    Args:
        cells: number of cells.
        genes: number of genes.
        common: number of cell types.
        salient: number of responses.
        target: fraction of cells that are target.
        program: genes of each program.
        fold: factor by which a cell type raises its genes.
        salient_fold: factor by which a response raises its genes.
        dispersion: inverse dispersion of every gene.
        library: median library size, in counts.
        batches: number of batches.
        batch_fold: exponential of the standard deviation of a batch's log-factors; unused with one batch.
        seed: random seed.

    Returns:
        Counts and the truth about them. A cell without counts is possible, with small libraries only.

    Raises:
        InputError: a number outside its range, or fewer genes than the programs need.
    """
    check_at_least(4, cells=cells)
    check_at_least(1, common=common, salient=salient, program=program, batches=batches, batch_fold=batch_fold)
    check_positive(fold=fold, salient_fold=salient_fold, dispersion=dispersion, library=library)
    check_probability(target=target)
    check_at_least(0, seed=seed)
    if (needed := (common + salient) * program) > genes:
        raise InputError(f"genes: {genes}, but the programs need {needed}; give more genes, or smaller or fewer programs")
    draw = np.random.default_rng(seed)
    members = draw.permutation(genes)[:needed].reshape(-1, program)
    is_target = draw.permutation(cells) < round(target * cells)
    kind, response, batch = (draw.integers(0, k, cells) for k in (common, salient, batches))
    factors = np.ones((common + salient, genes))
    np.put_along_axis(factors[:common], members[:common], fold, 1)
    np.put_along_axis(factors[common:], members[common:], salient_fold, 1)
    expression = draw.lognormal(0, 1, genes) * factors[kind]
    expression[is_target] *= factors[common + response[is_target]]
    if batches > 1:
        expression *= draw.lognormal(0, np.log(batch_fold), (batches, genes))[batch]
    mean = expression / expression.sum(1, keepdims=True) * library * draw.lognormal(0, 0.3, (cells, 1))
    counts = draw.poisson(draw.gamma(dispersion, mean / dispersion))
    return SimulatedCells(counts, is_target, kind, np.where(is_target, response, -1), batch, members[:common], members[common:])

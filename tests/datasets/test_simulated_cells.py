"""Simulated cells: the programs are where they are said to be, and counts vary as said."""

from __future__ import annotations

import numpy as np
import pytest

from sepclr.datasets.simulated_cells import simulate_cells
from sepclr.types import InputError


def test_programs_raise_their_genes_in_their_cells_only() -> None:
    made = simulate_cells(3000, 300, program=20, library=20000.0, seed=1)
    shares = made.counts / made.counts.sum(1, keepdims=True)
    for kind, genes in enumerate(made.common_genes):
        ratio = shares[made.common == kind][:, genes].mean() / shares[made.common != kind][:, genes].mean()
        assert ratio == pytest.approx(3, rel=0.25)  # shares also change with the totals
    for response, genes in enumerate(made.salient_genes):
        own, others, background = made.salient == response, made.is_target & (made.salient != response), ~made.is_target
        assert shares[own][:, genes].mean() / shares[others][:, genes].mean() == pytest.approx(2, rel=0.2)
        assert shares[others][:, genes].mean() / shares[background][:, genes].mean() == pytest.approx(1, rel=0.1)
    assert len(np.unique(np.concatenate([made.common_genes.ravel(), made.salient_genes.ravel()]))) == 7 * 20


def test_counts_have_the_variance_of_a_negative_binomial() -> None:
    made = simulate_cells(20000, 8, common=1, salient=1, program=1, fold=1.0, salient_fold=1.0, dispersion=4.0, library=400.0, seed=2)
    assert np.median(made.counts.sum(1)) == pytest.approx(400, rel=0.1)
    mean, variance = made.counts.mean(0), made.counts.var(0)
    spread = np.exp(0.3**2)  # of library sizes: E l² / (E l)²
    np.testing.assert_allclose(variance, mean + mean**2 * (spread * (1 + 1 / 4) - 1), rtol=0.1)


def test_groups_types_and_batches_are_independent_and_the_seed_decides() -> None:
    made, again, other = (simulate_cells(4000, 300, batches=2, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(made.counts, again.counts)
    assert not np.array_equal(made.counts, other.counts)
    assert made.is_target.sum() == 2000
    assert (made.salient[~made.is_target] == -1).all()
    for labels in (made.common, made.batch):
        assert abs(np.corrcoef(labels, made.is_target)[0, 1]) < 0.06
    shares = [made.counts[made.batch == b].mean(0) for b in (0, 1)]
    assert np.std(np.log(shares[0] / shares[1])) == pytest.approx(np.sqrt(2) * np.log(1.3), rel=0.2)


def test_bad_numbers_are_refused() -> None:
    for options, said in (
        ({"genes": 100}, "programs need 280"),
        ({"target": 2.0}, "target"),
        ({"batches": 0}, "batches"),
        ({"fold": 0.0}, "fold"),
    ):
        with pytest.raises(InputError, match=said):
            simulate_cells(**{"cells": 10, **options})

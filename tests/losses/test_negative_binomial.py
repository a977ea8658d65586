"""Negative binomial four ways: formula as a loop and SciPy's, closed forms, properties, finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom, poisson
from torch import Tensor

from sepclr.losses import negative_binomial_nll

from .problems import DTYPES, assert_finite, permutation, seeds


def problem(n: int = 5, d: int = 4, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Counts of 0 to about 200, log-means and log-dispersions, in float64."""
    draw = np.random.default_rng(seed)
    log_mean, log_theta = draw.normal(1, 2, (n, d)), draw.normal(0, 1.5, d)
    return torch.from_numpy(draw.poisson(np.exp(log_mean)).astype(float)), torch.from_numpy(log_mean), torch.from_numpy(log_theta)


def test_equals_the_formula_as_a_loop_and_scipy() -> None:
    counts, log_mean, log_theta = problem()
    assert counts.max() > 20
    for i, value in enumerate(negative_binomial_nll(counts, log_mean, log_theta).tolist()):
        loop = oracle = 0.0
        for x, m, t in zip(counts[i].tolist(), log_mean[i].exp().tolist(), log_theta.exp().tolist(), strict=True):
            loop -= math.lgamma(x + t) - math.lgamma(t) - math.lgamma(x + 1) + t * math.log(t / (t + m)) + x * math.log(m / (t + m))
            oracle -= float(nbinom.logpmf(x, t, t / (t + m)))
        assert value == pytest.approx(loop, rel=1e-12)
        assert value == pytest.approx(oracle, rel=1e-10)


def test_is_geometric_for_a_dispersion_of_one_and_poisson_for_a_large_one() -> None:
    counts, log_mean, _ = problem()
    share = 1 / (1 + log_mean.exp())
    geometric = -(share.log() + counts * (1 - share).log()).sum(1)
    torch.testing.assert_close(negative_binomial_nll(counts, log_mean, torch.zeros(4, dtype=torch.float64)), geometric)
    expected = -poisson.logpmf(counts.numpy(), log_mean.exp().numpy()).sum(1)
    for log_theta in (20.0, 60.0):  # beyond the bound nothing changes
        value = negative_binomial_nll(counts, log_mean, torch.full((4,), log_theta, dtype=torch.float64))
        np.testing.assert_allclose(value.numpy(), expected, rtol=1e-5)


def test_probabilities_of_all_counts_sum_to_one() -> None:
    counts = torch.arange(5000, dtype=torch.float64)[:, None]
    nll = negative_binomial_nll(counts, torch.full_like(counts, math.log(30)), torch.tensor([0.5], dtype=torch.float64))
    assert (-nll).exp().sum().item() == pytest.approx(1, abs=1e-9)
    assert ((-nll).exp() * counts[:, 0]).sum().item() == pytest.approx(30, rel=1e-6)


def test_large_counts_keep_their_digits_in_float32() -> None:
    counts = torch.tensor([[1e6, 3.0, 0.0]])
    log_mean, log_theta = torch.tensor([[math.log(1e6), -60.0, -200.0]]), torch.tensor([15.0, 18.0, -19.0])
    exact = negative_binomial_nll(counts.double(), log_mean.double(), log_theta.double())
    torch.testing.assert_close(negative_binomial_nll(counts, log_mean, log_theta).double(), exact, rtol=1e-6, atol=0)
    assert nbinom.logpmf(1e6, math.exp(15), 1 / (1 + 1e6 / math.exp(15))) == pytest.approx(
        -negative_binomial_nll(counts[:, :1].double(), log_mean[:, :1].double(), log_theta[:1].double()).item(), rel=1e-6
    )


counts_of = st.integers(0, 10**6)
logs = st.floats(-80, 80)


@given(st.lists(st.tuples(counts_of, logs, logs), min_size=1, max_size=5), st.sampled_from(DTYPES))
def test_is_finite_and_never_negative(features: list[tuple[int, float, float]], dtype: torch.dtype) -> None:
    counts, log_mean, log_theta = (torch.tensor(each, dtype=torch.float64).to(dtype) for each in zip(*features, strict=True))
    counts = counts[None] if dtype != torch.bfloat16 else counts[None].float()  # bfloat16 cannot hold such counts
    assert (negative_binomial_nll(counts, log_mean[None], log_theta) >= -1e-6).all()
    assert_finite(
        lambda mean, theta: negative_binomial_nll(counts, mean[None], theta).sum().to(counts.dtype),
        log_mean.to(counts.dtype),
        log_theta.to(counts.dtype),
    )


@given(seeds)
def test_every_sample_has_its_own_and_the_order_of_features_does_not_matter(seed: int) -> None:
    counts, log_mean, log_theta = problem(seed=seed)
    rows, columns = permutation(5, seed), permutation(4, seed)
    value = negative_binomial_nll(counts, log_mean, log_theta)
    torch.testing.assert_close(negative_binomial_nll(counts[rows], log_mean[rows], log_theta), value[rows])
    torch.testing.assert_close(negative_binomial_nll(counts[:, columns], log_mean[:, columns], log_theta[columns]), value)


@given(seeds)
def test_the_mean_that_fits_a_count_best_is_the_count(seed: int) -> None:
    counts, _, log_theta = problem(seed=seed)
    counts = counts + 1
    log_mean = counts.log().requires_grad_()
    torch.testing.assert_close(
        torch.autograd.grad(negative_binomial_nll(counts, log_mean, log_theta).sum(), log_mean)[0], counts * 0, atol=1e-8, rtol=0
    )


def test_gradients_are_those_of_finite_differences() -> None:
    counts, log_mean, log_theta = problem()
    leaves = log_mean.requires_grad_(), log_theta.requires_grad_()
    assert torch.autograd.gradcheck(lambda mean, theta: negative_binomial_nll(counts, mean, theta), leaves)


def test_autocast_changes_nothing_and_no_sample_is_allowed() -> None:
    counts, log_mean, log_theta = (each.float() for each in problem())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = negative_binomial_nll(counts, log_mean, log_theta)
    assert torch.equal(cast, negative_binomial_nll(counts, log_mean, log_theta))
    assert negative_binomial_nll(counts[:0], log_mean[:0], log_theta).shape == (0,)

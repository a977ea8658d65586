"""KL of Gaussians four ways: torch's own as an oracle and a loop, closed forms, properties, finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from torch.distributions import Normal, kl_divergence

from sepclr.losses import gaussian_kl

from .problems import (
    DTYPES,
    EDGES,
    Problem,
    assert_autocast_changes_nothing,
    assert_finite,
    assert_gradients_are_right,
    assert_half_precision_inputs_lose_nothing,
    permutation,
    problems,
    random_problem,
    seeds,
)


def term(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    return gaussian_kl(mean, log_variance).sum()


def test_equals_the_formula_as_a_loop_and_torch() -> None:
    problem = random_problem()
    mean, log_variance = problem.c, problem.c_view
    expected = [
        sum((m * m + math.exp(v) - 1 - v) / 2 for m, v in zip(ms, vs, strict=True))
        for ms, vs in zip(mean.tolist(), log_variance.tolist(), strict=True)
    ]
    assert gaussian_kl(mean, log_variance).tolist() == pytest.approx(expected, rel=1e-12)
    oracle = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros_like(mean), torch.ones_like(mean))).sum(1)
    torch.testing.assert_close(gaussian_kl(mean, log_variance), oracle)


def test_the_prior_itself_has_none_and_a_shift_half_its_square() -> None:
    zeros = torch.zeros(3, 4)
    assert gaussian_kl(zeros, zeros).tolist() == [0, 0, 0]
    assert gaussian_kl(zeros + 3, zeros).tolist() == [18, 18, 18]


@given(problems())
def test_is_never_negative(problem: Problem) -> None:
    assert (gaussian_kl(problem.c, problem.c_view.clamp(-50, 50)) >= 0).all()


@given(problem=problems(reach=10), seed=seeds)
def test_every_sample_has_its_own(problem: Problem, seed: int) -> None:
    order = permutation(len(problem.c), seed)
    torch.testing.assert_close(gaussian_kl(problem.c[order], problem.c_view[order]), gaussian_kl(problem.c, problem.c_view)[order])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("edge", EDGES)
def test_is_finite_at_the_edges(edge: str, dtype: torch.dtype) -> None:
    problem = EDGES[edge]
    assert_finite(term, problem.c.to(dtype), problem.c_view.clamp(-8, 8).to(dtype))


def test_precision() -> None:
    problem = random_problem()
    assert_autocast_changes_nothing(term, problem.c, problem.c_view)
    assert_half_precision_inputs_lose_nothing(term, problem.c, problem.c_view)


def test_gradients_are_those_of_finite_differences() -> None:
    problem = random_problem()
    assert_gradients_are_right(term, problem.c, problem.c_view)

"""SimCLR's loss four ways: cross-entropy over a table of similarities as the loop, closed forms, properties, finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from sepclr.losses import nt_xent

from .problems import (
    DTYPES,
    EDGES,
    Problem,
    assert_autocast_changes_nothing,
    assert_finite,
    assert_gradients_are_right,
    assert_half_precision_inputs_lose_nothing,
    bandwidths,
    permutation,
    problems,
    random_problem,
    rotation,
    seeds,
)


def published(one: Tensor, two: Tensor, temperature: float) -> float:
    """Chen et al. 2020, eq. 1, view by view."""
    z = torch.cat([one, two]).tolist()
    n, total = len(one), 0.0
    for i in range(2 * n):
        similarity = [sum(a * b for a, b in zip(z[i], z[k], strict=True)) / temperature for k in range(2 * n)]
        others = sum(math.exp(similarity[k]) for k in range(2 * n) if k != i)
        total -= similarity[(i + n) % (2 * n)] - math.log(others)
    return total / (2 * n)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_equals_the_formula_as_a_loop(temperature: float) -> None:
    problem = random_problem()
    one, two = normalize(problem.c), normalize(problem.c_view)
    assert nt_xent(one, two, temperature).item() == pytest.approx(published(one, two, temperature), rel=1e-12)


def test_equals_cross_entropy() -> None:
    problem = random_problem(8)
    z = torch.cat([normalize(problem.c), normalize(problem.c_view)])
    logits = (z @ z.T / 0.5).masked_fill(torch.eye(16, dtype=torch.bool), -math.inf)
    expected = cross_entropy(logits, torch.arange(16).roll(8))
    torch.testing.assert_close(nt_xent(z[:8], z[8:]), expected)


@pytest.mark.parametrize("n", [1, 2, 9])
def test_equal_codes_leave_all_others_equally_likely(n: int) -> None:
    z = torch.ones(n, 3, dtype=torch.float64)
    assert nt_xent(z, z).item() == pytest.approx(math.log(2 * n - 1), abs=1e-12)


@given(problem=problems(reach=10), tau=bandwidths)
def test_is_at_least_zero_where_the_positive_is_the_nearest(problem: Problem, tau: float) -> None:
    assert nt_xent(problem.c, problem.c, tau).item() >= -1e-9


@given(problem=problems(reach=3), seed=seeds)
def test_order_and_isometry_do_not_matter_and_views_may_change_places(problem: Problem, seed: int) -> None:
    order, turn = permutation(len(problem.c), seed), rotation(problem.c.shape[1], seed)
    expected = nt_xent(problem.c, problem.c_view).item()
    moved = nt_xent(problem.c_view[order] @ turn, problem.c[order] @ turn).item()
    assert moved == pytest.approx(expected, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("edge", EDGES)
def test_is_finite_at_the_edges(edge: str, dtype: torch.dtype) -> None:
    problem = EDGES[edge]
    assert_finite(nt_xent, problem.c.to(dtype), problem.c_view.to(dtype))


def test_precision() -> None:
    problem = random_problem()
    assert_autocast_changes_nothing(nt_xent, problem.c, problem.c_view)
    assert_half_precision_inputs_lose_nothing(nt_xent, problem.c, problem.c_view)


def test_gradients_are_those_of_finite_differences() -> None:
    problem = random_problem()
    assert_gradients_are_right(nt_xent, problem.c, problem.c_view)

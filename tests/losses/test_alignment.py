"""Alignment four ways: formula as a loop, closed forms, properties, finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sepclr.losses import alignment

from .problems import (
    DTYPES,
    EDGES,
    Problem,
    assert_autocast_changes_nothing,
    assert_finite,
    assert_gradients_are_right,
    assert_half_precision_inputs_lose_nothing,
    bandwidths,
    kernel,
    permutation,
    precisions,
    problems,
    random_problem,
    rotation,
    seeds,
    shift,
)


def loop(z: Tensor, views: Tensor, tau: float) -> float:
    """−1/N Σ_i log 1/K Σ_k k_τ(z_i, z_i^k), design §4."""
    total = 0.0
    for i, z_i in enumerate(z.tolist()):
        total += math.log(sum(kernel(z_i, view[i], tau) for view in views.tolist()) / len(views))
    return -total / len(z)


def further_views(k: int, n: int, d: int, seed: int = 1) -> Tensor:
    return torch.randn(k, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("tau", [0.3, 0.5, 2.0])
def test_equals_the_formula_as_a_loop(k: int, tau: float) -> None:
    z, views = random_problem().c, further_views(k, 6, 3)
    assert alignment(z, views, tau).item() == pytest.approx(loop(z, views, tau), rel=1e-12)


def test_default_bandwidth_is_one_half() -> None:
    z, views = random_problem().c, further_views(2, 6, 3)
    assert alignment(z, views).item() == pytest.approx(loop(z, views, 0.5), rel=1e-12)


@given(problems(reach=1.5), bandwidths.filter(lambda tau: tau > 0.2))
def test_equals_the_loop_for_any_problem(problem: Problem, tau: float) -> None:
    assert alignment(problem.c, problem.c_view, tau).item() == pytest.approx(
        loop(problem.c, problem.c_view[None], tau), rel=1e-9, abs=1e-12
    )


def test_two_points_at_distance_two_with_tau_one_half_cost_four() -> None:
    z = torch.zeros(2, 3, dtype=torch.float64)
    view = torch.tensor([[2.0, 0, 0], [0, 2.0, 0]], dtype=torch.float64)
    assert alignment(z, view).item() == 4.0


def test_one_of_two_views_in_place_and_the_other_far_away_costs_log_two() -> None:
    z = torch.zeros(3, 2)
    assert alignment(z, torch.stack([z, z + 100])).item() == pytest.approx(math.log(2))


def test_equal_views_count_as_one() -> None:
    z, view = random_problem().c, random_problem().c_view
    assert alignment(z, torch.stack([view] * 4)).item() == pytest.approx(alignment(z, view).item(), rel=1e-12)


def test_one_further_view_may_come_with_or_without_its_axis() -> None:
    z, view = random_problem().c, random_problem().c_view
    assert torch.equal(alignment(z, view), alignment(z, view[None]))


def test_samples_weigh_the_same() -> None:
    z, view = torch.zeros(4, 1), torch.tensor([[2.0], [0], [0], [0]])
    assert alignment(z, view).item() == pytest.approx(1.0)


@given(problems(), bandwidths)
def test_is_zero_for_views_in_place_and_never_below(problem: Problem, tau: float) -> None:
    assert alignment(problem.c, problem.c, tau).item() == 0.0
    assert alignment(problem.c, problem.c_view, tau).item() >= 0.0


@given(problems(reach=10), seeds)
def test_order_of_samples_does_not_matter(problem: Problem, seed: int) -> None:
    order = permutation(len(problem.c), seed)
    assert alignment(problem.c[order], problem.c_view[order]).item() == pytest.approx(
        alignment(problem.c, problem.c_view).item(), rel=1e-12, abs=1e-12
    )


@given(seeds)
def test_order_of_views_does_not_matter(seed: int) -> None:
    z, views = random_problem(seed=seed).c, further_views(4, 6, 3, seed + 1)
    assert alignment(z, views[permutation(4, seed)]).item() == pytest.approx(alignment(z, views).item(), rel=1e-12)


@given(problems(reach=10), seeds)
def test_an_isometry_of_all_codes_does_not_matter(problem: Problem, seed: int) -> None:
    d = problem.c.shape[1]
    turn, move = rotation(d, seed), shift(d, seed)
    assert alignment(problem.c @ turn + move, problem.c_view @ turn + move).item() == pytest.approx(
        alignment(problem.c, problem.c_view).item(), rel=1e-9, abs=1e-9
    )


@given(problems(), bandwidths)
def test_gradient_pulls_each_code_towards_its_view(problem: Problem, tau: float) -> None:
    z = problem.c.clone().requires_grad_()
    alignment(z, problem.c_view, tau).backward()
    torch.testing.assert_close(z.grad, (problem.c - problem.c_view) / (tau * len(z)))


@given(problem=problems(), dtype=precisions)
def test_is_finite_for_any_codes(problem: Problem, dtype: torch.dtype) -> None:
    assert_finite(alignment, problem.c.to(dtype), problem.c_view.to(dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("edge", EDGES)
def test_is_finite_at_the_edges(edge: str, dtype: torch.dtype) -> None:
    problem = EDGES[edge]
    assert_finite(alignment, problem.c.to(dtype), problem.c_view.to(dtype))
    # Over targets alone, as the salient alignment is: there may be none.
    keep = problem.is_target
    assert_finite(lambda s, view: alignment(s, view, is_target=keep), problem.s.to(dtype), problem.s_view.to(dtype))


def test_over_no_sample_is_zero() -> None:
    assert alignment(torch.zeros(0, 3), torch.zeros(2, 0, 3)).item() == 0.0


@given(problems(reach=3))
def test_bfloat16_codes_give_the_float32_value(problem: Problem) -> None:
    assert_half_precision_inputs_lose_nothing(alignment, problem.c, problem.c_view)


@given(problems(reach=3))
def test_autocast_changes_nothing(problem: Problem) -> None:
    assert_autocast_changes_nothing(alignment, problem.c, problem.c_view)


@pytest.mark.parametrize("k", [1, 3])
def test_gradients_are_those_of_finite_differences(k: int) -> None:
    assert_gradients_are_right(alignment, random_problem().c, further_views(k, 6, 3))


def test_gradients_through_a_mask_are_those_of_finite_differences() -> None:
    problem = random_problem()
    keep = problem.is_target
    assert_gradients_are_right(lambda s, view: alignment(s, view, is_target=keep), problem.s, problem.s_view)


@given(problem=problems(reach=3), median=st.booleans())
def test_of_targets_alone_it_is_that_of_their_rows(problem: Problem, median: bool) -> None:
    keep, tau = problem.is_target, "median" if median else 0.7
    expected = alignment(problem.s[keep], problem.s_view[keep], tau).item()
    assert alignment(problem.s, problem.s_view, tau, is_target=keep).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_of_targets_alone_it_moves_no_background() -> None:
    problem = random_problem()
    s = problem.s.clone().requires_grad_()
    alignment(s, problem.s_view, is_target=problem.is_target).backward()
    assert not s.grad[~problem.is_target].any()
    assert s.grad[problem.is_target].all()

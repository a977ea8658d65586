"""MMD between two samples, and between the groups, four ways: a double loop, closed forms, properties, finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from sepclr.losses import mmd, two_sample_mmd
from sepclr.losses.kernel_measures import WIDTHS
from sepclr.types import InputError

from .problems import (
    DTYPES,
    EDGES,
    Problem,
    assert_autocast_changes_nothing,
    assert_finite,
    assert_gradients_are_right,
    assert_half_precision_inputs_lose_nothing,
    kernel,
    permutation,
    problems,
    random_problem,
    rotation,
    seeds,
    shift,
    value_and_gradients,
)

both = pytest.mark.parametrize("with_self", [True, False], ids=["biased", "unbiased"])


def loop(a: Tensor, b: Tensor, taus: list[float], with_self: bool) -> float:
    total = 0.0
    for tau in taus:
        for one, two, sign in ((a, a, 1), (b, b, 1), (a, b, -2)):
            same = one is two
            values = [
                kernel(x, y, tau) for i, x in enumerate(one.tolist()) for j, y in enumerate(two.tolist()) if with_self or not same or i != j
            ]
            total += sign * sum(values) / len(values)
    return total / len(taus)


@both
@pytest.mark.parametrize("taus", [[0.5], [0.1, 1.0, 10.0]], ids=str)
def test_equals_the_formula_as_a_double_loop(taus: list[float], with_self: bool) -> None:
    a, b = random_problem(6).c, random_problem(9, seed=1).c + 0.5
    found = two_sample_mmd(a, b, torch.tensor(taus, dtype=torch.float64), with_self=with_self).item()
    assert found == pytest.approx(loop(a, b, taus, with_self), rel=1e-10)


def test_two_single_points_and_two_far_clouds() -> None:
    a, b = torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    assert two_sample_mmd(a, b, 0.5).item() == pytest.approx(2 - 2 * math.exp(-1))
    assert two_sample_mmd(a.expand(5, 1), 1e4 * b.expand(3, 1)).item() == pytest.approx(2)


def test_narrow_kernels_are_biased_with_self_pairs_and_not_without() -> None:
    draw = torch.Generator().manual_seed(0)
    a, b = (torch.randn(50, 4, generator=draw, dtype=torch.float64) for _ in range(2))
    assert two_sample_mmd(a, b, 1e-6).item() == pytest.approx(2 / 50)
    assert two_sample_mmd(a, b, 1e-6, with_self=False).item() == pytest.approx(0, abs=1e-12)


@given(problems(min_samples=2))
def test_with_self_pairs_it_is_never_negative_and_zero_between_equals(problem: Problem) -> None:
    assert two_sample_mmd(problem.c, problem.c_view).item() >= -1e-12
    assert two_sample_mmd(problem.c, problem.c.flip(0)).item() == pytest.approx(0, abs=1e-12)


@both
@given(problem=problems(min_samples=2, reach=3), seed=seeds)
def test_order_and_isometry_do_not_matter_and_samples_may_change_places(problem: Problem, seed: int, with_self: bool) -> None:
    d = problem.c.shape[1]
    turn, move = rotation(d, seed), shift(d, seed)
    a, b = (z[permutation(len(z), seed)] @ turn + move for z in (problem.c_view, problem.c))
    expected = two_sample_mmd(problem.c, problem.c_view, with_self=with_self).item()
    assert two_sample_mmd(a, b, with_self=with_self).item() == pytest.approx(expected, abs=1e-9)


@both
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("edge", EDGES)
def test_is_finite_at_the_edges(edge: str, dtype: torch.dtype, with_self: bool) -> None:
    problem = EDGES[edge]
    assert_finite(lambda a, b: two_sample_mmd(a, b, with_self=with_self), problem.c.to(dtype), problem.c_view[1:].to(dtype))


def test_precision() -> None:
    problem = random_problem()
    assert_autocast_changes_nothing(two_sample_mmd, problem.c, problem.c_view)
    assert_half_precision_inputs_lose_nothing(two_sample_mmd, problem.c, problem.c_view)


@both
def test_gradients_are_those_of_finite_differences(with_self: bool) -> None:
    problem = random_problem()
    assert_gradients_are_right(lambda a, b: two_sample_mmd(a, b, with_self=with_self), problem.c, problem.c_view[:4])


@pytest.mark.parametrize("tau", [0.5, 2.0])
def test_mmd_of_groups_equals_the_formula_as_a_loop(tau: float) -> None:
    problem = random_problem(9)
    groups = problem.c[~problem.is_target], problem.c[problem.is_target]
    expected = loop(*groups, [tau * width for width in WIDTHS], with_self=True)
    assert mmd(problem.c, problem.is_target, tau).item() == pytest.approx(expected, rel=1e-10)


def test_mmd_of_groups_in_two_places_far_apart_is_two_and_in_one_place_zero() -> None:
    is_target = torch.arange(10) % 2 == 0
    places = 1e3 * is_target[:, None].double()
    assert mmd(places, is_target).item() == pytest.approx(2.0)
    assert mmd(0 * places, is_target).item() == pytest.approx(0.0, abs=1e-12)


@given(problem=problems(reach=10), seed=seeds)
def test_mmd_of_groups_is_at_least_zero_and_knows_no_order_rotation_or_origin(problem: Problem, seed: int) -> None:
    value = mmd(problem.c, problem.is_target).item()
    assert value >= -1e-12
    order, d = permutation(len(problem.c), seed), problem.c.shape[1]
    moved = (problem.c @ rotation(d, seed) + shift(d, seed))[order]
    assert mmd(moved, problem.is_target[order]).item() == pytest.approx(value, rel=1e-9, abs=1e-9)


@given(problem=problems(min_samples=2, reach=10), factor=st.floats(0.1, 10))
def test_by_the_median_heuristic_units_do_not_matter_to_mmd_of_groups(problem: Problem, factor: float) -> None:
    distances = torch.pdist(problem.c)
    assume(bool(((distances == 0) | (distances > 1e-100)).all()))  # squares of smaller ones are 0 or nearly so
    value = mmd(problem.c, problem.is_target, "median").item()
    if torch.equal(problem.c, problem.c[:1].expand_as(problem.c)):
        assert value == pytest.approx(0.0, abs=1e-12)
    else:
        assert mmd(factor * problem.c, problem.is_target, "median").item() == pytest.approx(value, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_mmd_of_groups_is_finite_at_the_edges(edge: str, dtype: torch.dtype) -> None:
    problem = EDGES[edge]
    assert_finite(lambda c: mmd(c, problem.is_target), problem.c.to(dtype))


def test_gradients_of_mmd_of_groups_are_those_of_finite_differences_and_reach_every_sample() -> None:
    problem = random_problem(7)
    assert_gradients_are_right(lambda c: mmd(c, problem.is_target), problem.c)
    _, (gradient,) = value_and_gradients(lambda c: mmd(c, problem.is_target), problem.c)
    assert gradient.abs().sum(1).min() > 1e-4


@pytest.mark.parametrize("tau", [0.0, -1.0, float("nan")])
def test_a_bandwidth_of_mmd_of_groups_that_cannot_be_used_is_named(tau: float) -> None:
    with pytest.raises(InputError, match=f"tau: {tau}"):
        mmd(random_problem().c, random_problem().is_target, tau)

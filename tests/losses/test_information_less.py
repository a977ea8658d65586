"""The information-less term four ways: formula as a loop, closed forms, properties, finite differences."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from torch import Tensor

from sepclr.losses import information_less

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
    precisions,
    problems,
    random_problem,
    rotation,
    seeds,
    squared_distance,
)


def loop(s: Tensor, is_target: Tensor, tau: float) -> float:
    """1/N_X Σ_x ‖s_x − s′‖²/2τ with s′ = 0, design §4; 0 without background."""
    total, background = 0.0, 0
    for row, target in zip(s.tolist(), is_target.tolist(), strict=True):
        if not target:
            total += squared_distance(row, [0.0] * len(row)) / (2 * tau)
            background += 1
    return total / background if background else 0.0


@pytest.mark.parametrize("tau", [0.3, 0.5, 2.0])
def test_equals_the_formula_as_a_loop(tau: float) -> None:
    problem = random_problem(n=7)
    expected = loop(problem.s, problem.is_target, tau)
    assert information_less(problem.s, problem.is_target, tau).item() == pytest.approx(expected, rel=1e-12)


def test_default_bandwidth_is_one_half() -> None:
    problem = random_problem()
    expected = loop(problem.s, problem.is_target, 0.5)
    assert information_less(problem.s, problem.is_target).item() == pytest.approx(expected, rel=1e-12)


@given(problems(), bandwidths)
def test_equals_the_loop_for_any_problem(problem: Problem, tau: float) -> None:
    expected = loop(problem.s, problem.is_target, tau)
    assert information_less(problem.s, problem.is_target, tau).item() == pytest.approx(expected, rel=1e-9)


def test_background_at_distance_three_with_tau_one_half_costs_nine() -> None:
    s = torch.tensor([[3.0, 0.0], [0.0, -3.0], [50.0, 50.0]])
    assert information_less(s, torch.tensor([False, False, True])).item() == 9.0


def test_background_on_the_information_less_vector_costs_nothing() -> None:
    s = torch.tensor([[0.0, 0.0], [5.0, 5.0]])
    assert information_less(s, torch.tensor([False, True])).item() == 0.0


def test_without_background_it_is_zero_with_zero_gradient() -> None:
    s = torch.full((3, 2), 7.0, requires_grad=True)
    value = information_less(s, torch.ones(3, dtype=torch.bool))
    value.backward()
    assert value.item() == 0.0
    assert s.grad is not None
    assert torch.equal(s.grad, torch.zeros_like(s))


@given(problems(), bandwidths)
def test_is_never_negative(problem: Problem, tau: float) -> None:
    assert information_less(problem.s, problem.is_target, tau).item() >= 0


@given(problems())
def test_codes_of_targets_do_not_matter(problem: Problem) -> None:
    moved = torch.where(problem.is_target[:, None], problem.s_view, problem.s)
    assert torch.equal(information_less(moved, problem.is_target), information_less(problem.s, problem.is_target))


@given(problems(), bandwidths)
def test_gradient_pulls_background_straight_to_zero_and_leaves_targets(problem: Problem, tau: float) -> None:
    s = problem.s.clone().requires_grad_()
    information_less(s, problem.is_target, tau).backward()
    background = ~problem.is_target
    expected = problem.s * background[:, None] / (tau * max(int(background.sum()), 1))
    torch.testing.assert_close(s.grad, expected)


@given(problems(), seeds)
def test_order_of_samples_does_not_matter(problem: Problem, seed: int) -> None:
    order = permutation(len(problem.s), seed)
    expected = information_less(problem.s, problem.is_target).item()
    assert information_less(problem.s[order], problem.is_target[order]).item() == pytest.approx(expected, rel=1e-12)


@given(problems(reach=10), seeds)
def test_a_rotation_does_not_matter(problem: Problem, seed: int) -> None:
    moved = problem.s @ rotation(problem.s.shape[1], seed)
    expected = information_less(problem.s, problem.is_target).item()
    assert information_less(moved, problem.is_target).item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(problem=problems(), dtype=precisions)
def test_is_finite_for_any_codes(problem: Problem, dtype: torch.dtype) -> None:
    assert_finite(lambda s: information_less(s, problem.is_target), problem.s.to(dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("edge", EDGES)
def test_is_finite_at_the_edges(edge: str, dtype: torch.dtype) -> None:
    problem = EDGES[edge]
    assert_finite(lambda s: information_less(s, problem.is_target), problem.s.to(dtype))


@given(problems(reach=3))
def test_bfloat16_codes_give_the_float32_value(problem: Problem) -> None:
    assert_half_precision_inputs_lose_nothing(lambda s: information_less(s, problem.is_target), problem.s)


@given(problems(reach=3))
def test_autocast_changes_nothing(problem: Problem) -> None:
    assert_autocast_changes_nothing(lambda s: information_less(s, problem.is_target), problem.s)


@pytest.mark.parametrize("edge", ["all codes zero", "no target", "no background"])
def test_gradients_at_the_edges_are_those_of_finite_differences(edge: str) -> None:
    problem = EDGES[edge]
    assert_gradients_are_right(lambda s: information_less(s, problem.is_target), problem.s)


def test_gradients_through_the_mask_are_those_of_finite_differences() -> None:
    problem = random_problem()
    assert_gradients_are_right(lambda s: information_less(s, problem.is_target), problem.s)

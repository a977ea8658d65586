"""What the terms share: widening and hiding."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given

from sepclr.losses import full_precision, hide_background

from .problems import Problem, assert_gradients_are_right, problems, random_problem


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_widened_to_float32_without_changing_a_value(half: torch.dtype) -> None:
    z = torch.tensor([0.1, -3.0], dtype=half)
    assert full_precision(z).dtype == torch.float32
    assert torch.equal(full_precision(z), z.float())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_full_precision_is_left_as_it_is(dtype: torch.dtype) -> None:
    z = torch.tensor([0.1, -3.0], dtype=dtype)
    assert full_precision(z) is z


@given(problems())
def test_hiding_sets_background_to_zero_and_nothing_else(problem: Problem) -> None:
    before = problem.s.clone()
    hidden = hide_background(problem.s, problem.is_target)
    assert torch.equal(hidden[problem.is_target], before[problem.is_target])
    assert not hidden[~problem.is_target].any()
    assert torch.equal(problem.s, before)


def test_hiding_stops_what_is_not_finite_in_background_and_its_gradient() -> None:
    s = torch.tensor([[float("nan")], [2.0]], requires_grad=True)
    hidden = hide_background(s, torch.tensor([False, True]))
    hidden.sum().backward()
    assert torch.equal(hidden, torch.tensor([[0.0], [2.0]]))
    assert s.grad is not None
    assert torch.equal(s.grad, torch.tensor([[0.0], [1.0]]))


def test_gradients_through_hiding_are_those_of_finite_differences() -> None:
    problem = random_problem()
    assert_gradients_are_right(lambda s: hide_background(s, problem.is_target).square().sum(), problem.s)

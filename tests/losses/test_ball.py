"""The ball: the formula as a loop, closed forms, properties, finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sepclr.losses import ball
from sepclr.types import InputError

from .problems import EDGES, Problem, assert_gradients_are_right, precisions, problems, random_problem, rotation, seeds

radii = st.floats(0.1, 10)


def loop(u: Tensor, radius: float) -> list[list[float]]:
    """r u / √(1 + ‖u‖²)."""
    return [[radius * x / math.sqrt(1 + sum(y * y for y in row)) for x in row] for row in u.tolist()]


@given(problem=problems(reach=1e3), radius=radii)
def test_equals_the_formula_as_a_loop(problem: Problem, radius: float) -> None:
    torch.testing.assert_close(ball(problem.s, radius), torch.tensor(loop(problem.s, radius), dtype=torch.float64).reshape_as(problem.s))


def test_the_default_radius_is_2() -> None:
    u = random_problem().s
    torch.testing.assert_close(ball(u), ball(u, 2.0))


def test_a_code_of_length_one_goes_to_half_the_radius_times_root_two() -> None:
    assert ball(torch.tensor([[0.6, 0.8]], dtype=torch.float64), 3.0).norm().item() == pytest.approx(3 / math.sqrt(2))


def test_zero_stays_zero_and_has_a_gradient() -> None:
    u = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    z = ball(u)
    assert not z.any()
    (gradient,) = torch.autograd.grad(z.sum(), u)
    torch.testing.assert_close(gradient, torch.full_like(u, 2.0))


@given(problem=problems(reach=1e4), radius=radii, dtype=precisions)
def test_lengths_lie_within_the_radius_in_every_precision(problem: Problem, radius: float, dtype: torch.dtype) -> None:
    z = ball(problem.s.to(dtype), radius)
    assert z.dtype == (torch.float32 if dtype == torch.bfloat16 else dtype)
    assert (torch.linalg.vector_norm(z, dim=1) <= radius * (1 + 1e-6)).all()


@given(problem=problems(reach=1e3), radius=radii, seed=seeds)
def test_it_turns_with_the_codes(problem: Problem, radius: float, seed: int) -> None:
    turn = rotation(problem.s.shape[1], seed)
    torch.testing.assert_close(ball(problem.s @ turn, radius), ball(problem.s, radius) @ turn, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("size", [1e-15, 1.0, 1e15])
def test_short_and_long_codes_are_mapped_in_float32_as_in_float64(size: float) -> None:
    u = torch.full((2, 4), size, requires_grad=True)
    z = ball(u)
    (gradient,) = torch.autograd.grad(z.sum(), u)
    assert z.isfinite().all()
    assert gradient.isfinite().all()
    torch.testing.assert_close(z.double(), ball(u.double()), rtol=1e-5, atol=0)


@pytest.mark.parametrize("problem", EDGES.values(), ids=EDGES.keys())
def test_gradients_are_those_of_finite_differences(problem: Problem) -> None:
    assert_gradients_are_right(ball, problem.s)


def test_a_radius_that_is_not_positive_is_an_error() -> None:
    with pytest.raises(InputError, match="radius"):
        ball(torch.zeros(1, 2), 0.0)

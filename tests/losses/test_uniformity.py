"""Uniformity four ways: formula as a loop, closed forms, properties, finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from torch import Tensor
from torch.nn.functional import normalize

from sepclr.losses import uniformity

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

both_forms = pytest.mark.parametrize("with_self", [False, True], ids=["without self", "with self"])


def loop(z: Tensor, tau: float, with_self: bool) -> float:
    """Paper: log 1/N² Σ_i Σ_j k_τ(z_i, z_j). Released: log mean_{i<j} k_τ(z_i, z_j). Design §4."""
    rows = z.tolist()
    total, pairs = 0.0, 0
    for i in range(len(rows)):
        for j in range(len(rows)):
            if with_self or i < j:
                total += kernel(rows[i], rows[j], tau)
                pairs += 1
    return math.log(total / pairs)


@both_forms
@pytest.mark.parametrize("tau", [0.3, 0.5, 2.0])
def test_equals_the_formula_as_a_loop(tau: float, with_self: bool) -> None:
    z = random_problem().c
    assert uniformity(z, tau, with_self=with_self).item() == pytest.approx(loop(z, tau, with_self), rel=1e-12)


def test_defaults_are_the_released_form_with_bandwidth_one_half() -> None:
    z = random_problem().c
    assert uniformity(z).item() == pytest.approx(loop(z, 0.5, with_self=False), rel=1e-12)


@both_forms
@given(problem=problems(min_samples=2, reach=1.5), tau=bandwidths.filter(lambda tau: tau > 0.2))
def test_equals_the_loop_for_any_problem(problem: Problem, tau: float, with_self: bool) -> None:
    expected = loop(problem.c, tau, with_self)
    assert uniformity(problem.c, tau, with_self=with_self).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_two_points_at_distance_three() -> None:
    z = torch.tensor([[0.0, 0.0], [3.0, 0.0]], dtype=torch.float64)
    assert uniformity(z, 0.5).item() == pytest.approx(-9.0)
    assert uniformity(z, 0.5, with_self=True).item() == pytest.approx(math.log((1 + math.exp(-9)) / 2))


@pytest.mark.parametrize("n", [2, 3, 8])
def test_orthogonal_unit_vectors_are_all_at_squared_distance_two(n: int) -> None:
    z = torch.eye(n, dtype=torch.float64)
    assert uniformity(z, 0.5).item() == pytest.approx(-2.0)
    assert uniformity(z, 0.5, with_self=True).item() == pytest.approx(math.log((1 + (n - 1) * math.exp(-2)) / n))


@both_forms
@pytest.mark.parametrize("n", [1, 2, 9])
def test_equal_points_give_zero(n: int, with_self: bool) -> None:
    assert uniformity(torch.full((n, 3), 7.0), with_self=with_self).item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("n", [2, 9])
def test_far_apart_it_saturates_with_self_and_goes_on_without(n: int) -> None:
    z = 1e4 * torch.arange(n, dtype=torch.float64)[:, None]
    assert uniformity(z, with_self=True).item() == pytest.approx(-math.log(n))
    assert uniformity(z).item() == pytest.approx(-1e8 + math.log((n - 1) / (n * (n - 1) / 2)))


def test_far_apart_only_the_form_without_self_still_has_a_gradient() -> None:
    z = torch.tensor([[0.0], [1e4]], dtype=torch.float64, requires_grad=True)
    (without,) = torch.autograd.grad(uniformity(z), z)
    (with_self,) = torch.autograd.grad(uniformity(z, with_self=True), z)
    torch.testing.assert_close(without, torch.tensor([[2e4], [-2e4]], dtype=torch.float64))
    assert with_self.abs().max() == 0


@both_forms
@given(problem=problems(), tau=bandwidths)
def test_is_at_most_zero(problem: Problem, tau: float, with_self: bool) -> None:
    assert uniformity(problem.c, tau, with_self=with_self).item() <= 1e-12


@given(problems(min_samples=2), bandwidths)
def test_with_self_it_lies_above_minus_log_n_and_above_the_form_without(problem: Problem, tau: float) -> None:
    value = uniformity(problem.c, tau, with_self=True).item()
    assert value >= -math.log(len(problem.c)) - 1e-12
    assert value >= uniformity(problem.c, tau).item() - 1e-12


@given(problems(min_samples=2), bandwidths)
def test_the_two_forms_are_one_function_of_each_other(problem: Problem, tau: float) -> None:
    n = len(problem.c)
    without = math.exp(uniformity(problem.c, tau).item())
    expected = math.log((n + n * (n - 1) * without) / n**2)
    assert uniformity(problem.c, tau, with_self=True).item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(problems(), bandwidths)
def test_on_the_unit_sphere_it_is_at_least_minus_two_over_tau(problem: Problem, tau: float) -> None:
    assert uniformity(normalize(problem.c), tau).item() >= -2 / tau - 1e-9


@both_forms
@given(problem=problems(reach=10), seed=seeds)
def test_order_of_samples_does_not_matter(problem: Problem, seed: int, with_self: bool) -> None:
    moved = problem.c[permutation(len(problem.c), seed)]
    expected = uniformity(problem.c, with_self=with_self).item()
    assert uniformity(moved, with_self=with_self).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@both_forms
@given(problem=problems(reach=10), seed=seeds)
def test_an_isometry_does_not_matter(problem: Problem, seed: int, with_self: bool) -> None:
    d = problem.c.shape[1]
    moved = problem.c @ rotation(d, seed) + shift(d, seed)
    expected = uniformity(problem.c, with_self=with_self).item()
    assert uniformity(moved, with_self=with_self).item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(problems(min_samples=2, reach=3), bandwidths)
def test_scaling_codes_is_scaling_the_bandwidth(problem: Problem, tau: float) -> None:
    expected = uniformity(problem.c, tau).item()
    assert uniformity(3 * problem.c, 9 * tau).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(problems(min_samples=2, reach=3))
def test_spreading_codes_never_raises_it(problem: Problem) -> None:
    assert uniformity(2 * problem.c).item() <= uniformity(problem.c).item() + 1e-12


@both_forms
@given(problem=problems(), dtype=precisions)
def test_is_finite_for_any_codes(problem: Problem, dtype: torch.dtype, with_self: bool) -> None:
    assert_finite(lambda z: uniformity(z, with_self=with_self), problem.c.to(dtype))


@both_forms
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("edge", EDGES)
def test_is_finite_at_the_edges(edge: str, dtype: torch.dtype, with_self: bool) -> None:
    assert_finite(lambda z: uniformity(z, with_self=with_self), EDGES[edge].c.to(dtype))


@both_forms
@pytest.mark.parametrize("n", [0, 1])
def test_without_a_pair_it_is_zero_with_zero_gradient(n: int, with_self: bool) -> None:
    z = torch.full((n, 3), 3e38, requires_grad=True)
    value = uniformity(z, with_self=with_self)
    value.backward()
    assert value.item() == 0.0
    assert z.grad is not None
    assert torch.equal(z.grad, torch.zeros_like(z))


@both_forms
@given(problem=problems(reach=3))
def test_bfloat16_codes_give_the_float32_value(problem: Problem, with_self: bool) -> None:
    assert_half_precision_inputs_lose_nothing(lambda z: uniformity(z, with_self=with_self), problem.c)


@both_forms
@given(problem=problems(reach=3))
def test_autocast_changes_nothing(problem: Problem, with_self: bool) -> None:
    assert_autocast_changes_nothing(lambda z: uniformity(z, with_self=with_self), problem.c)


@both_forms
def test_close_codes_far_from_zero_keep_their_distances(with_self: bool) -> None:
    """A Gram matrix in float32 would lose the distances of 1 to rounding at norms of 1e4."""
    z = torch.tensor([[1e4, 1e4], [1e4 + 1, 1e4], [1e4, 1e4 + 1]])
    expected = uniformity(z - 1e4, with_self=with_self).item()
    assert uniformity(z, with_self=with_self).item() == pytest.approx(expected, rel=1e-6)


@both_forms
def test_gradients_are_those_of_finite_differences(with_self: bool) -> None:
    assert_gradients_are_right(lambda z: uniformity(z, with_self=with_self), random_problem().c)


@both_forms
def test_gradients_with_coincident_codes_are_those_of_finite_differences(with_self: bool) -> None:
    z = random_problem().c
    z[1] = z[0]
    assert_gradients_are_right(lambda z: uniformity(z, with_self=with_self), z)

"""k-JEM four ways: formula as a loop, closed forms, properties, finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from torch import Tensor

from sepclr.losses import hide_background, joint_entropy, uniformity

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


def loop(c: Tensor, s: Tensor, tau: float, with_self: bool) -> float:
    """1/N Σ_i log 1/N Σ_j k_τ(c_i,c_j) k_τ(s_i,s_j), design §4; without self over the N − 1 others."""
    cs, ss = c.tolist(), s.tolist()
    n, total = len(cs), 0.0
    for i in range(n):
        inner = 0.0
        for j in range(n):
            if with_self or i != j:
                inner += kernel(cs[i], cs[j], tau) * kernel(ss[i], ss[j], tau)
        total += math.log(inner / (n if with_self else n - 1))
    return total / n


@both_forms
@pytest.mark.parametrize("tau", [0.3, 0.5, 2.0])
def test_equals_the_formula_as_a_loop(tau: float, with_self: bool) -> None:
    problem = random_problem()
    expected = loop(problem.c, problem.s, tau, with_self)
    assert joint_entropy(problem.c, problem.s, tau, with_self=with_self).item() == pytest.approx(expected, rel=1e-12)


def test_defaults_are_the_released_form_with_bandwidth_one_half() -> None:
    problem = random_problem()
    expected = loop(problem.c, problem.s, 0.5, with_self=True)
    assert joint_entropy(problem.c, problem.s).item() == pytest.approx(expected, rel=1e-12)


@both_forms
@given(problem=problems(min_samples=2, reach=1.5), tau=bandwidths.filter(lambda tau: tau > 0.2))
def test_equals_the_loop_for_any_problem(problem: Problem, tau: float, with_self: bool) -> None:
    expected = loop(problem.c, problem.s, tau, with_self)
    value = joint_entropy(problem.c, problem.s, tau, with_self=with_self).item()
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_two_points_at_distances_one_and_two() -> None:
    c, s = torch.tensor([[0.0], [1.0]], dtype=torch.float64), torch.tensor([[0.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    assert joint_entropy(c, s, 0.5, with_self=False).item() == pytest.approx(-5.0)
    assert joint_entropy(c, s, 0.5).item() == pytest.approx(math.log((1 + math.exp(-5)) / 2))


@both_forms
@pytest.mark.parametrize("n", [1, 2, 9])
def test_equal_points_give_zero(n: int, with_self: bool) -> None:
    value = joint_entropy(torch.full((n, 3), 7.0), torch.full((n, 1), -2.0), with_self=with_self)
    assert value.item() == pytest.approx(0.0, abs=1e-6)


def test_two_pairs_of_equal_points_far_apart() -> None:
    c = torch.tensor([[0.0], [0.0], [1e4], [1e4]], dtype=torch.float64)
    s = torch.ones(4, 2, dtype=torch.float64)
    assert joint_entropy(c, s).item() == pytest.approx(math.log(1 / 2))
    assert joint_entropy(c, s, with_self=False).item() == pytest.approx(math.log(1 / 3))


@pytest.mark.parametrize("n", [2, 9])
def test_far_apart_it_saturates_with_self_and_goes_on_without(n: int) -> None:
    c, s = 1e4 * torch.arange(n, dtype=torch.float64)[:, None], torch.zeros(n, 1, dtype=torch.float64)
    assert joint_entropy(c, s).item() == pytest.approx(-math.log(n))
    assert joint_entropy(c, s, with_self=False).item() == pytest.approx(-1e8, rel=1e-6)


def test_far_apart_only_the_form_without_self_still_has_a_gradient() -> None:
    c, s = torch.tensor([[0.0], [1e4]], dtype=torch.float64, requires_grad=True), torch.zeros(2, 1, dtype=torch.float64)
    (without,) = torch.autograd.grad(joint_entropy(c, s, with_self=False), c)
    (with_self,) = torch.autograd.grad(joint_entropy(c, s), c)
    torch.testing.assert_close(without, torch.tensor([[2e4], [-2e4]], dtype=torch.float64))
    assert with_self.abs().max() == 0


@both_forms
@given(problem=problems(), tau=bandwidths)
def test_is_at_most_zero(problem: Problem, tau: float, with_self: bool) -> None:
    assert joint_entropy(problem.c, problem.s, tau, with_self=with_self).item() <= 1e-12


@given(problems(), bandwidths)
def test_with_self_it_is_at_least_minus_log_n(problem: Problem, tau: float) -> None:
    assert joint_entropy(problem.c, problem.s, tau).item() >= -math.log(len(problem.c)) - 1e-12


@both_forms
@given(problem=problems(), tau=bandwidths)
def test_the_joint_entropy_is_at_least_either_marginal_entropy(problem: Problem, tau: float, with_self: bool) -> None:
    """−Ĥ(c,s) ≤ −Ĥ(c): a further factor of at most 1 makes every kernel smaller."""
    c, s = problem.c, problem.s
    joint = joint_entropy(c, s, tau, with_self=with_self).item()
    assert joint <= joint_entropy(c, torch.zeros_like(s), tau, with_self=with_self).item() + 1e-12
    assert joint <= joint_entropy(torch.zeros_like(c), s, tau, with_self=with_self).item() + 1e-12


@both_forms
@given(problem=problems(), tau=bandwidths)
def test_the_mean_of_logs_is_at_most_the_log_of_means(problem: Problem, tau: float, with_self: bool) -> None:
    """Jensen: it lies below the uniformity of the codes side by side."""
    joint = joint_entropy(problem.c, problem.s, tau, with_self=with_self).item()
    upper = uniformity(torch.cat([problem.c, problem.s], 1), tau, with_self=with_self).item()
    assert joint <= upper + 1e-9 * (1 + abs(upper))


@both_forms
@given(problem=problems(reach=10))
def test_it_is_the_entropy_of_the_codes_side_by_side(problem: Problem, with_self: bool) -> None:
    c, s = problem.c, problem.s
    beside = joint_entropy(torch.cat([c, s], 1), torch.zeros_like(s), with_self=with_self).item()
    assert joint_entropy(c, s, with_self=with_self).item() == pytest.approx(beside, rel=1e-9, abs=1e-9)


@both_forms
@given(problem=problems(reach=10))
def test_common_and_salient_may_change_places(problem: Problem, with_self: bool) -> None:
    expected = joint_entropy(problem.c, problem.s, with_self=with_self).item()
    assert joint_entropy(problem.s, problem.c, with_self=with_self).item() == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_independent_codes_cost_less_than_codes_that_repeat_each_other() -> None:
    grid = torch.tensor([0.0, 1.0, 2.0, 3.0], dtype=torch.float64)
    c, s = grid.repeat_interleave(4)[:, None], grid.repeat(4)[:, None]
    assert joint_entropy(c, s).item() < joint_entropy(c, c).item() - 0.5


@both_forms
@given(problem=problems(reach=10), seed=seeds)
def test_order_of_samples_does_not_matter(problem: Problem, seed: int, with_self: bool) -> None:
    order = permutation(len(problem.c), seed)
    expected = joint_entropy(problem.c, problem.s, with_self=with_self).item()
    value = joint_entropy(problem.c[order], problem.s[order], with_self=with_self).item()
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_which_common_code_stands_beside_which_salient_code_matters() -> None:
    problem = random_problem()
    apart = joint_entropy(problem.c, problem.s).item() - joint_entropy(problem.c, problem.s.roll(1, 0)).item()
    assert abs(apart) > 1e-3


@both_forms
@given(problem=problems(reach=10), seed=seeds)
def test_an_isometry_of_either_space_does_not_matter(problem: Problem, seed: int, with_self: bool) -> None:
    d_c, d_s = problem.c.shape[1], problem.s.shape[1]
    c = problem.c @ rotation(d_c, seed) + shift(d_c, seed)
    s = problem.s @ rotation(d_s, seed + 1) + shift(d_s, seed + 1)
    expected = joint_entropy(problem.c, problem.s, with_self=with_self).item()
    assert joint_entropy(c, s, with_self=with_self).item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@both_forms
@given(problem=problems(), dtype=precisions)
def test_is_finite_for_any_codes(problem: Problem, dtype: torch.dtype, with_self: bool) -> None:
    assert_finite(lambda c, s: joint_entropy(c, s, with_self=with_self), problem.c.to(dtype), problem.s.to(dtype))


@both_forms
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("edge", EDGES)
def test_is_finite_at_the_edges(edge: str, dtype: torch.dtype, with_self: bool) -> None:
    problem = EDGES[edge]

    def term(c: Tensor, s: Tensor) -> Tensor:
        return joint_entropy(c, hide_background(s, problem.is_target), with_self=with_self)

    assert_finite(term, problem.c.to(dtype), problem.s.to(dtype))


@both_forms
@pytest.mark.parametrize("n", [0, 1])
def test_without_a_pair_it_is_zero_with_zero_gradients(n: int, with_self: bool) -> None:
    c, s = torch.full((n, 3), 3e38, requires_grad=True), torch.full((n, 2), 3e38, requires_grad=True)
    value = joint_entropy(c, s, with_self=with_self)
    gradients = torch.autograd.grad(value, [c, s])
    assert value.item() == 0.0
    assert torch.equal(gradients[0], torch.zeros_like(c))
    assert torch.equal(gradients[1], torch.zeros_like(s))


@both_forms
@given(problem=problems(reach=3))
def test_bfloat16_codes_give_the_float32_value(problem: Problem, with_self: bool) -> None:
    assert_half_precision_inputs_lose_nothing(lambda c, s: joint_entropy(c, s, with_self=with_self), problem.c, problem.s)


@both_forms
@given(problem=problems(reach=3))
def test_autocast_changes_nothing(problem: Problem, with_self: bool) -> None:
    assert_autocast_changes_nothing(lambda c, s: joint_entropy(c, s, with_self=with_self), problem.c, problem.s)


@both_forms
@pytest.mark.parametrize("hidden", [False, True], ids=["all codes", "background hidden"])
def test_gradients_are_those_of_finite_differences(hidden: bool, with_self: bool) -> None:
    problem = random_problem()

    def term(c: Tensor, s: Tensor) -> Tensor:
        return joint_entropy(c, hide_background(s, problem.is_target) if hidden else s, with_self=with_self)

    assert_gradients_are_right(term, problem.c, problem.s)


@both_forms
def test_gradients_with_coincident_codes_are_those_of_finite_differences(with_self: bool) -> None:
    problem = random_problem()
    problem.c[1], problem.s[1] = problem.c[0], problem.s[0]
    assert_gradients_are_right(lambda c, s: joint_entropy(c, s, with_self=with_self), problem.c, problem.s)

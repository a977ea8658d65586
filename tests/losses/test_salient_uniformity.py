"""s′-uniformity, in both forms, four ways: formula as a loop, closed forms, properties, finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import assume, given
from torch import Tensor

from sepclr.losses import salient_uniformity, uniformity

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
    squared_distance,
)

both_forms = pytest.mark.parametrize("form", ["paper", "released"])
wide_bandwidths = bandwidths.filter(lambda tau: tau > 0.2)


def loop_paper(s: Tensor, is_target: Tensor, tau: float) -> float:
    """log 1/N_Y Σ_i ( exp(−‖s_i−s′‖²/τ) + 1/N_Y Σ_j k_τ(s_i,s_j) ), i, j over Y, s′ = 0; design §4."""
    targets = s[is_target].tolist()
    zero = [0.0] * s.shape[1]
    total = 0.0
    for s_i in targets:
        total += math.exp(-squared_distance(s_i, zero) / tau)
        for s_j in targets:
            total += kernel(s_i, s_j, tau) / len(targets)
    return math.log(total / len(targets))


def loop_released(s: Tensor, is_target: Tensor, tau: float) -> float:
    """U(s̃) = log mean_{i<j} k_τ(s̃_i, s̃_j), s̃ = s with background rows set to 0; design §4."""
    hidden = [row if target else [0.0] * s.shape[1] for row, target in zip(s.tolist(), is_target.tolist(), strict=True)]
    total, pairs = 0.0, 0
    for i in range(len(hidden)):
        for j in range(i + 1, len(hidden)):
            total += kernel(hidden[i], hidden[j], tau)
            pairs += 1
    return math.log(total / pairs)


LOOPS = {"paper": loop_paper, "released": loop_released}


@both_forms
@pytest.mark.parametrize("tau", [0.3, 0.5, 2.0])
def test_equals_the_formula_as_a_loop(tau: float, form: str) -> None:
    problem = random_problem(scale=0.7)
    expected = LOOPS[form](problem.s, problem.is_target, tau)
    assert salient_uniformity(problem.s, problem.is_target, tau, form=form).item() == pytest.approx(expected, rel=1e-12)


def test_defaults_are_the_released_form_with_bandwidth_one_half() -> None:
    problem = random_problem()
    expected = loop_released(problem.s, problem.is_target, 0.5)
    assert salient_uniformity(problem.s, problem.is_target).item() == pytest.approx(expected, rel=1e-12)


@both_forms
@given(problem=problems(min_samples=2, reach=1.5), tau=wide_bandwidths)
def test_equals_the_loop_for_any_problem_with_targets(problem: Problem, tau: float, form: str) -> None:
    assume(problem.is_target.any())
    expected = LOOPS[form](problem.s, problem.is_target, tau)
    value = salient_uniformity(problem.s, problem.is_target, tau, form=form).item()
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)


@both_forms
def test_the_forms_differ(form: str) -> None:
    problem = random_problem()
    value = salient_uniformity(problem.s, problem.is_target, form=form).item()
    other = salient_uniformity(problem.s, problem.is_target, form="released" if form == "paper" else "paper").item()
    assert abs(value - other) > 0.1


def test_paper_form_of_one_target_at_distance_r() -> None:
    s = torch.tensor([[3.0, 4.0], [0.5, 0.5]], dtype=torch.float64)
    value = salient_uniformity(s, torch.tensor([False, True]), 0.5, form="paper")
    assert value.item() == pytest.approx(math.log(1 + math.exp(-0.5 / 0.5)))


def test_paper_form_of_two_opposite_targets_at_distance_r_from_zero() -> None:
    r, tau = 0.6, 0.7
    s = torch.tensor([[r], [-r]], dtype=torch.float64)
    expected = math.log(math.exp(-(r**2) / tau) + (1 + math.exp(-4 * r**2 / (2 * tau))) / 2)
    assert salient_uniformity(s, torch.tensor([True, True]), tau, form="paper").item() == pytest.approx(expected)


def test_released_form_of_one_target_and_one_background_is_their_log_kernel_to_zero() -> None:
    s = torch.tensor([[3.0, 4.0], [9.0, 9.0]], dtype=torch.float64)
    assert salient_uniformity(s, torch.tensor([True, False]), 0.5).item() == pytest.approx(-25.0)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_targets_on_the_information_less_vector(n: int) -> None:
    s, is_target = torch.zeros(n, 2), torch.ones(n, dtype=torch.bool)
    assert salient_uniformity(s, is_target, form="paper").item() == pytest.approx(math.log(2))
    assert salient_uniformity(s, is_target, form="released").item() == pytest.approx(0.0, abs=1e-6)


def test_released_form_has_a_floor_at_the_log_share_of_background_pairs() -> None:
    s, is_target = 1e4 * torch.arange(1.0, 9)[:, None], torch.arange(8) < 4
    share = (4 * 3 / 2) / (8 * 7 / 2)
    assert salient_uniformity(s, is_target).item() == pytest.approx(math.log(share), rel=1e-6)


def test_paper_form_has_a_floor_at_minus_log_of_the_targets() -> None:
    s, is_target = 1e4 * torch.arange(1.0, 9)[:, None], torch.arange(8) < 4
    assert salient_uniformity(s, is_target, form="paper").item() == pytest.approx(-math.log(4), rel=1e-6)


def test_released_form_without_background_is_uniformity() -> None:
    s = random_problem().s
    assert torch.equal(salient_uniformity(s, torch.ones(6, dtype=torch.bool)), uniformity(s))


def test_without_targets_it_is_zero_with_zero_gradient() -> None:
    for form in LOOPS:
        s = torch.full((4, 2), 3e38, requires_grad=True)
        value = salient_uniformity(s, torch.zeros(4, dtype=torch.bool), form=form)
        value.backward()
        assert value.item() == pytest.approx(0.0, abs=1e-6), form
        assert s.grad is not None
        assert torch.equal(s.grad, torch.zeros_like(s)), form


@given(problems(), bandwidths)
def test_paper_form_lies_between_minus_log_of_the_targets_and_log_two(problem: Problem, tau: float) -> None:
    targets = int(problem.is_target.sum())
    assume(targets > 0)
    value = salient_uniformity(problem.s, problem.is_target, tau, form="paper").item()
    assert -math.log(targets) - 1e-12 <= value <= math.log(2) + 1e-12


@given(problems(), bandwidths)
def test_released_form_lies_between_its_floor_and_zero(problem: Problem, tau: float) -> None:
    n, background = len(problem.s), int((~problem.is_target).sum())
    assume(background > 1)
    value = salient_uniformity(problem.s, problem.is_target, tau).item()
    assert math.log(background * (background - 1) / (n * (n - 1))) - 1e-12 <= value <= 1e-12


@both_forms
@given(problem=problems(reach=10))
def test_codes_of_background_do_not_matter(problem: Problem, form: str) -> None:
    moved = torch.where(problem.is_target[:, None], problem.s, problem.s_view)
    value = salient_uniformity(problem.s, problem.is_target, form=form)
    assert torch.equal(salient_uniformity(moved, problem.is_target, form=form), value)


@both_forms
@given(problem=problems())
def test_background_gets_no_gradient(problem: Problem, form: str) -> None:
    s = problem.s.clone().requires_grad_()
    salient_uniformity(s, problem.is_target, form=form).backward()
    assert s.grad is not None
    assert not s.grad[~problem.is_target].any()


@both_forms
def test_every_target_gets_a_gradient(form: str) -> None:
    problem = random_problem()
    s = problem.s.clone().requires_grad_()
    salient_uniformity(s, problem.is_target, form=form).backward()
    assert s.grad is not None
    assert (s.grad[problem.is_target].norm(dim=1) > 1e-3).all()


@both_forms
def test_a_small_target_code_is_pushed_away_from_the_information_less_vector(form: str) -> None:
    s = torch.tensor([[0.1, 0.0], [5.0, 5.0]], requires_grad=True)
    salient_uniformity(s, torch.tensor([True, False]), form=form).backward()
    assert s.grad is not None
    assert s.grad[0, 0] < 0


@both_forms
@given(problem=problems(reach=10), seed=seeds)
def test_order_of_samples_does_not_matter(problem: Problem, seed: int, form: str) -> None:
    order = permutation(len(problem.s), seed)
    expected = salient_uniformity(problem.s, problem.is_target, form=form).item()
    value = salient_uniformity(problem.s[order], problem.is_target[order], form=form).item()
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)


@both_forms
@given(problem=problems(reach=10), seed=seeds)
def test_a_rotation_does_not_matter(problem: Problem, seed: int, form: str) -> None:
    moved = problem.s @ rotation(problem.s.shape[1], seed)
    expected = salient_uniformity(problem.s, problem.is_target, form=form).item()
    assert salient_uniformity(moved, problem.is_target, form=form).item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@both_forms
def test_a_translation_matters_because_the_information_less_vector_stays(form: str) -> None:
    problem = random_problem()
    near = salient_uniformity(problem.s, problem.is_target, form=form).item()
    far = salient_uniformity(problem.s + 100, problem.is_target, form=form).item()
    assert far < near - 1e-3


@both_forms
@given(problem=problems(), dtype=precisions)
def test_is_finite_for_any_codes(problem: Problem, dtype: torch.dtype, form: str) -> None:
    assert_finite(lambda s: salient_uniformity(s, problem.is_target, form=form), problem.s.to(dtype))


@both_forms
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("edge", EDGES)
def test_is_finite_at_the_edges(edge: str, dtype: torch.dtype, form: str) -> None:
    problem = EDGES[edge]
    assert_finite(lambda s: salient_uniformity(s, problem.is_target, form=form), problem.s.to(dtype))


@both_forms
@given(problem=problems(reach=3))
def test_bfloat16_codes_give_the_float32_value(problem: Problem, form: str) -> None:
    assert_half_precision_inputs_lose_nothing(lambda s: salient_uniformity(s, problem.is_target, form=form), problem.s)


@both_forms
@given(problem=problems(reach=3))
def test_autocast_changes_nothing(problem: Problem, form: str) -> None:
    assert_autocast_changes_nothing(lambda s: salient_uniformity(s, problem.is_target, form=form), problem.s)


@both_forms
@pytest.mark.parametrize("edge", ["all codes zero", "no target", "no background", "two equal, one of each group"])
def test_gradients_at_the_edges_are_those_of_finite_differences(edge: str, form: str) -> None:
    problem = EDGES[edge]
    assert_gradients_are_right(lambda s: salient_uniformity(s, problem.is_target, form=form), problem.s)


@both_forms
def test_gradients_through_the_mask_are_those_of_finite_differences(form: str) -> None:
    problem = random_problem()
    assert_gradients_are_right(lambda s: salient_uniformity(s, problem.is_target, form=form), problem.s)

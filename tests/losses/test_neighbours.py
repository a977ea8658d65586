"""Conditional uniformity: the formula as a loop, closed forms, properties, finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sepclr.losses import conditional_uniformity
from sepclr.losses import kernel as kernel_module
from sepclr.types import InputError

from .problems import (
    EDGES,
    Problem,
    assert_autocast_changes_nothing,
    assert_finite,
    assert_gradients_are_right,
    assert_half_precision_inputs_lose_nothing,
    bandwidths,
    kernel,
    permutation,
    problems,
    random_problem,
    rotation,
    seeds,
    shift,
    squared_distance,
)

numbers = st.integers(1, 9)


def loop(z: Tensor, given: Tensor | None, tau: float, neighbours: int, from_zero: bool) -> float:
    """1/N Σ_i log Σ_{j≠i} w_ij k_τ(z_i, z_j), w_ij ∝ exp(−‖g_i − g_j‖²/‖g_i − g_(k)‖²)."""
    rows, n, total = z.tolist(), len(z), 0.0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        weights = [1.0] * len(others)
        if given is not None:
            distances = [squared_distance(given[i].tolist(), given[j].tolist()) for j in others]
            width = sorted(distances)[min(neighbours, n - 1) - 1]
            weights = [math.exp(-distance / width) for distance in distances]
        spread = sum(w * kernel(rows[i], rows[j], tau) for w, j in zip(weights, others, strict=True)) / sum(weights)
        total += math.log((spread + kernel(rows[i], [0.0] * len(rows[i]), tau)) / 2 if from_zero else spread)
    return total / n


@pytest.mark.parametrize("from_zero", [False, True])
@pytest.mark.parametrize("neighbours", [1, 3, 50])
@pytest.mark.parametrize("tau", [0.3, 2.0])
def test_equals_the_formula_as_a_loop(tau: float, neighbours: int, from_zero: bool) -> None:
    problem = random_problem(9)
    for given_codes in (None, problem.s):
        value = conditional_uniformity(problem.c, given_codes, tau, neighbours=neighbours, from_zero=from_zero)
        assert value.item() == pytest.approx(loop(problem.c, given_codes, tau, neighbours, from_zero), rel=1e-12)


def distinct(problem: Problem) -> bool:
    """Whether no two samples are so near in s that rounding decides their weights."""
    return bool((torch.pdist(problem.s) > 1e-3).all())


@given(problem=problems(min_samples=2, reach=1.5).filter(distinct), tau=bandwidths.filter(lambda tau: tau > 0.2), neighbours=numbers)
def test_equals_the_loop_for_any_problem(problem: Problem, tau: float, neighbours: int) -> None:
    expected = loop(problem.c, problem.s, tau, neighbours, from_zero=False)
    assert conditional_uniformity(problem.c, problem.s, tau, neighbours=neighbours).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_defaults_are_a_bandwidth_of_one_half_and_eight_neighbours() -> None:
    problem = random_problem(20)
    assert conditional_uniformity(problem.c, problem.s).item() == pytest.approx(loop(problem.c, problem.s, 0.5, 8, from_zero=False))


def test_of_two_samples_the_other_code_says_nothing() -> None:
    z, g = torch.tensor([[0.0], [3.0]], dtype=torch.float64), torch.tensor([[0.0], [7.0]], dtype=torch.float64)
    assert conditional_uniformity(z, g, 0.5).item() == pytest.approx(-9.0)


def test_samples_far_apart_in_the_other_code_are_no_negatives() -> None:
    """Two pairs: within each, z differs by 1; across, z is equal, which costs nothing."""
    z = torch.tensor([[0.0], [1.0], [0.0], [1.0]], dtype=torch.float64)
    g = torch.tensor([[0.0], [0.1], [1e3], [1e3 + 0.1]], dtype=torch.float64)
    assert conditional_uniformity(z, g, 0.5, neighbours=1).item() == pytest.approx(-1.0)


def test_where_all_agree_in_the_other_code_all_are_negatives() -> None:
    problem = random_problem(7)
    same = torch.ones(7, 2, dtype=torch.float64)
    assert conditional_uniformity(problem.c, same).item() == pytest.approx(conditional_uniformity(problem.c).item())


def test_of_samples_as_many_as_neighbours_that_are_equal_only_these_are_negatives() -> None:
    z = torch.tensor([[0.0], [1.0], [2.0], [9.0]], dtype=torch.float64)
    g = torch.tensor([[0.0], [0.0], [0.0], [5.0]], dtype=torch.float64)
    within = [math.log((math.exp(-1) + math.exp(-4)) / 2), -1.0, math.log((math.exp(-4) + math.exp(-1)) / 2)]
    lone = math.log(sum(math.exp(-((9 - x) ** 2)) for x in (0, 1, 2)) / 3)
    assert conditional_uniformity(z, g, 0.5, neighbours=2).item() == pytest.approx((sum(within) + lone) / 4)


def test_orthogonal_unit_vectors_are_all_at_squared_distance_two_and_at_one_from_0() -> None:
    z = torch.eye(5, dtype=torch.float64)
    assert conditional_uniformity(z).item() == pytest.approx(-2.0)
    assert conditional_uniformity(z, from_zero=True).item() == pytest.approx(math.log((math.exp(-2) + math.exp(-1)) / 2))


@given(problem=problems(), tau=bandwidths, neighbours=numbers, from_zero=st.booleans())
def test_is_at_most_0(problem: Problem, tau: float, neighbours: int, from_zero: bool) -> None:
    assert conditional_uniformity(problem.c, problem.s, tau, neighbours=neighbours, from_zero=from_zero).item() <= 1e-9


@given(problem=problems(min_samples=2, reach=3).filter(distinct), tau=bandwidths, neighbours=numbers, seed=seeds)
def test_isometries_of_either_code_and_scales_of_the_other_change_nothing(problem: Problem, tau: float, neighbours: int, seed: int) -> None:
    d, e = problem.c.shape[1], problem.s.shape[1]
    moved = problem.c @ rotation(d, seed) + shift(d, seed), 3 * problem.s @ rotation(e, seed) - shift(e, seed)
    expected = conditional_uniformity(problem.c, problem.s, tau, neighbours=neighbours).item()
    assert conditional_uniformity(*moved, tau, neighbours=neighbours).item() == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(problem=problems(min_samples=2, reach=3), tau=bandwidths, neighbours=numbers, seed=seeds)
def test_order_of_samples_does_not_matter(problem: Problem, tau: float, neighbours: int, seed: int) -> None:
    order = permutation(len(problem.c), seed)
    value = conditional_uniformity(problem.c[order], problem.s[order], tau, neighbours=neighbours).item()
    assert value == pytest.approx(conditional_uniformity(problem.c, problem.s, tau, neighbours=neighbours).item(), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("from_zero", [False, True])
def test_blocks_give_what_one_block_gives(from_zero: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = random_problem(23)

    def found() -> tuple[Tensor, Tensor]:
        z = problem.c.clone().requires_grad_()
        value = conditional_uniformity(z, problem.s, from_zero=from_zero)
        return value.detach(), torch.autograd.grad(value, z)[0]

    whole = found()
    monkeypatch.setattr(kernel_module, "PAIRS", 4 * 23)
    torch.testing.assert_close(found(), whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("from_zero", [False, True])
@pytest.mark.parametrize("conditional", [False, True])
def test_gradients_are_those_of_finite_differences(conditional: bool, from_zero: bool) -> None:
    problem = random_problem(7)
    other = problem.s if conditional else None
    assert_gradients_are_right(lambda z: conditional_uniformity(z, other, neighbours=3, from_zero=from_zero), problem.c)


def test_its_gradient_reaches_every_code_and_not_the_other() -> None:
    problem = random_problem(9)
    z, g = problem.c.clone().requires_grad_(), problem.s.clone().requires_grad_()
    conditional_uniformity(z, g).backward()
    assert (z.grad.abs().amax(1) > 0).all()
    assert g.grad is None


@pytest.mark.parametrize("problem", EDGES.values(), ids=EDGES.keys())
@pytest.mark.parametrize("from_zero", [False, True])
def test_edges_are_finite(problem: Problem, from_zero: bool) -> None:
    assert_finite(lambda z: conditional_uniformity(z, problem.s, from_zero=from_zero), problem.c)
    assert_finite(lambda z: conditional_uniformity(z, from_zero=from_zero), problem.c)
    assert_finite(lambda z: conditional_uniformity(z, problem.s.float(), from_zero=from_zero), problem.c.float())


@pytest.mark.parametrize("n", [0, 1])
def test_without_a_pair_it_is_0(n: int) -> None:
    z = torch.ones(n, 2, requires_grad=True)
    value = conditional_uniformity(z, torch.ones(n, 3))
    value.backward()
    assert value.item() == 0
    assert not z.grad.any()


def test_half_precision_loses_nothing_and_autocast_changes_nothing() -> None:
    problem = random_problem(9)
    assert_half_precision_inputs_lose_nothing(conditional_uniformity, problem.c, problem.s)
    assert_autocast_changes_nothing(lambda z: conditional_uniformity(z, problem.s.float()), problem.c)


@pytest.mark.parametrize(("options", "name"), [({"tau": 0.0}, "tau"), ({"neighbours": 0}, "neighbours")])
def test_options_outside_their_ranges_are_errors(options: dict[str, float], name: str) -> None:
    with pytest.raises(InputError, match=name):
        conditional_uniformity(torch.ones(3, 2), **options)  # type: ignore[arg-type]

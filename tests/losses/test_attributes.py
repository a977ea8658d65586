"""Alignment by a known attribute four ways: formula as a loop, closed forms, properties, finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from torch import Tensor

from sepclr.losses import class_alignment, quantity_alignment
from sepclr.losses import kernel as kernels
from sepclr.types import InputError

from .problems import (
    DTYPES,
    EDGES,
    Problem,
    Term,
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
    seeds,
    value_and_gradients,
)

CLASSES = torch.tensor([2, 0, 2, -1, 0, 2])


def by_class(s: Tensor, attribute: Tensor) -> Tensor:
    """Class alignment where the classes are the quantities, rounded down."""
    return class_alignment(s, attribute.floor())


both_terms = pytest.mark.parametrize("term", [quantity_alignment, by_class], ids=["quantity", "class"])


def first_dimensions(problem: Problem) -> tuple[Tensor, Tensor]:
    """One salient dimension and an attribute."""
    return problem.s[:, 0], problem.c[:, 0]


def quantity_loop(s: Tensor, attribute: Tensor, taus: list[float]) -> float:
    """Mean over p < q of exp(−(a_p−a_q)²/2τ) (s_p−s_q)², design §4; several bandwidths average their kernels."""
    a, n, total = attribute.tolist(), len(s), 0.0
    for q in range(n):
        for p in range(q):
            like = sum(kernel([a[p]], [a[q]], tau) for tau in taus) / len(taus)
            total += like * (s[p].item() - s[q].item()) ** 2
    return total / math.comb(n, 2)


def class_loop(s: Tensor, attribute: Tensor) -> float:
    """Mean over all p < q of 1[a_p = a_q] (s_p−s_q)²."""
    a, n, total = attribute.tolist(), len(s), 0.0
    for q in range(n):
        for p in range(q):
            total += (s[p].item() - s[q].item()) ** 2 if a[p] == a[q] else 0.0
    return total / math.comb(n, 2)


@pytest.mark.parametrize("tau", [0.3, 0.5, 2.0])
def test_quantity_alignment_equals_the_formula_as_a_loop(tau: float) -> None:
    s, attribute = first_dimensions(random_problem())
    assert quantity_alignment(s, attribute, tau).item() == pytest.approx(quantity_loop(s, attribute, [tau]), rel=1e-12)


def test_default_bandwidth_is_one_half() -> None:
    s, attribute = first_dimensions(random_problem())
    assert quantity_alignment(s, attribute).item() == pytest.approx(quantity_loop(s, attribute, [0.5]), rel=1e-12)


def test_several_bandwidths_average_their_kernels() -> None:
    s, attribute = first_dimensions(random_problem())
    taus = torch.tensor([0.3, 2.0], dtype=torch.float64)
    assert quantity_alignment(s, attribute, taus).item() == pytest.approx(quantity_loop(s, attribute, [0.3, 2.0]), rel=1e-12)


def test_the_median_heuristic_looks_at_the_attribute() -> None:
    s, attribute = torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64), torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64)
    expected = quantity_loop(s, 10 * attribute, [400 / 2])  # squared distances 100, 400, 900
    assert quantity_alignment(s, 10 * attribute, "median").item() == pytest.approx(expected, rel=1e-12)


@given(problem=problems(min_samples=2, reach=10), tau=bandwidths)
def test_quantity_alignment_equals_the_loop_for_any_problem(problem: Problem, tau: float) -> None:
    s, attribute = first_dimensions(problem)
    expected = quantity_loop(s, attribute, [tau])
    assert quantity_alignment(s, attribute, tau).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    "attribute", [CLASSES, CLASSES.to(torch.int16), CLASSES > 0, CLASSES / 4], ids=["int64", "int16", "bool", "float32"]
)
def test_class_alignment_equals_the_formula_as_a_loop(attribute: Tensor) -> None:
    s, _ = first_dimensions(random_problem())
    assert class_alignment(s, attribute).item() == pytest.approx(class_loop(s, attribute), rel=1e-12)


@given(problem=problems(min_samples=2, reach=4))
def test_class_alignment_equals_the_loop_for_any_problem(problem: Problem) -> None:
    s, attribute = first_dimensions(problem)
    expected = class_loop(s, attribute.floor())
    assert class_alignment(s, attribute.floor().long()).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_three_targets_of_which_two_are_alike() -> None:
    s, attribute = torch.tensor([0.0, 2.0, 9.0], dtype=torch.float64), torch.tensor([1.0, 1.0, 2.0], dtype=torch.float64)
    unlike = math.exp(-1)
    assert quantity_alignment(s, attribute).item() == pytest.approx((4 + unlike * 81 + unlike * 49) / 3)
    assert class_alignment(s, attribute).item() == pytest.approx(4 / 3)


@given(problem=problems(min_samples=2))
def test_where_all_are_alike_it_is_twice_the_variance(problem: Problem) -> None:
    s, attribute = problem.s[:, 0], torch.full((len(problem.s),), 3.0)
    expected = pytest.approx(2 * s.var().item(), rel=1e-9, abs=1e-9)
    assert quantity_alignment(s, attribute).item() == expected
    assert class_alignment(s, attribute).item() == expected


def test_where_all_are_very_different_it_is_zero() -> None:
    s, _ = first_dimensions(random_problem())
    assert quantity_alignment(s, 1e4 * torch.arange(6)).item() == 0.0
    assert class_alignment(s, torch.arange(6)).item() == 0.0


@given(problem=problems(min_samples=2, reach=10))
def test_classes_are_quantities_with_a_tiny_bandwidth(problem: Problem) -> None:
    s, attribute = first_dimensions(problem)
    expected = quantity_alignment(s, attribute.floor(), 1e-4).item()
    assert by_class(s, attribute).item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_what_a_class_is_called_does_not_matter() -> None:
    s, _ = first_dimensions(random_problem())
    renamed = torch.tensor([5, 100, 5, 7, 100, 5])
    assert torch.equal(class_alignment(s, renamed), class_alignment(s, CLASSES))


@given(problem=problems(), tau=bandwidths)
def test_is_at_least_zero(problem: Problem, tau: float) -> None:
    s, attribute = first_dimensions(problem)
    assert quantity_alignment(s, attribute, tau).item() >= 0
    assert by_class(s, attribute).item() >= 0


@both_terms
@given(problem=problems(reach=10), seed=seeds)
def test_order_of_samples_does_not_matter(term: Term, problem: Problem, seed: int) -> None:
    s, attribute = first_dimensions(problem)
    order = permutation(len(s), seed)
    assert term(s[order], attribute[order]).item() == pytest.approx(term(s, attribute).item(), rel=1e-9, abs=1e-12)


@both_terms
def test_which_salient_code_stands_beside_which_attribute_matters(term: Term) -> None:
    s, attribute = first_dimensions(random_problem())
    assert abs(term(s, attribute).item() - term(s.roll(1), attribute).item()) > 1e-2


@both_terms
@given(problem=problems(reach=10))
def test_a_shift_of_either_does_not_matter(term: Term, problem: Problem) -> None:
    s, attribute = first_dimensions(problem)
    expected = pytest.approx(term(s, attribute).item(), rel=1e-9, abs=1e-9)
    assert term(s + 3.25, attribute).item() == expected
    assert term(s, attribute.floor() + 7).item() == pytest.approx(term(s, attribute.floor()).item(), rel=1e-9, abs=1e-9)


@both_terms
@given(problem=problems(reach=10))
def test_it_is_in_squared_units_of_the_salient_code(term: Term, problem: Problem) -> None:
    s, attribute = first_dimensions(problem)
    assert term(-3 * s, attribute).item() == pytest.approx(9 * term(s, attribute).item(), rel=1e-9, abs=1e-12)


@given(problem=problems(reach=10), tau=bandwidths)
def test_the_bandwidth_is_in_squared_units_of_the_attribute(problem: Problem, tau: float) -> None:
    s, attribute = first_dimensions(problem)
    expected = quantity_alignment(s, attribute, tau).item()
    assert quantity_alignment(s, 4 * attribute, 16 * tau).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(problem=problems(reach=10), tau=bandwidths)
def test_a_wider_bandwidth_never_costs_less(problem: Problem, tau: float) -> None:
    s, attribute = first_dimensions(problem)
    assert quantity_alignment(s, attribute, tau).item() <= quantity_alignment(s, attribute, 2 * tau).item() + 1e-12


@pytest.mark.parametrize("tau", [0.0, -1.0, float("nan")])
def test_a_bandwidth_that_cannot_be_used_is_named(tau: float) -> None:
    with pytest.raises(InputError, match=f"tau: {tau}"):
        quantity_alignment(*first_dimensions(random_problem()), tau)


def test_the_attribute_gets_no_gradient() -> None:
    s, attribute = first_dimensions(random_problem())
    s.requires_grad_()
    attribute.requires_grad_()
    quantity_alignment(s, attribute).backward()
    assert attribute.grad is None
    assert s.grad is not None
    assert s.grad.abs().min() > 0


@pytest.mark.parametrize("pairs", [1, 25])
def test_block_by_block_it_is_the_same(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    s, attribute = first_dimensions(random_problem())
    value, gradients = value_and_gradients(lambda s: quantity_alignment(s, attribute), s)
    blocks: list[int] = []
    checkpoint = kernels.checkpoint
    monkeypatch.setattr(
        kernels, "checkpoint", lambda block, rows, *a, **k: (blocks.append(rows.start), checkpoint(block, rows, *a, **k))[1]
    )
    monkeypatch.setattr(kernels, "PAIRS", pairs)
    in_blocks, gradients_in_blocks = value_and_gradients(lambda s: quantity_alignment(s, attribute), s)
    assert blocks == list(range(0, 6, max(1, pairs // 6)))
    torch.testing.assert_close(in_blocks, value, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradients_in_blocks, gradients, rtol=1e-12, atol=1e-12)


@both_terms
@given(problem=problems(), dtype=precisions)
def test_is_finite_for_any_codes(term: Term, problem: Problem, dtype: torch.dtype) -> None:
    s, attribute = first_dimensions(problem)
    assert_finite(lambda s: term(s, attribute.to(dtype)), s.to(dtype))


@both_terms
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("edge", EDGES)
def test_is_finite_at_the_edges(term: Term, edge: str, dtype: torch.dtype) -> None:
    problem = EDGES[edge]
    s, attribute = first_dimensions(problem)
    assert_finite(lambda s: term(s[problem.is_target], attribute[problem.is_target].to(dtype)), s.to(dtype))


@both_terms
@pytest.mark.parametrize("n", [0, 1])
def test_without_a_pair_it_is_zero_with_zero_gradients(term: Term, n: int) -> None:
    s = torch.full((n,), 3e38)
    value, gradients = value_and_gradients(lambda s: term(s, torch.full((n,), 3e38)), s)
    assert value.item() == 0.0
    assert torch.equal(gradients[0], torch.zeros_like(s))


@both_terms
@given(problem=problems(reach=3))
def test_bfloat16_codes_give_the_float32_value(term: Term, problem: Problem) -> None:
    assert_half_precision_inputs_lose_nothing(term, *first_dimensions(problem))


@both_terms
@given(problem=problems(reach=3))
def test_autocast_changes_nothing(term: Term, problem: Problem) -> None:
    s, attribute = first_dimensions(problem)
    assert_autocast_changes_nothing(lambda s: term(s, attribute), s)


@both_terms
def test_gradients_are_those_of_finite_differences(term: Term) -> None:
    s, attribute = first_dimensions(random_problem())
    assert_gradients_are_right(lambda s: term(s, attribute), s)


@pytest.mark.parametrize("tau", [0.25, 0.7, "median"])
def test_whole_numbers_are_quantities_as_well(tau: float | str) -> None:
    s, ages = torch.tensor([0.0, 1.0, 3.0]), torch.tensor([50, 51, 53])
    assert quantity_alignment(s, ages, tau).item() == pytest.approx(quantity_alignment(s, ages.double(), tau).item(), rel=1e-6)

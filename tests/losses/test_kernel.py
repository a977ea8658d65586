"""What the terms share: widening and hiding."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from torch import Tensor

from sepclr.losses import (
    alignment,
    bandwidths,
    full_precision,
    hide_background,
    hsic,
    information_less,
    joint_entropy,
    kernel,
    kernel_entropies,
    kernel_mutual_information,
    mmd,
    salient_uniformity,
    uniformity,
    vclub,
    vl1out,
)
from sepclr.losses.kernel import MEDIAN_SAMPLES
from sepclr.types import InputError

from .problems import Problem, assert_finite, assert_gradients_are_right, problems, random_problem, value_and_gradients

PAIRWISE = {
    "uniformity": lambda c, s: uniformity(c),
    "uniformity with self": lambda c, s: uniformity(c, with_self=True),
    "salient uniformity, paper": lambda c, s: salient_uniformity(c, torch.arange(len(c)) % 2 == 1, form="paper"),
    "joint entropy": joint_entropy,
    "joint entropy without self": lambda c, s: joint_entropy(c, s, with_self=False),
    "k-mi": kernel_mutual_information,
    "hsic": hsic,
    "mmd": lambda c, s: mmd(torch.cat([c, s], 1), torch.arange(len(c)) % 2 == 1),
}
"""Terms that look at all pairs of samples."""


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


@pytest.mark.parametrize("rows", [1, 2, 4, 5])
@pytest.mark.parametrize("name", PAIRWISE)
def test_block_by_block_gives_the_same_values_and_gradients(name: str, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = random_problem(9)

    def term(c: Tensor, s: Tensor) -> Tensor:
        return PAIRWISE[name](c, s) + 0 * s.sum()

    expected = value_and_gradients(term, problem.c, problem.s)
    monkeypatch.setattr(kernel, "PAIRS", 9 * rows)
    torch.testing.assert_close(value_and_gradients(term, problem.c, problem.s), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PAIRWISE, "kernel entropies", "vclub", "vl1out"])
def test_twenty_thousand_samples_are_no_trouble(name: str) -> None:
    terms = PAIRWISE | {
        "kernel entropies": lambda c, s: sum(kernel_entropies(c, s).values()),
        "vclub": lambda c, s: vclub(c, c, s),
        "vl1out": lambda c, s: vl1out(c, c, s),
    }
    draw = torch.Generator().manual_seed(0)
    c, s = (torch.randn(20_000, 2, generator=draw) for _ in range(2))
    assert_finite(lambda c, s: terms[name](c, s) + 0 * (c.sum() + s.sum()), c, s)


def test_the_median_heuristic_takes_the_median_squared_distance() -> None:
    z = torch.tensor([[0.0], [1.0], [3.0]])  # squared distances 1, 4, 9
    assert bandwidths(z, "median").tolist() == [2.0]


def test_the_median_leaves_equal_codes_out_and_has_an_answer_for_equal_codes_alone() -> None:
    assert bandwidths(torch.tensor([[0.0]] * 8 + [[2.0]]), "median").tolist() == [2.0]
    assert bandwidths(torch.ones(4, 2), "median").tolist() == [0.5]
    assert bandwidths(torch.ones(0, 2), "median").tolist() == [0.5]


def test_the_median_of_many_samples_looks_at_some_of_them() -> None:
    z = torch.randn(5 * MEDIAN_SAMPLES + 1, 3, generator=torch.Generator().manual_seed(0))
    assert bandwidths(z, "median").item() == pytest.approx(2.37, rel=0.05)  # half the median of 2 χ²(3)


@pytest.mark.parametrize("tau", [0.0, -1.0, float("nan"), torch.tensor([0.5, 0.0]), torch.tensor([])], ids=str)
def test_a_bandwidth_that_is_not_positive_is_named(tau: float | Tensor) -> None:
    with pytest.raises(InputError, match="tau"):
        bandwidths(torch.ones(3, 1), tau)


def test_several_bandwidths_average_the_kernels() -> None:
    """Of two samples, the uniformity without self is the log of one kernel."""
    z = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    taus = torch.tensor([0.5, 2.0])
    mean_kernel = (math.exp(-1 / 1) + math.exp(-1 / 4)) / 2
    assert uniformity(z, taus).item() == pytest.approx(math.log(mean_kernel))
    assert joint_entropy(z, z, taus, with_self=False).item() == pytest.approx(2 * math.log(mean_kernel))
    assert alignment(z[:1], z[1:], taus).item() == pytest.approx(-math.log(mean_kernel))
    assert information_less(z[1:], torch.tensor([False]), taus).item() == pytest.approx(-math.log(mean_kernel))

"""The entropies of the objective: formula as a loop, closed form, properties, finite differences, and whom their gradients reach."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sepclr.losses import bandwidths, infomax_entropies, step_bandwidths
from sepclr.losses.infomax import Form
from sepclr.types import InputError

from .problems import EDGES, Problem, assert_finite, kernel, permutation, problems, random_problem, seeds

TAUS = (0.4, 0.9)
both_forms = pytest.mark.parametrize("form", ["released", "published"])


def views(problem: Problem) -> tuple[list[Tensor], list[Tensor]]:
    return [problem.c, problem.c_view], [problem.s, problem.s_view]


def loop(problem: Problem, form: Form) -> list[float]:
    """The three terms of both views, pair by pair, as the paper prints them or as the authors released them."""
    target = problem.is_target.tolist()
    n, found = len(target), [0.0, 0.0, 0.0]
    for c, s in zip(*views(problem), strict=True):
        of_c, of_s = c.tolist(), [row if t else [0.0] * s.shape[1] for row, t in zip(s.tolist(), target, strict=True)]
        k_c = [[kernel(a, b, TAUS[0]) for b in of_c] for a in of_c]
        k_s = [[kernel(a, b, TAUS[1]) for b in of_s] for a in of_s]
        if form == "released":
            for place, k in enumerate((k_c, k_s)):
                others = [k[i][j] for i in range(n) for j in range(n) if i != j]
                found[place] += 2 * math.log(sum(others) / len(others))
        else:
            found[0] += math.log(sum(map(sum, k_c)) / n**2)
            zero, targets = [0.0] * s.shape[1], [row for row, t in zip(s.tolist(), target, strict=True) if t]
            rows = [kernel(a, zero, TAUS[1] / 2) + sum(kernel(a, b, TAUS[1]) for b in targets) / len(targets) for a in targets]
            found[1] += math.log(sum(rows) / len(targets))
        found[2] += sum(math.log(sum(k_c[i][j] * k_s[i][j] for j in range(n)) / n) for i in range(n)) / n
    return [value / 2 for value in found]


@both_forms
def test_they_equal_the_formulas_as_loops(form: Form) -> None:
    problem = random_problem(7)
    values = [value.item() for value in infomax_entropies(*views(problem), problem.is_target, TAUS, form)]
    assert values == pytest.approx(loop(problem, form), rel=1e-5)


def test_of_two_targets_a_distance_apart() -> None:
    z, both = torch.tensor([[0.0], [1.0]]), torch.tensor([True, True])
    common, salient, joint = (value.item() for value in infomax_entropies([z], [z], both))
    assert (common, salient) == (pytest.approx(-2.0), pytest.approx(-2.0))
    assert joint == pytest.approx(math.log((1 + math.exp(-2)) / 2))


@both_forms
@given(problem=problems(min_samples=2, reach=3), seed=seeds)
def test_neither_order_nor_the_salient_code_of_background_matters(form: Form, problem: Problem, seed: int) -> None:
    order = permutation(len(problem.c), seed)
    moved = [torch.where(problem.is_target[:, None], view, view + 5)[order] for view in views(problem)[1]]
    expected = infomax_entropies(*views(problem), problem.is_target, TAUS, form)
    found = infomax_entropies([view[order] for view in views(problem)[0]], moved, problem.is_target[order], TAUS, form)
    torch.testing.assert_close(torch.stack(found), torch.stack(expected), rtol=1e-5, atol=1e-5)


@both_forms
@pytest.mark.parametrize("edge", EDGES)
def test_they_are_finite_at_the_edges(form: Form, edge: str) -> None:
    problem = EDGES[edge]
    assert_finite(lambda c, s: sum(infomax_entropies([c], [s], problem.is_target, TAUS, form)), problem.c.float(), problem.s.float())


@both_forms
def test_gradients_are_those_of_finite_differences_and_reach_every_code(form: Form) -> None:
    problem = random_problem()
    inputs = [z.clone().requires_grad_() for z in (problem.c, problem.c_view, problem.s, problem.s_view)]

    def total(*z: Tensor) -> Tensor:
        return torch.stack(infomax_entropies(z[:2], z[2:], problem.is_target, TAUS, form)).sum()

    assert torch.autograd.gradcheck(total, inputs, rtol=1e-4, atol=1e-6)
    for z, gradient in zip(inputs, torch.autograd.grad(total(*inputs), inputs), strict=True):
        reached = problem.is_target if z.shape == problem.s.shape else torch.ones_like(problem.is_target)
        assert gradient[reached].abs().sum(1).min() > 1e-4
        assert not gradient[~reached].any()


@given(problem=problems(min_samples=2), medians=st.tuples(st.booleans(), st.booleans()))
def test_a_step_has_one_width_for_each_space_and_s_has_that_of_targets(problem: Problem, medians: tuple[bool, bool]) -> None:
    tau = tuple("median" if median else 0.7 for median in medians)
    c, s = views(problem)
    whole = torch.cat(c), torch.cat([view[problem.is_target] for view in s])
    for median, found, z in zip(medians, step_bandwidths(c, s, problem.is_target, tau), whole, strict=True):
        assert torch.equal(found, bandwidths(z, "median")) if median else found == 0.7


def test_a_width_that_is_none_is_named() -> None:
    problem = random_problem()
    with pytest.raises(InputError, match="tau"):
        infomax_entropies(*views(problem), problem.is_target, (0.0, 0.5))

"""The released objective as a whole: the authors' numbers, a loop in NumPy, and the same total from the method."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from torch import Tensor, nn

from sepclr.losses import released_total
from sepclr.methods import SepCLR, SepCLRWeights
from sepclr.types import Batch

from .problems import (
    DTYPES,
    EDGES,
    Problem,
    assert_autocast_changes_nothing,
    assert_finite,
    assert_gradients_are_right,
    permutation,
    problems,
    random_problem,
    seeds,
    value_and_gradients,
)

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"
TERMS = (
    "common_alignment",
    "common_uniformity",
    "salient_alignment",
    "salient_uniformity",
    "information_less",
    "joint_entropy",
)
CODES = ("c1", "c2", "s1", "s2")


def heads(problem: Problem) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return problem.c, problem.c_view, problem.s, problem.s_view


@pytest.fixture(scope="module")
def reference() -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    for name in ("released_losses.json", "released_losses.npz"):
        if not (REFERENCE / name).is_file():
            pytest.skip(f"{name} is not in shared/reference beside the repository: the released numbers stay unchecked")
    values = json.loads((REFERENCE / "released_losses.json").read_text())
    with np.load(REFERENCE / "released_losses.npz") as arrays:
        return values, dict(arrays)


@pytest.mark.parametrize("case", ["case0", "case1"])
def test_terms_and_total_are_the_released_ones(case: str, reference: tuple[dict[str, Any], dict[str, Any]]) -> None:
    values, arrays = reference
    codes = [torch.from_numpy(arrays[f"{case}_{name}"]) for name in CODES]
    ours = released_total(*codes, torch.from_numpy(arrays[f"{case}_is_target"]))
    assert set(ours) == set(values[case]) == {*TERMS, "total"}
    for name, value in values[case].items():
        assert ours[name].item() == pytest.approx(value, rel=0, abs=1e-9), name


@pytest.mark.parametrize("case", ["case0", "case1"])
def test_gradients_are_the_released_ones(case: str, reference: tuple[dict[str, Any], dict[str, Any]]) -> None:
    _, arrays = reference
    is_target = torch.from_numpy(arrays[f"{case}_is_target"])
    codes = [torch.from_numpy(arrays[f"{case}_{name}"]) for name in CODES]
    _, gradients = value_and_gradients(lambda *z: released_total(*z, is_target)["total"], *codes)
    for name, gradient in zip(CODES, gradients, strict=True):
        np.testing.assert_allclose(gradient.numpy(), arrays[f"{case}_grad_{name}"], rtol=0, atol=1e-9, err_msg=name)


def numpy_loop(problem: Problem, tau: float) -> dict[str, float]:
    """Every term, design §4 'released form', sample by sample and pair by pair."""
    c1, c2 = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (problem.c.numpy(), problem.c_view.numpy()))
    s1, s2 = problem.s.numpy(), problem.s_view.numpy()
    target = problem.is_target.numpy()
    n = len(target)

    def k(a: Any, b: Any) -> float:
        return float(np.exp(-np.sum((a - b) ** 2) / (2 * tau)))

    def align(a: Any, b: Any, keep: Any) -> float:
        return float(np.mean([np.sum((a[i] - b[i]) ** 2) / (2 * tau) for i in range(n) if keep[i]]))

    def uniform(z: Any) -> float:
        return float(np.log(np.mean([k(z[i], z[j]) for i in range(n) for j in range(i + 1, n)])))

    def joint(c: Any, s: Any) -> float:
        return float(np.mean([np.log(np.mean([k(c[i], c[j]) * k(s[i], s[j]) for j in range(n)])) for i in range(n)]))

    hidden1, hidden2 = (np.array([s[i] if target[i] else 0 * s[i] for i in range(n)]) for s in (s1, s2))
    return {
        "common_alignment": align(c1, c2, [True] * n),
        "common_uniformity": (uniform(c1) + uniform(c2)) / 2,
        "salient_alignment": align(s1, s2, target),
        "salient_uniformity": (uniform(hidden1) + uniform(hidden2)) / 2,
        "information_less": (align(s1, 0 * s1, ~target) + align(s2, 0 * s2, ~target)) / 2,
        "joint_entropy": (joint(c1, hidden1) + joint(c2, hidden2)) / 2,
    }


@pytest.mark.parametrize("tau", [0.5, 1.3])
@pytest.mark.parametrize("seed", range(3))
def test_terms_equal_a_loop_in_numpy(seed: int, tau: float) -> None:
    problem = random_problem(n=9, seed=seed)
    ours = released_total(*heads(problem), problem.is_target, tau=tau)
    for name, value in numpy_loop(problem, tau).items():
        assert ours[name].item() == pytest.approx(value, rel=1e-12), name


def weighted_sum(terms: dict[str, Any], salient: float, beta: float, independence: float) -> float:
    """The released total, design §4."""
    common = terms["common_alignment"] + 2 * terms["common_uniformity"]
    distinct = terms["salient_alignment"] + 2 * terms["salient_uniformity"]
    return float(common + salient * distinct + beta * terms["information_less"] + independence * terms["joint_entropy"])


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (2.0, 30.0, 400.0), (1000.0, 1000.0, 10.0)], ids=str)
def test_total_is_the_weighted_sum_of_the_loop(weights: tuple[float, float, float]) -> None:
    problem = random_problem(n=9)
    salient, beta, independence = weights
    ours = released_total(*heads(problem), problem.is_target, lambda_salient=salient, beta=beta, lambda_independence=independence)
    assert ours["total"].item() == pytest.approx(weighted_sum(numpy_loop(problem, 0.5), *weights), rel=1e-10)


def test_default_weights_are_those_of_digits_on_cifar() -> None:
    problem = random_problem(n=9)
    ours = released_total(*heads(problem), problem.is_target)
    assert ours["total"].item() == pytest.approx(weighted_sum(numpy_loop(problem, 0.5), 1000, 1000, 10), rel=1e-10)


def test_length_of_common_heads_does_not_matter_and_length_of_salient_heads_does() -> None:
    problem = random_problem()
    expected = released_total(*heads(problem), problem.is_target)
    longer = released_total(3 * problem.c, 0.2 * problem.c_view, problem.s, problem.s_view, problem.is_target)
    for name in TERMS:
        assert longer[name].item() == pytest.approx(expected[name].item(), rel=1e-12), name
    salient = released_total(problem.c, problem.c_view, 3 * problem.s, 3 * problem.s_view, problem.is_target)
    for name in TERMS[2:]:
        assert salient[name].item() != pytest.approx(expected[name].item(), rel=1e-3), name


def test_views_may_change_places() -> None:
    problem = random_problem()
    expected = released_total(*heads(problem), problem.is_target)
    swapped = released_total(problem.c_view, problem.c, problem.s_view, problem.s, problem.is_target)
    for name, value in expected.items():
        assert swapped[name].item() == pytest.approx(value.item(), rel=1e-12), name


@given(problems(reach=3), seeds)
def test_order_of_samples_does_not_matter(problem: Problem, seed: int) -> None:
    order = permutation(len(problem.c), seed)
    expected = released_total(*heads(problem), problem.is_target)
    moved = released_total(*[z[order] for z in heads(problem)], problem.is_target[order])
    for name, value in expected.items():
        assert moved[name].item() == pytest.approx(value.item(), rel=1e-9, abs=1e-9), name


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("edge", EDGES)
def test_every_term_is_finite_at_the_edges(edge: str, dtype: torch.dtype) -> None:
    problem = EDGES[edge]
    codes = [z.to(dtype) for z in heads(problem)]
    for value in released_total(*codes, problem.is_target).values():
        assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        assert value.isfinite()
    assert_finite(lambda *z: released_total(*z, problem.is_target)["total"], *codes)


def test_autocast_changes_nothing() -> None:
    problem = random_problem()
    assert_autocast_changes_nothing(lambda *z: released_total(*z, problem.is_target)["total"], *heads(problem))


def test_gradients_are_those_of_finite_differences() -> None:
    problem = random_problem()
    assert_gradients_are_right(lambda *z: tuple(released_total(*z, problem.is_target).values()), *heads(problem))


class Columns(nn.Module):
    """An encoder that reads some columns of a row."""

    def __init__(self, start: int, stop: int) -> None:
        super().__init__()
        self.start, self.stop = start, stop

    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.start : self.stop]


def method_total(method: SepCLR, is_target: Tensor, c1: Tensor, c2: Tensor, s1: Tensor, s2: Tensor) -> Tensor:
    """What training minimises: weights times terms, by name, on rows that hold c and s side by side."""
    one, two = Batch(torch.cat([c1, s1], 1), is_target), Batch(torch.cat([c2, s2], 1), is_target)
    terms = method.terms(method.outputs(one, two), is_target)
    weights = asdict(method.weights)
    assert set(terms) == set(weights)
    return torch.stack([weights[name] * terms[name] for name in terms]).sum()


def columns_method(d_c: int, d_s: int, **options: Any) -> SepCLR:
    return SepCLR(Columns(0, d_c), Columns(d_c, d_c + d_s), nn.Identity(), nn.Identity(), (d_c, d_s), **options)


@pytest.mark.parametrize("tau", [0.5, 1.3])
def test_sepclr_with_its_default_weights_minimises_the_released_total(tau: float) -> None:
    problem = random_problem(n=9)
    method = columns_method(3, 2, tau=tau)
    ours = value_and_gradients(lambda *z: method_total(method, problem.is_target, *z), *heads(problem))
    expected = value_and_gradients(lambda *z: released_total(*z, problem.is_target, tau=tau)["total"], *heads(problem))
    torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-10)


def test_sepclr_with_other_weights_minimises_the_released_total_with_the_same() -> None:
    problem = random_problem(n=9)
    method = columns_method(3, 2, weights=SepCLRWeights(common=1.0, salient=2.0, information_less=30.0, independence=400.0))
    ours = value_and_gradients(lambda *z: method_total(method, problem.is_target, *z), *heads(problem))
    expected = value_and_gradients(
        lambda *z: released_total(*z, problem.is_target, lambda_salient=2.0, beta=30.0, lambda_independence=400.0)["total"],
        *heads(problem),
    )
    torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-10)


def test_sepclr_without_independence_minimises_the_released_total_without_its_last_term() -> None:
    problem = random_problem(n=9)
    method = columns_method(3, 2, independence="none")
    ours = value_and_gradients(lambda *z: method_total(method, problem.is_target, *z), *heads(problem))
    expected = value_and_gradients(lambda *z: released_total(*z, problem.is_target, lambda_independence=0.0)["total"], *heads(problem))
    torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-10)

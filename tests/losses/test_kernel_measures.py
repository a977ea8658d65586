"""k-MI and HSIC four ways: formula as a loop, closed forms, properties, finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from torch import Tensor

from sepclr.losses import Bandwidth, hide_background, hsic, joint_entropy, kernel_mutual_information
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
    rotation,
    seeds,
    shift,
    squared_distance,
    value_and_gradients,
)

Matrix = list[list[float]]


every_measure = pytest.mark.parametrize("measure", [kernel_mutual_information, hsic], ids=["k-mi", "hsic"])
several_bandwidths = pytest.mark.parametrize(
    "tau", [0.3, 0.5, 2.0, torch.tensor([0.3, 2.0], dtype=torch.float64), "median"], ids=["0.3", "0.5", "2.0", "two", "median"]
)


def gram(a: Tensor, b: Tensor, taus: list[float]) -> Matrix:
    """1/K Σ_k k_τk(a_i, b_j), design §3."""
    return [[sum(kernel(x, y, tau) for tau in taus) / len(taus) for y in b.tolist()] for x in a.tolist()]


def resolved(z: Tensor, tau: Bandwidth) -> list[float]:
    """The bandwidths that are meant; the median heuristic takes 2τ to be the median squared distance of different codes."""
    if isinstance(tau, Tensor):
        return tau.tolist()
    if tau != "median":
        return [float(tau)]
    rows = z.tolist()
    squared = sorted(squared_distance(rows[i], rows[j]) for i in range(len(rows)) for j in range(i) if rows[i] != rows[j])
    return [squared[(len(squared) - 1) // 2] / 2 if squared else 0.5]


def entropy(k: Matrix) -> float:
    """Ĥ = −1/N Σ_i log 1/N Σ_j k_ij, design §4."""
    return -sum(math.log(sum(row) / len(k)) for row in k) / len(k)


def product(one: Matrix, two: Matrix) -> Matrix:
    return [[x * y for x, y in zip(row, other, strict=True)] for row, other in zip(one, two, strict=True)]


def k_mi_loop(c: Tensor, s: Tensor, tau: Bandwidth) -> float:
    """−Ĥ(c,s) + Ĥ(c) + Ĥ(s), design §4."""
    of_c, of_s = gram(c, c, resolved(c, tau)), gram(s, s, resolved(s, tau))
    return -entropy(product(of_c, of_s)) + entropy(of_c) + entropy(of_s)


def hsic_loop(c: Tensor, s: Tensor, tau: Bandwidth) -> float:
    """MMD² between the pairs (c_i, s_i) and all pairs (c_i, s_j), one sample after the other."""
    of_c, of_s = gram(c, c, resolved(c, tau)), gram(s, s, resolved(s, tau))
    n, total = len(of_c), 0.0
    for i in range(n):
        for j in range(n):
            total += of_c[i][j] * of_s[i][j] / n**2
            for k in range(n):
                total -= 2 * of_c[i][j] * of_s[i][k] / n**3
                for m in range(n):
                    total += of_c[i][j] * of_s[k][m] / n**4
    return total


LOOPS = {kernel_mutual_information: k_mi_loop, hsic: hsic_loop}


@every_measure
@several_bandwidths
def test_equals_the_formula_as_a_loop(measure: Term, tau: Bandwidth) -> None:
    problem = random_problem()
    assert measure(problem.c, problem.s, tau).item() == pytest.approx(LOOPS[measure](problem.c, problem.s, tau), rel=1e-10)


@every_measure
def test_each_space_may_have_a_bandwidth_of_its_own(measure: Term) -> None:
    problem = random_problem()
    scaled = measure(problem.c, 3 * problem.s, (0.4, 9 * 0.7)).item()
    assert scaled == pytest.approx(measure(problem.c, problem.s, (0.4, 0.7)).item(), rel=1e-10)
    assert scaled != pytest.approx(measure(problem.c, problem.s, 0.4).item(), rel=1e-3)


@every_measure
def test_default_bandwidth_is_one_half(measure: Term) -> None:
    problem = random_problem()
    assert measure(problem.c, problem.s).item() == pytest.approx(LOOPS[measure](problem.c, problem.s, 0.5), rel=1e-10)


@every_measure
@given(problem=problems(min_samples=2, max_samples=5, reach=1.5), tau=bandwidths.filter(lambda tau: tau > 0.2))
def test_equals_the_loop_for_any_problem(measure: Term, problem: Problem, tau: float) -> None:
    expected = LOOPS[measure](problem.c, problem.s, tau)
    assert measure(problem.c, problem.s, tau).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_two_points_at_distances_one_and_two() -> None:
    c, s = torch.tensor([[0.0], [1.0]], dtype=torch.float64), torch.tensor([[0.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    of_c, of_s = math.exp(-1), math.exp(-4)
    assert kernel_mutual_information(c, s).item() == pytest.approx(math.log(2 * (1 + of_c * of_s) / ((1 + of_c) * (1 + of_s))))
    assert hsic(c, s).item() == pytest.approx((1 - of_c) * (1 - of_s) / 4)


@pytest.mark.parametrize("n", [2, 5, 9])
def test_codes_that_tell_each_other_perfectly(n: int) -> None:
    z = 1e4 * torch.arange(n, dtype=torch.float64)[:, None]
    assert kernel_mutual_information(z, z).item() == pytest.approx(math.log(n))
    assert hsic(z, z).item() == pytest.approx((n - 1) / n**2)


@every_measure
@given(problem=problems(min_samples=2))
def test_a_constant_code_tells_nothing(measure: Term, problem: Problem) -> None:
    assert measure(problem.c, torch.full_like(problem.s, 3.0)).item() == pytest.approx(0.0, abs=1e-12)


@every_measure
@several_bandwidths
def test_all_combinations_once_are_independent(measure: Term, tau: Bandwidth) -> None:
    grid = torch.tensor([0.0, 1.0, 2.5, 3.0], dtype=torch.float64)
    c, s = grid.repeat_interleave(4)[:, None], grid.repeat(4)[:, None]
    assert measure(c, s, tau).item() == pytest.approx(0.0, abs=1e-12)
    assert measure(c, c, tau).item() > 0.02


@given(problem=problems(min_samples=2), tau=bandwidths)
def test_hsic_is_the_trace_of_centred_gram_matrices(problem: Problem, tau: float) -> None:
    n = len(problem.c)
    of_c, of_s = (torch.tensor(gram(z, z, [tau]), dtype=torch.float64) for z in (problem.c, problem.s))
    h = torch.eye(n, dtype=torch.float64) - 1 / n
    assert hsic(problem.c, problem.s, tau).item() == pytest.approx((of_c @ h @ of_s @ h).trace().item() / n**2, abs=1e-12)


@given(problem=problems(), tau=bandwidths)
def test_a_squared_distance_is_at_least_zero(problem: Problem, tau: float) -> None:
    assert hsic(problem.c, problem.s, tau).item() >= -1e-12


@given(problem=problems(), tau=bandwidths)
def test_k_mi_is_at_most_either_entropy_and_that_at_most_log_n(problem: Problem, tau: float) -> None:
    """−Ĥ(c,s) ≤ −Ĥ(s): a further factor of at most 1 makes every kernel smaller."""
    c, s = problem.c, problem.s
    value = kernel_mutual_information(c, s, tau).item()
    assert value <= -joint_entropy(c, torch.zeros_like(s), tau).item() + 1e-12
    assert value <= -joint_entropy(torch.zeros_like(c), s, tau).item() + 1e-12
    assert value <= math.log(len(c)) + 1e-12


@every_measure
@given(problem=problems(reach=10))
def test_common_and_salient_may_change_places(measure: Term, problem: Problem) -> None:
    expected = measure(problem.c, problem.s).item()
    assert measure(problem.s, problem.c).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@every_measure
@given(problem=problems(reach=10), seed=seeds)
def test_order_of_samples_does_not_matter(measure: Term, problem: Problem, seed: int) -> None:
    order = permutation(len(problem.c), seed)
    expected = measure(problem.c, problem.s).item()
    assert measure(problem.c[order], problem.s[order]).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@every_measure
@given(problem=problems(reach=10), seed=seeds)
def test_an_isometry_of_either_space_does_not_matter(measure: Term, problem: Problem, seed: int) -> None:
    d_c, d_s = problem.c.shape[1], problem.s.shape[1]
    c = problem.c @ rotation(d_c, seed) + shift(d_c, seed)
    s = problem.s @ rotation(d_s, seed + 1) + shift(d_s, seed + 1)
    assert measure(c, s).item() == pytest.approx(measure(problem.c, problem.s).item(), rel=1e-9, abs=1e-9)


def correlated(rho: float, seed: int, n: int = 500) -> tuple[Tensor, Tensor]:
    """Jointly Gaussian scalars."""
    c, noise = torch.randn(2, n, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return c, rho * c + math.sqrt(1 - rho**2) * noise


@pytest.mark.parametrize("seed", range(3))
def test_independent_codes_have_about_no_k_mi(seed: int) -> None:
    assert -0.01 < kernel_mutual_information(*correlated(0.0, seed)).item() < 0.03


@every_measure
@pytest.mark.parametrize("seed", range(3))
def test_it_grows_with_dependence(measure: Term, seed: int) -> None:
    none, some, much = (measure(*correlated(rho, seed)).item() for rho in (0.0, 0.5, 0.9))
    assert none < some / 1.5
    assert some < much / 1.5


@every_measure
def test_which_common_code_stands_beside_which_salient_code_matters(measure: Term) -> None:
    c, s = correlated(0.9, seed=0)
    assert measure(c, s.roll(2, 0)).item() < measure(c, s).item() / 2


@every_measure
@pytest.mark.parametrize("pairs", [1, 25])
def test_block_by_block_it_is_the_same(measure: Term, pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = random_problem()
    value, gradients = value_and_gradients(measure, problem.c, problem.s)
    blocks: list[int] = []
    checkpoint = kernels.checkpoint
    monkeypatch.setattr(
        kernels, "checkpoint", lambda block, rows, *a, **k: (blocks.append(rows.start), checkpoint(block, rows, *a, **k))[1]
    )
    monkeypatch.setattr(kernels, "PAIRS", pairs)
    in_blocks, gradients_in_blocks = value_and_gradients(measure, problem.c, problem.s)
    assert set(blocks) == set(range(0, 6, max(1, pairs // 6)))
    torch.testing.assert_close(in_blocks, value, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradients_in_blocks, gradients, rtol=1e-12, atol=1e-12)


@every_measure
@pytest.mark.parametrize("tau", [0.0, -1.0, float("nan")])
def test_a_bandwidth_that_cannot_be_used_is_named(measure: Term, tau: float) -> None:
    problem = random_problem()
    with pytest.raises(InputError, match=f"tau: {tau}"):
        measure(problem.c, problem.s, tau)


@every_measure
@given(problem=problems(), dtype=precisions)
def test_is_finite_for_any_codes(measure: Term, problem: Problem, dtype: torch.dtype) -> None:
    assert_finite(measure, problem.c.to(dtype), problem.s.to(dtype))


@every_measure
@pytest.mark.parametrize("tau", [0.5, "median"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("edge", EDGES)
def test_is_finite_at_the_edges(measure: Term, edge: str, dtype: torch.dtype, tau: Bandwidth) -> None:
    problem = EDGES[edge]

    def term(c: Tensor, s: Tensor) -> Tensor:
        return measure(c, hide_background(s, problem.is_target), tau)

    assert_finite(term, problem.c.to(dtype), problem.s.to(dtype))


@every_measure
@pytest.mark.parametrize("n", [0, 1])
def test_without_a_pair_it_is_zero_with_zero_gradients(measure: Term, n: int) -> None:
    c, s = torch.full((n, 3), 3e38), torch.full((n, 2), 3e38)
    value, gradients = value_and_gradients(measure, c, s)
    assert value.item() == 0.0
    assert torch.equal(gradients[0], torch.zeros_like(c))
    assert torch.equal(gradients[1], torch.zeros_like(s))


@every_measure
@given(problem=problems(reach=3))
def test_bfloat16_codes_give_the_float32_value(measure: Term, problem: Problem) -> None:
    assert_half_precision_inputs_lose_nothing(measure, problem.c, problem.s)


@every_measure
@given(problem=problems(reach=3))
def test_autocast_changes_nothing(measure: Term, problem: Problem) -> None:
    assert_autocast_changes_nothing(measure, problem.c, problem.s)


@every_measure
@pytest.mark.parametrize("tau", [0.5, torch.tensor([0.3, 2.0], dtype=torch.float64)], ids=["one", "two"])
def test_gradients_are_those_of_finite_differences(measure: Term, tau: Bandwidth) -> None:
    problem = random_problem()
    assert_gradients_are_right(lambda c, s: measure(c, s, tau), problem.c, problem.s)


@every_measure
def test_gradients_with_coincident_codes_are_those_of_finite_differences(measure: Term) -> None:
    problem = random_problem()
    problem.c[1], problem.s[1] = problem.c[0], problem.s[0]
    assert_gradients_are_right(measure, problem.c, problem.s)

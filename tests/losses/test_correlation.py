"""Canonical correlations: the formula as a loop, closed forms, properties, finite differences; moments that outlast a batch."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from sepclr.losses import CosineFeatures, RunningCorrelation, squared_correlations
from sepclr.types import InputError

from .problems import EDGES, Problem, assert_gradients_are_right, permutation, problems, random_problem, rotation, seeds, shift

ridges = st.floats(0.001, 1)


def loop(a: Tensor, b: Tensor, ridge: float) -> float:
    """The squared singular values of Σ_aa^−½ Σ_ab Σ_bb^−½, summed; covariances sample by sample, ridges times mean variances added."""
    d = a.shape[1]
    rows = torch.cat([a, b], 1).numpy()
    mean = sum(rows) / len(rows)
    covariance = sum(np.outer(row - mean, row - mean) for row in rows) / len(rows)

    def inverse_root(block: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(block + ridge * np.trace(block) / len(block) * np.eye(len(block)))
        return vectors @ np.diag(values**-0.5) @ vectors.T

    whitened = inverse_root(covariance[:d, :d]) @ covariance[:d, d:] @ inverse_root(covariance[d:, d:])
    return sum(value**2 for value in np.linalg.svd(whitened, compute_uv=False))


def running(a: Tensor, b: Tensor, *, ridge: float = 0.01) -> RunningCorrelation:
    """Moments of one batch."""
    moments = RunningCorrelation(a.shape[1], b.shape[1], ridge=ridge)
    moments.update(a, b)
    return moments


def spread(problem: Problem) -> bool:
    """Whether covariances are far from where rounding decides."""
    return bool((problem.c.std(0) > 0.1).all() and (problem.s.std(0) > 0.1).all())


def spread_or_constant(problem: Problem) -> bool:
    """Whether rounding decides nothing: deviations of all entries are large, or there are none."""
    return all(bool(((z.std(0) > 0.1) | (z == z[0]).all(0)).all()) for z in (problem.c, problem.s))


@pytest.mark.parametrize("ridge", [0.0, 0.01, 1.0])
def test_equals_the_formula_as_a_loop(ridge: float) -> None:
    problem = random_problem(20)
    assert squared_correlations(problem.c, problem.s, ridge=ridge).item() == pytest.approx(loop(problem.c, problem.s, ridge), rel=1e-9)


@given(problem=problems(min_samples=2, reach=5).filter(spread), ridge=ridges)
def test_equals_the_loop_for_any_problem(problem: Problem, ridge: float) -> None:
    expected = loop(problem.c, problem.s, ridge)
    assert squared_correlations(problem.c, problem.s, ridge=ridge).item() == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(problem=problems(min_samples=2, reach=5).filter(spread_or_constant), ridge=ridges)
def test_moments_of_one_batch_give_its_value(problem: Problem, ridge: float) -> None:
    found = running(problem.c, problem.s, ridge=ridge)(problem.c, problem.s)
    assert found.value.item() == pytest.approx(squared_correlations(problem.c, problem.s, ridge=ridge).item(), rel=1e-6, abs=1e-6)


@given(value=st.floats(-1e3, 1e3), n=st.integers(1, 50), ridge=ridges)
def test_of_a_constant_code_it_is_0_however_its_mean_is_rounded(value: float, n: int, ridge: float) -> None:
    still = torch.full((n, 2), value, dtype=torch.float64)
    for b in (still, torch.linspace(0, 1, n, dtype=torch.float64)[:, None]):
        assert squared_correlations(still, b, ridge=ridge) < 1e-9
        assert running(still, b, ridge=ridge)(still, b).value < 1e-9


def test_of_a_code_that_all_but_stands_still_it_is_finite() -> None:
    still, b = torch.tensor([[3.4e-155], [0.0]], dtype=torch.float64), torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    assert 0 <= squared_correlations(still, b, ridge=1.0) < 1e-100
    assert all(part.isfinite().all() for part in running(still, b, ridge=1.0)(still, b))


@pytest.mark.parametrize("ridge", [0.0, 0.25])
def test_of_single_numbers_it_is_pearsons_correlation_squared_and_shrunk_by_the_ridge(ridge: float) -> None:
    a, b = random_problem(12, 1, 1).c, random_problem(12, 1, 1).s
    pearson = np.corrcoef(a[:, 0], b[:, 0])[0, 1]
    assert squared_correlations(a, b, ridge=ridge).item() == pytest.approx((pearson / (1 + ridge)) ** 2)


def test_of_a_linear_function_it_is_the_number_of_dimensions() -> None:
    a = random_problem(30, 4).c
    assert squared_correlations(a, a @ torch.ones(4, 3).tril().double() + 5, ridge=0.0).item() == pytest.approx(3)


def test_of_uncorrelated_codes_it_is_0() -> None:
    a = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]])
    b = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    assert squared_correlations(a, b).item() == pytest.approx(0)


@pytest.mark.parametrize("constant", ["a", "b", "both"])
def test_of_a_constant_code_it_is_0(constant: str) -> None:
    a, b = random_problem(9).c, random_problem(9).s
    a = torch.ones_like(a) if constant in ("a", "both") else a
    b = torch.ones_like(b) if constant in ("b", "both") else b
    assert squared_correlations(a, b).item() == 0


@given(problem=problems(), ridge=ridges)
def test_lies_between_0_and_the_shorter_length(problem: Problem, ridge: float) -> None:
    value = squared_correlations(problem.c, problem.s, ridge=ridge).item()
    assert -1e-9 <= value <= min(problem.c.shape[1], problem.s.shape[1]) + 1e-9


@given(problem=problems(min_samples=2, reach=5).filter(spread), ridge=ridges, seed=seeds, scale=st.floats(0.1, 10))
def test_isometries_and_scales_of_either_code_change_nothing(problem: Problem, ridge: float, seed: int, scale: float) -> None:
    c, s, (d, e) = problem.c, problem.s, (problem.c.shape[1], problem.s.shape[1])
    moved = squared_correlations(scale * c @ rotation(d, seed) + shift(d, seed), s @ rotation(e, seed + 1) - shift(e, seed), ridge=ridge)
    assert moved.item() == pytest.approx(squared_correlations(c, s, ridge=ridge).item(), rel=1e-6, abs=1e-9)


def test_without_a_ridge_any_invertible_map_changes_nothing() -> None:
    problem = random_problem(20)
    mapped = problem.c @ (torch.eye(3) + torch.ones(3, 3)).double()
    expected = squared_correlations(problem.c, problem.s, ridge=0.0).item()
    assert squared_correlations(mapped, problem.s, ridge=0.0).item() == pytest.approx(expected)


@given(problem=problems(min_samples=2, reach=5), ridge=ridges, seed=seeds)
def test_order_of_samples_and_of_codes_does_not_matter(problem: Problem, ridge: float, seed: int) -> None:
    order = permutation(len(problem.c), seed)
    swapped = squared_correlations(problem.s[order], problem.c[order], ridge=ridge).item()
    assert swapped == pytest.approx(squared_correlations(problem.c, problem.s, ridge=ridge).item(), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("ridge", [0.01, 1.0])
def test_gradients_are_those_of_finite_differences(ridge: float) -> None:
    problem = random_problem(8)
    assert_gradients_are_right(lambda c, s: squared_correlations(c, s, ridge=ridge), problem.c, problem.s)


@given(problem=problems(min_samples=3, reach=5).filter(spread), ridge=ridges)
def test_gradients_by_moments_of_one_batch_are_those_of_autograd(problem: Problem, ridge: float) -> None:
    c, s = problem.c.clone().requires_grad_(), problem.s.clone().requires_grad_()
    expected = torch.autograd.grad(squared_correlations(c, s, ridge=ridge), (c, s))
    found = running(problem.c, problem.s, ridge=ridge)(problem.c, problem.s)
    torch.testing.assert_close((found.a, found.b), expected, rtol=1e-6, atol=1e-8)


def test_its_gradient_reaches_both_codes() -> None:
    problem = random_problem(9)
    found = running(problem.c, problem.s)(problem.c, problem.s)
    assert (found.a.abs().amax(1) > 0).all()
    assert (found.b.abs().amax(1) > 0).all()


@pytest.mark.parametrize("problem", EDGES.values(), ids=EDGES.keys())
def test_edges_are_finite(problem: Problem) -> None:
    found = running(problem.c, problem.s)(problem.c, problem.s)
    assert all(each.isfinite().all() for each in found)
    assert squared_correlations(problem.c, problem.s).isfinite()


def test_moments_are_averages_with_less_weight_for_older_batches() -> None:
    batches = [random_problem(n, seed=n) for n in (4, 7, 5)]
    moments = RunningCorrelation(3, 2, decay=0.5)
    for batch in batches:
        moments.update(batch.c, batch.s)
    weights = np.repeat([0.25, 0.5, 1.0], [4, 7, 5])
    a, b = np.concatenate([each.c for each in batches]), np.concatenate([each.s for each in batches])
    covariance = np.cov(np.concatenate([a, b], 1).T, aweights=weights, ddof=0)

    def inverse(block: np.ndarray) -> np.ndarray:
        return np.linalg.inv(block + 0.01 * np.trace(block) / len(block) * np.eye(len(block)))

    expected = np.trace(inverse(covariance[:3, :3]) @ covariance[:3, 3:] @ inverse(covariance[3:, 3:]) @ covariance[3:, :3])
    assert moments(batches[0].c, batches[0].s).value.item() == pytest.approx(expected)


def test_the_noise_floor_falls_as_the_moments_fill() -> None:
    """On n samples of independent codes D is about d_a d_b / n, and 0.95 a batch stands for 39 of them."""
    draw = torch.Generator().manual_seed(0)
    moments = RunningCorrelation(32, 32)
    found = []
    for _ in range(120):
        a, b = (torch.randn(64, 32, generator=draw) for _ in range(2))
        moments.update(a, b)
        found.append(moments(a, b).value.item())
    assert found[0] > 8
    assert all(later < earlier for earlier, later in zip(found[:30:5], found[5:35:5], strict=True))
    assert found[-1] == pytest.approx(32 * 32 / (64 * 39), rel=0.2)


def test_dependence_stands_out_from_the_floor_where_one_batch_cannot_show_it() -> None:
    draw = torch.Generator().manual_seed(0)
    dependent, independent = RunningCorrelation(32, 32), RunningCorrelation(32, 32)
    for _ in range(100):
        a, b = (torch.randn(64, 32, generator=draw) for _ in range(2))
        independent.update(a, b)
        dependent.update(a, torch.cat([a[:, :1], b[:, 1:]], 1))
    assert dependent(a, b).value - independent(a, b).value == pytest.approx(0.98, abs=0.1)


@pytest.mark.parametrize("to", [nn.Module.bfloat16, nn.Module.half, nn.Module.float])
def test_moments_stay_in_float64_whatever_the_network_is_cast_to(to: object) -> None:
    network = nn.ModuleDict({"moments": running(random_problem().c, random_problem().s), "layer": nn.Linear(2, 2)})
    before = {name: value.clone() for name, value in network["moments"].state_dict().items()}
    to(network)  # type: ignore[operator]
    assert network["layer"].weight.dtype != torch.float64
    assert set(before) == {"samples", "sums", "products"}
    for name, value in network["moments"].state_dict().items():
        assert value.dtype == torch.float64
        assert torch.equal(value, before[name])


def test_moments_travel_with_checkpoints() -> None:
    problem, file = random_problem(), io.BytesIO()
    moments = running(problem.c, problem.s)
    torch.save(moments.state_dict(), file)
    file.seek(0)
    other = RunningCorrelation(3, 2)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert all(torch.equal(a, b) for a, b in zip(other(problem.c, problem.s), moments(problem.c, problem.s), strict=True))


def test_half_precision_codes_get_gradients_in_their_precision() -> None:
    problem = random_problem()
    found = running(problem.c, problem.s)(problem.c.bfloat16(), problem.s.bfloat16())
    assert {each.dtype for each in found} == {torch.bfloat16}


@pytest.mark.parametrize(("name", "value"), [("a_dim", 0), ("b_dim", 0), ("decay", 1.0), ("decay", -0.1), ("ridge", 0.0)])
def test_options_outside_their_ranges_are_errors(name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        RunningCorrelation(**{"a_dim": 2, "b_dim": 2, name: value})  # type: ignore[arg-type]


def test_features_are_the_code_and_random_cosines_of_it() -> None:
    torch.manual_seed(0)
    phi, z = CosineFeatures(3, 5), random_problem().c.float()
    expected = torch.cos(z @ phi.frequencies + phi.phases)
    torch.testing.assert_close(phi(z), torch.cat([z, expected], 1))
    assert not list(phi.parameters())


def test_features_are_those_of_a_gaussian_kernel() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(2, 4)
    cosines = CosineFeatures(4, 200_000)(torch.stack([a, b]))[:, 4:]
    assert 2 * (cosines[0] * cosines[1]).mean().item() == pytest.approx(math.exp(-float((a - b).square().sum()) / (2 * 4)), abs=0.01)


def test_features_make_nonlinear_dependence_linear() -> None:
    torch.manual_seed(0)
    a = torch.randn(4000, 1, dtype=torch.float64)
    b = a.square()
    assert squared_correlations(a, b).item() < 0.02
    assert squared_correlations(CosineFeatures(1, 16)(a), b, ridge=1e-4).item() > 0.9


def test_a_negative_number_of_features_is_an_error() -> None:
    with pytest.raises(InputError, match="number"):
        CosineFeatures(2, -1)
    assert CosineFeatures(2, 0)(torch.ones(1, 2)).shape == (1, 2)

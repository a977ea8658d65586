"""vCLUB, vL1Out and vUB: formula as a loop, closed forms, properties, finite differences; and against mutual information that is known."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import jaxtyping
import pytest
import torch
from hypothesis import given
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from sepclr.losses import GaussianConditional, VariationalBound, full_precision, gaussian_log_density, kernel, vclub, vl1out, vub
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
    permutation,
    precisions,
    problems,
    random_problem,
    seeds,
    shift,
    value_and_gradients,
)

every_bound = pytest.mark.parametrize("bound", [vclub, vl1out, vub], ids=["vclub", "vl1out", "vub"])
bounds_of_pairs = pytest.mark.parametrize("bound", [vclub, vl1out], ids=["vclub", "vl1out"])


def gaussians(problem: Problem) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, log-variance within ±8 and what the density is of."""
    mean, s = problem.c, problem.c_view
    log_variance = 8 * torch.tanh(problem.s[:, torch.arange(mean.shape[1]) % problem.s.shape[1]] / 8)
    return mean, log_variance, s


def log_q(z: Tensor, mean: Tensor, log_variance: Tensor) -> float:
    """log N(z; mean, exp(log_variance)) of one sample."""
    total = 0.0
    for x, m, v in zip(z.tolist(), mean.tolist(), log_variance.tolist(), strict=True):
        total -= (x - m) ** 2 / (2 * math.exp(v)) + v / 2 + math.log(math.sqrt(2 * math.pi))
    return total


def vclub_loop(mean: Tensor, log_variance: Tensor, s: Tensor) -> float:
    """1/N Σ log q(s_i|c_i) − 1/N² ΣΣ log q(s_j|c_i), design §4."""
    n, total = len(s), 0.0
    for i in range(n):
        total += log_q(s[i], mean[i], log_variance[i]) / n
        for j in range(n):
            total -= log_q(s[j], mean[i], log_variance[i]) / n**2
    return total


def vl1out_loop(mean: Tensor, log_variance: Tensor, s: Tensor) -> float:
    """1/N Σ [log q(s_i|c_i) − log 1/(N−1) Σ_{j≠i} q(s_i|c_j)], design §4."""
    n, total = len(s), 0.0
    for i in range(n):
        others = sum(math.exp(log_q(s[i], mean[j], log_variance[j])) for j in range(n) if j != i)
        total += log_q(s[i], mean[i], log_variance[i]) - math.log(others / (n - 1))
    return total / n


def vub_loop(mean: Tensor, log_variance: Tensor, s: Tensor) -> float:
    """Mean of log q(s_i|c_i) − log N(s_i; 0, I), design §4."""
    standard = torch.zeros(s.shape[1], dtype=s.dtype)
    return sum(log_q(s[i], mean[i], log_variance[i]) - log_q(s[i], standard, standard) for i in range(len(s))) / len(s)


LOOPS: dict[Term, Callable[..., float]] = {vclub: vclub_loop, vl1out: vl1out_loop, vub: vub_loop}


@every_bound
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_formula_as_a_loop(bound: Term, seed: int) -> None:
    inputs = gaussians(random_problem(seed=seed))
    assert bound(*inputs).item() == pytest.approx(LOOPS[bound](*inputs), rel=1e-10)


@every_bound
@given(problem=problems(min_samples=2, reach=2))
def test_equals_the_loop_for_any_problem(bound: Term, problem: Problem) -> None:
    inputs = gaussians(problem)
    assert bound(*inputs).item() == pytest.approx(LOOPS[bound](*inputs), rel=1e-9, abs=1e-9)


@given(problems(reach=10))
def test_the_density_is_that_of_torch(problem: Problem) -> None:
    mean, log_variance, s = gaussians(problem)
    expected = Normal(mean, (log_variance / 2).exp()).log_prob(s).sum(1)
    torch.testing.assert_close(gaussian_log_density(s, mean, log_variance), expected, rtol=1e-10, atol=1e-10)


@given(problems(min_samples=2, reach=10))
def test_the_density_of_all_pairs_has_samples_in_rows_and_conditions_in_columns(problem: Problem) -> None:
    mean, log_variance, s = gaussians(problem)
    pairs = gaussian_log_density(s[:, None], mean, log_variance)
    expected = log_q(s[0], mean[-1], log_variance[-1])
    assert pairs.shape == (len(s), len(s))
    assert pairs[0, -1].item() == pytest.approx(expected, rel=1e-10, abs=1e-10)


def test_over_samples_of_the_density_vub_is_the_divergence_of_torch() -> None:
    mean, log_variance, _ = gaussians(random_problem())
    density = Normal(mean, (log_variance / 2).exp())
    torch.manual_seed(0)
    sampled = torch.stack([vub(mean, log_variance, density.sample()) for _ in range(4000)]).mean()
    torch.testing.assert_close(sampled, kl_divergence(density, Normal(0.0, 1.0)).sum(1).mean(), rtol=0.02, atol=0)


def test_two_samples_two_apart_with_unit_variance() -> None:
    mean = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    zeros = torch.zeros_like(mean)
    assert vclub(mean, zeros, mean).item() == pytest.approx(1.0)
    assert vl1out(mean, zeros, mean).item() == pytest.approx(2.0)
    assert vub(mean, zeros, mean).item() == pytest.approx(0.5)
    assert vub(mean, zeros, zeros).item() == pytest.approx(-0.5)


@bounds_of_pairs
@given(problem=problems(min_samples=2))
def test_a_density_that_ignores_its_condition_bounds_by_zero(bound: Term, problem: Problem) -> None:
    mean, log_variance, s = gaussians(problem)
    same = mean[:1].expand_as(mean), log_variance[:1].expand_as(mean)
    scale = gaussian_log_density(s, *same).abs().max().item()
    assert bound(*same, s).item() == pytest.approx(0.0, abs=1e-12 * (1 + scale))


@given(problems(reach=10))
def test_a_standard_normal_density_has_a_vub_of_zero(problem: Problem) -> None:
    zeros = torch.zeros_like(problem.c_view)
    assert vub(zeros, zeros, problem.c_view).item() == 0.0


@given(problems(min_samples=2, reach=100))
def test_by_jensen_vl1out_is_at_most_vclub_times_n_over_n_minus_one(problem: Problem) -> None:
    inputs = gaussians(problem)
    n, scale = len(inputs[0]), gaussian_log_density(inputs[2][:, None], *inputs[:2]).abs().max().item()
    assert vl1out(*inputs).item() <= n / (n - 1) * vclub(*inputs).item() + 1e-12 * (1 + scale)


@pytest.mark.parametrize("seed", range(10))
def test_vl1out_is_never_vclub(seed: int) -> None:
    inputs = gaussians(random_problem(seed=seed))
    assert abs(vl1out(*inputs) - vclub(*inputs)) > 0.01


def test_vl1out_leaves_oneself_out_and_so_may_exceed_log_n() -> None:
    mean = 10 * torch.arange(5, dtype=torch.float64)[:, None]
    assert vl1out(mean, torch.zeros_like(mean), mean).item() == pytest.approx(50 + math.log(4) - 3 / 5 * math.log(2))


@pytest.mark.parametrize("bound", [vclub, vub], ids=["vclub", "vub"])
@given(problem=problems(reach=10))
def test_dimensions_add_up(bound: Term, problem: Problem) -> None:
    inputs = gaussians(problem)
    once = bound(*inputs).item()
    assert bound(*[torch.cat([z, z], 1) for z in inputs]).item() == pytest.approx(2 * once, rel=1e-9, abs=1e-9)
    alone = [bound(*[z[:, [k]] for z in inputs]).item() for k in range(inputs[0].shape[1])]
    assert sum(alone) == pytest.approx(once, rel=1e-9, abs=1e-6)


@every_bound
@given(problem=problems(reach=10), seed=seeds)
def test_order_of_samples_does_not_matter(bound: Term, problem: Problem, seed: int) -> None:
    inputs = gaussians(problem)
    order = permutation(len(problem.c), seed)
    expected = bound(*inputs).item()
    assert bound(*[z[order] for z in inputs]).item() == pytest.approx(expected, rel=1e-9, abs=1e-6)


@bounds_of_pairs
def test_which_condition_stands_beside_which_sample_matters(bound: Term) -> None:
    mean, log_variance, s = gaussians(random_problem())
    assert abs(bound(mean, log_variance, s) - bound(mean, log_variance, s.roll(1, 0))) > 0.1


@bounds_of_pairs
@given(problem=problems(reach=2), seed=seeds)
def test_units_and_origin_do_not_matter(bound: Term, problem: Problem, seed: int) -> None:
    mean, log_variance, s = gaussians(problem)
    by = shift(mean.shape[1], seed)
    moved = 3 * (mean + by), log_variance + 2 * math.log(3), 3 * (s + by)
    assert bound(*moved).item() == pytest.approx(bound(mean, log_variance, s).item(), rel=1e-9, abs=1e-8)


def correlated(rho: float, n: int, seed: int, d: int = 1) -> tuple[Tensor, Tensor]:
    """Jointly Gaussian codes, each dimension of c correlated with that of s."""
    c, noise = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return c, rho * c + math.sqrt(1 - rho**2) * noise


def information(rho: float) -> float:
    return -math.log(1 - rho**2) / 2


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_the_true_conditional_bounds_the_true_information(rho: float, d: int) -> None:
    values = []
    for seed in range(8):
        c, s = correlated(rho, 1000, seed, d)
        log_variance = torch.full_like(c, math.log(1 - rho**2))
        values.append([vclub(rho * c, log_variance, s), vl1out(rho * c, log_variance, s), vub(rho * c, log_variance, s)])
    of_vclub, of_vl1out, of_vub = torch.tensor(values, dtype=torch.float64).mean(0).tolist()
    assert of_vl1out == pytest.approx(d * information(rho), abs=0.05)
    assert of_vub == pytest.approx(d * information(rho), abs=0.05)
    assert of_vclub == pytest.approx(d * rho**2 / (1 - rho**2), abs=0.1)
    assert of_vclub >= d * information(rho) - 1e-2
    assert of_vl1out <= of_vclub + 1e-2


@pytest.mark.parametrize("pairs", [1, 25, 80])
def test_block_by_block_it_is_the_same(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = gaussians(random_problem())
    value, gradients = value_and_gradients(vl1out, *inputs)
    blocks: list[int] = []
    checkpoint = kernel.checkpoint
    monkeypatch.setattr(kernel, "checkpoint", lambda block, rows, *a, **k: (blocks.append(rows.start), checkpoint(block, rows, *a, **k))[1])
    monkeypatch.setattr(kernel, "PAIRS", pairs)
    in_blocks, gradients_in_blocks = value_and_gradients(vl1out, *inputs)
    assert blocks == list(range(0, 6, max(1, pairs // 18)))
    torch.testing.assert_close(in_blocks, value, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradients_in_blocks, gradients, rtol=1e-12, atol=1e-12)


@every_bound
@given(problem=problems(), dtype=precisions)
def test_is_finite_for_any_codes(bound: Term, problem: Problem, dtype: torch.dtype) -> None:
    assert_finite(lambda *z: full_precision(bound(*z)), *[z.to(dtype) for z in gaussians(problem)])


@every_bound
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("edge", EDGES)
def test_is_finite_at_the_edges(bound: Term, edge: str, dtype: torch.dtype) -> None:
    assert_finite(lambda *z: full_precision(bound(*z)), *[z.to(dtype) for z in gaussians(EDGES[edge])])


@bounds_of_pairs
@pytest.mark.parametrize("n", [0, 1])
def test_without_a_pair_it_is_zero_with_zero_gradients(bound: Term, n: int) -> None:
    value, gradients = value_and_gradients(bound, *gaussians(random_problem(n)))
    assert value.item() == 0.0
    assert not any(gradient.any() for gradient in gradients)


@every_bound
@given(problem=problems(reach=3))
def test_bfloat16_codes_give_the_float32_value(bound: Term, problem: Problem) -> None:
    mean, log_variance, s = gaussians(problem)
    largest = gaussian_log_density(s[:, None], mean, log_variance).abs().max().item()  # densities that cancel leave their rounding
    rounding = 2 * torch.finfo(torch.float32).eps * largest
    assert_half_precision_inputs_lose_nothing(bound, mean, log_variance, s, atol=1e-5 + rounding)


@every_bound
@given(problem=problems(reach=3))
def test_autocast_changes_nothing(bound: Term, problem: Problem) -> None:
    assert_autocast_changes_nothing(bound, *gaussians(problem))


@every_bound
def test_gradients_are_those_of_finite_differences(bound: Term) -> None:
    assert_gradients_are_right(bound, *gaussians(random_problem()))


BOUNDS: dict[str, Term] = {"vclub": vclub, "vl1out": vl1out, "vub": vub}
every_name = pytest.mark.parametrize("name", BOUNDS)
every_direction = pytest.mark.parametrize("direction", ["sym", "c2s", "s2c"])


def learnt(name: str, direction: str = "sym", problem: Problem | None = None, seed: int = 0) -> VariationalBound:
    """A bound in float64 whose densities have random weights."""
    of = problem or random_problem()
    torch.manual_seed(seed)
    return VariationalBound(name, direction, of.c.shape[1], of.s.shape[1], hidden=5).double()


def in_precision_of_codes(module: VariationalBound, method: str) -> Term:
    return lambda c, s: getattr(module.to(full_precision(c).dtype), method)(c, s)


def bounded(name: str, q: Callable[[Tensor], tuple[Tensor, Tensor]], given: Tensor, of: Tensor) -> float:
    return LOOPS[BOUNDS[name]](*q(given), of)


@every_name
def test_each_direction_is_the_bound_of_its_density(name: str) -> None:
    c, s = random_problem().c, random_problem().s
    forward, backward = learnt(name, "c2s"), learnt(name, "s2c")
    assert list(forward.densities) == ["c2s"]
    assert list(backward.densities) == ["s2c"]
    assert forward.loss(c, s).item() == pytest.approx(bounded(name, forward.densities["c2s"], c, s), rel=1e-9)
    assert backward.loss(c, s).item() == pytest.approx(bounded(name, backward.densities["s2c"], s, c), rel=1e-9)


@every_name
@pytest.mark.parametrize("method", ["loss", "critic_loss"])
def test_symmetric_is_the_mean_of_both_directions(name: str, method: str) -> None:
    c, s = random_problem().c, random_problem().s
    both, forward, backward = learnt(name, "sym"), learnt(name, "c2s", seed=1), learnt(name, "s2c", seed=2)
    forward.densities["c2s"].load_state_dict(both.densities["c2s"].state_dict())
    backward.densities["s2c"].load_state_dict(both.densities["s2c"].state_dict())
    one, two = getattr(forward, method)(c, s), getattr(backward, method)(c, s)
    assert (one - two).abs() > 1e-4
    torch.testing.assert_close(getattr(both, method)(c, s), (one + two) / 2)


def test_critic_loss_is_the_mean_unlikelihood_of_the_samples() -> None:
    c, s = random_problem().c, random_problem().s
    module = learnt("vclub", "c2s")
    mean, log_variance = module.densities["c2s"](c)
    expected = -sum(log_q(s[i], mean[i], log_variance[i]) for i in range(6)) / 6
    assert module.critic_loss(c, s).item() == pytest.approx(expected, rel=1e-9)


@every_name
def test_the_critic_of_every_bound_is_the_same(name: str) -> None:
    c, s = random_problem().c, random_problem().s
    assert torch.equal(learnt(name).critic_loss(c, s), learnt("vclub").critic_loss(c, s))


@pytest.mark.parametrize("reach", [1.0, 1e6])
@pytest.mark.parametrize("limit", [None, 3.0])
def test_log_variances_stay_within_their_limit_which_is_one_where_none_is_given(reach: float, limit: float | None) -> None:
    torch.manual_seed(0)
    _, log_variance = GaussianConditional(3, 2, **({} if limit is None else {"log_variance_limit": limit}))(reach * torch.randn(50, 3))
    largest = limit or 1.0
    assert log_variance.shape == (50, 2)
    assert log_variance.abs().max() <= largest
    assert log_variance.abs().max() > (0.99 * largest if reach > 1 else 0)


def test_a_limit_that_is_not_positive_is_named() -> None:
    with pytest.raises(InputError, match="log_variance_limit: 0"):
        VariationalBound("vclub", "sym", 3, 2, log_variance_limit=0.0)


@every_name
@every_direction
def test_the_loss_moves_the_codes_and_not_the_density(name: str, direction: str) -> None:
    c, s = random_problem().c.requires_grad_(), random_problem().s.requires_grad_()
    module = learnt(name, direction)
    module.loss(c, s).backward()
    assert all(parameter.grad is None and parameter.requires_grad for parameter in module.parameters())
    for z in (c, s):
        assert z.grad is not None
        assert z.grad.abs().sum(1).min() > 0  # every sample of both codes


@every_name
@every_direction
def test_the_critic_loss_moves_the_density_and_not_the_codes(name: str, direction: str) -> None:
    c, s = random_problem().c.requires_grad_(), random_problem().s.requires_grad_()
    module = learnt(name, direction)
    module.critic_loss(c, s).backward()
    assert c.grad is None
    assert s.grad is None
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in module.parameters())


@pytest.mark.parametrize(("name", "direction", "named"), [("club", "sym", "bound: 'club'"), ("vub", "s2s", "direction: 's2s'")])
def test_a_bound_or_direction_that_is_unknown_is_named(name: str, direction: str, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # outside tests nobody checks annotations
    with pytest.raises(InputError, match=f"{named} is unknown; choose"):
        VariationalBound(name, direction, 3, 2)


@every_name
@given(problem=problems(reach=10), seed=seeds)
def test_a_learnt_bound_does_not_depend_on_the_order_of_samples(name: str, problem: Problem, seed: int) -> None:
    order = permutation(len(problem.c), seed)
    module = learnt(name, problem=problem)
    for term in (module.loss, module.critic_loss):
        expected = term(problem.c, problem.s).item()
        assert term(problem.c[order], problem.s[order]).item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@every_name
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("edge", EDGES)
def test_a_learnt_bound_and_its_critic_are_finite_at_the_edges(name: str, edge: str, dtype: torch.dtype) -> None:
    problem = EDGES[edge]
    module = learnt(name, problem=problem)
    assert_finite(in_precision_of_codes(module, "loss"), problem.c.to(dtype), problem.s.to(dtype))
    module.critic_loss(problem.c.to(dtype), problem.s.to(dtype)).backward()
    assert all(parameter.grad.isfinite().all() for parameter in module.parameters())


@every_name
@pytest.mark.parametrize("method", ["loss", "critic_loss"])
@given(problem=problems(reach=1))
def test_a_learnt_bound_of_bfloat16_codes_has_the_float32_value(name: str, method: str, problem: Problem) -> None:
    term = in_precision_of_codes(learnt(name, problem=problem), method)
    assert_half_precision_inputs_lose_nothing(term, problem.c, problem.s)


@every_name
@pytest.mark.parametrize("method", ["loss", "critic_loss"])
def test_autocast_changes_no_learnt_bound(name: str, method: str) -> None:
    module, c, s = learnt(name).float(), random_problem().c.float().requires_grad_(), random_problem().s.float().requires_grad_()
    leaves = [c, s, *module.parameters()]
    value = getattr(module, method)(c, s)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast_value = getattr(module, method)(c, s)
    assert cast_value.dtype == torch.float32
    assert torch.equal(cast_value, value)
    gradients, cast_gradients = (torch.autograd.grad(z, leaves, allow_unused=True) for z in (value, cast_value))
    for cast_gradient, gradient in zip(cast_gradients, gradients, strict=True):
        assert (cast_gradient is gradient is None) or torch.equal(cast_gradient, gradient)


@every_name
def test_gradients_of_a_learnt_bound_are_those_of_finite_differences(name: str) -> None:
    problem = random_problem()
    assert_gradients_are_right(learnt(name).loss, problem.c, problem.s)


RHO = 0.8


@pytest.fixture(scope="module")
def fitted() -> VariationalBound:
    """q fitted to Gaussian codes, fresh ones each step."""
    torch.manual_seed(0)
    module = VariationalBound("vclub", "c2s", 1, 1, hidden=16, log_variance_limit=8.0)
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-2)
    for step in range(400):
        c, s = correlated(RHO, 512, seed=100 + step)
        optimiser.zero_grad()
        module.critic_loss(c.float(), s.float()).backward()
        optimiser.step()
    return module


def test_fitting_finds_the_true_conditional(fitted: VariationalBound) -> None:
    c = torch.linspace(-1.5, 1.5, 7)[:, None]
    mean, log_variance = fitted.densities["c2s"](c)
    torch.testing.assert_close(mean, RHO * c, rtol=0, atol=0.15)
    torch.testing.assert_close(log_variance, torch.full_like(c, math.log(1 - RHO**2)), rtol=0, atol=0.15)


def test_after_fitting_the_critic_loss_is_the_conditional_entropy(fitted: VariationalBound) -> None:
    c, s = correlated(RHO, 4000, seed=1)
    entropy = math.log(2 * math.pi * math.e * (1 - RHO**2)) / 2
    assert fitted.critic_loss(c.float(), s.float()).item() == pytest.approx(entropy, abs=0.05)


@every_name
def test_after_fitting_the_loss_bounds_the_true_information(fitted: VariationalBound, name: str) -> None:
    module = copy.deepcopy(fitted)
    module.bound = name
    c, s = correlated(RHO, 4000, seed=1)
    value = module.loss(c.float(), s.float()).item()
    assert value >= information(RHO) - 0.05
    assert value == pytest.approx(RHO**2 / (1 - RHO**2) if name == "vclub" else information(RHO), abs=0.15)

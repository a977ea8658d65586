"""Total correlation: formulas as loops, closed forms, properties, finite differences; and against mutual information that is known."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from torch import Tensor

from sepclr.losses import TotalCorrelation, full_precision, hide_background

from .problems import (
    DTYPES,
    EDGES,
    Problem,
    Term,
    assert_finite,
    assert_gradients_are_right,
    assert_half_precision_inputs_lose_nothing,
    permutation,
    precisions,
    problems,
    random_problem,
    seeds,
    value_and_gradients,
)

both_losses = pytest.mark.parametrize("method", ["loss", "critic_loss"])


def untrained(problem: Problem | None = None, seed: int = 0) -> TotalCorrelation:
    """A critic in float64 with random weights."""
    of = problem or random_problem()
    torch.manual_seed(seed)
    module = TotalCorrelation(of.c.shape[1], of.s.shape[1], hidden=(5, 5)).double()
    if len(of.c):  # some log-odds above 0 and some below
        with torch.no_grad():
            module.critic[-1].bias -= module.logits(of.c, of.s).median()
    return module


def blind(of: Problem, logit: float = 0.0) -> TotalCorrelation:
    """A critic whose weights are 0 and that says the same of everyone."""
    module = untrained(of)
    for parameter in module.parameters():
        torch.nn.init.zeros_(parameter)
    torch.nn.init.constant_(module.critic[-1].bias, logit)
    return module


def in_precision_of_codes(module: TotalCorrelation, method: str) -> Term:
    """A loss, in float64 for codes in float64, that draws the same permutation each time."""

    def term(c: Tensor, s: Tensor) -> Tensor:
        torch.manual_seed(0)
        return getattr(module.to(full_precision(c).dtype), method)(c, s)

    return term


def logit(module: TotalCorrelation, c: Tensor, s: Tensor) -> float:
    """D(c, s) of one sample, layer by layer: log of the ratio of densities."""
    hidden = torch.cat([c, s])
    first, second, last = (layer for layer in module.critic if isinstance(layer, torch.nn.Linear))
    for layer in (first, second):
        hidden = (layer.weight @ hidden + layer.bias).clamp(min=0)
    return (last.weight @ hidden + last.bias).item()


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


def test_loss_is_the_mean_logit_cut_off_at_zero_as_a_loop() -> None:
    problem, module = random_problem(), untrained()
    logits = [logit(module, c, s) for c, s in zip(problem.c, problem.s, strict=True)]
    expected = sum(max(each, 0) for each in logits) / 6
    assert min(logits) < 0 < max(logits)
    assert module.loss(problem.c, problem.s).item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_critic_loss_is_the_cross_entropy_as_a_loop(seed: int) -> None:
    problem, module = random_problem(), untrained()
    torch.manual_seed(seed)
    value = module.critic_loss(problem.c, problem.s).item()
    torch.manual_seed(seed)
    total = 0.0
    for i, j in enumerate(torch.randperm(6).tolist()):
        total -= log_sigmoid(logit(module, problem.c[i], problem.s[i]))  # paired
        total -= log_sigmoid(-logit(module, problem.c[i], problem.s[j]))  # shuffled
    assert value == pytest.approx(total / 12, rel=1e-10)


@given(problems())
def test_a_critic_that_knows_nothing_finds_no_dependence(problem: Problem) -> None:
    module = blind(problem)
    assert module.loss(problem.c, problem.s).item() == 0.0
    assert module.critic_loss(problem.c, problem.s).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("said", [-3.0, 2.0])
def test_a_critic_that_always_says_the_same(said: float) -> None:
    problem = random_problem()
    module = blind(problem, said)
    assert module.loss(problem.c, problem.s).item() == pytest.approx(max(said, 0))
    assert module.logits(problem.c, problem.s).tolist() == pytest.approx([said] * 6)
    expected = -(log_sigmoid(said) + log_sigmoid(-said)) / 2
    assert module.critic_loss(problem.c, problem.s).item() == pytest.approx(expected)


@given(problem=problems(reach=10), seed=seeds)
def test_order_of_samples_does_not_matter_to_the_loss(problem: Problem, seed: int) -> None:
    module, order = untrained(problem), permutation(len(problem.c), seed)
    expected = module.loss(problem.c, problem.s).item()
    assert module.loss(problem.c[order], problem.s[order]).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_which_common_code_stands_beside_which_salient_code_matters() -> None:
    problem, module = random_problem(), untrained()
    assert abs(module.loss(problem.c, problem.s) - module.loss(problem.c, problem.s.roll(1, 0))) > 1e-4


def test_the_loss_moves_the_codes_and_not_the_critic() -> None:
    c, s, module = random_problem().c.requires_grad_(), random_problem().s.requires_grad_(), untrained()
    module.loss(c, s).backward()
    assert all(parameter.grad is None and parameter.requires_grad for parameter in module.parameters())
    assert c.grad is not None
    assert s.grad is not None
    assert c.grad.any()
    assert s.grad.any()


def test_the_critic_loss_moves_the_critic_and_not_the_codes() -> None:
    c, s, module = random_problem().c.requires_grad_(), random_problem().s.requires_grad_(), untrained()
    module.critic_loss(c, s).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in module.critic.parameters())
    assert c.grad is None
    assert s.grad is None


def test_each_critic_loss_shuffles_anew() -> None:
    problem, module = random_problem(), untrained()
    torch.manual_seed(0)
    assert len({module.critic_loss(problem.c, problem.s).item() for _ in range(5)}) > 1


@given(problem=problems(), dtype=precisions)
def test_is_finite_for_any_codes(problem: Problem, dtype: torch.dtype) -> None:
    assert_finite(in_precision_of_codes(untrained(problem), "loss"), problem.c.to(dtype), problem.s.to(dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("edge", EDGES)
def test_loss_and_critic_loss_are_finite_at_the_edges(edge: str, dtype: torch.dtype) -> None:
    problem = EDGES[edge]
    module = untrained(problem)
    c, s = problem.c.to(dtype), hide_background(problem.s, problem.is_target).to(dtype)
    assert_finite(in_precision_of_codes(module, "loss"), c, s)
    value = module.critic_loss(c, s)
    value.backward()
    assert value.isfinite()
    assert all(parameter.grad.isfinite().all() for parameter in module.parameters())


def test_over_nobody_it_is_zero_with_zero_gradients() -> None:
    module = untrained()
    value, gradients = value_and_gradients(module.loss, *(torch.zeros(0, d, dtype=torch.float64) for d in (3, 2)))
    assert value.item() == 0.0
    assert [gradient.shape for gradient in gradients] == [(0, 3), (0, 2)]
    critic_loss = module.critic_loss(*(torch.zeros(0, d, dtype=torch.float64) for d in (3, 2)))
    critic_loss.backward()
    assert critic_loss.item() == 0.0
    assert not any(parameter.grad.any() for parameter in module.parameters())


@both_losses
@given(problem=problems(reach=3))
def test_bfloat16_codes_give_the_float32_value(method: str, problem: Problem) -> None:
    assert_half_precision_inputs_lose_nothing(in_precision_of_codes(untrained(problem), method), problem.c, problem.s)


@both_losses
def test_autocast_changes_nothing(method: str) -> None:
    module, c, s = untrained().float(), random_problem().c.float().requires_grad_(), random_problem().s.float().requires_grad_()
    leaves = [c, s, *module.parameters()]
    value = in_precision_of_codes(module, method)(c, s)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast_value = in_precision_of_codes(module, method)(c, s)
    assert cast_value.dtype == torch.float32
    assert torch.equal(cast_value, value)
    gradients, cast_gradients = (torch.autograd.grad(z, leaves, allow_unused=True) for z in (value, cast_value))
    for cast_gradient, gradient in zip(cast_gradients, gradients, strict=True):
        assert (cast_gradient is gradient is None) or torch.equal(cast_gradient, gradient)


def test_gradients_are_those_of_finite_differences() -> None:
    problem = random_problem()
    assert_gradients_are_right(untrained().loss, problem.c, problem.s)


def correlated(rho: float, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Jointly Gaussian scalars."""
    c, noise = torch.randn(2, n, 1, generator=torch.Generator().manual_seed(seed))
    return c, rho * c + math.sqrt(1 - rho**2) * noise


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_a_trained_critic_knows_the_true_information(rho: float) -> None:
    torch.manual_seed(0)
    module = TotalCorrelation(1, 1, hidden=(64, 64))
    optimiser = torch.optim.Adam(module.parameters(), lr=3e-3)
    for step in range(600):
        optimiser.zero_grad()
        module.critic_loss(*correlated(rho, 512, seed=100 + step)).backward()
        optimiser.step()
    assert module.logits(*correlated(rho, 4000, seed=1)).mean().item() == pytest.approx(-math.log(1 - rho**2) / 2, abs=0.12)


def test_the_critic_has_two_hidden_layers_as_wide_as_both_codes() -> None:
    widths = [layer.out_features for layer in TotalCorrelation(64, 64).critic if isinstance(layer, torch.nn.Linear)]
    assert widths == [128, 128, 1]
    assert len(TotalCorrelation(3, 2, hidden=()).critic) == 1

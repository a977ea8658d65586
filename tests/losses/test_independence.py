"""Every term that keeps c and s apart, by its name: the right one, on the right samples, with a gradient in every code that it claims."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sepclr.losses import (
    INDEPENDENCE,
    Independence,
    TotalCorrelation,
    VariationalBound,
    hide_background,
    hsic,
    joint_entropy,
    kernel_mutual_information,
    mmd,
    vclub,
    vl1out,
    vub,
)
from sepclr.methods.options import METHODS
from sepclr.types import InputError

from .problems import EDGES, Term, random_problem, value_and_gradients

BOUNDS: dict[str, Term] = {"vclub": vclub, "vl1out": vl1out, "vub": vub}
KERNELS: dict[str, Term] = {"k-jem": joint_entropy, "k-mi": kernel_mutual_information, "hsic": hsic}
DIRECTED = [f"{bound}-{direction}" for bound in BOUNDS for direction in ("sym", "c2s", "s2c")]
TAUS = (0.4, 0.7)
N = 40
IS_TARGET = torch.arange(N) % 2 == 1

every_name = pytest.mark.parametrize("name", INDEPENDENCE)
with_a_critic = pytest.mark.parametrize("name", [*DIRECTED, "tc"])


def codes() -> tuple[Tensor, Tensor]:
    """Common codes in three dimensions, salient ones in two."""
    problem = random_problem(N)
    return problem.c.float(), problem.s.float()


def made(name: str, c: int = 3, s: int = 2, **options: object) -> Independence:
    torch.manual_seed(0)
    return Independence(name, c, s, **options)


def test_the_names_are_those_of_the_table() -> None:
    assert len(INDEPENDENCE) == len(set(INDEPENDENCE))
    assert set(INDEPENDENCE) == {"none", *KERNELS, *DIRECTED, "tc", "mmd"}


def test_options_know_the_same_names() -> None:
    assert {*METHODS["sepclr"].selectors["independence"]} - {"decorrelation"} == {*INDEPENDENCE}  # that is no term


@every_name
@pytest.mark.parametrize("edge", EDGES)
def test_every_term_and_every_critic_is_finite(name: str, edge: str) -> None:
    problem = EDGES[edge]
    c, s = problem.c.float().requires_grad_(), problem.s.float().requires_grad_()
    term = made(name, c.shape[1], s.shape[1])
    value = term.loss(c, s, problem.is_target, TAUS)
    value.backward()
    assert value.shape == ()
    assert value.isfinite()
    assert all(z.grad is None or z.grad.isfinite().all() for z in (c, s))
    if term.critic is not None:
        critic_loss = term.critic_loss(c, s, problem.is_target)
        critic_loss.backward()
        assert critic_loss.isfinite()
        assert all(parameter.grad.isfinite().all() for parameter in term.parameters())


CLAIMS = {name: {"c": "target", "s": "target"} for name in DIRECTED} | {
    "none": {},
    "k-jem": {"c": "all", "s": "target"},
    "k-mi": {"c": "all", "s": "target"},
    "hsic": {"c": "all", "s": "target"},
    "mmd": {"c": "all"},
    "tc": {"c": "all", "s": "all"},
}
"""Which codes a term moves, and of which samples."""


@every_name
def test_the_gradient_reaches_every_code_that_the_term_claims_and_no_other(name: str) -> None:
    """The closed form of vUB left s, and in s2c c, without a gradient: its row of the table was that of ``none``."""
    c, s = (z.requires_grad_() for z in codes())
    term = made(name)
    if name == "tc":  # of a critic that prefers one side, so that no logit is cut off
        torch.nn.init.constant_(term.critic.critic[-1].bias, 5.0)
    term.loss(c, s, IS_TARGET, TAUS).backward()
    for space, z in (("c", c), ("s", s)):
        moved = torch.zeros(N, dtype=torch.bool) if z.grad is None else z.grad.abs().sum(1) > 0
        over = CLAIMS[name].get(space)
        assert moved[IS_TARGET].float().mean() > 0.5 if over else not moved[IS_TARGET].any(), space
        assert moved[~IS_TARGET].float().mean() > 0.5 if over == "all" else not moved[~IS_TARGET].any(), space


@every_name
def test_the_bounds_and_the_ratio_have_a_critic_and_the_others_nothing_to_learn(name: str) -> None:
    term = made(name)
    has_critic = name in DIRECTED or name == "tc"
    assert (term.critic is not None) == has_critic
    assert bool(list(term.parameters())) == bool(term.state_dict()) == has_critic
    if has_critic:
        c, s = (z.requires_grad_() for z in codes())
        term.critic_loss(c, s, IS_TARGET).backward()
        assert any(parameter.grad.any() for parameter in term.parameters())
        assert c.grad is s.grad is None
    else:
        with pytest.raises(InputError, match="no critic"):
            term.critic_loss(*codes(), IS_TARGET)


def test_none_is_zero_with_zero_gradients() -> None:
    value, gradients = value_and_gradients(lambda c, s: made("none").loss(c, s, IS_TARGET, TAUS), *codes())
    assert value.item() == 0.0
    assert not any(gradient.any() for gradient in gradients)


@pytest.mark.parametrize("name", KERNELS)
def test_an_entropy_is_its_function_of_hidden_background_with_a_bandwidth_for_each_space(name: str) -> None:
    c, s = codes()
    assert torch.equal(made(name).loss(c, s, IS_TARGET, TAUS), KERNELS[name](c, hide_background(s, IS_TARGET), TAUS))


def test_mmd_compares_the_common_codes_of_the_groups() -> None:
    c, s = codes()
    assert torch.equal(made("mmd").loss(c, s, IS_TARGET, TAUS), mmd(c, IS_TARGET, TAUS[0]))


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("direction", ["c2s", "s2c"])
def test_a_bound_is_that_of_its_density_on_targets(bound: str, direction: str) -> None:
    term = made(f"{bound}-{direction}")
    assert isinstance(term.critic, VariationalBound)
    (q,) = term.critic.densities.values()
    c, s = codes()
    given, of = (c[IS_TARGET], s[IS_TARGET]) if direction == "c2s" else (s[IS_TARGET], c[IS_TARGET])
    mean, log_variance = q(given)
    assert mean.shape == log_variance.shape == of.shape
    torch.testing.assert_close(term.loss(c, s, IS_TARGET, TAUS), BOUNDS[bound](mean, log_variance, of))


@pytest.mark.parametrize("bound", BOUNDS)
def test_symmetric_has_both_densities(bound: str) -> None:
    term = made(f"{bound}-sym")
    assert isinstance(term.critic, VariationalBound)
    assert term.critic.bound == bound
    assert list(term.critic.densities) == ["c2s", "s2c"]


@with_a_critic
def test_background_that_nobody_asks_for_does_not_matter(name: str) -> None:
    c, s = codes()
    term, target_only = made(name), made(name, **({"over": "target"} if name == "tc" else {}))
    moved = torch.where(IS_TARGET[:, None], s, s + 3)
    torch.manual_seed(1)
    expected = target_only.loss(c, s, IS_TARGET, TAUS), target_only.critic_loss(c, s, IS_TARGET)
    torch.manual_seed(1)
    assert (target_only.loss(c, moved, IS_TARGET, TAUS), target_only.critic_loss(c, moved, IS_TARGET)) == expected
    if name == "tc":
        assert term.loss(c, moved, IS_TARGET, TAUS) != term.loss(c, s, IS_TARGET, TAUS)


def test_tc_is_total_correlation_of_both_codes_of_all_samples() -> None:
    term = made("tc")
    assert isinstance(term.critic, TotalCorrelation)
    c, s = codes()
    torch.testing.assert_close(term.loss(c, s, IS_TARGET, TAUS), term.critic.critic(torch.cat([c, s], 1)).relu().mean())


def test_a_discriminator_of_all_samples_feels_that_c_holds_the_group_and_one_of_targets_does_not() -> None:
    """c says nothing but the group, s is 0 for background: among targets they are independent, over all samples they are not."""
    c = torch.where(IS_TARGET[:, None], 1.0, -1.0) * torch.ones(N, 3)
    noise = torch.randn(N, 2, generator=torch.Generator().manual_seed(0))
    s = torch.where(IS_TARGET[:, None], 3 + 0.1 * noise, 0.0)
    felt = {}
    for over in ("all", "target"):
        term = made("tc", over=over)
        optimiser = torch.optim.Adam(term.parameters(), 1e-2)
        for _ in range(150):
            optimiser.zero_grad()
            term.critic_loss(c, s, IS_TARGET).backward()
            optimiser.step()
        felt[over] = term.loss(c, s, IS_TARGET, TAUS).item()
    assert felt["all"] > 0.5 > 5 * felt["target"]


def test_a_narrow_density_of_hidden_background_has_a_gradient_beyond_all_bounds_and_that_of_targets_has_not() -> None:
    """Against 2U(c), with the weight 10 of the table; speed/critic_gradients.py measures it on larger codes."""
    c, s = codes()
    c = torch.nn.functional.normalize(c).requires_grad_()
    hidden = hide_background(3 * s, IS_TARGET)
    torch.manual_seed(0)
    collapsing = VariationalBound("vclub", "c2s", 3, 2, log_variance_limit=8.0)
    term = made("vclub-c2s")
    optimiser = torch.optim.Adam([*collapsing.parameters(), *term.parameters()], 1e-2)
    for _ in range(500):
        optimiser.zero_grad()
        (collapsing.critic_loss(c, hidden) + term.critic_loss(c, 3 * s, IS_TARGET)).backward()
        optimiser.step()
    losses = collapsing.loss(c, hidden), term.loss(c, 3 * s, IS_TARGET, TAUS)
    before, after = (torch.autograd.grad(loss, c)[0].norm().item() for loss in losses)
    assert before > 50 * after


@pytest.mark.parametrize("name", ["k-gem", "vclub", "vclub-", "vclub-s2s", "", "None"])
def test_a_name_that_is_unknown_is_named_beside_those_that_are_known(name: str) -> None:
    with pytest.raises(InputError) as error:
        Independence(name, 3, 2)
    assert repr(name) in str(error.value)
    assert all(known in str(error.value) for known in INDEPENDENCE)
    assert "\n" not in str(error.value)

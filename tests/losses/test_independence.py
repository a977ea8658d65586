"""Every way to independence by its name: the right object, finite, and with a critic where it has one."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor

from sepclr.benchmark import recipes
from sepclr.losses import (
    INDEPENDENCE,
    HasCriticLoss,
    TotalCorrelation,
    VariationalBound,
    hide_background,
    hsic,
    independence,
    joint_entropy,
    kernel_mutual_information,
    mmd,
    vclub,
    vl1out,
    vub,
)
from sepclr.types import InputError

from .problems import EDGES, Term, random_problem, value_and_gradients

BOUNDS: dict[str, Term] = {"vclub": vclub, "vl1out": vl1out, "vub": vub}
KERNELS: dict[str, Term] = {"k-jem": joint_entropy, "k-mi": kernel_mutual_information, "mmd": mmd, "hsic": hsic}
DIRECTED = [f"{bound}-{direction}" for bound in BOUNDS for direction in ("sym", "c2s", "s2c")]

every_name = pytest.mark.parametrize("name", INDEPENDENCE)


def codes() -> tuple[Tensor, Tensor]:
    """Common codes in three dimensions, salient ones in two."""
    problem = random_problem()
    return problem.c.float(), problem.s.float()


def test_the_names_are_those_of_the_table() -> None:
    assert len(INDEPENDENCE) == len(set(INDEPENDENCE))
    assert set(INDEPENDENCE) == {"none", *KERNELS, *DIRECTED, "tc"}


def test_recipes_know_the_same_names() -> None:
    assert set(get_args(recipes.Independence)) == set(INDEPENDENCE)


@every_name
@pytest.mark.parametrize("edge", EDGES)
def test_every_way_is_finite(name: str, edge: str) -> None:
    problem = EDGES[edge]
    c, s = problem.c.float().requires_grad_(), problem.s.float().requires_grad_()
    module = independence(name, c.shape[1], s.shape[1])
    value = module.loss(c, hide_background(s, problem.is_target))
    value.backward()
    assert value.shape == ()
    assert value.isfinite()
    assert all(z.grad is None or z.grad.isfinite().all() for z in (c, s))


@every_name
def test_every_way_but_none_moves_a_code(name: str) -> None:
    c, s = (z.requires_grad_() for z in codes())
    torch.manual_seed(0)
    independence(name, 3, 2).loss(c, s).backward()
    moved = {code for code, z in (("c", c), ("s", s)) if z.grad is not None and z.grad.any()}
    assert moved == {"none": set(), "vub-c2s": {"c"}, "vub-s2c": {"s"}}.get(name, {"c", "s"})


@every_name
def test_the_bounds_and_the_ratio_have_a_critic_and_the_others_nothing_to_learn(name: str) -> None:
    module = independence(name, 3, 2)
    has_critic = name.startswith(("vclub", "vl1out", "vub")) or name == "tc"
    assert isinstance(module, HasCriticLoss) == has_critic
    assert bool(list(module.parameters())) == has_critic
    assert bool(module.state_dict()) == has_critic
    if isinstance(module, HasCriticLoss):
        module.critic_loss(*codes()).backward()
        assert all(parameter.grad.isfinite().all() for parameter in module.parameters())
        assert any(parameter.grad.any() for parameter in module.parameters())


def test_none_is_zero_with_zero_gradients() -> None:
    value, gradients = value_and_gradients(independence("none", 3, 2).loss, *codes())
    assert value.item() == 0.0
    assert not any(gradient.any() for gradient in gradients)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("tau", [0.5, 2.0, "median"])
def test_a_kernel_way_is_its_function_with_its_bandwidth(name: str, tau: float) -> None:
    torch.manual_seed(0)
    value = independence(name, 3, 2, tau).loss(*codes())
    torch.manual_seed(0)  # of the permutation of MMD
    assert torch.equal(value, KERNELS[name](*codes(), tau))


@pytest.mark.parametrize("name", KERNELS)
def test_bandwidth_of_a_kernel_way_is_one_half_where_none_is_given(name: str) -> None:
    torch.manual_seed(0)
    value = independence(name, 3, 2).loss(*codes())
    torch.manual_seed(0)
    assert torch.equal(value, KERNELS[name](*codes(), 0.5))


@pytest.mark.parametrize("bound", BOUNDS)
def test_from_common_to_salient_is_the_bound_of_a_density_of_salient_codes(bound: str) -> None:
    module = independence(f"{bound}-c2s", 3, 2)
    assert isinstance(module, VariationalBound)
    (q,) = module.densities.values()
    c, s = codes()
    mean, log_variance = q(c)
    assert mean.shape == log_variance.shape == s.shape
    assert torch.equal(module.loss(c, s), BOUNDS[bound](mean, log_variance, *([s] if bound != "vub" else [])))


@pytest.mark.parametrize("bound", BOUNDS)
def test_from_salient_to_common_is_the_bound_of_a_density_of_common_codes(bound: str) -> None:
    module = independence(f"{bound}-s2c", 3, 2)
    assert isinstance(module, VariationalBound)
    (q,) = module.densities.values()
    c, s = codes()
    mean, log_variance = q(s)
    assert mean.shape == log_variance.shape == c.shape
    assert torch.equal(module.loss(c, s), BOUNDS[bound](mean, log_variance, *([c] if bound != "vub" else [])))


@pytest.mark.parametrize("bound", BOUNDS)
def test_symmetric_has_both_densities(bound: str) -> None:
    module = independence(f"{bound}-sym", 3, 2)
    assert isinstance(module, VariationalBound)
    assert module.bound == bound
    c, s = codes()
    assert module.densities["c2s"](c)[0].shape == s.shape
    assert module.densities["s2c"](s)[0].shape == c.shape
    assert len(module.densities) == 2


def test_tc_is_total_correlation_of_both_codes() -> None:
    module = independence("tc", 3, 2)
    assert isinstance(module, TotalCorrelation)
    torch.testing.assert_close(module.loss(*codes()), module.critic(torch.cat(codes(), 1)).mean())


@pytest.mark.parametrize("name", ["k-gem", "vclub", "vclub-", "vclub-s2s", "", "None"])
def test_a_name_that_is_unknown_is_named_beside_those_that_are_known(name: str) -> None:
    with pytest.raises(InputError) as error:
        independence(name, 3, 2)
    assert repr(name) in str(error.value)
    assert all(known in str(error.value) for known in INDEPENDENCE)
    assert "\n" not in str(error.value)

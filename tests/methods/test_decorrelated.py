"""The decorrelated objective: its terms as written, and what it does to the gradient of the codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jaxtyping
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from sepclr import nets
from sepclr.losses import RunningCorrelation, alignment, conditional_uniformity, information_less, squared_correlations
from sepclr.methods import Decorrelated, DecorrelatedWeights
from sepclr.methods.decorrelated import CORRELATIONS
from sepclr.types import Batch, InputError, Outputs

N, VIEWS = 24, 2
TARGETS = torch.arange(N) % 3 != 0
Y = TARGETS.repeat(VIEWS)


def plain(**options: Any) -> Decorrelated:
    """On codes of 3 and 2 numbers: no network, so that terms can be asked about outputs of any kind."""
    torch.manual_seed(0)
    return Decorrelated(*(nn.Identity() for _ in range(4)), (nn.Identity(), nn.Identity()), (3, 2), **options).double()


def random_outputs(seed: int = 0, views: int = VIEWS) -> Outputs:
    draw = torch.Generator().manual_seed(seed)
    shapes = {"h_c": 3, "h_s": 2, "c": 3, "s": 2}
    return {name: torch.randn(N, views, d, generator=draw, dtype=torch.float64) for name, d in shapes.items()}


def by_view(z: Tensor) -> Tensor:
    return z.transpose(0, 1).flatten(0, 1)


def test_terms_are_those_of_the_docstring():
    out = random_outputs(views=3)
    terms = plain(further_views=2, tau=0.4, neighbours=3).terms(out, TARGETS)
    c, s = out["c"].unbind(1), out["s"].unbind(1)

    def common(v: int) -> Tensor:
        parts = [(~TARGETS, None), (TARGETS, s[v][TARGETS])]
        return sum(who.sum() * conditional_uniformity(c[v][who], given, 0.4, neighbours=3) for who, given in parts) / N

    salient = [conditional_uniformity(s[v][TARGETS], c[v][TARGETS], 0.4, neighbours=3, from_zero=True) for v in range(3)]
    aligned = alignment(s[0][TARGETS], torch.stack(s[1:])[:, TARGETS], 0.4)
    torch.testing.assert_close(terms["common"], alignment(c[0], torch.stack(c[1:]), 0.4) + 2 * sum(map(common, range(3))) / 3)
    torch.testing.assert_close(terms["salient"], aligned + 2 * sum(salient) / 3)
    torch.testing.assert_close(terms["information_less"], sum(information_less(each, TARGETS, 0.4) for each in s) / 3)


def test_without_neighbours_no_code_is_looked_at_beside_the_other():
    out = random_outputs()
    method = plain(neighbours=None)
    other = {**out, "s": random_outputs(1)["s"]}
    torch.testing.assert_close(method.terms(out, TARGETS)["common"], method.terms(other, TARGETS)["common"])
    assert plain().terms(out, TARGETS)["common"] != plain().terms(other, TARGETS)["common"]


@pytest.mark.parametrize(("term", "code", "other"), [("common", "c", "s"), ("salient", "s", "c")])
def test_a_condition_gets_no_gradient(term: str, code: str, other: str):
    out = {name: value.requires_grad_() for name, value in random_outputs().items()}
    plain().terms(out, TARGETS)[term].backward()
    assert out[code].grad.abs().sum() > 0
    assert out[other].grad is None or not out[other].grad.any()


def test_the_first_step_measures_the_correlations_of_its_own_batch():
    out, method = random_outputs(), plain(features=5)
    logged = method.steering(out, TARGETS).logged
    h_c, h_s = by_view(out["h_c"]), by_view(out["h_s"])
    assert set(logged) == set(CORRELATIONS)
    torch.testing.assert_close(logged["c_with_s"], squared_correlations(h_c[Y], method.phi_s(h_s[Y])))
    torch.testing.assert_close(logged["s_with_c"], squared_correlations(h_s[Y], method.phi_c(h_c[Y])))
    torch.testing.assert_close(logged["c_with_group"], squared_correlations(h_c, Y[:, None].double()))


def gradient(seed: int = 7) -> dict[str, Tensor]:
    """What the loss asks of the codes, in the place of a backward pass."""
    return {name: value for name, value in random_outputs(seed).items() if name in ("h_c", "h_s")}


def added(method: Decorrelated, out: Outputs, asked: dict[str, Tensor], code: str) -> Tensor:
    return method.steering(out, TARGETS).gradients[code](asked[code]) - asked[code]


def dependent() -> Outputs:
    """Codes that are linear functions of each other, h_s of h_c, so that D is 1 or more."""
    out = random_outputs()
    return {**out, "h_s": out["h_c"] @ torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]], dtype=torch.float64)}


@pytest.mark.parametrize(("name", "code"), [("c_with_s", "h_c"), ("s_with_c", "h_s")])
def test_at_full_dependence_separation_weighs_as_much_as_the_loss(name: str, code: str):
    asked = gradient()
    push = added(plain(correlations=[name]), dependent(), asked, code)
    torch.testing.assert_close(push.norm(), asked[code][TARGETS].norm())
    assert not push[~TARGETS].any()


@pytest.mark.parametrize(("name", "code"), [("c_with_s", "h_c"), ("s_with_c", "h_s"), ("c_with_group", "h_c")])
def test_below_1_its_weight_is_d_itself_and_its_direction_is_d_s_gradient(name: str, code: str):
    out, asked, method = random_outputs(), gradient(), plain(correlations=[name], features=0)
    push = added(method, out, asked, code)
    h = {each: by_view(out[each]) for each in ("h_c", "h_s")}
    leaf = h[code].clone().requires_grad_()
    if name == "c_with_group":
        value = squared_correlations(leaf, Y[:, None].double())
    else:
        value = squared_correlations(leaf[Y], h["h_s" if code == "h_c" else "h_c"][Y])
    (direction,) = torch.autograd.grad(value, leaf)
    assert 0 < value.item() < 1
    torch.testing.assert_close(by_view(push), value.detach() * asked[code][TARGETS].norm() * direction / direction.norm())


def test_the_gradient_is_that_of_more_dependence_so_that_descent_lowers_it():
    out = random_outputs()
    method = plain(correlations=["c_with_s"], features=0)
    push = added(method, out, gradient(), "h_c")
    h_c, h_s = by_view(out["h_c"]), by_view(out["h_s"])
    before, after = (squared_correlations((h_c - step * by_view(push))[Y], h_s[Y]) for step in (0.0, 0.01))
    assert after < before


def test_all_correlations_add_up():
    out, asked = random_outputs(), gradient()
    parts = [added(plain(correlations=[name]), out, asked, "h_c") for name in CORRELATIONS]
    torch.testing.assert_close(added(plain(), out, asked, "h_c"), sum(parts))


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1024.0])
def test_factors_of_the_gradient_are_kept(factor: float):
    steering = plain().steering(random_outputs(), TARGETS)
    for name, value in gradient().items():
        torch.testing.assert_close(steering.gradients[name](factor * value), factor * steering.gradients[name](value))


def test_order_of_samples_does_not_matter():
    out, asked = random_outputs(), gradient()
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    expected = plain().steering(out, TARGETS)
    moved = plain().steering({name: value[order] for name, value in out.items()}, TARGETS[order])
    for name, value in asked.items():
        torch.testing.assert_close(moved.gradients[name](value[order]), expected.gradients[name](value)[order])


@pytest.mark.parametrize("is_target", [torch.zeros(N, dtype=torch.bool), torch.ones(N, dtype=torch.bool)], ids=["background", "target"])
def test_of_one_group_gradients_stay_finite(is_target: Tensor):
    steering = plain().steering(random_outputs(), is_target)
    assert all(change(gradient()[name]).isfinite().all() for name, change in steering.gradients.items())
    assert all(value.isfinite() for value in steering.logged.values())


def test_no_dependence_and_no_gradient_add_nothing():
    out = random_outputs()
    zero = {name: torch.zeros_like(value) for name, value in out.items()}
    for method_out, asked in ((zero, gradient()), (out, {name: torch.zeros_like(value) for name, value in gradient().items()})):
        for name, change in plain().steering(method_out, TARGETS).gradients.items():
            assert torch.equal(change(asked[name]), asked[name])


def test_half_precision_gradients_keep_their_precision():
    for name, change in plain().steering(random_outputs(), TARGETS).gradients.items():
        assert change(gradient()[name].bfloat16()).dtype == torch.bfloat16


def test_codes_are_standardised_and_projections_lie_on_the_sphere_and_in_the_ball():
    torch.manual_seed(0)
    method = Decorrelated(
        nn.Linear(6, 3), nn.Linear(6, 2), nets.head(3), nets.head(2), (nets.standardise(3), nets.standardise(2)), (3, 2), radius=1.5
    )
    out = method.outputs(*(Batch(5 + 3 * torch.randn(N, 6), TARGETS) for _ in range(2)))
    for h in (by_view(out["h_c"]), by_view(out["h_s"])):
        torch.testing.assert_close(h.mean(0), torch.zeros(h.shape[1]), atol=1e-5, rtol=0)
        torch.testing.assert_close(h.var(0, correction=0), torch.ones(h.shape[1]), atol=1e-3, rtol=0)
    torch.testing.assert_close(out["c"], normalize(out["c"], dim=2))
    assert (out["s"].norm(dim=2) < 1.5).all()


def test_moments_are_in_the_state_of_the_method():
    names = set(plain().state_dict())
    for moments in ("c_with_s", "s_with_c", "c_with_group"):
        assert {f"{moments}.{buffer}" for buffer in ("samples", "sums", "products")} <= names
        assert isinstance(getattr(plain(), moments), RunningCorrelation)


def test_weights_are_one_but_for_that_of_background():
    assert plain().weights == DecorrelatedWeights(common=1.0, salient=1.0, information_less=4.0)


@pytest.mark.parametrize(
    ("option", "value"),
    [("further_views", 0), ("neighbours", 0), ("tau", 0.0), ("radius", -1.0), ("features", -1), ("correlations", ["c_with_x"])],
)
def test_options_that_cannot_be_used_are_named(option: str, value: float | Sequence[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # outside tests nobody checks annotations
    with pytest.raises(InputError, match="number" if option == "features" else option):
        plain(**{option: value})

"""The contract of every method, on rows, images and volumes."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from sepclr import nets
from sepclr.losses import INDEPENDENCE, alignment, bandwidths, hsic, uniformity
from sepclr.methods import CVAE, ContrastiveVAE, ConVAE, Decorrelated, MMcVAE, SepCLR, SepCLRWeights, SepVAE, SimCLR
from sepclr.methods.debiased import PAIRS, Classifier, Debiased, GroupDRO, LogitAdjusted, Reweighted
from sepclr.methods.domains import DomainClassifier
from sepclr.methods.make import make
from sepclr.methods.modalities import CrossModal, Modalities, Weak
from sepclr.methods.options import METHODS as DECLARED
from sepclr.methods.options.base import Discriminator
from sepclr.methods.options.cvae import TargetsDiscriminator
from sepclr.methods.options.sepclr import ConditionalCritic
from sepclr.methods.sepclr import FREE_OF
from sepclr.methods.several import SeveralTargets, several
from sepclr.types import Batch, HasCritic, HasSteering, InputError, Method

SHAPES = {"rows": (7,), "2-D": (3, 12, 12), "3-D": (1, 8, 8, 8)}


def sepclr(independence: str, encoder: str = "cnn3", **options: Any) -> Callable[[tuple[int, ...]], SepCLR]:
    def build(shape: tuple[int, ...]) -> SepCLR:
        kind = "mlp" if len(shape) == 1 else encoder
        return SepCLR(
            nets.encoder(kind, shape, 5, width=4),
            nets.encoder(kind, shape, 4, width=4),
            nets.head(5),
            nets.head(4),
            (5, 4),
            independence=independence,
            **options,
        )

    return build


def decorrelated(**options: Any) -> Callable[[tuple[int, ...]], Decorrelated]:
    def build(shape: tuple[int, ...]) -> Decorrelated:
        kind = "mlp" if len(shape) == 1 else "cnn3"
        return Decorrelated(
            nets.encoder(kind, shape, 5, width=4),
            nets.encoder(kind, shape, 4, width=4),
            nets.head(5),
            nets.head(4),
            (nets.standardise(5), nets.standardise(4)),
            (5, 4),
            **options,
        )

    return build


def variational(make: Callable[..., Any]) -> Callable[[tuple[int, ...]], Any]:
    def build(shape: tuple[int, ...]) -> Any:
        kind = "mlp" if len(shape) == 1 else "conv"
        return make(nets.encoder(kind, shape, 10, width=4), nets.encoder(kind, shape, 8, width=4), nets.decoder(shape, 9, width=4))

    return build


def simclr(group: str) -> Callable[[tuple[int, ...]], SimCLR]:
    def build(shape: tuple[int, ...]) -> SimCLR:
        return SimCLR(nets.encoder("mlp" if len(shape) == 1 else "resnet8", shape, 5, width=4), nets.head(5), group=group)

    return build


DIMS = (5, 4)


def weak(shape: tuple[int, ...]) -> Weak:
    return Weak(nets.encoder("mlp" if len(shape) == 1 else "cnn3", shape, 5, width=4))


def modalities(**options: Any) -> Callable[[tuple[int, ...]], Modalities]:
    def build(shape: tuple[int, ...]) -> Modalities:
        kind = "mlp" if len(shape) == 1 else "cnn3"
        other = weak(shape).requires_grad_(options.get("stages") == "together")
        return Modalities(other, nets.encoder(kind, shape, 5, width=4), nets.encoder(kind, shape, 4, width=4), **options)

    return build


def cross_modal(shape: tuple[int, ...]) -> CrossModal:
    return CrossModal(weak(shape), nets.encoder("mlp" if len(shape) == 1 else "cnn3", shape, 5, width=4))


def debiased(make: Callable[..., Any]) -> Callable[[tuple[int, ...]], Any]:
    def build(shape: tuple[int, ...]) -> Any:
        encoder = nets.encoder("mlp" if len(shape) == 1 else "cnn3", shape, 5, width=4)
        return make(encoder, nets.standardise(5), torch.nn.Linear(5, 3))

    return build


def of_domains(name: str, **options: Any) -> Callable[[tuple[int, ...]], DomainClassifier]:
    def build(shape: tuple[int, ...]) -> DomainClassifier:
        dims = {"common_dim": 5} | ({"salient_dim": 4} if "salient_dim" in DECLARED[name].defaults else {})
        classes = {"label": 3, "target_label": 3}
        networks = nets.Networks(shape, "mlp" if len(shape) == 1 else "cnn3", width=4, classes=classes)
        return make(DECLARED[name].asked(dims | options), networks, seed=0)

    return build


def two_targets(build: Callable[[tuple[int, ...]], Any]) -> Callable[[tuple[int, ...]], SeveralTargets]:
    return lambda shape: several([build(shape), build(shape)])


METHODS = (
    {f"sepclr {independence}": sepclr(independence) for independence in INDEPENDENCE}
    | {
        "sepclr as printed, two further views": sepclr("k-jem", objective="published", further_views=2),
        "sepclr of residual networks": sepclr("k-jem", "resnet10"),
        "sepclr by the median heuristic": sepclr("k-jem", tau="median"),
        "sepclr, free of an attribute": sepclr("k-jem", free_of=2),
        "decorrelated": decorrelated(),
        "decorrelated, free of an attribute": decorrelated(free_of=2),
        "decorrelated, two further views": decorrelated(further_views=2),
        "decorrelated, no neighbours": decorrelated(neighbours=None),
        "cvae": variational(partial(CVAE, dims=DIMS)),
        "cvae released": variational(partial(CVAE, dims=DIMS, fidelity="released")),
        "convae": variational(partial(ConVAE, dims=DIMS)),
        "mm-cvae": variational(MMcVAE),
        "sepvae": variational(partial(SepVAE, dims=DIMS)),
        "sepvae released": variational(partial(SepVAE, dims=DIMS, fidelity="released")),
        "simclr": simclr("all"),
        "simclr-target": simclr("target"),
        "modalities": modalities(),
        "modalities, apart from w": modalities(apart_from="w"),
        "modalities, together": modalities(stages="together", moves="both"),
        "weak modality": weak,
        "simclr-modalities": cross_modal,
        "debiased": debiased(partial(Debiased, biases=2)),
        "debiased by k-mi": debiased(partial(Debiased, biases=2, independence="k-mi")),
        "balanced-batches": debiased(partial(Classifier, evened=PAIRS)),
        "erm": debiased(Classifier),
        "reweighting": debiased(partial(Reweighted, biases=2)),
        "group-dro": debiased(partial(GroupDRO, biases=2)),
        "logit-adjustment": debiased(partial(LogitAdjusted, biases=2)),
    }
    | {name: of_domains(name) for name, declared in DECLARED.items() if declared.task == "domains"}
)
METHODS |= {"adapted, none": of_domains("adapted", independence="none")}
SEVERAL = ("sepclr k-jem", "sepclr tc", "decorrelated", "decorrelated, free of an attribute", "sepvae", "mm-cvae")
METHODS |= {f"{name}, two target groups": two_targets(METHODS[name]) for name in SEVERAL}


@pytest.fixture(params=SHAPES.values(), ids=SHAPES.keys())
def shape(request: pytest.FixtureRequest) -> tuple[int, ...]:
    return request.param


@pytest.fixture(params=METHODS.values(), ids=METHODS.keys())
def method(request: pytest.FixtureRequest, shape: tuple[int, ...]) -> Method:
    torch.manual_seed(0)
    return request.param(shape)


def views(shape: tuple[int, ...], is_target: Tensor, number: int = 2) -> tuple[Batch, ...]:
    draw = torch.Generator().manual_seed(1)
    x = torch.rand(len(is_target), *shape, generator=draw)
    weak = torch.rand(len(is_target), *shape, generator=draw)
    extra = {
        "label": torch.arange(len(is_target)) % 3,
        "bias": torch.arange(len(is_target)) % 2,
        "free_of": torch.arange(len(is_target)) // 2 % 3 - 1,
        "target_label": torch.arange(len(is_target)) % 3,
        "target_group": torch.where(is_target, torch.arange(len(is_target)) // 2 % 2, -1),
    }
    return tuple(
        Batch(
            *((x + 0.05 * torch.randn(x.shape, generator=draw)), is_target),
            extra | {"weak": weak + 0.05 * torch.randn(x.shape, generator=draw)},
        )
        for _ in range(number)
    )


MIXED = torch.tensor([False, True] * 5)


def outputs_of(method: Method, shape: tuple[int, ...], is_target: Tensor) -> Any:
    """Outputs of as many views as the method takes."""
    return method.outputs(*views(shape, is_target, 1 + getattr(method, "further_views", 1)))


def steered(method: Method, shape: tuple[int, ...], is_target: Tensor) -> tuple[Any, dict[str, Tensor]]:
    """Outputs whose gradients are changed as the method asks for, as training changes them, and what it logs."""
    out = outputs_of(method, shape, is_target)
    if not isinstance(method, HasSteering):
        return out, {}
    steering = method.steering({name: value.detach() for name, value in out.items()}, is_target)
    for name, change in steering.gradients.items():
        out[name].register_hook(change)
    return out, dict(steering.logged)


def losses_of(method: Method, out: Any, is_target: Tensor) -> list[Tensor]:
    """All terms, and the critic's loss where there is a critic."""
    losses = [*method.terms(out, is_target).values()]
    if isinstance(method, HasCritic) and method.critic_parameters():
        losses.append(method.critic_loss(out, is_target))
    return losses


def encoders(method: Method) -> list[torch.nn.Module]:
    if isinstance(method, SeveralTargets):
        return [method.shared["common"], *(part.salient for part in method.parts)]
    return [method.common, *([method.salient] if hasattr(method, "salient") else [])]


def test_it_is_what_training_asks_for(method):
    assert isinstance(method, Method)


def test_terms_have_the_names_of_the_weights(method, shape):
    terms = method.terms(outputs_of(method, shape, MIXED), MIXED)
    assert set(terms) == set(asdict(method.weights))
    assert all(term.shape == () for term in terms.values())


def test_outputs_are_per_sample_so_that_they_can_be_gathered(method, shape):
    assert all(len(value) == len(MIXED) for value in outputs_of(method, shape, MIXED).values())


def test_every_parameter_gets_a_finite_gradient(method, shape):
    out, logged = steered(method, shape, MIXED)
    assert all(value.shape == () and value.isfinite() for value in logged.values())
    sum(losses_of(method, out, MIXED)).backward()
    for name, parameter in method.named_parameters():
        if not parameter.requires_grad:  # trained before, and frozen
            assert name.startswith("other.")
            continue
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_some_gradient_is_not_zero_in_each_encoder(method, shape):
    sum(method.terms(outputs_of(method, shape, MIXED), MIXED).values()).backward()
    for encoder in encoders(method):
        assert max(parameter.grad.abs().max() for parameter in encoder.parameters()) > 0


def test_order_of_samples_does_not_matter(method, shape):
    order = torch.randperm(len(MIXED), generator=torch.Generator().manual_seed(2))
    out = outputs_of(method, shape, MIXED)
    terms = method.terms(out, MIXED)
    moved = method.terms({name: value[order] for name, value in out.items()}, MIXED[order])
    if isinstance(method, CVAE) and method.fidelity == "released":
        moved.pop("independence")  # draws which samples stand beside each other; the tests of the loss hold it
    for name, value in moved.items():
        torch.testing.assert_close(value, terms[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("is_target", [torch.zeros(6, dtype=torch.bool), torch.ones(6, dtype=torch.bool)], ids=["background", "target"])
def test_a_batch_of_one_group_is_finite(method, shape, is_target):
    terms = method.terms(outputs_of(method, shape, is_target), is_target)
    losses = [*terms.values(), *losses_of(method, steered(method, shape, is_target)[0], is_target)]
    sum(losses).backward()
    assert all(torch.isfinite(loss) for loss in losses)
    assert all(torch.isfinite(parameter.grad).all() for parameter in method.parameters() if parameter.requires_grad)


def test_saved_and_loaded_method_gives_the_same_codes(method, shape, tmp_path: Path):
    outputs_of(method, shape, MIXED)  # moves the statistics of batch normalisation
    method.eval()
    other = copy.deepcopy(method)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter)
    save_file(method.state_dict(), tmp_path / "model.safetensors")
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    x = views(shape, MIXED)[0].x
    with torch.no_grad():
        for mine, theirs in zip(method.encode(x), other.encode(x), strict=True):
            assert torch.equal(mine, theirs)


def test_codes_have_the_asked_for_lengths(method, shape):
    codes = method.encode(views(shape, MIXED)[0].x)
    assert codes.c.shape == (10, 5)
    assert codes.s.shape == (10, 8 if isinstance(method, SeveralTargets) else 4 if hasattr(method, "salient") else 1)


def test_common_head_lies_on_the_unit_sphere():
    method = sepclr("k-jem")((7,))
    heads = method.project(method.encode(views((7,), MIXED)[0].x))
    torch.testing.assert_close(heads.c.norm(dim=1), torch.ones(10))


@pytest.mark.parametrize("independence", [name for name in INDEPENDENCE if name != "none"])
def test_the_way_to_independence_changes_that_term_only(independence: str):
    with_term, without = (sepclr(name)((7,)) for name in (independence, "none"))
    out = without.outputs(*views((7,), MIXED))
    terms, others = with_term.terms(out, MIXED), without.terms(out, MIXED)
    assert others["independence"] == 0
    assert terms["independence"] != 0 or independence == "tc"  # log-odds below 0 are cut off
    assert all(terms[name] == others[name] for name in ("common", "salient", "information_less"))


@pytest.mark.parametrize("independence", INDEPENDENCE)
def test_encoders_and_critic_do_not_move_each_other(independence: str):
    method = sepclr(independence)((7,))
    out = method.outputs(*views((7,), MIXED))
    critic = list(method.critic_parameters())
    sum(method.terms(out, MIXED).values()).backward(retain_graph=True)
    assert all(parameter.grad is None for parameter in critic)
    method.zero_grad()
    if critic:
        method.critic_loss(out, MIXED).backward()
        assert all(parameter.grad is None for parameter in method.common.parameters())
        assert max(parameter.grad.abs().max() for parameter in critic) > 0
    else:
        with pytest.raises(InputError, match="no critic"):
            method.critic_loss(out, MIXED)


def test_the_salient_term_is_a_mean_over_targets_to_the_last_digit():
    """Of 14 samples 3 are targets: a ratio that no float holds."""
    method = SepCLR(*(torch.nn.Linear(4, 4, dtype=torch.float64) for _ in range(4)), (4, 4), independence="none").double()
    noise = torch.Generator().manual_seed(0)
    out = {name: torch.randn(14, 4, generator=noise, dtype=torch.float64) for name in ("c1", "c2", "s1", "s2")}
    is_target = torch.arange(14) % 5 == 0
    is_target[10:] = False
    hidden = [out[name] * is_target[:, None] for name in ("s1", "s2")]
    expected = (out["s1"] - out["s2"])[is_target].square().sum(1).mean() + sum(uniformity(s) for s in hidden)
    torch.testing.assert_close(method.terms(out, is_target)["salient"], expected, rtol=1e-12, atol=0)


def plain(objective: str, further_views: int = 1, **options: Any) -> SepCLR:
    """SepCLR on codes: no network, so that terms can be asked about outputs of any kind."""
    return SepCLR(*(torch.nn.Identity() for _ in range(4)), (3, 2), objective=objective, further_views=further_views, **options)


def test_k_jem_with_an_attribute_is_the_entropy_of_both_codes_and_it():
    out, label = random_outputs(2), torch.tensor([0, 1, 2, -1, 0, 1, 2, 0, 1])
    method, without = plain("released", free_of=3), plain("released")
    terms, others = method.terms(out | {"free_of": label}, TARGETS), without.terms(out, TARGETS)

    def kernel(a: Tensor, b: Tensor) -> float:
        return math.exp(-float((a - b).square().sum()))  # 2τ is 1

    def same(i: int, j: int) -> float:
        return 1.0 if label[i] == label[j] else math.exp(-2)

    def entropy(spaces: list[Tensor], members: list[int]) -> float:
        rows = [math.log(sum(math.prod(kernel(z[i], z[j]) for z in spaces) * same(i, j) for j in members) / len(members)) for i in members]
        return sum(rows) / len(rows)

    known = [i for i in range(9) if label[i] >= 0]
    hidden = [out[f"s{view}"] * TARGETS[:, None] for view in (1, 2)]
    joint = sum(entropy([out[f"c{view}"], hidden[view - 1]], known) for view in (1, 2)) / 2
    apart = sum(entropy([out[f"s{view}"]], [i for i in known if TARGETS[i]]) for view in (1, 2)) / 2
    assert terms["independence"].item() == pytest.approx(joint, rel=1e-6)
    assert terms["salient"].item() == pytest.approx(others["salient"].item() + FREE_OF * apart, rel=1e-6)
    assert terms["common"] == others["common"]


@pytest.mark.parametrize("build", [sepclr("k-jem", free_of=2), decorrelated(free_of=2)], ids=["k-jem", "decorrelated"])
def test_an_attribute_moves_both_codes(build: Callable[[tuple[int, ...]], Any]):
    torch.manual_seed(0)
    method = build((7,))
    batches = views((7,), MIXED)
    moved: list[Any] = []
    for label in (torch.arange(10) % 2, torch.arange(10) // 5):
        method.zero_grad()
        out = method.outputs(*(batch._replace(extra={"free_of": label}) for batch in batches))
        if isinstance(method, HasSteering):
            for name, change in copy.deepcopy(method).steering({n: v.detach() for n, v in out.items()}, MIXED).gradients.items():
                out[name].register_hook(change)
        sum(method.terms(out, MIXED).values()).backward()
        moved.append([next(encoder.parameters()).grad.clone() for encoder in (method.common, method.salient)])
    assert all((one - two).abs().max() > 1e-6 for one, two in zip(*moved, strict=True))


def test_an_attribute_needs_a_term_that_can_use_it():
    with pytest.raises(InputError, match="free_of: needs independence k-jem or decorrelation, not mmd"):
        plain("released", independence="mmd", free_of=2)


def random_outputs(views: int, n: int = 9) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(3)
    return {
        f"{space}{number}": torch.randn(n, d, generator=draw, dtype=torch.float64)
        for number in range(1, views + 1)
        for space, d in (("c", 3), ("s", 2))
    }


TARGETS = torch.arange(9) % 3 != 0


def test_objective_published_trains_equations_3_4_and_7_as_printed():
    out, k = random_outputs(4), 3
    terms = plain("published", k).terms(out, TARGETS)
    c, s = ([out[f"{space}{number}"].tolist() for number in range(1, 5)] for space in "cs")
    n, targets = 9, [i for i in range(9) if TARGETS[i]]

    def kernel(a: list[float], b: list[float], tau: float = 0.5) -> float:
        return math.exp(-sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / (2 * tau))

    def aligned(z: list[list[list[float]]], members: list[int]) -> float:  # eq. 4 and 6
        return -sum(math.log(sum(kernel(z[0][i], z[v][i]) for v in range(1, k + 1)) / k) for i in members) / len(members)

    def spread(z: list[list[float]]) -> float:  # eq. 3, self pairs in
        return math.log(sum(kernel(a, b) for a in z for b in z) / n**2)

    def away(z: list[list[float]]) -> float:  # eq. 7
        total = sum(kernel(z[i], [0.0, 0.0], 0.25) + sum(kernel(z[i], z[j]) for j in targets) / len(targets) for i in targets)
        return math.log(total / len(targets))

    common = aligned(c, list(range(n))) + sum(map(spread, c)) / 4
    salient = aligned(s, targets) + sum(map(away, s)) / 4
    assert terms["common"].item() == pytest.approx(common, rel=1e-6)
    assert terms["salient"].item() == pytest.approx(salient, rel=1e-6)


def test_objective_released_has_twice_the_mean_uniformity_of_all_views():
    out = random_outputs(3)
    terms = plain("released", 2).terms(out, TARGETS)
    shown = [out[f"s{v}"] * TARGETS[:, None] for v in (1, 2, 3)]
    others = torch.stack([out["c2"], out["c3"]]), torch.stack([out["s2"], out["s3"]])[:, TARGETS]
    common = alignment(out["c1"], others[0]) + 2 / 3 * sum(uniformity(out[f"c{v}"]) for v in (1, 2, 3))
    salient = alignment(out["s1"][TARGETS], others[1]) + 2 / 3 * sum(map(uniformity, shown))
    torch.testing.assert_close(terms["common"], common)
    torch.testing.assert_close(terms["salient"], salient)


def test_the_median_heuristic_gives_one_objective_one_width_for_each_space():
    """s had two: alignment took the median over targets, uniformity that over all rows, with background at 0."""
    out = random_outputs(2)
    spaces = torch.cat([out["c1"], out["c2"]]), torch.cat([out["s1"][TARGETS], out["s2"][TARGETS]])
    widths = tuple(float(bandwidths(z, "median")) for z in spaces)
    assert widths[0] != pytest.approx(widths[1], rel=1e-3)
    for objective in ("released", "published"):
        by_rule, by_hand = (plain(objective, tau=tau).terms(out, TARGETS) for tau in ("median", widths))
        for name, value in by_hand.items():
            torch.testing.assert_close(by_rule[name], value, rtol=1e-6, atol=1e-9)


def test_hsic_has_the_median_width_of_each_space_whatever_the_other_terms_have():
    out = random_outputs(2)
    c, s = torch.cat([out["c1"], out["c2"]]), torch.cat([out["s1"][TARGETS], out["s2"][TARGETS]])
    widths = bandwidths(c, "median"), bandwidths(s, "median")
    expected = sum(hsic(out[f"c{v}"], out[f"s{v}"] * TARGETS[:, None], widths) for v in (1, 2)) / 2
    torch.testing.assert_close(plain("released", independence="hsic").terms(out, TARGETS)["independence"], expected)


@pytest.mark.parametrize(("independence", "weight"), [("k-jem", 10.0), ("vclub-sym", 10.0), ("mmd", 100.0), ("hsic", 1000.0)])
def test_mmd_and_hsic_have_weights_of_their_own(independence: str, weight: float):
    assert plain("released", independence=independence).weights == SepCLRWeights(independence=weight)


@pytest.mark.parametrize(("independence", "settings"), [("vclub-c2s", (5, 1e-4)), ("vub-sym", (5, 1e-4)), ("tc", (1, 1e-3))])
def test_critics_have_steps_and_a_step_size_of_their_own(independence: str, settings: tuple[int, float]):
    method = plain("released", independence=independence)
    critic = DECLARED["sepclr"].asked({"independence": independence}).critic
    assert (method.critic_steps, method.critic_learning_rate) == settings
    method = plain("released", independence=independence, critic=type(critic)(2, 1e-2))
    assert (method.critic_steps, method.critic_learning_rate) == (2, 1e-2)


@pytest.mark.parametrize(
    ("independence", "critic", "named"),
    [
        ("mmd", Discriminator(), "critic: Discriminator, but 'mmd' has none"),
        ("tc", ConditionalCritic(), "critic: ConditionalCritic, but 'tc' takes a Discriminator"),
    ],
)
def test_a_critic_that_does_not_belong_to_the_term_is_named(independence: str, critic: Any, named: str):
    with pytest.raises(InputError, match=named):
        plain("released", independence=independence, critic=critic)


@pytest.mark.parametrize("kind", [Discriminator, TargetsDiscriminator, ConditionalCritic])
@pytest.mark.parametrize(("option", "value"), [("steps", 0), ("learning_rate", 0.0)])
def test_what_a_critic_cannot_have_is_named(kind: Any, option: str, value: float):
    with pytest.raises(InputError, match=f"critic_{option}: {value}"):
        kind(**{option: value})


def test_weights_are_frozen():
    with pytest.raises(AttributeError):
        SepCLRWeights().common = 2.0


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("independence", "k-gem"),
        ("further_views", 0),
        ("tau", 0.0),
        ("tau", float("nan")),
        ("tau", (0.5, -1.0)),
    ],
)
def test_options_that_cannot_be_used_are_named(option, value, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # outside tests nobody checks annotations
    identity = torch.nn.Identity()
    with pytest.raises(InputError, match=option):
        SepCLR(identity, identity, identity, identity, (2, 2), **{option: value})


def test_encoding_does_not_depend_on_the_other_samples(method, shape):
    method.eval()
    x = views(shape, MIXED)[0].x
    whole = method.encode(x)
    for i in (0, 7):
        for space, alone in zip(whole, method.encode(x[i : i + 1]), strict=True):
            torch.testing.assert_close(alone[0], space[i], rtol=1e-4, atol=1e-5)


def test_decoding_gives_samples_and_knows_what_s_does(method, shape):
    if not isinstance(method, ContrastiveVAE):
        assert not hasattr(method, "reconstruct")
        return
    x = views(shape, MIXED)[0].x
    codes = method.encode(x)
    assert method.reconstruct(x).shape == x.shape
    torch.testing.assert_close(method.swap(x, x), method.reconstruct(x))
    torch.testing.assert_close(method.without_salient(x), method.decode(codes._replace(s=0 * codes.s)))
    assert not torch.equal(method.swap(x, x.flip(0)), method.reconstruct(x))


@pytest.mark.parametrize("make", [partial(CVAE, dims=DIMS), partial(SepVAE, dims=DIMS)])
def test_a_fidelity_that_there_is_not_is_named(make: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # outside tests nobody checks annotations
    with pytest.raises(InputError, match="fidelity"):
        variational(partial(make, fidelity="exact"))((7,))

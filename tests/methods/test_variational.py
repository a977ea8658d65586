"""The objectives of the variational methods, term by term as loops over samples, and what each method does with background."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sepclr import nets
from sepclr.methods import CVAE, ConVAE, MMcVAE, SepVAE
from sepclr.methods.mmcvae import GAMMAS
from sepclr.methods.options.base import Discriminator
from sepclr.training import decode
from sepclr.types import Batch, InputError

DIMS = (3, 2)
IS_TARGET = torch.tensor([True, False, True, False, True, False, False])
N, TARGETS = len(IS_TARGET), int(IS_TARGET.sum())


def build(make: Any, **options: Any) -> Any:
    torch.manual_seed(0)
    dims = {} if make is MMcVAE else {"dims": DIMS}
    networks = nets.encoder("mlp", (6,), 6, width=8), nets.encoder("mlp", (6,), 4, width=8), nets.decoder((6,), 5, width=8)
    return make(*networks, **dims, **options).double().eval()


def batch() -> Batch:
    return Batch(torch.randn(N, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64), IS_TARGET)


def kl(means: Tensor, log_variances: Tensor) -> float:
    pairs = zip(means.flatten().tolist(), log_variances.flatten().tolist(), strict=True)
    return sum((m * m + math.exp(v) - 1 - v) / 2 for m, v in pairs)


METHODS = {"cvae": CVAE, "convae": ConVAE, "mm-cvae": MMcVAE, "sepvae": SepVAE}
all_methods = pytest.mark.parametrize("make", METHODS.values(), ids=METHODS.keys())


@all_methods
def test_the_evidence_is_a_sum_over_samples_divided_by_their_number(make: Any) -> None:
    method = build(make)
    out = method.outputs(batch(), batch())
    terms = method.terms(out, IS_TARGET)
    rebuilt = method.decoder(torch.cat([out["c"], out["s"] * IS_TARGET[:, None]], 1))
    error = sum((a - b) ** 2 for a, b in zip(rebuilt.flatten().tolist(), batch().x.flatten().tolist(), strict=True))
    assert terms["reconstruction"].item() == pytest.approx(error / N)
    assert terms["common"].item() == pytest.approx(kl(out["mean_c"], out["log_variance_c"]) / N)
    assert terms["salient"].item() == pytest.approx(kl(out["mean_s"][IS_TARGET], out["log_variance_s"][IS_TARGET]) / N)


@all_methods
def test_the_decoder_sees_no_salient_code_of_background(make: Any) -> None:
    method = build(make)
    out = method.outputs(batch(), batch())
    gradient = torch.autograd.grad(out["error"].sum(), out["s"])[0]
    assert not gradient[~IS_TARGET].any()
    assert gradient[IS_TARGET].all()


@all_methods
def test_the_second_view_does_not_matter(make: Any) -> None:
    method = build(make)
    torch.manual_seed(3)
    one = method.outputs(batch(), batch())
    torch.manual_seed(3)
    other = method.outputs(batch(), Batch(0 * batch().x, IS_TARGET))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("make", "over"), [(CVAE, "target"), (ConVAE, "all"), (ConVAE, "target"), (SepVAE, "all"), (SepVAE, "target")])
def test_total_correlation_is_a_sum_of_log_odds_above_zero_divided_by_the_size_of_the_batch(make: Any, over: str) -> None:
    method = build(make, **({} if make is CVAE else {"critic": Discriminator(over=over)}))
    out = method.outputs(batch(), batch())
    seen = IS_TARGET if over == "target" else torch.ones_like(IS_TARGET)
    pairs = torch.cat([out["c"], out["s"]], 1)[seen]
    with torch.no_grad():  # some log-odds above 0 and some below
        method.adversary.critic[-1].bias -= method.adversary.critic(pairs).mean()
    logits = [method.adversary.critic(pair).item() for pair in pairs]
    assert min(logits) < 0 < max(logits)
    expected = sum(max(each, 0) for each in logits) / N
    assert method.terms(out, IS_TARGET)["independence"].item() == pytest.approx(expected)


@pytest.mark.parametrize("make", [ConVAE, SepVAE])
def test_the_adversary_of_all_samples_sees_the_salient_code_of_background_as_it_is(make: Any) -> None:
    method = build(make)
    torch.nn.init.constant_(method.adversary.critic[-1].bias, 5.0)  # no log-odds are cut off
    out = method.outputs(batch(), batch())
    gradient = torch.autograd.grad(method.terms(out, IS_TARGET)["independence"], out["s"])[0]
    assert gradient[~IS_TARGET].any()
    assert gradient[IS_TARGET].any()
    sees = method.adversary_sees(out, IS_TARGET)
    assert torch.equal(sees[0], out["c"])
    assert torch.equal(sees[1], out["s"])


def test_released_cvae_has_a_linear_adversary_that_plays_along() -> None:
    method = build(CVAE, fidelity="released")
    assert [type(layer) for layer in method.adversary.critic] == [nn.Linear]
    assert method.critic_parameters() == []
    out = method.outputs(batch(), batch())
    torch.manual_seed(5)
    value = method.terms(out, IS_TARGET)["independence"]
    torch.manual_seed(5)
    order = torch.randperm(TARGETS)
    c, s = out["c"][IS_TARGET], out["s"][IS_TARGET]
    paired, torn = (method.adversary.critic(torch.cat([c, z], 1))[:, 0].sigmoid() for z in (s, s[order]))
    expected = (-paired.log() - (1 - torn).log() + (paired / (1 - paired)).log()).sum() / N
    torch.testing.assert_close(value, expected)
    value.backward()
    assert method.adversary.critic[0].weight.grad.any()


def test_moment_matching_sums_thirteen_kernels_with_self_pairs() -> None:
    method = build(MMcVAE)
    out = method.outputs(batch(), batch())

    def distance(a: Tensor, b: Tensor) -> float:
        def mean(one: Tensor, two: Tensor) -> float:
            values = [sum(math.exp(-gamma * float((x - y).square().sum())) for gamma in GAMMAS) for x in one for y in two]
            return sum(values) / len(values)

        return mean(a, a) + mean(b, b) - 2 * mean(a, b)

    terms = method.terms(out, IS_TARGET)
    background = out["s"][~IS_TARGET].detach()
    assert terms["information_less"].item() == pytest.approx(distance(background, torch.zeros_like(background)))
    c = out["c"].detach()
    assert terms["shared"].item() == pytest.approx(distance(c[~IS_TARGET], c[IS_TARGET]))


def test_sepvae_pulls_background_to_zero_and_tells_the_groups_apart() -> None:
    method = build(SepVAE)
    out = method.outputs(batch(), batch())
    terms = method.terms(out, IS_TARGET)
    assert terms["information_less"].item() == pytest.approx(out["mean_s"][~IS_TARGET].square().sum().item() / (2 * N))
    logits = method.classifier(out["s"])[:, 0].tolist()
    entropy = sum(math.log1p(math.exp(-z if target else z)) for z, target in zip(logits, IS_TARGET.tolist(), strict=True))
    assert terms["classification"].item() == pytest.approx(entropy / N)


def test_released_sepvae_does_not_weigh_its_classifier() -> None:
    assert build(SepVAE, fidelity="released").weights.classification == 1e-10
    assert build(SepVAE).weights.classification == 1


def test_decoding_in_evaluation_mode_uses_each_target_s_successor_as_donor() -> None:
    method = build(CVAE).train()
    x = batch().x[IS_TARGET]
    made = decode(method, x)
    assert method.training
    method.eval()
    with torch.no_grad():
        torch.testing.assert_close(made["reconstruction"], method.reconstruct(x))
        torch.testing.assert_close(made["without_salient"], method.without_salient(x))
        torch.testing.assert_close(made["swapped"], method.swap(x, x[[1, 2, 0]]))
        torch.testing.assert_close(decode(method, x, donor=x)["swapped"], method.reconstruct(x))


def test_a_method_without_decoder_says_which_have_one() -> None:
    from sepclr.methods import SimCLR

    with pytest.raises(InputError, match=r"SimCLR has no decoder; .*sepvae"):
        decode(SimCLR(nets.encoder("mlp", (6,), 3, width=8), nets.head(3)), torch.zeros(2, 6))


def test_background_cannot_choose_its_salient_variance_in_sepvae() -> None:
    method = build(SepVAE)
    out = method.outputs(batch(), batch())
    assert torch.equal(out["log_variance_s"][~IS_TARGET], torch.full((N - TARGETS, 2), math.log(0.1), dtype=torch.float64))
    log_variances = method.salient[-1].weight[2:]  # what gives the two log-variances
    only_background = torch.zeros(3, dtype=torch.bool)
    terms = method.terms(method.outputs(*[Batch(batch().x[:3], only_background)] * 2), only_background)
    gradient = torch.autograd.grad(sum(terms.values()), method.salient[-1].weight)[0]
    assert log_variances.shape == gradient[2:].shape
    assert not gradient[2:].any()
    assert gradient[:2].any()


def test_constants_are_those_of_the_programs_that_are_followed() -> None:
    """github.com/neurospin-projects/2023_rlouiset_sepvae (cifar_mnist/, celeba/mm-cvae.py), github.com/suinleelab/MM-cVAE (cVAE)."""
    sepvae = build(SepVAE).weights
    assert (sepvae.common, sepvae.salient, sepvae.information_less / 2, sepvae.independence) == (0.5, 0.5, 25.0, 2.0)
    convae = build(ConVAE).weights
    assert (convae.common, convae.salient, convae.independence) == (0.5, 0.5, 1.0)
    mmcvae = build(MMcVAE).weights
    assert (mmcvae.common, mmcvae.salient, 512 * mmcvae.shared, 512 * mmcvae.information_less) == (0.5, 0.5, 1000.0, 100.0)
    cvae = build(CVAE, fidelity="released").weights
    assert (cvae.common, cvae.salient, cvae.independence) == (1.0, 1.0, 1.0)


def test_sepvae_has_the_discriminator_and_the_classifier_of_its_program() -> None:
    method = SepVAE(nn.Identity(), nn.Identity(), nn.Identity(), (64, 64))
    assert [layer.out_features for layer in method.adversary.critic if isinstance(layer, nn.Linear)] == [128, 128, 1]
    assert [layer.out_features for layer in method.classifier if isinstance(layer, nn.Linear)] == [64, 1]
    assert (method.critic_steps, method.critic_learning_rate) == (1, 1e-3)

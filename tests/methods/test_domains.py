from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import cohort
from torch import Tensor

from sepclr import DomainConfusion, DomainInformation, SourceOnly, TargetOnly
from sepclr.losses import kernel_mutual_information
from sepclr.methods.domains import classification, domain_information, ramp, reversed_gradient
from sepclr.methods.dsn import scale_invariant_error, sum_of_products
from sepclr.methods.make import make
from sepclr.methods.options import METHODS, of_task
from sepclr.nets import Networks
from sepclr.types import Batch, HasProgress, InputError, Method

UNLABELLED = [name for name in of_task("domains") if name != "target-only"]
IS_TARGET = torch.arange(12) % 3 == 0


def made(name: str, **options: Any) -> Method:
    return make(METHODS[name].asked(options), Networks((6,), "mlp", width=8, classes={"label": 3, "target_label": 3}), seed=0)


def batch(seed: int = 0, **extra: Tensor) -> Batch:
    known = {"label": torch.where(IS_TARGET, -1, torch.arange(12) % 3), "target_label": torch.where(IS_TARGET, torch.arange(12) % 3, -1)}
    return Batch(torch.randn(12, 6, generator=torch.Generator().manual_seed(seed)), IS_TARGET, known | extra)


def gradients(method: Any, *views: Batch) -> list[Tensor]:
    terms = method.terms(method.outputs(*views), IS_TARGET)
    sum(terms.values()).backward()
    return [parameter.grad for parameter in method.parameters()]


@pytest.mark.parametrize("name", UNLABELLED)
def test_no_method_but_the_upper_bound_trains_on_labels_of_the_target_domain(name: str):
    assert [*METHODS[name].extra] == ["label"]
    other = batch(target_label=torch.where(IS_TARGET, 2, -1))
    for one, two in zip(gradients(made(name), batch(), batch()), gradients(made(name), other, other), strict=True):
        assert torch.equal(one, two)


def test_the_upper_bound_trains_on_labels_of_the_target_domain_only():
    first = gradients(made("target-only"), batch(), batch())
    others = batch(label=torch.where(IS_TARGET, -1, 0))
    assert all(torch.equal(*pair) for pair in zip(first, gradients(made("target-only"), others, others), strict=True))
    changed = batch(target_label=torch.where(IS_TARGET, 2, -1))
    assert not torch.equal(first[-1], gradients(made("target-only"), changed, changed)[-1])


@pytest.mark.parametrize("name", of_task("domains"))
def test_without_labels_the_cross_entropy_is_0_and_so_is_its_gradient(name: str):
    method = made(name)
    none = batch(label=torch.full((12,), -1), target_label=torch.full((12,), -1))
    term = method.terms(method.outputs(none, none), IS_TARGET)["classification"]
    term.backward()
    assert term == 0
    assert all((parameter.grad == 0).all() for parameter in method.classifier.parameters())


def test_the_cross_entropy_is_that_of_a_loop_over_labelled_samples():
    logits, labels = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64), torch.tensor([0, -1, 2, -1, 1])
    rows = [(logits[i].tolist(), y) for i, y in enumerate(labels.tolist()) if y >= 0]
    expected = sum(math.log(sum(map(math.exp, row))) - row[y] for row, y in rows) / len(rows)
    assert classification(logits, labels).item() == pytest.approx(expected, rel=1e-12)


def test_the_reversed_gradient_leaves_the_value():
    z = torch.tensor([[1.0, -2.0]], requires_grad=True)
    reversed_gradient(z, 0.3).square().sum().backward()
    assert torch.allclose(reversed_gradient(z, 0.3), z)
    torch.testing.assert_close(z.grad, -0.3 * 2 * z.detach())


def test_an_adversary_moves_codes_and_its_head_in_opposite_directions():
    """One sees the gradient of the domain's cross-entropy, the other its negative, times the factor."""
    method, one = made("dann", reversal=0.5), batch()
    out = method.outputs(one, one)
    out["c1"].retain_grad()
    method.terms(out, IS_TARGET)["domain"].backward()
    reversed_one = [parameter.grad.clone() for parameter in method.common.parameters()]
    head = [parameter.grad.clone() for parameter in method.domain.parameters()]
    method.zero_grad()
    method.reversal = -1.0  # no reversal
    method.terms(method.outputs(one, one), IS_TARGET)["domain"].backward()
    for mine, plain in zip(reversed_one, method.common.parameters(), strict=True):
        torch.testing.assert_close(mine, -0.5 * plain.grad, rtol=1e-3, atol=1e-6)
    for mine, plain in zip(head, method.domain.parameters(), strict=True):
        torch.testing.assert_close(mine, plain.grad, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "term"), [("domain-mmd", "similarity"), ("kernel-information", "information"), ("adapted", "independence")]
)
def test_terms_grow_from_0_to_their_full_size(name: str, term: str):
    method = made(name)
    assert isinstance(method, HasProgress)
    full = method.terms(method.outputs(batch(), batch(1)), IS_TARGET)[term]
    assert full != 0
    for share in (0.0, 0.1, 1.0):
        method.advance(share)
        now = method.terms(method.outputs(batch(), batch(1)), IS_TARGET)[term]
        torch.testing.assert_close(now, (2 / (1 + math.exp(-10 * share)) - 1) * full)
    assert ramp(0.0) == 0


def test_information_of_codes_apart_is_about_log_2_and_of_equal_codes_near_0():
    is_target = torch.arange(40) >= 20
    apart = torch.stack([torch.cos(math.pi * is_target), torch.zeros(40)], 1)
    assert domain_information(apart, is_target, 0.1).item() == pytest.approx(math.log(39 / 19), rel=1e-4)
    alike = torch.ones(40, 2)
    assert abs(domain_information(alike, is_target, 0.1).item()) < 1e-5


def test_information_is_that_of_a_loop():
    draw = torch.Generator().manual_seed(0)
    c, is_target, tau = torch.randn(7, 2, generator=draw, dtype=torch.float64), torch.tensor([0, 0, 1, 1, 0, 1, 0]).bool(), 0.4
    total, z = 0.0, c.tolist()
    for i in range(7):
        k = {j: math.exp(-(math.dist(z[i], z[j]) ** 2) / (2 * tau)) for j in range(7) if j != i}
        same = [j for j in k if is_target[j] == is_target[i]]
        total += math.log(sum(k[j] for j in same) / 6) - math.log(sum(k.values()) / 6) - math.log(len(same) / 6)
    assert domain_information(c, is_target, tau).item() == pytest.approx(total / 7, rel=1e-6)


def test_self_pairs_are_left_out_because_they_outweigh_all_others():
    """Of codes that are all equally far apart, each sample's own says which domain it is from."""
    c, is_target = torch.eye(30), torch.arange(30) % 2 == 0
    domain = torch.nn.functional.one_hot(is_target.long(), 2).float()
    assert kernel_mutual_information(c, domain, (0.1, 0.01)) > 0.65
    assert abs(domain_information(c, is_target, 0.1)) < 1e-5


def test_k_jem_keeps_s_apart_from_c():
    method = made("adapted")
    out = method.outputs(batch(), batch(1))
    alone = made("adapted", independence="none")
    assert alone.terms(out, IS_TARGET)["independence"] == 0
    repeated = {**out, "s1": out["c1"], "s2": out["c2"]}
    spread = {**out, "s1": out["c1"].roll(1, 0), "s2": out["c2"].roll(1, 0)}
    assert method.terms(spread, IS_TARGET)["independence"] < method.terms(repeated, IS_TARGET)["independence"]


def test_the_difference_of_private_and_shared_codes_is_that_of_a_loop():
    draw = torch.Generator().manual_seed(0)
    c, p = torch.randn(5, 3, generator=draw, dtype=torch.float64), torch.randn(5, 2, generator=draw, dtype=torch.float64)
    rows = [[(row - z.mean(0)) / (row - z.mean(0)).norm() for row in z] for z in (c, p)]
    products = [sum(float(a[k] * b[m]) for a, b in zip(*rows, strict=True)) ** 2 for k in range(3) for m in range(2)]
    assert sum_of_products(c, p).item() == pytest.approx(sum(products) / 6, rel=1e-12)
    assert sum_of_products(c[:1], p[:1]) == 0


def test_the_error_of_a_reconstruction_does_not_depend_on_its_brightness():
    draw = torch.Generator().manual_seed(0)
    x, decoded = torch.rand(2, 3, 4, 4, generator=draw), torch.rand(2, 3, 4, 4, generator=draw)
    expected = ((decoded - x) ** 2).flatten(1).mean(1) - (decoded - x).flatten(1).mean(1) ** 2
    torch.testing.assert_close(scale_invariant_error(decoded, x), expected)
    torch.testing.assert_close(scale_invariant_error(decoded + 0.2, x), expected)
    assert scale_invariant_error(decoded[..., :2, :2], x).shape == (2,)


def test_domains_with_different_classes_are_named():
    few = cohort(24, 0, "domains")
    X, y = few.x.numpy(), few.is_target.numpy()
    label, other = np.array(["a", "b"])[np.arange(24) % 2], np.array(["b", "c"])[np.arange(24) % 2]
    with pytest.raises(InputError, match="target_label: classes are b, c, and a, b in label"):
        TargetOnly(max_epochs=1, encoder="cnn3", width=4).fit(X, y, label=label, target_label=other)
    with pytest.raises(InputError, match=r"target_label: SourceOnly\.fit has no such argument"):
        SourceOnly(max_epochs=1, encoder="cnn3", width=4).fit(X, y, label=label, target_label=label)


def test_training_leaves_less_of_the_domain_in_the_codes():
    draw = np.random.default_rng(0)
    is_target, label = np.arange(400) >= 200, draw.integers(2, size=400)
    X = 0.3 * draw.normal(size=(400, 4))
    X[:, 0] += 2 * label - 1
    X[:, 1] += is_target
    options: dict[str, Any] = {"common_dim": 8, "max_epochs": 15, "batch_size": 100, "width": 16, "learning_rate": 3e-3, "random_state": 0}
    found = {}
    for kind in (SourceOnly, DomainInformation, DomainConfusion):
        model = kind(**options).fit(X, is_target, label=label)
        assert np.mean(model.predict(X) == label) > 0.95
        with torch.no_grad():
            z = model.method_.on_sphere(torch.from_numpy(model.transform(X)))
        found[kind] = float(domain_information(z, torch.from_numpy(is_target), 0.1))
    assert found[DomainInformation] < 0.5 * found[SourceOnly]
    assert found[DomainConfusion] < found[SourceOnly]

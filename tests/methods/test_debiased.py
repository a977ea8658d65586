"""Objectives of debiasing as loops, what is counted, and input that cannot be used."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import sepclr
from sepclr.data import Batches, Cohort
from sepclr.losses import joint_entropy, kernel_mutual_information
from sepclr.methods.debiased import PAIRS, Classifier, Debiased, GroupDRO, LogitAdjusted, Reweighted
from sepclr.methods.extra import check_extra, inseparable
from sepclr.methods.options import METHODS
from sepclr.training import evened
from sepclr.types import Batch, HasCounts, HasSteering, InputError

CLASSES, BIASES = 3, 2
LABEL = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])
BIAS = torch.tensor([0, 0, 1, 1, 0, 1, 1, 1])
"""Class 2 occurs with bias 1 only."""
EVERYONE = torch.ones(8, dtype=torch.bool)
EXTRA = {"label": LABEL, "bias": BIAS}


def made(kind: Any, **options: Any) -> Any:
    torch.manual_seed(0)
    method = kind(nn.Linear(4, 5), nn.BatchNorm1d(5, affine=False), nn.Linear(5, CLASSES), **options)
    if isinstance(method, HasCounts):
        method.count(EXTRA, EVERYONE)
    return method


def outputs() -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)
    return {"logits": torch.randn(8, CLASSES, generator=draw), "c": nn.functional.normalize(torch.randn(8, 5, generator=draw)), **EXTRA}


def cross_entropies(logits: list[list[float]]) -> list[float]:
    return [math.log(sum(map(math.exp, row))) - row[y] for row, y in zip(logits, LABEL.tolist(), strict=True)]


TIMES = Counter(zip(LABEL.tolist(), BIAS.tolist(), strict=True))


def test_weights_are_inverse_to_the_frequency_of_pairs_with_mean_1():
    method = made(Reweighted, biases=BIASES)
    of_sample = [method.of_pair[y, b].item() for y, b in zip(LABEL, BIAS, strict=True)]
    expected = [8 / len(TIMES) / TIMES[y, b] for y, b in zip(LABEL.tolist(), BIAS.tolist(), strict=True)]
    assert of_sample == pytest.approx(expected)
    assert sum(of_sample) / 8 == pytest.approx(1)
    assert method.of_pair[2, 0] == 0
    each = cross_entropies(outputs()["logits"].tolist())
    loss = sum(w * value for w, value in zip(expected, each, strict=True)) / 8
    assert method.terms(outputs(), EVERYONE)["classification"].item() == pytest.approx(loss, rel=1e-5)


def test_logits_are_adjusted_by_the_frequency_of_the_class_given_the_bias_in_training_only():
    method, of_bias = made(LogitAdjusted, biases=BIASES), Counter(BIAS.tolist())
    logits = outputs()["logits"].tolist()
    adjusted = [
        [value + math.log(TIMES[y, b] / of_bias[b] + 1e-9) for y, value in enumerate(row)]
        for row, b in zip(logits, BIAS.tolist(), strict=True)
    ]
    loss = sum(cross_entropies(adjusted)) / 8
    assert method.terms(outputs(), EVERYONE)["classification"].item() == pytest.approx(loss, rel=1e-5)
    plain = made(Classifier)
    codes = method.eval().encode(torch.ones(3, 4))
    torch.testing.assert_close(method.classify(codes), plain.eval().classify(codes))


def test_group_dro_steps_its_weights_before_the_loss_and_only_there():
    method = made(GroupDRO, biases=BIASES, step_size=0.5)
    each = cross_entropies(outputs()["logits"].tolist())
    of_pair = {
        pair: sum(value for value, *own in zip(each, LABEL.tolist(), BIAS.tolist(), strict=True) if tuple(own) == pair) / times
        for pair, times in TIMES.items()
    }
    q = {pair: 1 / len(TIMES) for pair in TIMES}
    for _ in range(2):
        steering = method.steering(outputs(), EVERYONE)
        assert steering.gradients == {}
        q = {pair: q[pair] * math.exp(0.5 * of_pair[pair]) for pair in q}
        q = {pair: value / sum(q.values()) for pair, value in q.items()}
        for _ in range(2):  # terms have no side effects
            loss = sum(q[pair] * of_pair[pair] for pair in q)
            assert method.terms(outputs(), EVERYONE)["classification"].item() == pytest.approx(loss, rel=1e-5)
        assert steering.logged["largest_weight"].item() == pytest.approx(max(q.values()), rel=1e-5)
    assert method.q[2, 0] == 0
    assert isinstance(method, HasSteering)
    assert {"q"} <= method.state_dict().keys()  # a resumed run continues with it


@pytest.mark.parametrize(("independence", "measure"), [("k-jem", joint_entropy), ("k-mi", kernel_mutual_information)])
def test_c_is_made_independent_of_the_one_hot_bias(independence: str, measure: Any):
    method, out = made(Debiased, biases=BIASES, independence=independence), outputs()
    codes = torch.tensor([[1.0, 0.0], [0.0, 1.0]])[BIAS]
    terms = method.terms(out, EVERYONE)
    torch.testing.assert_close(terms["independence"], measure(out["c"], codes, 0.5))
    assert terms["classification"] == made(Classifier).terms(out, EVERYONE)["classification"]


def test_the_gradient_of_the_term_drives_codes_of_a_bias_apart_and_those_of_others_together():
    """c tells the bias. A step against the gradient lowers the spread between biases, relative to that within."""
    c = torch.cat([torch.randn(32, 5, generator=torch.Generator().manual_seed(b)) * 0.2 + (3 if b else -3) for b in (0, 1)]) / 6
    c.requires_grad_()
    bias = torch.arange(64) // 32
    out = {"c": c, "logits": torch.zeros(64, CLASSES), "label": torch.arange(64) % 3, "bias": bias}
    made(Debiased, biases=BIASES).terms(out, torch.ones(64, dtype=torch.bool))["independence"].backward()
    moved = (c - c.grad).detach()

    def between(z: Tensor) -> float:
        return ((z[:32].mean(0) - z[32:].mean(0)).norm() / (z[:32] - z[:32].mean(0)).norm(dim=1).mean()).item()

    assert between(moved) < between(c.detach())


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (partial(Debiased, biases=BIASES), PAIRS),
        (partial(Classifier, evened=PAIRS), PAIRS),
        (partial(GroupDRO, biases=BIASES), PAIRS),
        (Classifier, ()),
        (partial(Reweighted, biases=BIASES), ()),
        (partial(LogitAdjusted, biases=BIASES), ()),
    ],
)
def test_batches_are_balanced_where_the_method_says_so(kind: Any, names: tuple[str, ...]):
    method = made(kind)
    assert evened(method) == names
    rare = torch.arange(400) < 8
    cohort = Cohort(torch.zeros(400, 4), torch.ones(400, dtype=torch.bool), extra={"label": torch.arange(400) % 2, "bias": rare.long()})
    drawn = torch.cat([batch.extra["bias"] for batch in Batches(cohort, 100, seed=0, epoch=0, evened=names)])
    assert drawn.float().mean().item() == pytest.approx(0.5 if names else 0.02, abs=0.1 if names else 1e-9)


def test_one_view_is_enough_and_lies_on_the_sphere():
    method = made(Classifier)
    out = method.outputs(Batch(torch.randn(8, 4, generator=torch.Generator().manual_seed(2)), EVERYONE, EXTRA))
    assert method.further_views == 0
    torch.testing.assert_close(out["c"].norm(dim=1), torch.ones(8))
    torch.testing.assert_close(out["logits"], 10 * method.classifier(out["c"]))


def cohort(label: Tensor = LABEL, bias: Tensor = BIAS) -> Cohort:
    return Cohort(torch.zeros(8, 4), EVERYONE, extra={"label": label, "bias": bias})


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"bias": torch.zeros(8, dtype=torch.int64)}, "bias: all samples are 0; give at least two classes"),
        ({"label": torch.ones(8, dtype=torch.int64)}, "label: all samples are 1; give at least two classes"),
        ({"bias": torch.where(LABEL == 1, -1, BIAS)}, r"bias: unknown \(-1\) for 2 sample\(s\); debiased needs it for each"),
        ({"bias": BIAS.float()}, "bias: give whole numbers from 0"),
    ],
)
def test_classes_that_cannot_be_used_are_named(extra: dict[str, Tensor], named: str):
    with pytest.raises(InputError, match=named):
        check_extra(METHODS["debiased"], cohort(**extra))


def test_options_that_cannot_be_used_are_named():
    with pytest.raises(InputError, match="independence: 'mmd' is unknown; choose k-jem or k-mi"):
        made(Debiased, biases=2, independence="mmd")
    with pytest.raises(InputError, match=r"tau: 0\.0 is not positive"):
        made(Debiased, biases=2, tau=0.0)
    with pytest.raises(InputError, match=r"step_size: -1\.0 is not positive"):
        METHODS["group-dro"].asked({"step_size": -1.0})


def test_classes_with_a_single_bias_are_found():
    assert inseparable(METHODS["debiased"], cohort()) == [2]
    assert inseparable(METHODS["debiased"], cohort(bias=torch.arange(8) % 2)) == []
    assert inseparable(METHODS["erm"], cohort()) == []


def biased(n: int, seed: int, aligned: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows whose label is in weak features, and whose bias, mostly equal to it, is in strong ones."""
    draw = np.random.default_rng(seed)
    y = draw.integers(2, size=n)
    bias = np.where(draw.random(n) < aligned, y, 1 - y)
    X = draw.normal(size=(n, 6))
    X[:, :3] += 0.9 * (2 * y[:, None] - 1)
    X[:, 3:] += 3.0 * (2 * bias[:, None] - 1)
    return X, np.where(y == 1, "cat", "dog"), bias


def test_an_estimator_predicts_the_label_where_the_bias_misleads():
    X, y, bias = biased(600, 0, 0.97)
    test, truth, _ = biased(600, 1, 0.5)
    how: dict[str, Any] = {"max_epochs": 25, "batch_size": 128, "learning_rate": 3e-3, "width": 32, "random_state": 0}
    plain, debiased = sepclr.ERM(8, **how).fit(X, y), sepclr.Debiased(8, **how).fit(X, y, bias=bias)
    scores = [(model.predict(test) == truth).mean() for model in (plain, debiased)]
    assert scores[0] < 0.75
    assert scores[1] > max(0.8, scores[0] + 0.1)


def test_an_estimator_warns_of_a_class_with_a_single_bias_and_names_it():
    X, y, bias = biased(80, 0, 0.5)
    how: dict[str, Any] = {"max_epochs": 1, "width": 4, "random_state": 0}
    with pytest.warns(UserWarning, match="y: class cat occurs with a single bias"):
        sepclr.Debiased(4, **how).fit(X, y, bias=np.where(y == "cat", 0, bias))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sepclr.Debiased(4, **how).fit(X, y, bias=bias)
    with pytest.raises(InputError, match="bias: all samples are 0"):
        sepclr.Debiased(4, **how).fit(X, y, bias=np.zeros(80, dtype=int))
    with pytest.raises(InputError, match="bias: missing; debiased trains on the bias"):
        sepclr.Debiased(4, **how).fit(X, y)

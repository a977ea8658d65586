"""``preflight`` of estimators."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from sepclr import ContrastivePCA, Debiased, InputError, SepCLR
from sepclr.data import Cohort
from sepclr.probes.dimension import contrastive_dimension

GROUPS = np.arange(240) >= 120


@pytest.fixture(autouse=True)
def few_orders(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sepclr.estimators.preflight_cohort.contrastive_dimension", partial(contrastive_dimension, orders=19))


def rows(own: float, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(240, 20))
    x[GROUPS] += own * draw.normal(size=(120, 1)) * np.eye(20)[3]
    return x


def test_both_kinds_of_estimators_find_what_only_the_target_varies_in():
    deep, linear = (model.preflight(rows(8), GROUPS) for model in (SepCLR(4, 4, random_state=0), ContrastivePCA()))
    for found in (deep, linear):
        assert found.signal
        assert found.findings["dimension"].numbers["estimate"] == 1
        assert found.advice[0].method == "contrastive-pca"  # fewer than 200 in a group
    assert "features_p" in deep.findings["signal"].numbers
    assert "features_p" not in linear.findings["signal"].numbers
    assert deep.findings["signal"].numbers["samples_accuracy"] == pytest.approx(
        linear.findings["signal"].numbers["samples_accuracy"], abs=0.02
    )


def test_noise_says_no_and_the_estimator_stays_as_it_was():
    model = SepCLR(4, 4, random_state=0)
    before = vars(model).copy()
    assert model.preflight(rows(0), GROUPS).findings["signal"].verdict.startswith("no")
    assert vars(model) == before


def test_untrained_encoders_are_those_that_fit_starts_from(monkeypatch: pytest.MonkeyPatch):
    seen = []
    monkeypatch.setattr("sepclr.estimators.preflight.of_cohort", lambda cohort, network, **_: seen.append(network))
    model = SepCLR(4, 4, random_state=3, max_epochs=1)
    model.preflight(rows(1), GROUPS)
    untrained = model.fit(rows(1), GROUPS).untrained()
    for one, other in zip(seen[0].parameters(), untrained.parameters(), strict=True):
        assert torch.equal(one, other)


def test_attributes_subjects_and_test_samples_are_looked_at():
    x, draw = rows(8), np.random.default_rng(0)
    attributes = {"site": np.where(GROUPS, "a", "b"), "age": draw.normal(size=240), "mark": np.where(GROUPS, 1, -1)}
    found = SepCLR(4, 4, random_state=0).preflight(x, GROUPS, attributes, subjects=np.arange(240) // 2, test=x[:5] + 1e-4)
    assert found.findings["confounders"].verdict == "site"
    assert "mark" not in found.findings["confounders"].numbers  # unknown in background
    assert "120 subjects, 0 of them in both groups" in found.findings["groups"].sentence
    assert "5 pairs correlated" in found.findings["duplicates"].sentence
    assert "sepclr --free_of ATTRIBUTE" in str(found)
    assert "identical" in ContrastivePCA().preflight(x, GROUPS, test=x[:2]).findings["duplicates"].sentence


def test_images_and_several_targets_of_a_cohort(images: Cohort):
    found = SepCLR(4, 4, encoder="cnn3", width=2, random_state=0).preflight(images)
    assert found.findings["signal"].verdict in ("yes", "not enough samples to say")
    labels = np.repeat(["b", "t", "u"], 80)
    several = SepCLR(4, 4, background="b", random_state=0).preflight(rows(1), labels)
    assert "2 target groups" in several.findings["groups"].sentence


def test_counts_are_told_from_other_rows():
    counts = np.random.default_rng(0).poisson(5, size=(500, 20))
    model = SepCLR(4, 4, random_state=0)
    assert "--normalise" not in str(model.preflight(counts, np.arange(500) % 2))  # standardised by the estimator
    raw = ContrastivePCA().preflight(Cohort(torch.from_numpy(counts).float(), torch.arange(500) % 2 == 0))
    assert raw.advice


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: Debiased().preflight(rows(0), GROUPS), "is for debiasing"),
        (lambda: SepCLR().preflight([(torch.zeros(2, 3), torch.ones(2))]), "batches cannot be read"),
        (lambda: SepCLR().preflight(rows(0), np.zeros(240)), "one class"),
        (lambda: SepCLR().preflight(rows(0)[:6], [0, 0, 0, 1, 1, 1]), "give at least 4 of each"),
        (lambda: SepCLR().preflight(np.ones((20, 3)), np.arange(20) % 2), "all samples are the same"),
        (lambda: SepCLR().preflight(rows(0), GROUPS, {"age": [1.0]}), "'age'"),
        (lambda: ContrastivePCA().preflight(rows(0), GROUPS, subjects=[1]), "subjects: 1 values"),
        (lambda: ContrastivePCA().preflight(rows(0), GROUPS, subjects=np.where(GROUPS, 1, 0)), "1 background and 1 target subject"),
    ],
)
def test_bad_input_is_named(call, named: str):
    with pytest.raises(InputError, match=named):
        call()

"""The certificate: exact tests, what it finds and what it says."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import import_module
from itertools import permutations as orders
from math import comb

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist, squareform
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, r2_score

from sepclr.losses import hsic
from sepclr.probes import Certificate, certificate, certify
from sepclr.probes import strengths as strengths_module
from sepclr.probes.dependence import dependence
from sepclr.probes.linear import Probed
from sepclr.probes.sensitivity import needed, needed_r2, visible, visible_r2
from sepclr.probes.strengths import PROBES, Question, _balanced, _orders, _r2, ask
from sepclr.types import InputError


def made(n: int, seed: int, leak: float = 0.0) -> tuple[dict[str, np.ndarray], np.ndarray, dict[str, np.ndarray]]:
    """Codes of n samples: the kind is in c, the mark in s of targets, and nowhere else but for a leak of the group into c."""
    draw = np.random.default_rng(seed)
    is_target = np.arange(n) % 2 == 0
    kind, mark = draw.integers(3, size=n), np.where(is_target, draw.integers(2, size=n), -1)
    c = np.eye(3)[kind] + 0.3 * draw.normal(size=(n, 3))
    c[:, 0] += leak * is_target
    s = is_target[:, None] * (np.eye(3)[mark] + 0.2 * draw.normal(size=(n, 3)))
    return {"c": c, "s": s}, is_target, {"kind": kind, "mark": mark}


ROLES = {"common": ("kind",), "salient": ("mark",)}


@pytest.fixture(scope="module")
def found() -> Certificate:
    codes, is_target, attributes = made(400, 0, leak=0.6)
    return certificate(codes, is_target, attributes, **ROLES)


def test_a_leak_and_what_belongs_are_told_apart(found: Certificate):
    leaks = {(test["about"], test["space"]) for test in found.tests if test["expected"] == "chance" and test["corrected"] <= 0.05}
    assert leaks == {("group", "c")}
    seen = {(test["about"], test["space"]) for test in found.tests if test["expected"] == "above chance" and test["corrected"] <= 0.05}
    assert seen == {("kind", "c"), ("mark", "s"), ("group", "s")}
    assert {test["by"] for test in found.tests} == {*PROBES, "HSIC", "distance correlation"}
    assert found.norm["background"] == (0.0, 0.0, 0.0)
    mean, low, high = found.norm["target"]
    assert 0.9 < low < mean < high < 1.2
    assert found.verdict[0].startswith("4 of 14 tests found a leak at the 5 % level, on 200 held-out samples.")
    assert found.verdict[1].startswith("c holds the group (")
    assert found.verdict[2] == "Detected where expected: kind in c; mark and the group in s."
    json.dumps(asdict(found), allow_nan=False)


def test_codes_without_a_leak_are_certified_in_words_that_claim_no_more():
    codes, is_target, attributes = made(400, 1)
    clean = certificate(codes, is_target, attributes, **ROLES)
    assert clean.verdict[0] == "No leak was detected at the 5 % level in 14 tests on 200 held-out samples."
    least = max((test for test in clean.tests if test["about"] == "mark"), key=lambda test: test["needed"])
    assert clean.verdict[2] == (
        f"The least sensitive test, of mark on 100 samples, detects a leak of {100 * least['visible']:.2g} points of balanced accuracy "
        f"with a power of 80 %. For a leak of 5 points of balanced accuracy it needs {least['needed']} held-out samples."
    )


def test_without_s_only_c_is_asked_and_what_has_no_role_is_not_corrected():
    codes, is_target, attributes = made(200, 2)
    only = certificate({"c": codes["c"]}, is_target, attributes, unwanted=("mark",))
    assert {test["space"] for test in only.tests} == {"c"}
    assert {test["about"] for test in only.tests if test["corrected"] is None} == {"kind"}
    assert only.norm == {}
    alone = certificate(codes, np.ones(200, dtype=bool), {"kind": attributes["kind"]})
    assert {test["about"] for test in alone.tests} == {"kind", "c and s"}


def test_more_permutations_are_drawn_where_many_tests_are_corrected(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(strengths_module, "probes", lambda quantity, n, seed: {"linear": LogisticRegression()})
    codes, is_target, attributes = made(40, 3)
    names = [f"site {place}" for place in range(10)]
    many = certificate(codes, is_target, dict.fromkeys(names, attributes["kind"]), unwanted=names)
    assert many.permutations == 2 * (4 * (2 * 10 + 1) + 2) / 0.05 - 1


def test_what_cannot_be_asked_is_said():
    codes, is_target, _ = made(40, 3)
    left = certificate({"c": codes["c"]}, is_target, {"site": np.array(["a"] * 40), "dose": np.full(40, np.nan)}, unwanted=("site",))
    assert left.verdict[-2:] == [
        "Not tested: site (fewer than two classes on both sides).",
        "Not tested: dose (fewer than four values, or all the same).",
    ]


def test_differences_between_groups_are_named_and_attributes_are_asked_beyond_them():
    draw = np.random.default_rng(4)
    codes, is_target, _ = made(400, 4)
    site = np.where(draw.random(400) < 0.8, is_target, ~is_target).astype(int)  # s tells the groups apart, and so most sites
    said = certificate(codes, is_target, {"site": site}, unwanted=("site",), everyone=True)
    from_s = [test for test in said.tests if (test["about"], test["space"]) == ("site", "s")]
    assert min(test["corrected"] for test in from_s) > 0.05
    assert max(test["score"] for test in from_s) > 0.7
    assert max(abs(test["score"] - test["chance"]) for test in from_s) < 0.05
    assert "The groups differ in site: a code that holds this tells them apart by it." in said.verdict


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attributes": {"kind": np.zeros(3)}}, "kind: 3 values for 40 samples; give one per sample"),
        ({"codes": {"s": np.zeros((40, 2))}}, "codes: there is no c"),
        ({"codes": {"c": np.full((40, 2), np.nan)}}, "code c: contains NaN or infinite values"),
        ({"common": ("age",)}, "there is no attribute 'age'"),
        ({"common": ("kind",), "salient": ("kind",)}, "'kind' is listed more than once"),
        ({"is_target": np.arange(40) < 2}, "give at least 4 of each group"),
    ],
)
def test_what_cannot_be_used_is_named(changes: dict, message: str):
    codes, is_target, attributes = made(40, 0)
    with pytest.raises(InputError, match=message):
        certificate(**({"codes": codes, "is_target": is_target, "attributes": attributes} | changes))


def test_p_values_are_exact():
    """Over all orders of the held-out labels, each equally likely under the null, a p-value of at most α has probability at most α."""
    draw = np.random.default_rng(0)
    weights = draw.dirichlet([1, 1], size=7)[:, :, None]
    labels = np.array([0, 0, 0, 1, 1, 1, 1])
    scores = _balanced(np.array(list(orders(labels))), weights)[:, 0]
    p = np.array([(scores >= each - 1e-12).mean() for each in scores])
    for level in (1 / comb(7, 3), 0.05, 0.1, 0.5):
        assert p[p <= level].size / p.size <= level + 1e-12
    assert p.min() == pytest.approx(1 / comb(7, 3))  # no ties: every way to place the labels has a score of its own


def test_scores_are_those_of_scikit_learn():
    draw = np.random.default_rng(1)
    labels = draw.integers(3, size=(5, 50))
    weights = draw.dirichlet([1, 1, 1], size=(50, 2)).transpose(0, 2, 1)
    expected = [[balanced_accuracy_score(each, weights[:, :, probe].argmax(1)) for probe in range(2)] for each in labels]
    np.testing.assert_allclose(_balanced(labels, weights, tie=0.0), expected)
    values, answers = draw.normal(size=(5, 50)), draw.normal(size=(50, 2))
    np.testing.assert_allclose(_r2(values, answers), [[r2_score(each, answers[:, probe]) for probe in range(2)] for each in values])


def test_rare_classes_count_as_much_as_others():
    draw = np.random.default_rng(2)
    truth = [(draw.random(n) < 0.1).astype(int) for n in (400, 400)]
    codes = tuple(each[:, None] * 1.5 + draw.normal(size=(400, 1)) for each in truth)
    question = Question(*truth, None, np.zeros(400, dtype=int))
    answers = ask(question, {"c": codes}, rounds=99, seed=0)
    assert answers["c", "linear"].score > 0.7  # a plain logistic regression calls nearly all of them 0
    assert answers["c", "linear"].p == 0.01
    assert answers["c", "linear"].low < answers["c", "linear"].score < answers["c", "linear"].high


def test_a_code_that_is_constant_holds_nothing():
    for truth in (np.arange(40) % 2, np.linspace(0, 1, 40)):
        question = Question(truth, truth, None, np.zeros(40, dtype=int))
        for answer in ask(question, {"s": (np.zeros((40, 3)), np.zeros((40, 3)))}, rounds=19, seed=0).values():
            assert answer.p == 1
            assert answer.score == pytest.approx(answer.chance)


def test_values_are_exchanged_within_strata_and_between_subjects():
    subjects = np.array(list("aabbccdd"))
    labels, strata = np.array([0, 0, 1, 1, 0, 0, 1, 1]), np.array([0, 0, 0, 0, 1, 1, 1, 1])
    question = Question(labels, labels, subjects, strata)
    drawn = labels[np.concatenate([*_orders(question, labels, 50, np.random.default_rng(0))])]
    assert {tuple(each) for each in drawn} == {
        (0, 0, 1, 1, 0, 0, 1, 1), (1, 1, 0, 0, 0, 0, 1, 1), (0, 0, 1, 1, 1, 1, 0, 0), (1, 1, 0, 0, 1, 1, 0, 0),
    }  # fmt: skip


def test_a_leak_that_no_linear_probe_sees_is_found():
    draw = np.random.default_rng(5)
    code = draw.normal(size=(800, 2))
    question = Question(*np.split((code[:, 0] * code[:, 1] > 0).astype(int), 2), None, np.zeros(400, dtype=int))
    answers = ask(question, {"c": tuple(np.split(code, 2))}, rounds=99, seed=0)
    assert answers["c", "linear"].p > 0.01
    assert {answers["c", name].p for name in PROBES[1:]} == {0.01}


def test_measures_of_dependence_are_their_definitions():
    draw = np.random.default_rng(6)
    c, s = draw.normal(size=(30, 3)), draw.normal(size=(30, 2))
    one, two = dependence(c, s, rounds=1)
    assert one.value == pytest.approx(float(hsic(torch.from_numpy(c), torch.from_numpy(s), "median")), rel=0.05)  # of two middle values

    def centred(z: np.ndarray) -> np.ndarray:
        distances, h = squareform(pdist(z)), np.eye(30) - 1 / 30
        return h @ distances @ h

    a, b = centred(c), centred(s)
    assert two.value == pytest.approx(np.sqrt((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())))


def test_dependence_is_found_without_counting_a_subject_twice():
    draw = np.random.default_rng(7)
    c = draw.normal(size=(150, 2))
    assert all(each.p == 0.01 for each in dependence(c, c[:, :1] ** 2, rounds=99))
    twins = np.repeat(draw.normal(size=(40, 2)), 5, 0), np.repeat(draw.normal(size=(40, 2)), 5, 0)
    for each in dependence(*twins, subjects=np.repeat(np.arange(40), 5), rounds=99):
        assert each.n == 40
        assert each.p > 0.01
    assert {each.p for each in dependence(c, np.zeros((150, 1)), rounds=19)} == {1.0}


def test_the_smallest_visible_leak_is_detected_with_the_power_that_is_claimed():
    counts, level = np.array([300, 200]), 0.01
    leak = visible(counts, level)
    draw = np.random.default_rng(8)
    hits = np.stack([draw.binomial(n, [[0.5], [0.5 + leak]], size=(2, 20_000)) / n for n in counts]).mean(0)
    assert (hits[1] > np.quantile(hits[0], 1 - level)).mean() == pytest.approx(0.8, abs=0.03)
    assert needed(counts, level, leak) == 500
    assert needed(np.array([100, 100]), 0.05) == 617  # by hand
    assert visible(np.array([2, 2]), level) is None
    n = needed_r2(level)
    assert visible_r2(n, level) == pytest.approx(0.05, abs=0.001)
    assert visible_r2(3, level) is None
    r = np.tanh(draw.normal(np.arctanh(np.sqrt(0.05)), 1 / np.sqrt(n - 3), 20_000))
    assert (np.arctanh(r) * np.sqrt(n - 3) > norm.isf(level)).mean() == pytest.approx(0.8, abs=0.02)


def test_few_of_many_samples_are_fitted_and_all_classes_are_answered(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(strengths_module, "MOST_TRAIN", 30)
    monkeypatch.setattr(import_module("sepclr.probes.certificate"), "MOST_HELD_OUT", 150)
    codes, is_target, attributes = made(200, 9)
    kind = np.where(np.arange(200) % 67 == 0, 3, attributes["kind"])  # a class that few samples have
    side = Probed(codes, is_target, {"kind": kind}, everyone=True)
    tests = [test for test in certify(side, side, common=("kind",)).tests if test["by"] in PROBES]
    assert {test["n_train"] for test in tests} == {30}
    assert {test["n_test"] for test in tests if test["about"] == "group"} == {150}
    assert all(0 <= test["score"] <= 1 for test in tests)


@pytest.mark.slow
def test_tests_of_independent_codes_fire_as_often_as_they_should():
    fired: dict[str, list[bool]] = {}
    for seed in range(60):
        draw = np.random.default_rng(seed)
        attributes = {"class": draw.integers(4, size=120), "quantity": draw.normal(size=120)}
        codes = {space: draw.normal(size=(120, 3)) for space in "cs"}
        made = certificate(codes, np.arange(120) < 50, attributes, unwanted=("class", "quantity"), seed=seed)
        for test in made.tests:
            fired.setdefault(test["by"], []).append(test["p"] <= 0.05)
        fired.setdefault("any", []).append(min(test["corrected"] for test in made.tests if test["expected"] == "chance") <= 0.05)
    for name, each in fired.items():
        assert np.mean(each) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / min(len(each), 60)), name
    assert np.mean(fired["linear"]) > 0.01


def test_a_class_too_rare_to_be_drawn_leaves_no_probe_and_no_traceback(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(strengths_module, "MOST_TRAIN", 20)
    codes, train = np.random.default_rng(0).normal(size=(2000, 2)), np.zeros(2000, dtype=int)
    train[7] = 1  # of 20 samples drawn it is not one
    question = Question(train, np.repeat([0, 1], 20), None, np.zeros(40, dtype=int))
    for answer in ask(question, {"c": (codes, codes[:40])}, rounds=19, seed=0).values():
        assert (answer.score, answer.p) == (0.5, 1)


def test_what_varies_within_subjects_of_both_groups_is_asked_within_groups():
    draw = np.random.default_rng(1)
    donors = np.repeat(np.arange(24), 40)
    is_target = np.tile([False, True], 480)
    kind = np.where(draw.random(960) < np.where(is_target, 0.8, 0.2), "a", "b")
    codes = {"c": draw.normal(size=(960, 2)), "s": is_target[:, None] + 0.1 * draw.normal(size=(960, 2))}
    made = certificate(codes, is_target, {"kind": kind}, common=["kind"], subjects=donors, everyone=True)
    assert min(test["p"] for test in made.tests if (test["about"], test["space"]) == ("kind", "s")) > 0.005  # 0.001 otherwise
    assert max(test["p"] for test in made.tests if (test["about"], test["space"]) == ("group", "s")) < 0.01
    # A donor has both kinds, and counts once in the number of donors that a leak of five points needs.
    (wanted,) = {test["needed"] for test in made.tests if test["about"] == "kind" and test["by"] == "linear" and test["space"] == "s"}
    assert wanted == pytest.approx(needed(np.array([12, 12]), 0.05 / sum(test["expected"] == "chance" for test in made.tests)) / 2, abs=2)


def test_missing_text_of_a_data_frame_is_missing():
    draw = np.random.default_rng(2)
    is_target = np.arange(200) % 2 == 0
    site = draw.choice(["n", "s"], 200).astype(object)
    site[::4] = None
    site[1] = float("nan")
    made = certificate({"c": draw.normal(size=(200, 2))}, is_target, {"site": site}, unwanted=["site"], everyone=True)
    assert {test["n_test"] for test in made.tests if test["about"] == "site"} < set(range(60, 80))


def test_differences_between_groups_are_counted_over_subjects():
    fired = 0
    for seed in range(8):
        draw = np.random.default_rng(seed)
        subjects, is_target = np.repeat(np.arange(24), 15), np.repeat(np.arange(24) % 2 == 0, 15)
        age = draw.normal(size=24)[subjects]
        made = certificate({"c": draw.normal(size=(360, 2))}, is_target, {"age": age}, common=["age"], subjects=subjects, everyone=True)
        fired += any("The groups differ in" in sentence for sentence in made.verdict)
    assert fired <= 2

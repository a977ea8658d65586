from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from sepclr.probes import Probed, probe
from sepclr.probes.linear import GROUP
from sepclr.types import InputError


def made(n: int, seed: int, noise: float = 0.3) -> Probed:
    """A code that holds the kind and the age of targets in c, the group in s, and nothing else."""
    draw = np.random.default_rng(seed)
    is_target = np.arange(n) >= n // 3
    kind, age = draw.integers(3, size=n), draw.uniform(20, 80, size=n)
    c = np.eye(3)[kind] + noise * draw.normal(size=(n, 3))
    c = np.column_stack([c, age / 10 + noise * draw.normal(size=n)])
    s = np.column_stack([is_target + 0.1 * draw.normal(size=n), draw.normal(size=n)])
    return Probed({"c": c, "s": s}, is_target, {"kind": kind, "age": age})


TRAIN, TEST = made(600, 0), made(900, 1)
ROWS = {(row["attribute"], row["space"], row["metric"]): row for row in probe(TRAIN, TEST, encoder="trained")}


def test_every_attribute_and_the_group_are_read_from_every_space():
    metrics = [
        ("kind", "balanced_accuracy"),
        ("kind", "accuracy"),
        ("age", "mae"),
        (GROUP, "balanced_accuracy"),
        (GROUP, "accuracy"),
    ]
    assert set(ROWS) == {(name, space, metric) for name, metric in metrics for space in ("c", "s")}


def test_what_is_in_a_code_is_read_and_what_is_not_stays_at_chance():
    assert ROWS["kind", "c", "balanced_accuracy"]["score"] > 0.85
    assert abs(ROWS["kind", "s", "balanced_accuracy"]["score"] - 1 / 3) < 0.08
    assert ROWS[GROUP, "s", "balanced_accuracy"]["score"] > 0.95
    assert abs(ROWS[GROUP, "c", "balanced_accuracy"]["score"] - 0.5) < 0.08
    assert ROWS["age", "c", "mae"]["score"] < 5
    assert ROWS["age", "s", "mae"]["score"] == pytest.approx(ROWS["age", "s", "mae"]["chance"], rel=0.1)


def test_only_targets_are_asked_for_their_attributes():
    assert ROWS["kind", "c", "accuracy"]["n_test"] == 600
    assert ROWS["kind", "c", "accuracy"]["n_train"] == 400
    assert ROWS[GROUP, "c", "accuracy"]["n_test"] == 900
    filler = {name: np.where(TEST.is_target, values, -1) for name, values in TEST.attributes.items()}
    again = probe(TRAIN, replace(TEST, attributes=filler), encoder="trained")
    assert [row["score"] for row in again] == [row["score"] for row in ROWS.values()]


def test_published_protocol_is_logistic_regression_as_it_comes():
    rows = probe(TRAIN, TEST, encoder="trained", protocol="published")
    model = LogisticRegression().fit(TRAIN.spaces["c"][TRAIN.is_target], TRAIN.attributes["kind"][TRAIN.is_target])
    answers = model.predict(TEST.spaces["c"][TEST.is_target])
    truth = TEST.attributes["kind"][TEST.is_target]
    scores = {row["metric"]: row["score"] for row in rows if row["attribute"] == "kind" and row["space"] == "c"}
    assert scores["accuracy"] == accuracy_score(truth, answers)
    assert scores["balanced_accuracy"] == balanced_accuracy_score(truth, answers)
    assert {row["protocol"] for row in rows} == {"published"}


def test_published_protocol_standardises_codes_where_the_authors_of_the_method_do():
    def scaled(side: Probed) -> Probed:
        return replace(side, spaces={name: codes * [1e-3, *[1] * (codes.shape[1] - 1)] for name, codes in side.spaces.items()})

    def scores(standardised: bool, scale: bool) -> list[float]:
        sides = [replace(scaled(side) if scale else side, standardised=standardised) for side in (TRAIN, TEST)]
        return [row["score"] for row in probe(*sides, encoder="trained", protocol="published") if row["metric"] == "accuracy"]

    assert scores(True, True) == scores(True, False)
    assert scores(False, True) != scores(False, False)


def test_strict_protocol_does_not_depend_on_the_scale_of_a_code():
    scaled = [
        Probed(
            {space: codes * [1e-4, 1e4, 1, 1][: codes.shape[1]] for space, codes in each.spaces.items()},
            each.is_target,
            each.attributes,
        )
        for each in (TRAIN, TEST)
    ]
    for row in probe(*scaled, encoder="trained"):
        assert row["score"] == pytest.approx(ROWS[row["attribute"], row["space"], row["metric"]]["score"], abs=1e-6)


def test_the_interval_is_that_of_resampled_test_samples():
    row = ROWS["kind", "c", "accuracy"]
    half = 1.96 * np.sqrt(row["score"] * (1 - row["score"]) / row["n_test"])
    assert row["score"] - row["low"] == pytest.approx(half, rel=0.25)
    assert row["high"] - row["score"] == pytest.approx(half, rel=0.25)
    for each in ROWS.values():
        assert each["low"] <= each["score"] <= each["high"]


def test_more_test_samples_narrow_the_interval():
    few = {(r["attribute"], r["space"], r["metric"]): r for r in probe(TRAIN, made(90, 2), encoder="trained")}
    for key in (("kind", "c", "accuracy"), ("age", "c", "mae")):
        assert few[key]["high"] - few[key]["low"] > 1.5 * (ROWS[key]["high"] - ROWS[key]["low"])


def test_chance_is_the_best_constant_answer():
    assert ROWS["kind", "c", "balanced_accuracy"]["chance"] == pytest.approx(1 / 3)
    assert ROWS[GROUP, "c", "accuracy"]["chance"] == pytest.approx(2 / 3)
    age = TEST.attributes["age"][TEST.is_target]
    constant = np.median(TRAIN.attributes["age"][TRAIN.is_target])
    assert ROWS["age", "c", "mae"]["chance"] == pytest.approx(np.abs(age - constant).mean())


def test_a_test_set_of_one_group_has_no_group_row():
    targets = Probed({"c": TEST.spaces["c"][300:]}, TEST.is_target[300:], {name: v[300:] for name, v in TEST.attributes.items()})
    rows = probe(replace(TRAIN, spaces={"c": TRAIN.spaces["c"]}), targets, encoder="untrained")
    assert {row["attribute"] for row in rows} == {"kind", "age"}
    assert {row["encoder"] for row in rows} == {"untrained"}


def test_an_attribute_with_one_class_is_named():
    constant = replace(TRAIN, attributes={"site": np.zeros(600, dtype=int)})
    with pytest.raises(InputError, match="'site'"):
        probe(constant, replace(TEST, attributes={"site": np.zeros(900, dtype=int)}), encoder="trained")


def test_names_are_classes_too():
    named = [replace(each, attributes={"kind": np.array(["a", "b", "c"])[each.attributes["kind"]]}) for each in (TRAIN, TEST)]
    row = next(row for row in probe(*named, encoder="trained") if row["attribute"] == "kind")
    assert row["score"] == ROWS["kind", "c", "balanced_accuracy"]["score"]


def repeated(subjects: int, images: int, seed: int) -> Probed:
    """Images of a subject that are nearly the same: the code tells the kind of 84 % of subjects, and the age but for 5 years."""
    draw = np.random.default_rng(seed)
    kind, age = draw.integers(2, size=subjects), draw.uniform(20, 80, size=subjects)
    of_subject = np.stack([2 * kind - 1 + draw.normal(size=subjects), age + 6 * draw.normal(size=subjects)], 1)
    c = np.repeat(of_subject, images, 0) + 0.01 * draw.normal(size=(subjects * images, 2))
    attributes = {"kind": np.repeat(kind, images), "age": np.repeat(age, images)}
    return Probed({"c": c}, np.ones(subjects * images, bool), attributes, subjects=np.repeat(np.arange(subjects), images))


@pytest.mark.parametrize(("attribute", "metric"), [("kind", "accuracy"), ("kind", "balanced_accuracy"), ("age", "mae")])
def test_the_interval_is_as_wide_as_scores_of_other_subjects_spread(attribute: str, metric: str):
    def read(test: Probed) -> dict[str, float]:
        rows = probe(train, test, encoder="trained")
        return next({**row} for row in rows if (row["attribute"], row["metric"]) == (attribute, metric))

    train = repeated(400, 1, seed=0)
    rows = [read(repeated(20, 10, seed)) for seed in range(1, 61)]
    honest = 2 * 1.96 * np.std([row["score"] for row in rows])
    assert np.mean([row["high"] - row["low"] for row in rows]) == pytest.approx(honest, rel=0.25)
    covered = np.mean([row["low"] <= np.mean([row["score"] for row in rows]) <= row["high"] for row in rows])
    assert covered >= 0.85  # of images it was under 0.6


def test_subjects_with_one_sample_each_change_nothing():
    alone = replace(TEST, subjects=np.arange(len(TEST.is_target)).astype(str))
    assert probe(TRAIN, alone, encoder="trained") == list(ROWS.values())

"""Estimators with several target groups and degrees of target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import sepclr
from sepclr.data import Cohort
from sepclr.types import InputError

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(60, 5)), np.array(["B", "control", "A"] * 20)
LABEL = rng.integers(2, size=60)


def fitted(**options) -> sepclr.SepCLR:
    how = {"background": "control", "max_epochs": 2, "batch_size": 30, "width": 8, "random_state": 0, "device": "cpu"}
    return sepclr.SepCLR(3, 2, **how | options).fit(X, Y)


def test_each_target_group_has_a_salient_code(tmp_path: Path):
    model = fitted()
    assert model.classes_.tolist() == ["control", "A", "B"]
    codes = model.transform(X)
    assert codes.shape == (60, 7)
    assert model.get_feature_names_out().tolist() == ["c0", "c1", "c2", "s[A]0", "s[A]1", "s[B]0", "s[B]1"]
    np.testing.assert_array_equal(model.transform_salient(X, target="B"), codes[:, 5:])
    np.testing.assert_array_equal(model.transform_salient(X), codes[:, 3:])
    rows = model.score_separation(X, Y, {"label": LABEL})
    assert {(row["target"], row["attribute"], row["encoder"]) for row in rows} == {
        (target, attribute, encoder) for target in "AB" for attribute in ("label", "group") for encoder in ("trained", "untrained")
    }
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(sepclr.load(tmp_path / "model").transform(X), codes)


def test_what_cannot_be_used_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="y: 3 classes; give two labels, or several target groups and background="):
        fitted(background=None)
    with pytest.raises(InputError, match="background: 'C' is not one of the labels in y, 'A', 'B', 'control'"):
        fitted(background="C")
    with pytest.raises(InputError, match="y: 3 classes"):
        sepclr.SimCLR(3, background="control").fit(X, Y)
    model = fitted()
    with pytest.raises(InputError, match="target: 'control' is not a target group; groups are 'A', 'B'"):
        model.transform_salient(X, target="control")
    with pytest.raises(InputError, match=r"y: 'D' is not one of the labels in fit, .*control.*, .*A.* and .*B"):
        model.score_separation(X, np.where(Y == "A", "D", Y))
    with pytest.raises(InputError, match="report: takes one target group, and there are 2"):
        model.report(tmp_path / "page.html", X, Y)


def test_degrees_reach_the_batches(monkeypatch: pytest.MonkeyPatch):
    seen: list[Cohort] = []
    monkeypatch.setattr("sepclr.estimators.contrast.fit", lambda method, views, cohort, *_, **__: seen.append(cohort))
    degree = np.where(Y == "control", 0, 1 + np.arange(60))
    sepclr.SepCLR(3, 2, background="control", device="cpu").fit(X, Y, degree=degree)
    sepclr.SepCLR(3, 2, device="cpu").fit(seen[0])
    assert all(cohort.degrees.tolist() == degree.tolist() for cohort in seen)
    assert all(cohort.classes == {"target_group": 2} for cohort in seen)
    with pytest.raises(InputError, match="degrees: 0 in target sample 0; give a positive number"):
        sepclr.SepCLR(3, 2, background="control", device="cpu").fit(X, Y, degree=np.zeros(60))
    with pytest.raises(InputError, match="degree: not numbers"):
        sepclr.SepCLR(3, 2, background="control", device="cpu").fit(X, Y, degree=np.full(60, "high"))

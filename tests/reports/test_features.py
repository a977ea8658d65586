"""Feature importance of a method on a cohort of rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sepclr.data import Cohort
from sepclr.reports import features, read_features
from sepclr.runs.linear import LinearCodes
from sepclr.types import InputError


def cohort(*shape: int) -> Cohort:
    draw = np.random.default_rng(0)
    is_target = torch.arange(40) % 2 == 1
    return Cohort(torch.from_numpy(draw.normal(size=(40, *shape))).float(), is_target, {"age": draw.normal(size=40)})


def test_rows_hold_weights_of_all_features_and_permutation_of_the_heaviest(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(features, "PERMUTED", 2)
    method = LinearCodes(5, (2, 2))
    method.salient.weight[:, 3] = 100
    method.common.weight[:, 0] = 100
    found = read_features(method, cohort(5), cohort(5))
    assert found is not None
    by_way = {how: {row["name"] for row in found if row["how"] == how} for how in ("weights", "permutation", "probe")}
    assert by_way == {"weights": {"x0", "x1", "x2", "x3", "x4"}, "permutation": {"x0", "x3"}, "probe": {"x0", "x3"}}
    bars = features.feature_bars(found, ("c", "s"))
    assert (bars.total, bars.permuted) == (5, 2)
    assert [bars.spaces[space][0].name for space in "cs"] == ["x0", "x3"]
    assert [bars.spaces[space][0].weight_length for space in "cs"] == [100, 100]


def test_linear_methods_have_weights_alone_under_the_given_names():
    found = read_features(LinearCodes(2, (1, 1)), cohort(2), cohort(2), ("ERK", "NR1"), permutation=False)
    assert found is not None
    assert [(row["name"], row["space"], row["how"]) for row in found] == [(n, s, "weights") for s in "cs" for n in ("ERK", "NR1")]


def test_images_have_no_features_and_names_must_fit():
    assert read_features(LinearCodes(16, (1, 1)), cohort(1, 4, 4), cohort(1, 4, 4)) is None
    with pytest.raises(InputError, match="feature_names: 1 names for 2 features"):
        read_features(LinearCodes(2, (1, 1)), cohort(2), cohort(2), ("ERK",))

from __future__ import annotations

import numpy as np
import pytest
import torch

from sepclr.data import Cohort
from sepclr.types import InputError

MEMBERS = torch.tensor([False, True, True])


def test_targets_keep_their_attributes():
    cohort = Cohort(torch.arange(3.0)[:, None], MEMBERS, {"age": np.array([1.0, 2.0, 3.0])})
    assert cohort.targets.x[:, 0].tolist() == [1.0, 2.0]
    assert cohort.targets.attributes["age"].tolist() == [2.0, 3.0]
    assert cohort.targets.is_target.all()
    assert len(cohort.targets) == 2


def test_samples_keep_their_subjects():
    cohort = Cohort(torch.zeros(3, 2), MEMBERS, subjects=np.array(["a", "b", "b"]))
    assert cohort.targets.subjects.tolist() == ["b", "b"]
    with pytest.raises(InputError, match="subjects: 2 values for 3 samples"):
        Cohort(torch.zeros(3, 2), MEMBERS, subjects=np.array(["a", "b"]))


@pytest.mark.parametrize(
    ("x", "is_target", "attributes", "names"),
    [
        (torch.zeros(0, 2), torch.zeros(0, dtype=torch.bool), {}, "x: is empty"),
        (torch.zeros(3, 2), MEMBERS[:2], {}, "is_target: 2 values for 3 samples"),
        (torch.zeros(3, 2), MEMBERS, {"age": np.zeros(4)}, "attribute 'age': 4 values for 3 samples"),
        (torch.tensor([[0.0], [float("nan")], [0.0]]), MEMBERS, {}, "x: sample 1 contains NaN"),
        (torch.tensor([[0.0], [0.0], [float("inf")]]), MEMBERS, {}, "x: sample 2 contains NaN or infinite"),
    ],
)
def test_what_cannot_be_a_cohort_is_named(x, is_target, attributes, names):
    with pytest.raises(InputError, match=names):
        Cohort(x, is_target, attributes)


GROUPS = torch.tensor([-1, 1, 0])


def test_a_pair_is_background_and_one_target_group():
    degrees = torch.tensor([float("nan"), 3.0, 1.0])
    cohort = Cohort(torch.arange(3.0)[:, None], MEMBERS, extra={"target_group": GROUPS, "label": torch.arange(3)}, degrees=degrees)
    pair = cohort.pair(1)
    assert pair.x[:, 0].tolist() == [0.0, 1.0]
    assert pair.target_groups.tolist() == [-1, 0]
    assert pair.extra["label"].tolist() == [0, 1]
    assert pair.degrees[1] == 3
    assert Cohort(torch.zeros(3, 1), MEMBERS).target_groups.tolist() == [-1, 0, 0]


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({"extra": {"target_group": torch.tensor([-1, -1, 0])}}, "target_group: does not match is_target; give 0, 1, … in targets"),
        ({"extra": {"target_group": GROUPS.float()}}, "target_group: .* give a whole number"),
        ({"degrees": torch.tensor([1.0, 1.0, 0.0])}, "degrees: 0 in target sample 2; give a positive number for each target"),
        ({"degrees": torch.tensor([1.0, float("nan"), 1.0])}, "degrees: nan in target sample 1"),
        ({"degrees": torch.ones(2)}, "degrees: 2 values for 3 samples"),
    ],
)
def test_target_groups_and_degrees_that_cannot_be_used_are_named(more, names):
    with pytest.raises(InputError, match=names):
        Cohort(torch.zeros(3, 1), MEMBERS, **more)

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

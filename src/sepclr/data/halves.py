"""The training and the test samples of a study."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sepclr.data.attributes import is_quantity, known
from sepclr.data.cohort import Cohort
from sepclr.data.lazy import Lazy
from sepclr.data.members import Members
from sepclr.data.tables import listed
from sepclr.types import TARGET_GROUP, InputError


def halves(whole: Cohort, tested: NDArray[np.bool_], fold: int) -> tuple[Cohort, Cohort]:
    """Return the samples of a study that are not tested, and those that are.

    Args:
        whole: all samples.
        tested: True for test samples, shape (n,).
        fold: fold that is tested, for errors.

    Raises:
        InputError: an attribute that has fewer than two values in training, or values that only test samples have.
    """
    train, test = whole.where(~tested), whole.where(tested)
    for name, values in whole.attributes.items():
        learnt = _known(values[~tested])
        if len(np.unique(learnt)) < 2:
            raise InputError(f"attributes: {name!r} has fewer than two values in the training samples of fold {fold}; use fewer --folds")
        if not len(_known(values[tested])):
            raise InputError(f"attributes: {name!r} has no values in the test samples of fold {fold}; use fewer --folds")
        if not is_quantity(values) and (unseen := sorted(set(_known(values[tested])) - set(learnt))):
            raise InputError(
                f"attributes: {name!r} is {listed(unseen)} only in test samples of fold {fold}; use fewer --folds or merge classes"
            )
    return train, test


def whole_cohort(x: Tensor | Lazy, members: Members) -> Cohort:
    """Return all samples of a study with what is known about them.

    Args:
        x: the samples, shape (n, ...).
        members: who they are.
    """
    extra = {} if members.groups is None else {TARGET_GROUP: torch.from_numpy(members.groups)}
    degrees = None if members.degrees is None else torch.from_numpy(members.degrees).float()
    return Cohort(x, torch.from_numpy(members.is_target), members.attributes, members.subjects, extra, degrees)


def _known(values: NDArray[Any]) -> NDArray[Any]:
    return values[known(values)]

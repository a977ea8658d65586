"""Facts that pages of every kind of study show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.data.facts import duplicates
from sepclr.data.folds import test_rows
from sepclr.data.members import Members
from sepclr.data.study import Study
from sepclr.probes import Confounding, confounding
from sepclr.probes.confounding import once_per_subject


def confounders(members: Members, further: Mapping[str, NDArray[Any]] | None = None) -> list[Confounding]:
    """Return how attributes, and further values of shape (n,), go with the group.

    A subject with several samples counts once in each group, since a donor of cells may be in both.
    """
    once = once_per_subject(members.subjects, members.is_target)
    values = {**members.attributes, **(further or {})}
    return list(confounding(members.is_target[once], {name: each[once] for name, each in values.items()}))


def subjects_of(members: Members) -> NDArray[Any] | None:
    """Return the subject of each sample, shape (n,); None if each sample is a subject of its own."""
    return members.subjects if len(np.unique(members.subjects)) < len(members) else None


def copies(study: Study, members: Members, hashes: NDArray[Any], what: str) -> list[str]:
    """Return sentences about identical samples of both groups, and of training and test.

    Args:
        study: the study.
        members: its samples.
        hashes: hash of each sample, shape (n,).
        what: plural of what a sample is called.
    """
    tested = test_rows(members, study, 0)
    sides = {"group": np.where(members.is_target, "target", "background"), "split": np.where(tested, "test", "training")}
    return [said for parts in sides.values() if (said := duplicates(hashes, parts, members.names, what))]

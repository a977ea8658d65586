"""Several target groups of an estimator: their labels, degrees of target, and codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from sepclr.data import Cohort
from sepclr.estimators.groups import membership
from sepclr.methods.several import SeveralTargets
from sepclr.types import TARGET_GROUP, InputError, Method

DEGREE = "degree"
"""Argument of ``fit`` with the degree of target of each sample."""


def takes_several(model: Any) -> bool:
    """Return whether the method of an estimator can have several target groups."""
    return bool(model.declaration.task == "contrast" and "salient_dim" in model.declaration.defaults)


def group_labels(model: Any, labels: NDArray[Any]) -> tuple[NDArray[Any], dict[str, Tensor]]:
    """Return the labels, background first, and the target group of each sample where there are several.

    Raises:
        InputError: more than two labels without ``background``, or as ``membership``.
    """
    classes = np.unique(labels)
    if len(classes) <= 2 or not takes_several(model):
        return membership(labels, model.background)[0], {}
    if model.background is None:
        raise InputError(f"y: {len(classes)} classes; give two labels, or several target groups and background=, the label of background")
    if model.background not in classes.tolist():
        raise InputError(f"background: {model.background!r} is not one of the labels in y, {', '.join(map(repr, classes.tolist()))}")
    ordered = np.concatenate([classes[classes == model.background], classes[classes != model.background]])
    return ordered, {TARGET_GROUP: torch.from_numpy(numbers(ordered, labels))}


def numbers(classes: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return the target group of each sample, -1 for the first of the classes."""
    return np.asarray((labels[:, None] == classes).argmax(1) - 1, dtype=np.int64)


def degree_of(extra: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Return the degrees of target, if there are any, as floating point.

    Raises:
        InputError: degrees that are not numbers.
    """
    if DEGREE not in extra:
        return {}
    try:
        return {DEGREE: torch.from_numpy(extra[DEGREE].astype(np.float64))}
    except (ValueError, TypeError):
        raise InputError(f"{DEGREE}: not numbers; give a positive number for each target") from None


def number_of_targets(model: Any) -> int:
    """Return the number of target groups of a fitted estimator."""
    return int(model.known_classes_.get(TARGET_GROUP, 1))


def salient_of(model: Any, s: Float[Tensor, "n d"], target: Any) -> Tensor:
    """Return the salient code of one target group by its label; all of them if it is None.

    Raises:
        InputError: a label that is not one of a target group.
    """
    if target is None:
        return s
    names = model.classes_[1:].tolist()
    if target not in names:
        raise InputError(f"target: {target!r} is not a target group; groups are {', '.join(map(repr, names))}")
    own: Tensor = s.chunk(len(names), 1)[names.index(target)]
    return own


def salient_columns(model: Any) -> list[str]:
    """Return the names of the columns of the salient code: s0, s1, …, or s[LABEL]0, … with several target groups."""
    groups = [f"[{name}]" for name in model.classes_[1:]] if number_of_targets(model) > 1 else [""]
    return [f"s{group}{i}" for group in groups for i in range(model.salient_dim)]


def by_target(model: Any, cohort: Cohort, method: Method) -> Iterator[tuple[str, Cohort, Method]]:
    """Yield the label of each target group, background and the group, and its method; an empty label if there is only one group."""
    if not isinstance(method, SeveralTargets):
        yield "", cohort, method
        return
    for group, name in enumerate(model.classes_[1:]):
        yield str(name), cohort.pair(group), method.pair(group)


def refuse_several(model: Any, what: str) -> None:
    """Check that an estimator has one target group.

    Raises:
        InputError: several target groups.
    """
    if (number := number_of_targets(model)) > 1:
        raise InputError(f"{what}: takes one target group, and there are {number}; fit on background and one of them")

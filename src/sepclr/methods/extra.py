"""Checks of what a method trains on besides samples and groups."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sepclr.data import Cohort
from sepclr.data.attributes import coded
from sepclr.methods.options import Declaration
from sepclr.types import InputError

KINDS = {2: "rows", 4: "images", 5: "volumes"}
"""Names of samples, by the number of dimensions of a batch."""


def check_extra(method: Declaration, cohort: Cohort) -> None:
    """Check that a cohort has what a method trains on.

    Raises:
        InputError: something is missing, classes that are not whole numbers or all the same, or unknown where each sample needs one, or a
            modality that is of another kind or that views cannot be drawn of.
    """
    if missing := [name for name in method.extra if name not in cohort.extra]:
        raise InputError(f"{missing[0]}: missing; {method.name} trains on the {method.extra[missing[0]]}")
    for name in (*method.extra, *({"free_of"} & {*cohort.extra})):
        more = cohort.extra[name]
        if more.ndim == 1:
            _check_classes(name, more)
            if method.task == "debiasing" and (unknown := int((more < 0).sum())):
                raise InputError(f"{name}: unknown (-1) for {unknown} sample(s); {method.name} needs it for each; leave these samples out")
        elif more.ndim != cohort.x.ndim:
            theirs, own = (KINDS.get(each.ndim, f"arrays of {each.ndim} dimensions") for each in (more, cohort.x))
            raise InputError(f"{name}: {theirs}, and samples are {own}; one kind of encoder is used for both, so give both alike")
        elif method.views and more.shape[1] != cohort.x.shape[1] and more.ndim > 2:
            raise InputError(f"{name}: {more.shape[1]} channels, and samples have {cohort.x.shape[1]}; the same views are drawn of both")


def with_free_of(cohort: Cohort, name: str) -> Cohort:
    """Add the attribute that codes should not hold to what a method trains on.

    Args:
        cohort: the training samples.
        name: name of the attribute, which must be known in both groups.

    Raises:
        InputError: an attribute that is unknown, a quantity, has one value, or is missing throughout a group.
    """
    if name not in cohort.attributes:
        raise InputError(f"free_of: {name!r} is not an attribute; attributes are {', '.join(cohort.attributes) or 'none'}")
    return replace(cohort, extra={**cohort.extra, "free_of": free_of_label(name, cohort.attributes[name], cohort.is_target)})


def free_of_label(name: str, values: NDArray[Any], is_target: torch.Tensor) -> torch.Tensor:
    """Return the classes of an attribute that codes should not hold, shape (n,), -1 where unknown; raises as ``with_free_of``."""
    label = torch.from_numpy(coded(f"free_of: {name!r}", values)[0])
    for group, members in (("background", ~is_target), ("target", is_target)):
        if not (label[members] >= 0).any():
            raise InputError(f"free_of: {name!r} is unknown in {group}; give an attribute that both groups have")
    return label


def _check_classes(name: str, classes: torch.Tensor) -> None:
    if classes.dtype.is_floating_point or classes.dtype == torch.bool or int(classes.min()) < -1:
        raise InputError(f"{name}: give whole numbers from 0, and -1 where the class is unknown")
    if len(known := torch.unique(classes[classes >= 0])) < 2:
        raise InputError(f"{name}: {f'all samples are {known[0]}' if len(known) else 'no class is known'}; give at least two classes")


def inseparable(method: Declaration, cohort: Cohort) -> list[int]:
    """Return the classes that occur with a single bias, from which no sample tells it apart; empty for methods that know no bias."""
    if not {"label", "bias"} <= {*method.extra}:
        return []
    label, bias = (cohort.extra[name].cpu().numpy() for name in ("label", "bias"))
    return [int(each) for each in np.unique(label) if len(np.unique(bias[label == each])) < 2]

"""Runs with several target groups: each is evaluated against background, as a run with that group alone would be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from sepclr.data import Cohort
from sepclr.data.attributes import is_quantity, known
from sepclr.datasets.source import Source
from sepclr.types import Method, Row


@runtime_checkable
class HasPairs(Protocol):
    """A method for several target groups, such as ``SeveralTargets``, or an ensemble of them."""

    def pair(self, group: int) -> Method:
        """Return the method of one target group."""
        ...


def by_target(source: Source) -> list[tuple[str, Source]]:
    """Return the name of each target group and the data set with that group alone; one with an empty name if there is only one.

    Attributes that say nothing within a group, because all of its targets have the same value or none has any, are left out.
    """
    number = int(source.train.target_groups.max()) + 1
    if number < 2:
        return [("", source)]
    names = source.target_groups or [str(group) for group in range(number)]
    return [(name, _alone(source, group)) for group, name in enumerate(names)]


def of_target(method: Method, group: int) -> Method:
    """Return the method of a target group; the method itself if there is only one."""
    return method.pair(group) if isinstance(method, HasPairs) else method


def rows_of(rows: Sequence[Row], name: str) -> list[Row]:
    """Return the rows of a target group by its name, which is empty if there is only one."""
    return [row for row in rows if row.get("target", "") == name]


def reports(path: Path, names: Sequence[str]) -> list[Path]:
    """Return the report of each target group: ``report.html`` of the first, ``report-NAME.html`` of the others."""
    words = [re.sub(r"[^\w.-]+", "-", name) for name in names]
    if len({word.lower() for word in words}) < len(words):
        words = [str(number) for number in range(1, len(names) + 1)]
    return [path, *(path.with_name(f"{path.stem}-{word}{path.suffix}") for word in words[1:])]


def _alone(source: Source, group: int) -> Source:
    """Return the samples of background and one target group."""
    fitted = source.train if source.probes is None else source.probes
    sides = [cohort.pair(group) for cohort in (fitted, *source.tests.values())]
    asked = [name for name in fitted.attributes if _asked(sides, name, source.everyone)]

    def part(cohort: Cohort) -> Cohort:
        pair = cohort.pair(group)
        return replace(pair, attributes={name: pair.attributes[name] for name in asked if name in pair.attributes})

    return replace(
        source,
        train=part(source.train),
        tests={protocol: part(cohort) for protocol, cohort in source.tests.items()},
        probes=None if source.probes is None else part(source.probes),
        common_attributes=[name for name in source.common_attributes if name in asked],
        salient_attributes=[name for name in source.salient_attributes if name in asked],
        without=None if source.without is None else lambda: _without(source, group),
        target_groups=(),
    )


def _without(source: Source, group: int) -> torch.Tensor:
    assert source.without is not None
    test = source.tests["strict"]
    return source.without()[(~test.is_target) | torch.from_numpy(test.target_groups == group)]


def _asked(sides: Sequence[Cohort], name: str, everyone: bool) -> bool:
    """Return whether an attribute can be probed: known on all sides, and of several classes where probes are fitted, the first side."""
    truths = [side.attributes[name][known(side.attributes[name]) & (everyone | side.is_target.numpy())] for side in sides]
    return min(map(len, truths)) > 0 and (is_quantity(truths[0]) or len(np.unique(truths[0])) > 1)

"""Features from which the codes of rows are read: computed from a method, and laid out for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sepclr.data import Cohort
from sepclr.probes import Importance, Probed, by_permutation, by_weights, most_read
from sepclr.training import encode, saliency
from sepclr.types import InputError, Method

PERMUTED = 200
"""Maximum number of features permuted one at a time: those with the largest weights."""
MOST_SAMPLES = 300
"""Maximum number of test samples whose features are permuted."""
MOST_FITTED = 2000
"""Maximum number of samples that probes are fitted on."""
LISTED = 15
"""Number of features listed for each space."""


def read_features(
    method: Method, train: Cohort, test: Cohort, names: Sequence[str] = (), *, permutation: bool = True, everyone: bool = False
) -> list[Importance] | None:
    """Compute which features of rows the codes are read from.

    Args:
        method: the trained method.
        train: samples that linear probes are fitted on; none of ``test``.
        test: test samples.
        names: name of each feature; if empty, x0, x1, ….
        permutation: whether to permute features, too; unnecessary for linear methods, whose weights say everything.
        everyone: whether background has attributes, too.

    Returns:
        Rows ``weights`` of every feature, and rows ``permutation`` and ``probe`` of the 200 features with the largest weights; None if
        the samples are not rows.

    Raises:
        InputError: a number of names other than that of features.
    """
    if test.x.ndim != 2:
        return None
    if names and len(names) != test.x.shape[1]:
        raise InputError(f"feature_names: {len(names)} names for {test.x.shape[1]} features; give one for each")
    names = names or [f"x{j}" for j in range(test.x.shape[1])]
    test, train = _evenly(test, MOST_SAMPLES), _evenly(train, MOST_FITTED)
    rows = _rows(method, test)
    weights = saliency(method, rows)
    found = by_weights(weights, names)
    if permutation and len(test) > 1:
        probes = _probed(method, train, everyone), _probed(method, test, everyone)
        chosen = most_read(weights, PERMUTED)
        found += by_permutation(lambda x: _codes(method, torch.from_numpy(x)), rows.numpy(), names, probes=probes, chosen=chosen)
    return found


def _evenly(cohort: Cohort, most: int) -> Cohort:
    """Return evenly spaced samples of each group, in the proportions of the cohort."""
    order = np.argsort(cohort.is_target.numpy(), kind="stable")
    kept = order[np.linspace(0, len(order) - 1, min(len(order), most)).astype(int)]
    return cohort.where(np.isin(np.arange(len(order)), kept))


def _rows(method: Method, cohort: Cohort) -> Tensor:
    """Return the samples as the method takes them: those of fitted estimators are in double precision."""
    return cohort.x[torch.arange(len(cohort))].to(next(cast(nn.Module, method).parameters()).dtype)


def _codes(method: Method, x: Tensor) -> dict[str, NDArray[Any]]:
    return {space: code.numpy() for space, code in encode(method, x)._asdict().items()}


def _probed(method: Method, cohort: Cohort, everyone: bool) -> Probed:
    return Probed(_codes(method, _rows(method, cohort)), cohort.is_target.numpy(), cohort.attributes, everyone)


@dataclass(frozen=True)
class FeatureBar:
    """One feature in one space. Lengths and positions are in percent of the track; values are formatted, and empty if not computed.

    Attributes:
        name: name of the feature.
        permutation: total effect on the code, in percent.
        length: length of its bar.
        low_at: position of the smallest value over repeats.
        high_at: position of the largest value.
        weight: mean absolute gradient times standard deviation.
        weight_length: length of its bar.
        lost: attribute and lost score of the probes that lose at least a hundredth in every repeat, in the order of the loss.
    """

    name: str
    permutation: str
    length: float
    low_at: float
    high_at: float
    weight: str
    weight_length: float
    lost: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class FeatureBars:
    """Bars of the features of the page.

    Attributes:
        total: number of features of a row.
        permuted: number of features that were permuted.
        spaces: bars by space, of the features from which it is read most, in order.
    """

    total: int
    permuted: int
    spaces: Mapping[str, Sequence[FeatureBar]]


def feature_bars(rows: Sequence[Importance], spaces: Sequence[str]) -> FeatureBars:
    """Lay out the most important features of each space, by permutation or, where nothing was permuted, by weights; others than 0 only."""
    permuted = {row["name"] for row in rows if row["how"] == "permutation"}
    total = len({row["name"] for row in rows})
    return FeatureBars(total, len(permuted), {space: _bars([row for row in rows if row["space"] == space]) for space in spaces})


def _bars(rows: Sequence[Importance]) -> list[FeatureBar]:
    ways = {how: {row["name"]: row for row in rows if row["how"] == how} for how in ("permutation", "weights")}
    first = ways["permutation"] or ways["weights"]
    order = sorted((row for row in first.values() if row["value"] > 0), key=lambda row: -row["value"])[:LISTED]
    # A length is relative to the largest value of the way, an interval's end included.
    top = {how: max((row["high"] for row in found.values()), default=0.0) or 1.0 for how, found in ways.items()}
    lost: dict[str, list[Importance]] = {}
    for row in sorted((row for row in rows if row["how"] == "probe" and row["low"] >= 0.01), key=lambda row: -row["value"]):
        lost.setdefault(row["name"], []).append(row)
    return [_bar(row["name"], ways, top, lost.get(row["name"], [])) for row in order]


def _bar(name: str, ways: Mapping[str, Mapping[str, Importance]], top: Mapping[str, float], lost: Sequence[Importance]) -> FeatureBar:
    permuted, weights = (ways[how].get(name) for how in ("permutation", "weights"))
    ends = (permuted["value"], permuted["low"], permuted["high"]) if permuted else (0.0, 0.0, 0.0)
    length, low_at, high_at = (round(100 * value / top["permutation"], 2) for value in ends)
    return FeatureBar(
        name,
        f"{100 * permuted['value']:.1f} %" if permuted else "",
        length,
        low_at,
        high_at,
        f"{weights['value']:#.2g}" if weights else "",
        round(100 * weights["value"] / top["weights"], 2) if weights else 0.0,
        tuple((row["attribute"], f"{row['value']:.2f}") for row in lost),
    )

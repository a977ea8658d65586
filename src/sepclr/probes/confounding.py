"""Confounding: whether group is associated with other attributes, such as age, sex or site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, mannwhitneyu
from scipy.stats.contingency import association, crosstab

from sepclr.data.attributes import is_quantity, known

SMALL = {"standardised mean difference": 0.2, "Cramér's V": 0.1}
"""Thresholds of a small effect (Cohen 1988)."""


@dataclass(frozen=True)
class Confounding:
    """Association of an attribute with the group.

    Attributes:
        attribute: name of the attribute.
        measure: ``standardised mean difference`` (target minus background, in pooled standard deviations), or ``Cramér's V``.
        effect: value of the measure; 0 means no difference.
        p: p-value of the Mann–Whitney or the chi-squared test for a difference between the groups.
        known: number of subjects with a value.
    """

    attribute: str
    measure: str
    effect: float
    p: float
    known: int

    @property
    def warns(self) -> bool:
        """Whether the effect is at least small and the difference significant (p < 0.05)."""
        return abs(self.effect) >= SMALL[self.measure] and self.p < 0.05


def confounding(is_target: NDArray[np.bool_], attributes: Mapping[str, NDArray[Any]]) -> list[Confounding]:
    """Compare the groups in each attribute.

    If the groups differ in an attribute, a salient code that separates them may encode it instead, and a common code will encode it anyway.

    Args:
        is_target: True for target, shape (n,).
        attributes: values by name, shape (n,); floating point is a quantity, NaN where missing; others are classes, an empty string where
            missing.

    Returns:
        One entry for each attribute with values in both groups.
    """
    found = []
    for name, values in attributes.items():
        present = known(values)
        values, members = values[present], is_target[present]
        if not members.any() or members.all():
            continue
        compare = _quantity if is_quantity(values) else _classes
        measure, effect, p = compare(values, members)
        found.append(Confounding(name, measure, effect, p, int(present.sum())))
    return found


def once_per_subject(subjects: NDArray[Any], is_target: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the first sample of each subject in each group, ascending: a donor of cells may be in both.

    Args:
        subjects: subject of each sample, shape (n,).
        is_target: True for target, shape (n,).
    """
    index = np.unique(subjects, return_inverse=True)[1]
    return np.asarray(np.sort(np.unique(2 * index + is_target, return_index=True)[1]))


def _quantity(values: NDArray[Any], is_target: NDArray[np.bool_]) -> tuple[str, float, float]:
    groups = values[is_target], values[~is_target]
    pooled = np.sqrt(np.mean([group.var(ddof=1) if len(group) > 1 else 0.0 for group in groups]))
    difference = groups[0].mean() - groups[1].mean()
    effect = difference / pooled if pooled > 0 else np.sign(difference) * np.inf if difference else 0.0
    return "standardised mean difference", float(effect), float(mannwhitneyu(*groups).pvalue)


def _classes(values: NDArray[Any], is_target: NDArray[np.bool_]) -> tuple[str, float, float]:
    counts = crosstab(is_target, values).count
    if counts.shape[1] < 2:
        return "Cramér's V", 0.0, 1.0
    test = chi2_contingency(counts, correction=False)
    return "Cramér's V", float(association(counts, method="cramer", correction=False)), float(test.pvalue)

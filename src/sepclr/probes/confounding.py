"""Confounding: whether who is target goes along with something else, such as age, sex or site."""

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
"""Effects below these are called small (Cohen 1988)."""


@dataclass(frozen=True)
class Confounding:
    """How an attribute goes along with the group.

    Attributes:
        attribute: its name.
        measure: ``standardised mean difference`` (of targets from background, in pooled standard deviations), or ``Cramér's V``.
        effect: value of the measure; 0 is no difference.
        p: of the Mann–Whitney or the chi-squared test that groups do not differ.
        known: subjects of whom the attribute is known.
    """

    attribute: str
    measure: str
    effect: float
    p: float
    known: int

    @property
    def warns(self) -> bool:
        """Whether groups differ by more than a small effect and more than chance."""
        return abs(self.effect) >= SMALL[self.measure] and self.p < 0.05


def confounding(is_target: NDArray[np.bool_], attributes: Mapping[str, NDArray[Any]]) -> list[Confounding]:
    """Compare background with targets in each attribute.

    A salient code that reads the group may read such an attribute instead, and a common code cannot help but hold it.

    Args:
        is_target: True for target, shape (n,).
        attributes: by name, shape (n,); floating point is a quantity, NaN where unknown; others are classes, an empty string where unknown.

    Returns:
        One entry for each attribute of which both groups know something.
    """
    found = []
    for name, values in attributes.items():
        told = known(values)
        values, members = values[told], is_target[told]
        if not members.any() or members.all():
            continue
        compare = _quantity if is_quantity(values) else _classes
        measure, effect, p = compare(values, members)
        found.append(Confounding(name, measure, effect, p, int(told.sum())))
    return found


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

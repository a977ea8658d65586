"""Permutation tests that respect subjects, and the correction of several p-values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def p_value(observed: float, null: NDArray[np.floating[Any]]) -> float:
    """Return the one-sided p-value of a statistic: the share of its values under the null hypothesis, itself included, that reach it.

    Args:
        observed: the statistic of the data.
        null: its values on permuted data, shape (permutations,).

    Source: Phipson and Smyth, Permutation p-values should never be zero, 2010.

    >>> p_value(3.0, np.array([1.0, 2.0, 4.0]))
    0.5
    """
    return float((1 + np.sum(null >= observed)) / (1 + len(null)))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Correct p-values for their number by Holm's step-down procedure, which controls the chance of any false alarm.

    Args:
        p_values: p-values by name of test.

    Returns:
        Corrected p-values, at most 1, in the order given.

    Source: Holm, A simple sequentially rejective multiple test procedure, 1979.

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'b': 0.06, 'c': 0.06}
    """
    corrected, largest = dict[str, float](), 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda each: p_values[each])):
        largest = max(largest, min(1.0, p_values[name] * (len(p_values) - rank)))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}


def permutations(subjects: NDArray[Any] | None, labels: NDArray[Any]) -> Callable[[np.random.Generator], NDArray[np.intp]]:
    """Return what draws an order of samples in which labels carry no information, but samples of a subject stay together.

    Where every subject has one label, labels are exchanged between subjects. Otherwise they are exchanged within each subject, which is
    the stricter comparison: differences between subjects then count for nothing.

    Args:
        subjects: subject of each sample, shape (n,); None if every sample is a subject of its own.
        labels: what is permuted, shape (n,).

    Returns:
        A function of a random generator that returns indices, shape (n,): ``labels[indices]`` are the permuted labels.
    """
    if subjects is None:
        return lambda draw: draw.permutation(len(labels))
    names, first, whose = np.unique(subjects, return_index=True, return_inverse=True)
    if (labels == labels[first][whose]).all():
        return lambda draw: first[draw.permutation(len(names))][whose]
    by_subject = np.argsort(whose, kind="stable")

    def within(draw: np.random.Generator) -> NDArray[np.intp]:
        indices = np.empty(len(labels), dtype=np.intp)
        indices[by_subject] = np.lexsort((draw.random(len(labels)), whose))
        return indices

    return within

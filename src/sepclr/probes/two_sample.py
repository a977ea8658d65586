"""Classifier two-sample test: can a linear classifier that has seen half of the samples tell the groups of the other half apart?"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgWarning
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sepclr.probes.permutation import p_value, permutations

PENALTIES = np.logspace(-1, 6, 15)


@dataclass(frozen=True)
class TwoSample:
    """Result of a test.

    Attributes:
        accuracy: balanced accuracy on the second half; 0.5 is chance.
        p: one-sided permutation p-value, exact at any number of samples.
        n: number of samples in the second half.
    """

    accuracy: float
    p: float
    n: int


def two_sample(
    features: NDArray[Any],
    is_target: NDArray[np.bool_],
    halves: tuple[NDArray[np.intp], NDArray[np.intp]],
    *,
    subjects: NDArray[Any] | None = None,
    orders: int = 999,
    seed: int = 0,
) -> TwoSample:
    """Test whether two groups differ in features.

    A ridge classifier with balanced classes is fitted on the first half, its penalty chosen there by leave-one-out cross-validation. Its
    predictions for the second half stay fixed while the labels of that half are permuted, so the p-value is exact whatever the classifier
    learnt. A difference is no proof of salient patterns: a confounder makes one, too.

    Args:
        features: features, shape (n, d). What made them must not have seen the groups.
        is_target: True for targets, shape (n,).
        halves: indices of the two halves, which share no subject.
        subjects: subject of each sample, shape (n,), whose samples are permuted together; None if every sample is a subject of its own.
        orders: number of permutations.
        seed: random seed of the permutations.

    Source: Lopez-Paz, Oquab, Revisiting classifier two-sample tests, ICLR 2017.
    """
    first, second = halves
    model = make_pipeline(StandardScaler(), RidgeClassifierCV(PENALTIES, class_weight="balanced"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LinAlgWarning)  # of the smallest penalties, which are then not chosen
        said = np.asarray(model.fit(features[first], is_target[first]).predict(features[second]), dtype=bool)
    truth = is_target[second]
    order = permutations(None if subjects is None else subjects[second], truth)
    draw = np.random.default_rng(seed)
    null = np.array([_balanced(truth[order(draw)], said) for _ in range(orders)])
    observed = _balanced(truth, said)
    return TwoSample(observed, p_value(observed, null), len(second))


def _balanced(truth: NDArray[np.bool_], said: NDArray[np.bool_]) -> float:
    """Return the balanced accuracy; 0.5 if a permutation of subjects of unequal sizes gave all samples to one group."""
    if truth.all() or not truth.any():
        return 0.5
    return float((said[truth].mean() + 1 - said[~truth].mean()) / 2)

"""Probes of four strengths, and permutation tests of their scores on held-out samples."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from sepclr.data.attributes import is_quantity
from sepclr.probes.linear import interval, reader, resampled, score
from sepclr.probes.permutation import p_value, permutations

Floats = NDArray[np.floating[Any]]

PROBES = ("linear", "k-NN", "MLP", "trees")
"""Names of the probes, weakest first."""

MOST_TRAIN = 5000
"""Maximum number of samples that probes are fitted on; of more, as many are drawn at random."""

AT_ONCE = 2**22
"""Maximum number of permuted labels in memory, unless there are more held-out samples."""

TIE = 1e-6
"""Weight of the tie-break in a test statistic, below the smallest difference between two balanced accuracies."""


@dataclass(frozen=True, eq=False)
class Question:
    """An attribute of samples to fit probes on and of held-out samples.

    Attributes:
        train: values of the former, shape (m,).
        test: values of the latter, shape (n,).
        subjects: subject of each held-out sample, shape (n,); None if every sample is a subject of its own.
        strata: values are exchanged only between held-out samples of the same stratum, shape (n,).
    """

    train: NDArray[Any]
    test: NDArray[Any]
    subjects: NDArray[Any] | None
    strata: NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Answer:
    """Score of one probe.

    Attributes:
        score: balanced accuracy, or R² of a quantity.
        low: lower end of its 95 % bootstrap interval.
        high: upper end.
        chance: mean score over permutations.
        p: one-sided p-value.
        n_train: number of samples that the probe was fitted on.
    """

    score: float
    low: float
    high: float
    chance: float
    p: float
    n_train: int


def probes(quantity: bool, n: int, seed: int = 0) -> dict[str, Any]:
    """Return unfitted probes by name, for standardised codes and, of quantities, standardised values.

    Settings are fixed: the probe of ``probe``; k nearest neighbours with k the root of n; an MLP of 16 hidden units with weight decay √n/5;
    25 boosted trees of at most 8 leaves.

    Args:
        quantity: whether they predict a quantity; classes otherwise.
        n: number of samples that they will be fitted on.
        seed: random seed of the MLP.
    """
    k, decay = max(1, round(n**0.5)), n**0.5 / 5  # with more, an MLP of pure noise shrinks to a constant, which has no score to test
    trees: dict[str, Any] = {"max_iter": 25, "learning_rate": 0.2, "max_leaf_nodes": 8, "min_samples_leaf": 10, "early_stopping": False}
    mlp: dict[str, Any] = {"hidden_layer_sizes": (16,), "solver": "lbfgs", "alpha": decay, "max_iter": 60, "random_state": seed}
    if quantity:
        models = reader(np.zeros(1)), KNeighborsRegressor(k), MLPRegressor(**mlp), HistGradientBoostingRegressor(**trees)
    else:
        models = reader(np.zeros(1, int)), KNeighborsClassifier(k), MLPClassifier(**mlp), HistGradientBoostingClassifier(**trees)
    return dict(zip(PROBES, models, strict=True))


def ask(question: Question, spaces: Mapping[str, tuple[Floats, Floats]], *, rounds: int, seed: int) -> dict[tuple[str, str], Answer]:
    """Fit all probes on each space, score them on held-out samples, and test the scores against permuted values of these.

    Only the values of held-out samples are permuted, against fixed answers of the probes. This is exact if held-out samples of a stratum
    are exchangeable, whatever the probes have learned, and needs no refits. All classes count alike, in the score and in what a probe
    answers. Ties between scores of classes are broken by the mean weight that the probe gives to the true class.

    Args:
        question: the attribute; classes that one side lacks have been left out.
        spaces: by name, codes of the samples to fit on, shape (m, d), and of held-out ones, shape (n, d).
        rounds: number of permutations.
        seed: random seed.

    Returns:
        The answer for each space and probe.
    """
    draw = np.random.default_rng(seed)
    train = question.train
    chosen = np.sort(draw.choice(len(train), MOST_TRAIN, replace=False)) if len(train) > MOST_TRAIN else np.arange(len(train))
    classes, score_all = (None, _r2) if is_quantity(train) else (np.unique(question.test), _balanced)
    found = {
        (space, name): answer
        for space, (codes, held_out) in spaces.items()
        for name, answer in _answers(codes[chosen], train[chosen], held_out, classes, seed)
    }
    answers = np.stack([*found.values()], -1)
    truth = question.test - question.train.mean() if classes is None else np.searchsorted(classes, question.test)
    if classes is None:
        answers = answers - question.train.mean()
    observed = score_all(truth[None], answers)[0]
    null = np.concatenate([score_all(truth[orders], answers) for orders in _orders(question, truth, rounds, draw)])
    results = {}
    for place, key in enumerate(found):
        value, low, high = _with_interval(question, answers[..., place], truth, classes, seed)
        # Sums that are equal on paper can differ in the last bits, which must not make a p-value smaller.
        p = p_value(float(observed[place]) - 1e-12, null[:, place])
        results[key] = Answer(value, low, high, float(null[:, place].mean()), p, len(chosen))
    return results


def _answers(codes: Floats, truth: NDArray[Any], held_out: Floats, classes: NDArray[Any] | None, seed: int) -> Iterator[tuple[str, Floats]]:
    """Yield what each probe answers: predicted quantities, shape (n,), or weights of classes, shape (n, classes), that sum to 1."""
    # Equal codes hold nothing, and solvers warn about them; nor do codes of one class, where the others were too rare to be drawn.
    constant = (codes == codes[0]).all() or (classes is not None and len(np.unique(truth)) < 2)
    scale = StandardScaler().fit(codes)
    codes, held_out = scale.transform(codes.astype(float)), scale.transform(held_out.astype(float))
    mean, spread = (truth.mean(), truth.std() or 1.0) if classes is None else (0.0, 1.0)
    for name, model in probes(classes is None, len(codes), seed).items():
        if constant:
            yield name, np.full(len(held_out), mean) if classes is None else np.full((len(held_out), len(classes)), 1 / len(classes))
            continue
        with warnings.catch_warnings():
            # A probe that has not converged is a weaker probe; the test is as valid.
            warnings.simplefilter("ignore")
            if classes is None:
                yield name, model.fit(codes, (truth - mean) / spread).predict(held_out) * spread + mean
                continue
            weights = np.zeros((len(held_out), len(classes)))  # 0 for a class of which no sample was drawn
            there, counts = np.unique(truth, return_counts=True)
            weights[:, np.searchsorted(classes, there)] = model.fit(codes, truth).predict_proba(held_out) / counts
            yield name, weights / weights.sum(1, keepdims=True)


def _orders(question: Question, truth: NDArray[Any], rounds: int, draw: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Yield permutations of the held-out samples in blocks, each of shape (permutations, n)."""
    subjects, parts = question.subjects, list[tuple[NDArray[np.intp], Callable[[np.random.Generator], NDArray[np.intp]]]]()
    for stratum in np.unique(question.strata):
        (where,) = np.nonzero(question.strata == stratum)
        parts.append((where, permutations(None if subjects is None else subjects[where], truth[where])))
    block = max(1, AT_ONCE // len(truth))
    for begin in range(0, rounds, block):
        orders = np.empty((min(block, rounds - begin), len(truth)), dtype=np.intp)
        for order in orders:
            for where, drawn in parts:
                order[where] = where[drawn(draw)]
        yield orders


def _balanced(labels: NDArray[Any], weights: Floats, tie: float = TIE) -> Floats:
    """Return balanced accuracies, ties broken, of labels, shape (m, n), and weights, shape (n, classes, probes): shape (m, probes)."""
    right = weights.argmax(1)[:, None] == np.arange(weights.shape[1])[:, None]
    value = right + tie * weights
    total = np.zeros((len(labels), weights.shape[2]))
    for label in range(weights.shape[1]):
        own = (labels == label).astype(float)
        total += own @ value[:, label] / own.sum(1, keepdims=True)
    return np.asarray(total / weights.shape[1])


def _r2(values: NDArray[Any], answers: Floats) -> Floats:
    """Return R² of values, shape (m, n), and answers, shape (n, probes): shape (m, probes)."""
    errors = (values**2).sum(1, keepdims=True) - 2 * values @ answers + (answers**2).sum(0)
    spread = ((values - values.mean(1, keepdims=True)) ** 2).sum(1, keepdims=True)
    return np.asarray(1 - errors / spread)


def _with_interval(
    question: Question, answers: Floats, truth: NDArray[Any], classes: NDArray[Any] | None, seed: int
) -> tuple[float, float, float]:
    """Return the score of one probe and its bootstrap interval over held-out subjects."""
    subjects = question.subjects
    if classes is not None:
        row, *_ = score(truth, answers.argmax(1), subjects=subjects, seed=seed)
        return row["score"], row["low"], row["high"]
    totals = resampled(subjects, len(truth), seed)
    errors, squares, total, n = totals(np.stack([(truth - answers) ** 2, truth**2, truth, np.ones_like(truth)], 1)).T
    spread = squares - total**2 / n
    resampled_r2 = 1 - np.divide(errors, spread, out=np.full_like(errors, np.nan), where=spread > 1e-12 * squares)
    return float(_r2(truth[None], answers[:, None])[0, 0]), *interval(resampled_r2[np.isfinite(resampled_r2)])

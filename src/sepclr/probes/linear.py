"""Linear probes on frozen codes, with intervals and chance."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, balanced_accuracy_score, mean_absolute_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sepclr.data.attributes import is_quantity, known
from sepclr.types import InputError, Row

ProbeProtocol = Literal["strict", "published"]
"""``strict`` standardises codes and fits to convergence; ``published`` follows the authors of SepCLR, see ``probe``."""

EncoderState = Literal["trained", "untrained"]
"""Whether codes come from the trained encoders or from the same with fresh weights."""

GROUP = "group"
"""Name of the attribute that says whether a sample is background or target."""

RESAMPLES = 1000

Resampled = Callable[[NDArray[Any]], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Probed:
    """Codes and the true attributes of their samples.

    Attributes:
        spaces: codes by space (``c``, ``s``, and the projections ``c_head``, ``s_head``), shape (n, d).
        is_target: True for target samples, shape (n,).
        attributes: true values by name, shape (n,); integers or strings are classes, floating point is a quantity. NaN and the empty
            string mark missing values.
        everyone: whether attributes of background samples are known, too.
        subjects: subject of each sample, shape (n,); None if every sample is a subject of its own.
        standardised: whether the method's authors standardise codes before probing; the protocol ``published`` then does, too.
    """

    spaces: Mapping[str, NDArray[np.floating[Any]]]
    is_target: NDArray[np.bool_]
    attributes: Mapping[str, NDArray[Any]]
    everyone: bool = False
    subjects: NDArray[Any] | None = None
    standardised: bool = False


def probe(train: Probed, test: Probed, *, encoder: EncoderState, protocol: ProbeProtocol = "strict", seed: int = 0) -> list[Row]:
    """Probe every space for each attribute of targets, and for the group of all samples.

    Attributes that background has, too, are probed in both groups. Samples with missing values are left out.

    ``strict`` standardises the codes and runs the solver to convergence. ``published`` follows the authors of SepCLR: scikit-learn's
    logistic regression with default settings, 100 iterations, and standardised codes only for methods whose authors standardise them.
    Quantities are predicted by ridge regression, with a penalty chosen by leave-one-out cross-validation.

    Intervals come from the bootstrap over test samples. If subjects have several samples, subjects are resampled with all of their
    samples: samples of one subject are similar, and resampling them independently would make intervals too narrow.

    Args:
        train: codes that probes are fitted on.
        test: codes that probes are scored on.
        encoder: whether the codes come from trained or untrained encoders; recorded in the rows.
        protocol: ``strict`` or ``published``.
        seed: random seed of the bootstrap.

    Returns:
        For each space and attribute, one row with balanced accuracy and one with accuracy, or one with the mean absolute error of a
        quantity.

    Raises:
        InputError: an attribute has a single class among its training samples.
    """
    rows: list[Row] = []
    scaled = protocol == "strict" or train.standardised
    for space, codes in train.spaces.items():
        for name, train_rows, test_rows, train_truth, test_truth in questions(train, test):
            answers = _predict(codes[train_rows], train_truth, test.spaces[space][test_rows], protocol, name, scaled)
            whose = None if test.subjects is None else test.subjects[test_rows]
            about = {"attribute": name, "space": space, "encoder": encoder, "protocol": protocol}
            rows += score(test_truth, answers, train=train_truth, subjects=whose, seed=seed, **about)
    return rows


def score(
    truth: NDArray[Any], answers: NDArray[Any], *, train: NDArray[Any] | None = None, subjects: NDArray[Any] | None, seed: int, **about: str
) -> list[Row]:
    """Score answers, as rows with intervals.

    Args:
        truth: true values of the test samples, shape (n,).
        answers: their predicted values, shape (n,).
        train: true values of the training samples, which decide what chance is; ``truth`` if None.
        subjects: subject of each test sample, shape (n,); None if every sample is a subject of its own.
        seed: random seed of the bootstrap.
        about: the row's attribute, space, encoder and protocol.

    Returns:
        One row with balanced accuracy and one with accuracy, or one with the mean absolute error of a quantity.
    """
    known = truth if train is None else train
    return [
        Row(**about, metric=metric, score=value, low=low, high=high, chance=chance, n_train=len(known), n_test=len(truth))  # type: ignore[typeddict-item]
        for metric, value, low, high, chance in _scores(known, truth, answers, resampled(subjects, len(answers), seed))
    ]


def questions(train: Probed, test: Probed) -> Iterator[tuple[str, NDArray[np.bool_], NDArray[np.bool_], NDArray[Any], NDArray[Any]]]:
    """Yield each attribute to probe, the group last: its name, masks of the train and test rows to use, and their true values."""
    for name, truth in train.attributes.items():
        asked = [
            (np.ones_like(side.is_target) if side.everyone else side.is_target) & known(side.attributes[name]) for side in (train, test)
        ]
        yield name, asked[0], asked[1], truth[asked[0]], test.attributes[name][asked[1]]
    if test.is_target.any() and not test.is_target.all():
        everyone = np.ones_like(train.is_target), np.ones_like(test.is_target)
        yield GROUP, *everyone, train.is_target.astype(int), test.is_target.astype(int)


def reader(truth: NDArray[Any]) -> Any:
    """Return the linear model for a true attribute: ridge regression for a quantity, logistic regression for classes."""
    if is_quantity(truth):
        return RidgeCV(np.logspace(-3, 5, 17))
    # Newton's method converges in a few steps; the default solver, stopped early, underestimates scores.
    return LogisticRegression(solver="newton-cholesky", max_iter=1000)


def _predict(
    train: NDArray[np.floating[Any]],
    truth: NDArray[Any],
    test: NDArray[np.floating[Any]],
    protocol: ProbeProtocol,
    name: str,
    scaled: bool,
) -> NDArray[Any]:
    if not is_quantity(truth) and len(np.unique(truth)) < 2:
        raise InputError(f"attribute {name!r}: all training samples are {truth[0]!r}; a probe needs at least two classes")
    if not is_quantity(truth) and (train == train[0]).all():
        return np.full(len(test), DummyClassifier().fit(train, truth).predict(train[:1])[0])  # solvers warn about a code that is constant
    model = LogisticRegression(max_iter=100) if protocol == "published" and not is_quantity(truth) else reader(truth)
    if scaled:
        model = make_pipeline(StandardScaler(), model)
    with warnings.catch_warnings():
        if protocol == "published":
            warnings.simplefilter("ignore", ConvergenceWarning)
        answers: NDArray[Any] = model.fit(train, truth).predict(test)
    return answers


def _scores(
    train_truth: NDArray[Any], truth: NDArray[Any], answers: NDArray[Any], totals: Resampled
) -> Iterator[tuple[str, float, float, float, float]]:
    """Yield metric, score, interval and chance (the score of the best constant prediction from training values)."""
    if is_quantity(truth):
        errors = np.abs(truth - answers)
        total, n = totals(np.stack([errors, np.ones_like(errors)], 1)).T
        chance = mean_absolute_error(truth, np.full_like(truth, np.median(train_truth)))
        yield "mae", float(errors.mean()), *interval(total / n), float(chance)
        return
    names, classes = np.unique(truth, return_inverse=True)
    of_class = classes[:, None] == np.arange(len(names))
    right, wrong = np.split(totals(np.hstack([of_class & (answers == truth)[:, None], of_class & (answers != truth)[:, None]])), 2, 1)
    recall = np.divide(right, right + wrong, where=right + wrong > 0, out=np.full(right.shape, np.nan))
    labels, times = np.unique(train_truth, return_counts=True)
    score = float(balanced_accuracy_score(truth, answers)) if len(names) > 1 else float(accuracy_score(truth, answers))
    yield "balanced_accuracy", score, *interval(np.nanmean(recall, 1)), 1 / len(labels)
    score = float(accuracy_score(truth, answers))
    yield "accuracy", score, *interval(right.sum(1) / (right + wrong).sum(1)), float(np.mean(truth == labels[times.argmax()]))


def resampled(subjects: NDArray[Any] | None, n: int, seed: int) -> Resampled:
    """Return a function that sums facts, shape (n, k), over bootstrap draws of subjects or samples, shape (RESAMPLES, k).

    Args:
        subjects: subject of each sample, shape (n,), who are drawn with all of their samples; None to draw samples.
        n: number of samples.
        seed: random seed.
    """
    draw = np.random.default_rng(seed)
    names, whose = (np.arange(n), np.arange(n)) if subjects is None else np.unique(subjects, return_inverse=True)
    return partial(_totals, draw, whose, len(names))


def _totals(draw: np.random.Generator, whose: NDArray[np.intp], subjects: int, facts: NDArray[Any]) -> NDArray[np.float64]:
    of_subject = np.zeros((subjects, facts.shape[1]))
    np.add.at(of_subject, whose, facts)
    # Subjects with equal sums are interchangeable: draw how often each distinct sum comes up. Classes have few distinct sums.
    kinds, times = np.unique(of_subject, axis=0, return_counts=True)
    return np.asarray(draw.multinomial(subjects, times / subjects, size=RESAMPLES) @ kinds)


def interval(values: NDArray[np.floating[Any]]) -> tuple[float, float]:
    """Return the 95 % interval of bootstrap values, shape (RESAMPLES,)."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)

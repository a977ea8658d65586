"""``preflight`` of estimators: a look at samples before training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data
from torch import Tensor

from sepclr.data import Cohort, Lazy
from sepclr.data.attributes import plain
from sepclr.estimators.groups import membership
from sepclr.estimators.preflight_cohort import of_cohort
from sepclr.estimators.prepared import prepared
from sepclr.estimators.samples import known_samples, standardised
from sepclr.estimators.streams import is_stream
from sepclr.probes.preflight import Preflight
from sepclr.types import InputError


def of_model(
    model: Any,
    X: Any,
    y: ArrayLike | None = None,
    attributes: Mapping[str, ArrayLike] | None = None,
    *,
    subjects: ArrayLike | None = None,
    test: Any = None,
    seed: int = 0,
    **extra: ArrayLike,
) -> Preflight:
    """Look at samples before ``fit``: is there target-specific signal, in how many dimensions, and what stands in its way?

    The estimator is not changed. Untrained encoders are those that ``fit`` starts from, if ``random_state`` is a number.

    Args:
        model: the estimator.
        X: training samples as in ``fit``, but not batches.
        y: group labels as in ``fit``.
        attributes: attributes that both groups have, such as age and site, each of shape (n,); None for a ``Cohort``, which has its own.
        subjects: subject of each sample, shape (n,); None for a ``Cohort``, or if every sample is a subject of its own.
        test: held-out samples of any kind that X may be, in which duplicates of X are sought.
        seed: random seed.
        extra: further arguments of ``fit``.

    Returns:
        Findings, each with a verdict, a sentence and numbers, and the methods that suit the data.

    Raises:
        InputError: as ``fit``, a method for other than contrastive analysis, or as ``of_cohort``.
    """
    if (task := model.declaration.task) != "contrast":
        raise InputError(f"preflight: {type(model).__name__} is for {task}, which has no background and target to compare; use SepCLR")
    if is_stream(X):
        raise InputError("X: batches cannot be read by index; give arrays, a Cohort or a Dataset")
    own = clone(model)
    options = own._options()  # raises InputError before X and y are checked
    cohort = prepared(own, X, y, extra)
    own.seed_ = int(check_random_state(own.random_state).randint(2**31 - 1))
    network = own._settled(own._fresh(options))
    whole = _with_facts(Cohort(cohort.x, cohort.is_target, extra=cohort.extra), X, attributes, subjects)
    held = [] if test is None else [_alone(standardised(own, known_samples(own, test)))]
    return of_cohort(whole, network, tests=held, seed=seed)


def of_linear(
    model: Any,
    X: Any,
    y: ArrayLike | None = None,
    attributes: Mapping[str, ArrayLike] | None = None,
    *,
    subjects: ArrayLike | None = None,
    test: Any = None,
    seed: int = 0,
) -> Preflight:
    """Look at rows before ``fit``; arguments, result and errors are those of ``of_model``, without encoders."""
    own = clone(model)
    given = X.is_target.numpy() if isinstance(X, Cohort) else y
    if isinstance(X, Cohort) and y is not None:
        raise InputError("y: a Cohort has its own groups; omit y")
    samples, labels = validate_data(own, rows_of(X), given, dtype=np.float64, ensure_min_samples=4)
    is_target = membership(labels, None if isinstance(X, Cohort) else own.background)[1]
    scaler = StandardScaler().fit(samples)
    whole = _with_facts(Cohort(torch.from_numpy(scaler.transform(samples)), torch.from_numpy(is_target)), X, attributes, subjects)
    held = [] if test is None else [validate_data(own, rows_of(test), dtype=np.float64, reset=False)]
    return of_cohort(whole, None, tests=[_alone(torch.from_numpy(scaler.transform(each))) for each in held], seed=seed)


def rows_of(X: Any) -> Any:
    """Return the rows of a cohort, read all at once, and anything else unchanged.

    Raises:
        InputError: a cohort of images or volumes.
    """
    if not isinstance(X, Cohort):
        return X
    if X.x.ndim != 2:
        raise InputError(f"X: samples have shape {tuple(X.x.shape[1:])}; linear methods take rows")
    return X.x[:].numpy()


def _with_facts(cohort: Cohort, X: Any, attributes: Mapping[str, ArrayLike] | None, subjects: ArrayLike | None) -> Cohort:
    """Return samples with their attributes and subjects, which a ``Cohort`` has.

    Raises:
        InputError: attributes or subjects for a ``Cohort``, or another number of values than of samples.
    """
    if isinstance(X, Cohort):
        if attributes is not None or subjects is not None:
            raise InputError("attributes, subjects: a Cohort has its own; omit them")
        return replace(cohort, attributes=X.attributes, subjects=X.subjects)
    known = {name: plain(attributes[name]) for name in attributes} if attributes is not None else {}
    return replace(cohort, attributes=known, subjects=None if subjects is None else np.asarray(subjects))


def _alone(x: Tensor | Lazy) -> Cohort:
    """Return test samples whose groups do not matter."""
    return Cohort(x, torch.ones(len(x), dtype=torch.bool))

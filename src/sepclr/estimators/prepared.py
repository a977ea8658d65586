"""Samples as an estimator trains on them: checked, and rows standardised."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from sepclr.data import Cohort, Stream
from sepclr.estimators.samples import given, has_counts, scaling, standardised
from sepclr.estimators.streams import is_stream, refuse_more
from sepclr.estimators.targets import DEGREE
from sepclr.methods.extra import check_extra, inseparable


def prepared(model: Any, X: Any, y: Any, extra: Mapping[str, Any]) -> Cohort | Stream:
    """Check what ``fit`` is given, store shape, labels and scales, and return what to train on.

    Raises:
        InputError: as ``fit``.
    """
    if is_stream(X):
        refuse_more(model, X, y, extra)
        stream = Stream(X, scaled=not has_counts(model))
        model.classes_, model.n_features_in_, model.labels_ = np.array([False, True]), stream.x.shape[1], np.arange(0)
        model.sample_shape_, model.further_, model.known_classes_ = tuple(stream.x.shape[1:]), {}, {}
        if stream.scaler is not None:
            model.mean_, model.scale_ = stream.scaler.mean_, stream.scaler.scale_
        elif stream.x.ndim == 2:
            model.mean_, model.scale_ = scaling(model, stream.x)
        return stream
    samples, is_target, more = given(model, X, y, extra)
    model.sample_shape_ = tuple(samples.shape[1:])
    if samples.ndim == 2:
        model.mean_, model.scale_ = scaling(model, samples)
    degrees = more.pop(DEGREE, None)
    cohort = Cohort(standardised(model, samples), torch.from_numpy(is_target), extra=more, degrees=degrees)
    check_extra(model.declaration, cohort)
    if alone := inseparable(model.declaration, cohort):
        names = ", ".join(map(str, model.labels_[alone]))
        warnings.warn(f"y: class {names} occurs with a single bias, so nothing shows what belongs to which; add samples", stacklevel=3)
    model.further_, model.known_classes_ = cohort.further, cohort.classes
    return cohort

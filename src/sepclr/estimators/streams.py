"""Samples that an estimator reads on access: a PyTorch ``Dataset``, or an iterable of batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted
from torch.utils.data import Dataset, IterableDataset

from sepclr.data import Cohort, Lazy, Stream
from sepclr.data.dataset import DatasetSamples
from sepclr.data.lazy import checked, standardise
from sepclr.data.stream import read_batches
from sepclr.training import encode
from sepclr.types import Codes, InputError, Method

Given = ArrayLike | Cohort | Dataset[Any] | Iterable[tuple[Any, Any]]
"""Samples of an estimator: arrays, a cohort, a dataset of (sample, is_target), or batches (x, is_target) of samples."""

AT_ONCE = 2**18
"""Number of values of rows to read at once when their mean is computed."""


def is_dataset(X: Any) -> bool:
    """Return whether samples are a map-style ``Dataset``."""
    return isinstance(X, Dataset) and not isinstance(X, IterableDataset)


def is_stream(X: Any) -> bool:
    """Return whether samples are an iterable of batches rather than an array, or nested lists that make one."""
    if is_dataset(X) or isinstance(X, Cohort | str | bytes | Mapping) or hasattr(X, "shape") or hasattr(X, "__array__"):
        return False
    if isinstance(X, list | tuple):
        first = X[0] if len(X) else None
        return isinstance(first, list | tuple) and len(first) == 2 and all(hasattr(part, "shape") for part in first)
    return hasattr(X, "__iter__")


def refuse_more(model: Any, X: Any, y: Any, extra: Mapping[str, Any]) -> None:
    """Check that a dataset or batches come alone.

    Raises:
        InputError: labels or further arguments, or a method that trains on more than samples and groups.
    """
    what = "a Dataset has its" if is_dataset(X) else "batches have their"
    if y is not None:
        raise InputError(f"y: {what} own groups; omit y")
    free_of = getattr(model, "free_of", None)
    if more := [*extra, *model.declaration.extra, *([free_of] if free_of else [])]:
        raise InputError(f"{more[0]}: {what} items (sample, is_target) only; give arrays or a Cohort")


def scaler_of(rows: Lazy) -> StandardScaler:
    """Fit mean and scale to rows, a part at a time.

    Raises:
        InputError: values that are not finite.
    """
    scaler, at_once = StandardScaler(), max(1, AT_ONCE // rows.shape[1])
    for begin in range(0, len(rows), at_once):
        scaler.partial_fit(checked(f"X: rows from {begin}", rows[begin : begin + at_once]).numpy())
    return scaler


def encode_batches(model: Any, methods: Sequence[Method], X: Iterable[Any]) -> tuple[list[Codes], NDArray[np.bool_]]:
    """Encode batches in their order with several methods, reading each batch once.

    Returns:
        The codes by each method, and the groups, shape (n,).

    Raises:
        InputError: batches that are not (x, is_target) or samples of another shape than in ``fit``.
    """
    check_is_fitted(model)
    parts: list[list[Codes]] = [[] for _ in methods]
    members = []
    for x, is_target in read_batches(X):
        if tuple(x.shape[1:]) != model.sample_shape_:
            raise InputError(f"X: samples have shape {tuple(x.shape[1:])}; fit saw {model.sample_shape_}")
        x = standardise(x, model.mean_, model.scale_) if x.ndim == 2 else x
        for each, method in zip(parts, methods, strict=True):
            each.append(encode(method, x))
        members.append(is_target)
    if not members:
        raise InputError("X: there are no batches; give at least one, (x, is_target)")
    codes = [Codes(*(torch.cat(code) for code in zip(*each, strict=True))) for each in parts]
    return codes, torch.cat(members).numpy()


__all__ = ["DatasetSamples", "Given", "Stream", "encode_batches", "is_dataset", "is_stream", "refuse_more", "scaler_of"]

"""Samples and what else an estimator is given, as the tensors on which methods train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Tensor

from sepclr.data import Cohort, Lazy, matched
from sepclr.data.attributes import coded
from sepclr.data.dataset import DatasetSamples
from sepclr.data.lazy import Standardised
from sepclr.estimators.streams import is_dataset, is_stream, refuse_more, scaler_of
from sepclr.estimators.targets import DEGREE, degree_of, group_labels, numbers
from sepclr.methods.extra import free_of_label, with_free_of
from sepclr.methods.reconstruction import check_counts
from sepclr.types import TARGET_GROUP, InputError

Samples = NDArray[Any] | Lazy
TYPES = [np.float32, np.float64, np.uint8]


class Told(NamedTuple):
    """What the labels and further arguments of ``fit`` say about n samples.

    Attributes:
        is_target: True for targets, shape (n,).
        extra: as ``Cohort.extra``.
    """

    is_target: NDArray[np.bool_]
    extra: dict[str, Tensor]


def given(model: Any, X: Any, y: Any, extra: Mapping[str, ArrayLike]) -> tuple[Samples, NDArray[np.bool_], dict[str, Tensor]]:
    """Check what ``fit`` is given, store the labels, and return samples, groups and what else the method trains on.

    Raises:
        InputError: as ``told``, or labels for a ``Cohort``, which has its own.
    """
    if isinstance(X, Cohort):
        if y is not None or extra:
            raise InputError("y: a Cohort has its own groups; omit y" if y is not None else f"{next(iter(extra))}: a Cohort has its own")
        model.classes_, model.n_features_in_ = np.array([False, True]), X.x.shape[1]
        model.labels_ = np.arange(max(X.classes.values(), default=0))
        cohort = X if (name := getattr(model, "free_of", None)) is None else with_free_of(X, name)
        more = {name: each if each.ndim == 1 else _other(model, name, each.numpy()) for name, each in cohort.extra.items()}
        if (groups := X.target_groups.max() + 1) > 1:
            model.classes_ = np.arange(-1, groups)
        more |= {} if X.degrees is None else {DEGREE: X.degrees}
        return X.x.numpy() if isinstance(X.x, Tensor) else X.x, X.is_target.numpy(), more
    if is_dataset(X):
        refuse_more(model, X, y, extra)
        items = DatasetSamples(X)
        model.classes_, model.n_features_in_, model.labels_ = np.array([False, True]), items.shape[1], np.arange(0)
        return items, items.is_target(model.workers).numpy(), {}
    how: dict[str, Any] = {"dtype": TYPES, "allow_nd": True, "ensure_min_samples": 4}
    if model.declaration.task == "modalities":
        samples, labels = validate_data(model, X, **how), y
    else:
        samples, labels = validate_data(model, X, y, **how)
    is_target, more = told(model, labels, extra, len(samples))
    return samples, is_target, more


def labelled(model: Any, X: Any, y: Any, attributes: Mapping[str, Any] | None) -> Cohort:
    """Return a cohort of held-out samples with their groups, the labels of ``fit``, if the method has groups.

    Raises:
        InputError: labels for a ``Cohort``, which has its own, labels not seen in ``fit``, or as ``known_samples``.
    """
    samples = known_samples(model, X)
    if isinstance(X, Cohort):
        if y is not None or attributes is not None:
            raise InputError("y, attributes: a Cohort has its own; omit them")
        return replace(X, x=standardised(model, samples))
    known = {name: np.asarray(attributes[name]) for name in attributes} if attributes is not None else {}
    if isinstance(samples, DatasetSamples):
        if y is not None:
            raise InputError("y: a Dataset has its own groups; omit y")
        return Cohort(standardised(model, samples), samples.is_target(), known)
    if model.declaration.task in ("modalities", "debiasing"):
        if y is not None:
            raise InputError("y: the samples have no groups; omit y, and give attributes")
        return Cohort(standardised(model, samples), torch.ones(len(samples), dtype=torch.bool), known)
    labels = np.asarray(y)
    if wrong := sorted({*np.unique(labels).tolist()} - {*model.classes_.tolist()}, key=str):
        *others, last = map(repr, model.classes_)
        raise InputError(f"y: {wrong[0]!r} is not one of the labels in fit, {', '.join(others)} and {last}")
    groups = {TARGET_GROUP: torch.from_numpy(numbers(model.classes_, labels))} if len(model.classes_) > 2 else {}
    return Cohort(standardised(model, samples), torch.from_numpy(labels != model.classes_[0]), known, extra=groups)


def known_samples(model: Any, X: Any) -> Samples:
    """Check samples against those of ``fit``.

    Raises:
        InputError: samples of another shape, or batches, which cannot be read by index.
    """
    check_is_fitted(model)
    if is_stream(X):
        raise InputError("X: batches cannot be read by index; give arrays, a Cohort or a Dataset")
    if isinstance(X, Cohort):
        samples: Samples = X.x.numpy() if isinstance(X.x, Tensor) else X.x
    elif is_dataset(X):
        samples = DatasetSamples(X)
    else:
        samples = validate_data(model, X, dtype=TYPES, allow_nd=True, reset=False)
    if tuple(samples.shape[1:]) != model.sample_shape_:
        raise InputError(f"X: samples have shape {tuple(samples.shape[1:])}; fit saw {model.sample_shape_}")
    return samples


def scaling(model: Any, rows: Any) -> tuple[Any, Any]:
    """Return the mean and scale with which rows are standardised; of counts, 0 and 1."""
    if has_counts(model):
        return np.zeros(rows.shape[1]), np.ones(rows.shape[1])
    scaler = StandardScaler().fit(rows) if isinstance(rows, np.ndarray) else scaler_of(rows)
    return scaler.mean_, scaler.scale_


def has_counts(model: Any) -> bool:
    """Return whether the rows of an estimator are counts."""
    return getattr(model, "reconstruction", "squared") == "negative-binomial"


def standardised(model: Any, samples: Samples) -> Tensor | Lazy:
    """Convert samples to encoder inputs; rows are standardised as in ``fit``, counts checked. Raises as ``as_tensor``, ``check_counts``."""
    if not isinstance(samples, np.ndarray):
        return Standardised(samples, model.mean_, model.scale_) if samples.ndim == 2 else samples
    x = as_tensor(samples, *((model.mean_, model.scale_) if samples.ndim == 2 else ()))
    if has_counts(model) and x.ndim == 2:
        check_counts(x)
    return x


def told(model: Any, y: ArrayLike | None, given: Mapping[str, ArrayLike], n: int) -> Told:
    """Check the labels and further arguments of ``fit``, and store the labels and scales that later calls need.

    Raises:
        InputError: an argument that is missing, unknown or of another length; labels that are not two groups; identifiers that differ.
    """
    task, free_of = model.declaration.task, getattr(model, "free_of", None)
    allowed = [*model.declaration.extra, *(("ids", "other_ids") if task == "modalities" else ()), *([free_of] if free_of else [])]
    allowed += [DEGREE] if task == "contrast" else []
    if task == "debiasing":
        allowed.remove("label")  # y
    if unknown := [name for name in given if name not in allowed]:
        raise InputError(f"{unknown[0]}: {type(model).__name__}.fit has no such argument; it takes {', '.join(['X', 'y', *allowed])}")
    extra = {name: np.asarray(values) for name, values in given.items() if values is not None}
    if task == "modalities":
        if y is not None:
            raise InputError("y: two modalities have no groups; omit y")
        _match(extra, n)
        return Told(np.ones(n, dtype=bool), {name: _other(model, name, values) for name, values in extra.items()})
    if y is None:
        raise InputError("y: missing; give a label for each sample")
    labels = np.asarray(y)
    if wrong := [name for name, values in extra.items() if len(values) != n]:
        raise InputError(f"{wrong[0]}: {len(extra[wrong[0]])} values for {n} samples; give one for each")
    if task == "debiasing":
        model.classes_ = model.labels_ = np.unique(labels)
        index = {"label": np.searchsorted(model.labels_, labels)}
        index |= {name: coded(name, values)[0] for name, values in extra.items()}
        return Told(np.ones(n, dtype=bool), {name: torch.from_numpy(values.astype(np.int64)) for name, values in index.items()})
    model.classes_, more = group_labels(model, labels)
    is_target = np.asarray(labels != model.classes_[0])
    if task == "contrast":
        more |= degree_of(extra)
    if free_of:
        if free_of not in extra:
            raise InputError(f"{free_of}: missing; free_of names it, so give a value for each sample: fit(X, y, {free_of}=…)")
        more["free_of"] = free_of_label(free_of, extra[free_of], torch.from_numpy(is_target))
    return Told(is_target, more if task == "contrast" else _of_domains(model, is_target, extra))


def _of_domains(model: Any, is_target: NDArray[np.bool_], extra: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Code the classes of one domain, as each argument has them; those of the other domain are not looked at."""
    found, sets = {}, {}
    for name, values in extra.items():
        seen = is_target if name == "target_label" else ~is_target
        index, sets[name] = coded(name, values[seen])
        found[name] = torch.full((len(values),), -1)
        found[name][torch.from_numpy(seen)] = torch.from_numpy(index)
        model.labels_ = sets[name]
    if len(sets) == 2 and not np.array_equal(sets["label"], sets["target_label"]):
        source, target = (", ".join(map(str, sets[name])) for name in ("label", "target_label"))
        raise InputError(f"target_label: classes are {target}, and {source} in label; give samples of the same classes in both domains")
    return found


def _match(extra: dict[str, NDArray[Any]], n: int) -> None:
    """Bring the other modality into the order of the samples by their identifiers, if there are any."""
    ids, other_ids = extra.pop("ids", None), extra.pop("other_ids", None)
    if (ids is None) != (other_ids is None):
        raise InputError("ids, other_ids: give both, or neither if the modalities have the same order")
    for name, values in extra.items():
        if ids is None or other_ids is None:
            if len(values) != n:
                raise InputError(f"{name}: {len(values)} samples, and X has {n}; give as many, or ids and other_ids to match them")
            continue
        for what, own, length in (("ids", ids, n), ("other_ids", other_ids, len(values))):
            if len(own) != length:
                raise InputError(f"{what}: {len(own)} values for {length} samples; give one for each")
        extra[name] = values[matched(ids, other_ids)]


def _other(model: Any, name: str, values: NDArray[Any]) -> Tensor:
    """Convert another modality to encoder inputs; rows are standardised."""
    x = check_array(values, dtype=TYPES, allow_nd=True, input_name=name)
    if x.ndim == 2:
        model.other_mean_, model.other_scale_ = (scaler := StandardScaler().fit(x)).mean_, scaler.scale_
    model.other_shape_ = tuple(x.shape[1:])
    return other_tensor(model, x)


def other_tensor(model: Any, x: NDArray[Any]) -> Tensor:
    """Convert samples of the other modality to encoder inputs, as in ``fit``.

    Raises:
        InputError: samples of another shape.
    """
    if tuple(x.shape[1:]) != model.other_shape_:
        raise InputError(f"samples have shape {tuple(x.shape[1:])}; fit saw {model.other_shape_}")
    return as_tensor(x, *((model.other_mean_, model.other_scale_) if x.ndim == 2 else ()))


def as_tensor(samples: NDArray[Any], mean: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """Convert samples to encoder inputs; rows are standardised with a mean and a scale.

    Raises:
        InputError: samples that are not rows, images or volumes, or pixels outside their range.
    """
    if samples.ndim == 2:
        return torch.from_numpy(((samples.astype(np.float64) - mean) / scale).astype(np.float32))
    if samples.ndim not in (4, 5):
        raise InputError(f"X: {samples.ndim} dimensions; give rows (n, features), images (n, channels, height, width) or volumes")
    if samples.ndim == 4 and samples.dtype != np.uint8 and (samples.min() < 0 or samples.max() > 1):
        raise InputError(f"X: pixels range from {samples.min():g} to {samples.max():g}; give uint8 0..255 or floating point 0..1")
    samples = samples if samples.dtype == np.uint8 else samples.astype(np.float32)
    return torch.from_numpy(samples if samples.flags.writeable else samples.copy())

"""HTML report of a fitted estimator."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sepclr.data import Cohort
from sepclr.estimators.separation import separation
from sepclr.probes import Importance
from sepclr.probes.halves import halves
from sepclr.reports import Page, RunView, decoded, read_features, selection, shown_images, write_page
from sepclr.training import encode
from sepclr.types import InputError, Row


def write(model: Any, path: Path, cohort: Cohort, common: tuple[str, ...], salient: tuple[str, ...]) -> list[Row]:
    """Write an HTML report of a fitted estimator on held-out samples.

    Returns:
        The rows shown in the report.

    Raises:
        InputError: an unknown attribute name, a file that cannot be written, or as ``separation``.
    """
    if unknown := [name for name in (*common, *salient) if name not in cohort.attributes]:
        raise InputError(f"attributes: {unknown[0]!r} not found; attributes are {', '.join(cohort.attributes) or 'none'}")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise InputError(f"{path}: not a file path in an existing folder; choose another path")
    rows = separation(model, cohort, 0)
    shown = selection(cohort.is_target.numpy())
    part = cohort.where(np.isin(np.arange(len(cohort)), shown))
    codes = encode(model.method_, part.x)
    view = RunView(
        type(model).__name__,
        rows,
        [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in model.history_],
        codes.c.float().numpy(),
        codes.s.float().numpy(),
        decoded(model.method_, cohort),
    )
    made = {"Estimator": " ".join(repr(model).split()), "Versions": ", ".join(f"{name} {version(name)}" for name in ("sepclr", "torch"))}
    page = Page(
        title=f"{type(model).__name__} of {part.is_target.numpy().size} samples",
        lead=_lead(model),
        images=shown_images(_samples(part)),
        is_target=part.is_target.numpy(),
        attributes=part.attributes,
        common_attributes=common,
        salient_attributes=salient,
        class_names={},
        runs=[view],
        made=made,
        features=_features(model, cohort),
    )
    try:
        write_page(path, page)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); choose another path") from None
    return rows


def _features(model: Any, cohort: Cohort) -> list[Importance] | None:
    """Compute which features the codes of rows are read from, on one half of them; probes are fitted on the other. None for images."""
    if cohort.x.ndim != 2:
        return None
    names = tuple(str(name) for name in getattr(model, "feature_names_in_", ()))
    grouped = model.declaration.task in ("contrast", "domains")
    sides = halves(cohort.is_target.numpy(), cohort.subjects, 0, grouped=grouped)
    train, test = (cohort.where(np.isin(np.arange(len(cohort)), half)) for half in sides)
    return read_features(model.method_, train, test, names)


def _samples(cohort: Cohort) -> torch.Tensor:
    return cohort.x[torch.arange(len(cohort))]


def _lead(model: Any) -> str:
    """Describe what the samples are and what belongs in each code."""
    if model.declaration.task == "debiasing":
        return "What predicts the class belongs in c, the bias does not. There is no s."
    return f"Background is {model.classes_[0]}, target is {model.classes_[1]}. Shared patterns belong in c, target-specific ones in s."

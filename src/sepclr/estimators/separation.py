"""Linear probes of the codes of a fitted estimator, compared with the same encoders before training."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.data import Cohort
from sepclr.estimators.streams import encode_batches
from sepclr.estimators.targets import by_target
from sepclr.probes import EncoderState, Probed, probe
from sepclr.probes.halves import halves
from sepclr.training import encode
from sepclr.types import Codes, InputError, Method, Row


def separation(model: Any, cohort: Cohort, seed: int) -> list[Row]:
    """Probe the codes of a cohort: fit the probes on one half and score them on the other.

    Args:
        model: a fitted estimator.
        cohort: held-out samples.
        seed: random seed of the split and of the intervals.

    Returns:
        Rows of the untrained and the trained encoders; with several target groups for each, with its label as ``target``.

    Raises:
        InputError: groups that cannot be halved, or an attribute of a single class.
    """
    grouped, rows = model.declaration.task in ("contrast", "domains"), list[Row]()
    for untrained, trained in zip(by_target(model, cohort, model.untrained()), by_target(model, cohort, model.method_), strict=True):
        name, part, _ = trained
        states: dict[EncoderState, Method] = {"untrained": untrained[2], "trained": trained[2]}
        codes = {encoder: by_name(model, encode(method, part.x)) for encoder, method in states.items()}
        how: dict[str, Any] = {"attributes": part.attributes, "subjects": part.subjects, "grouped": grouped}
        found = probed(codes, part.is_target.numpy(), seed, **how)
        rows += [{**row, "target": name} for row in found] if name else found
    return rows


def separation_of_batches(model: Any, X: Any, y: Any, attributes: Any, seed: int) -> list[Row]:
    """Probe the codes of batches, which are read once; otherwise as ``separation``."""
    if y is not None or attributes is not None:
        raise InputError("y, attributes: batches have their own groups and no attributes; give arrays, a Cohort or a Dataset with them")
    both, is_target = encode_batches(model, [model.untrained(), model.method_], X)
    codes: dict[EncoderState, Any] = {"untrained": by_name(model, both[0]), "trained": by_name(model, both[1])}
    return probed(codes, is_target, seed)


def probed(
    codes: Mapping[EncoderState, Mapping[str, NDArray[Any]]],
    is_target: NDArray[np.bool_],
    seed: int,
    *,
    attributes: Mapping[str, NDArray[Any]] = MappingProxyType({}),
    subjects: NDArray[Any] | None = None,
    grouped: bool = True,
) -> list[Row]:
    """Fit probes to one half of the samples and score them on the other.

    Args:
        codes: codes by encoder and space, each of shape (n, d).
        is_target: True for targets, shape (n,).
        seed: random seed of the split and of the intervals.
        attributes: attributes by name, each of shape (n,).
        subjects: subject of each sample, shape (n,), who are not split.
        grouped: whether there are two groups.

    Raises:
        InputError: groups that cannot be halved.
    """
    sides_of = halves(is_target, subjects, seed, grouped=grouped)
    rows: list[Row] = []
    for encoder, spaces in codes.items():
        sides = (
            Probed(
                {space: each[half] for space, each in spaces.items()},
                is_target[half],
                {name: values[half] for name, values in attributes.items()},
                subjects=None if subjects is None else subjects[half],
            )
            for half in sides_of
        )
        rows += probe(*sides, encoder=encoder, seed=seed)
    return rows


def by_name(model: Any, codes: Codes) -> dict[str, NDArray[Any]]:
    """Return the codes that a method has, c and s or only c, by their names."""
    spaces = ("c", "s") if "salient_dim" in model.declaration.defaults else ("c",)
    return {space: codes._asdict()[space].numpy() for space in spaces}

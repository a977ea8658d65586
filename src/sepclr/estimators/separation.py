"""Linear probes of the codes of a fitted estimator, compared with the same encoders before training."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from sepclr.data import Cohort
from sepclr.probes import EncoderState, Probed, probe
from sepclr.training import encode
from sepclr.types import InputError, Method, Row


def separation(model: Any, cohort: Cohort, seed: int) -> list[Row]:
    """Probe the codes of a cohort: fit the probes on one half and score them on the other.

    Args:
        model: a fitted estimator.
        cohort: held-out samples.
        seed: random seed of the split and of the intervals.

    Returns:
        Rows of the untrained and the trained encoders.

    Raises:
        InputError: groups that cannot be halved, or an attribute of a single class.
    """
    train, test = halves(cohort, seed, grouped=model.declaration.task in ("contrast", "domains"))
    rows: list[Row] = []
    spaces = ("c", "s") if "salient_dim" in model.declaration.defaults else ("c",)
    for encoder, method in (("untrained", model.untrained()), ("trained", model.method_)):
        codes = _codes(method, cohort, spaces)
        sides = (
            Probed(
                {space: each[half] for space, each in codes.items()},
                cohort.is_target.numpy()[half],
                {name: values[half] for name, values in cohort.attributes.items()},
                subjects=None if cohort.subjects is None else cohort.subjects[half],
            )
            for half in (train, test)
        )
        rows += probe(*sides, encoder=cast(EncoderState, encoder), seed=seed)
    return rows


def _codes(method: Method, cohort: Cohort, spaces: tuple[str, ...]) -> dict[str, NDArray[np.floating]]:
    x = cohort.x.double() if cohort.x.ndim == 2 else cohort.x  # type: ignore[union-attr]  # rows are tensors
    codes = encode(method, x)._asdict()
    return {space: codes[space].numpy() for space in spaces}


def halves(cohort: Cohort, seed: int, *, grouped: bool) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split both groups in half without splitting subjects."""
    is_target = cohort.is_target.numpy()
    if min(is_target.sum(), (~is_target).sum() if grouped else len(cohort)) < 4:
        raise InputError(f"y: {is_target.sum()} target and {(~is_target).sum()} background sample(s); give at least 4 of each group")
    kind = StratifiedKFold if cohort.subjects is None else StratifiedGroupKFold
    split = kind(2, shuffle=True, random_state=seed).split(np.zeros(len(cohort)), is_target, cohort.subjects)
    train, test = next(iter(split))
    return train, test

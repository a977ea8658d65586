"""Rows of numbers from a user's table, such as blood values or embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sepclr.data.row_study import RowStudy
from sepclr.data.study import Own
from sepclr.datasets.base import DataSet
from sepclr.errors import InputError
from sepclr.parts import Encoder, Profile, RowAugmentation, Settings


def _load(data: Own, root: Path | None, download: bool) -> Any:
    from sepclr.data.row_cohorts import cohorts
    from sepclr.datasets.source import of_rows

    study = data.study
    if not isinstance(study, RowStudy):
        raise InputError("study: rows need a table; give --table and the roles of its columns")
    return of_rows(DATA_SET.title, DATA_SET.lead, study, *cohorts(study, data.fold, root))


CPU = Profile(
    encoder=Encoder(kind="mlp", width=128),
    views=RowAugmentation(),
    training=Settings(max_epochs=100, batch_size=256, learning_rate=1e-3),
)
"""Up to some thousand features, with encoders of two hidden layers.

Command: sepclr fit rows --table blood.csv --group diagnosis --background control --target patient
Hardware: one core.
Result: none yet.
"""

DATA_SET = DataSet(
    options=Own("rows"),
    study=RowStudy,
    title="Rows",
    lead="Background and target are groups of rows of a table. What both groups share belongs in c, what only the target has in s.",
    about="rows of numbers, with groups and attributes, from a table",
    load=_load,
    profiles={"cpu": CPU},
)

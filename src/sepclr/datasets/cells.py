"""Cells from a user's AnnData file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sepclr.data.cell_study import CellStudy
from sepclr.data.study import Own
from sepclr.datasets.base import DataSet
from sepclr.errors import InputError
from sepclr.parts import Encoder, Profile, RowAugmentation, Settings


def _load(data: Own, root: Path | None, download: bool) -> Any:
    from sepclr.data.cell_cohorts import cohorts
    from sepclr.datasets.source import of_rows

    study = data.study
    if not isinstance(study, CellStudy):
        raise InputError("study: cells need an AnnData file; give FILE.h5ad and the roles of its columns")
    return of_rows(DATA_SET.title, DATA_SET.lead, study, *cohorts(study, data.fold, root))


CPU = Profile(
    encoder=Encoder(kind="mlp", width=128),
    views=RowAugmentation(),
    training=Settings(max_epochs=100, batch_size=256, learning_rate=1e-3),
)
"""Some thousand cells and genes, with encoders of two hidden layers.

Command: sepclr fit cells cells.h5ad --group condition --background control --target treated --normalise --genes 2000
Hardware: one core.
Result: results/cells.jsonl, by speed/contrastive_vi.py.
"""

DATA_SET = DataSet(
    options=Own("cells"),
    study=CellStudy,
    needs="cells",
    title="Cells",
    lead="Background and target are groups of cells. What both groups share belongs in c, what only the target has in s.",
    about="cells with counts or other values of genes, from an AnnData file",
    load=_load,
    profiles={"cpu": CPU},
)

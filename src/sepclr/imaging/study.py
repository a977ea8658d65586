"""A study: a table of subjects with their volumes, as plain values. This module imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from sepclr.parts import Data
from sepclr.ranges import check_at_least

Harmonise = Literal["none", "residualise", "combat"]

NOTED = ("content", "volumes", "folds_digest", "folds_file")
"""Fields of a study that are not options; commands fill them in."""


@dataclass(frozen=True)
class Study:
    """A table of subjects with their volumes, and the roles of its columns.

    Attributes:
        table: TSV or CSV with a row for each image, such as ``participants.tsv``.
        images: column of paths, or a pattern with {COLUMN} in it.
        group: group column.
        background: comma-separated ``group`` values for background.
        target: comma-separated ``group`` values for target.
        common: attribute columns that both groups have, expected in c, such as age and sex.
        salient: attribute columns that only targets have, expected in s, such as symptom scores.
        numeric: attribute columns to treat as quantities; inferred from their values if not given.
        categorical: attribute columns to treat as classes; inferred from their values if not given.
        site: scanner column; probed in both codes, and expected in c, or in neither if it is corrected for.
        harmonise: site correction applied before probing: ``none``, ``residualise`` or ``combat``.
        subject: subject column; participant_id if there is one.
        split: column with the values train and test; folds are drawn if not given.
        folds: number of cross-validation folds.
        spacing: side of a voxel in millimetres, to which volumes are resampled; that of the most frequent volume if not given.
        shape: sides of a volume in voxels, to which it is cropped or padded; fits the most frequent volume if not given.
        scaling: ``percentiles``, which maps each volume to 0..1, or ``none``.
        mask: volume that is 0 outside the brain.
        resample: whether shapes and affines of the files may differ.
        content: hash of the table's content, which must be the same when a run is evaluated. None is not compared.
        volumes: hash of the contents of the images and the mask; compared likewise.
        folds_digest: hash of the fold in which each subject is tested; compared likewise.
        folds_file: file of these folds; they are drawn if it is None.
    """

    table: str
    images: str
    group: str
    background: tuple[str, ...]
    target: tuple[str, ...]
    common: tuple[str, ...] = ()
    salient: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    site: str | None = None
    harmonise: Harmonise = "none"
    subject: str | None = None
    split: str | None = None
    folds: int = 5
    spacing: float | None = None
    shape: tuple[int, ...] | None = None
    scaling: Literal["percentiles", "none"] = "percentiles"
    mask: str | None = None
    resample: bool = False
    content: str | None = None
    volumes: str | None = None
    folds_digest: str | None = None
    folds_file: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Brains(Data):
    """A study and the fold to test.

    Attributes:
        study: the table of subjects.
        fold: cross-validation fold to test, from 0.
    """

    study: Study | None = None
    fold: int = 0

    def __post_init__(self) -> None:
        check_at_least(0, fold=self.fold)


def study_from(values: Mapping[str, Any]) -> Study:
    """Return a study from plain values, in which lists may replace tuples and None values that are not given."""
    known = {each.name for each in fields(Study)}
    given = {name: value for name, value in values.items() if name in known and value is not None}
    fitting: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return Study(**fitting)

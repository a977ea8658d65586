"""A study: a table of subjects with their volumes, as plain values. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from sepclr.parts import Data
from sepclr.ranges import check_at_least

Harmonise = Literal["none", "residualise", "combat"]

NOTED = ("content", "volumes", "folds_digest", "folds_file")
"""Fields of a study that are no options: commands fill them in."""


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
        site: scanner column; probed in both codes, and expected in c.
        harmonise: site correction applied before probing: ``none``, ``residualise`` or ``combat``.
        subject: subject column; participant_id where there is one.
        split: column of train and test; folds are drawn without it.
        folds: number of cross-validation folds.
        spacing: side of a voxel in millimetres, to which volumes are resampled; as they are if not given.
        shape: sides of a volume in voxels, to which it is cropped or padded; as they are if not given.
        scaling: ``percentiles``, which maps each volume to 0..1, or ``none``.
        mask: volume that is 0 outside the brain.
        resample: whether shapes and affines of the files may differ.
        content: hash of what the table says; a run is evaluated on the same alone. None is not compared.
        volumes: hash of what the image files hold, and the mask; compared likewise.
        folds_digest: hash of the fold in which each subject is tested; compared likewise.
        folds_file: file that lists these folds; they are drawn where it is None.
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
    """A study and which of its folds is tested.

    Attributes:
        study: the table of subjects.
        fold: cross-validation fold that is tested, from 0.
    """

    study: Study | None = None
    fold: int = 0

    def __post_init__(self) -> None:
        check_at_least(0, fold=self.fold)


def study_from(values: Mapping[str, Any]) -> Study:
    """Make a study of values in which lists may stand for tuples and None for what is not given."""
    known = {each.name for each in fields(Study)}
    given = {name: value for name, value in values.items() if name in known and value is not None}
    fitting: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return Study(**fitting)

"""A study of brains: a table of subjects with their volumes, as plain values. This module imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from sepclr.data.study import Study

if TYPE_CHECKING:
    from sepclr.imaging.participants import Participants

Harmonise = Literal["none", "residualise", "combat"]


@dataclass(frozen=True, kw_only=True)
class BrainStudy(Study):
    """A table of subjects with their volumes, and the roles of its columns.

    Attributes:
        table: TSV or CSV with a row for each image, such as ``participants.tsv``.
        images: column of paths, or a pattern with {COLUMN} in it.
        group: group column.
        background: comma-separated ``group`` values for background.
        target: comma-separated ``group`` values for target.
        attributes: further columns to decode from both codes, expected in neither.
        subject: subject column; participant_id if there is one.
        site: scanner column; probed in both codes, and expected in c, or in neither if it is corrected for.
        harmonise: site correction applied before probing: ``none``, ``residualise`` or ``combat``.
        spacing: side of a voxel in millimetres, to which volumes are resampled; that of the most frequent volume if not given.
        shape: sides of a volume in voxels, to which it is cropped or padded; fits the most frequent volume if not given.
        scaling: ``percentiles``, which maps each volume to 0..1, or ``none``.
        mask: volume that is 0 outside the brain.
        resample: whether shapes and affines of the files may differ.
        volumes: hash of the contents of the images and the mask; compared likewise.
    """

    FILES: ClassVar[tuple[str, ...]] = ("table", "mask")

    table: str
    images: str
    group: str
    background: tuple[str, ...]
    target: tuple[str, ...]
    attributes: tuple[str, ...] = ()
    subject: str | None = None
    site: str | None = None
    harmonise: Harmonise = "none"
    spacing: float | None = None
    shape: tuple[int, ...] | None = None
    scaling: Literal["percentiles", "none"] = "percentiles"
    mask: str | None = None
    resample: bool = False
    volumes: str | None = None

    def members(self) -> Participants:
        """Read the subjects, see ``read_participants``."""
        from sepclr.imaging.participants import columns_of, read_participants

        return read_participants(Path(self.table), columns_of(self))

    def noted(self, cache: Path | None) -> BrainStudy:
        """Return the study with hashes of its table and images, see ``Study.noted``."""
        people = self.members()  # raises InputError before torch is imported
        from sepclr.imaging.cache import images_digest
        from sepclr.imaging.subjects import grid_spec_of

        return replace(self, content=people.digest(), volumes=images_digest(people.images, grid_spec_of(self).mask, cache))

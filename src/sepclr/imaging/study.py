"""A study of brains: subjects with their volumes, from a table or a BIDS tree, as plain values. This module imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from sepclr.data.study import Study
from sepclr.errors import InputError
from sepclr.extras import need

if TYPE_CHECKING:
    from sepclr.imaging.participants import Participants

Harmonise = Literal["none", "residualise", "combat"]


@dataclass(frozen=True, kw_only=True)
class BrainStudy(Study):
    """Subjects with their volumes, from a table or a BIDS tree, and the roles of the columns of the table.

    Attributes:
        bids: BIDS tree, raw or a derivative, instead of a table of images.
        table: TSV or CSV with a row for each image; with ``bids`` a row for each participant, participants.tsv if not given.
        images: column of paths in ``table``, or a pattern with {COLUMN} in it.
        suffix: with ``bids``, last part of the names of the images; T1w if not given.
        entities: with ``bids``, comma-separated parts of the names of the images, such as space=MNI152NLin2009cAsym,desc=preproc.
        skip_missing: with ``bids``, leave out subjects without an image and images of subjects that are not in the table.
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

    FILES: ClassVar[tuple[str, ...]] = ("table", "bids", "mask")

    # Those that came later are None if not given, so that studies of tables keep the keys of their runs.
    bids: str | None = None
    table: str | None = None
    images: str | None = None
    suffix: str | None = None
    entities: tuple[str, ...] | None = None
    skip_missing: bool | None = None
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

    def __post_init__(self) -> None:
        if self.bids is None:
            if not (self.table and self.images):
                raise InputError("bids, table, images: give --bids DIR, or --table FILE and --images COLUMN")
            if given := [name for name in ("suffix", "entities", "skip_missing") if getattr(self, name)]:
                raise InputError(f"{', '.join(given)}: only for a BIDS tree; leave out, or give --bids DIR instead of --images")
        elif self.images:
            raise InputError("bids, images: a BIDS tree names its images; leave one of them out")

    @property
    def source(self) -> str:
        """What errors call the study: its BIDS tree or its table."""
        return str(self.bids or self.table)

    def members(self) -> Participants:
        """Read the subjects, see ``read_members``."""
        from sepclr.imaging.participants import read_members

        return read_members(self)

    def noted(self, cache: Path | None) -> BrainStudy:
        """Return the study with hashes of its table and images, see ``Study.noted``."""
        if self.harmonise == "combat":
            need("combat", "harmonise: combat")
        people = self.members()  # raises InputError before torch is imported
        for note in people.notes:
            print(f"warning: {note}")
        from sepclr.imaging.cache import images_digest
        from sepclr.imaging.subjects import grid_spec_of

        return replace(self, content=people.digest(), volumes=images_digest(people.images, grid_spec_of(self).mask, cache))

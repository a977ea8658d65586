"""A study of images in folders, as plain values. This module imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from sepclr.data.study import Study
from sepclr.errors import InputError
from sepclr.ranges import check_at_least, check_choice

if TYPE_CHECKING:
    from sepclr.data.image_members import ImageMembers

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif")
"""File extensions of images."""

LEAST_SIZE = 8
"""Smallest side of an image, in pixels."""


@dataclass(frozen=True, kw_only=True)
class ImageStudy(Study):
    """Folders of images, one for each group, and how the images are read.

    Attributes:
        background: folder of background images; class folders in both groups become the attribute class, expected in c.
        target: folder of target images, or several, comma-separated; class folders in them alone are expected in s.
        attributes: CSV or TSV with a column file and a column for each attribute; those in neither common nor salient are probed, too.
        subject: column of the attributes table with the subject of each image; each image is a subject if not given.
        split: column of the attributes table with the values train and test; folds are drawn if not given.
        size: side to which images are resized, in pixels; the median shorter side, at most 64, if not given.
        fit: how images become square: ``crop`` the centre, ``pad`` with black, or ``stretch``.
        colour: ``grey``, ``rgb``, or ``auto``: grey if all files are.
        bits: significant bits of 16-bit grey images, such as 12 of many cameras; the largest value they can hold becomes white.
        memory: MiB up to which images are held in memory; if they need more, they are decoded on access, by as many --workers as given.
        pictures: hash of the contents of the image files; compared likewise.
    """

    FILES: ClassVar[tuple[str, ...]] = ("background", "target", "attributes")

    background: str
    target: tuple[str, ...]
    attributes: str | None = None
    size: int | None = None
    fit: Literal["crop", "pad", "stretch"] = "crop"
    colour: Literal["auto", "grey", "rgb"] = "auto"
    bits: int = 16
    memory: int = 1024
    pictures: str | None = None

    def __post_init__(self) -> None:
        check_at_least(1, memory=self.memory)
        check_at_least(2, folds=self.folds)
        check_choice(("crop", "pad", "stretch"), fit=self.fit)
        check_choice(("auto", "grey", "rgb"), colour=self.colour)
        if self.size is not None:
            check_at_least(LEAST_SIZE, size=self.size)
        if not 8 <= self.bits <= 16:
            raise InputError(f"bits: {self.bits} is not between 8 and 16")

    @property
    def target_names(self) -> tuple[str, ...]:
        """Names of the target groups that have a salient code of their own: those of their folders, if these differ."""
        names = tuple(Path(folder).name for folder in self.target_groups)
        return names if len({*names}) == len(names) else self.target_groups

    def members(self) -> ImageMembers:
        """List the images with their groups and attributes, see ``read_members``."""
        from sepclr.data.image_members import read_members

        return read_members(self)

    def noted(self, cache: Path | None) -> ImageStudy:
        """Return the study with hashes of its attributes and of the contents of its files, see ``Study.noted``."""
        from sepclr.data.pictures import inspected

        members, looked = inspected(self, cache)
        return replace(self, content=members.digest(), pictures=looked.digest)

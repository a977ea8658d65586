"""Images in files, decoded on access or all at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from sepclr.data.cohort import Cohort
from sepclr.data.folds import test_rows
from sepclr.data.halves import halves, whole_cohort
from sepclr.data.image_list import list_folder, unusable
from sepclr.data.image_members import ImageMembers
from sepclr.data.image_study import ImageStudy
from sepclr.data.pictures import Frame, decode_all, frame_of, inspected, look_into, problems
from sepclr.data.study import check_unchanged
from sepclr.types import InputError


class ImageFiles:
    """Image files, decoded on access (``Lazy``).

    Args:
        paths: the files.
        frame: how they are decoded.
        rows: which of the files to use, shape (n,); all if None.
    """

    def __init__(self, paths: Sequence[str], frame: Frame, rows: NDArray[np.intp] | None = None) -> None:
        self.paths, self.frame = paths, frame
        self.rows = np.arange(len(paths)) if rows is None else rows
        self.shape = torch.Size((len(self.rows), frame.channels, frame.side, frame.side))
        self.device = torch.device("cpu")

    @property
    def ndim(self) -> int:
        """Number of axes, including the axis of samples."""
        return len(self.shape)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: slice | Tensor) -> UInt8[Tensor, "n channels side side"]:
        """Decode the images at a slice, at indices or where a mask is True."""
        rows = self.rows[chosen if isinstance(chosen, slice) else chosen.cpu().numpy()]
        return torch.from_numpy(decode_all([self.paths[row] for row in rows], self.frame))

    def where(self, chosen: NDArray[np.bool_]) -> ImageFiles:
        """Return the images where ``chosen``, shape (n,), is True, without decoding any."""
        return ImageFiles(self.paths, self.frame, self.rows[chosen])

    def held(self) -> UInt8[Tensor, "n channels side side"]:
        """Decode all images, on all cores."""
        return torch.from_numpy(decode_all([self.paths[row] for row in self.rows], self.frame, jobs=-1))


class ImageCohorts(NamedTuple):
    """Training and test images of one fold.

    Attributes:
        train: training images.
        test: test images.
        members: all images of the study.
    """

    train: Cohort
    test: Cohort
    members: ImageMembers


def cohorts(study: ImageStudy, fold: int, cache: Path | None = None) -> ImageCohorts:
    """Load the images of a study: into memory if they fit, otherwise they are decoded on access.

    Args:
        study: the study.
        fold: fold to test, from 0.
        cache: folder of what is known about files; one in the user's cache if None.

    Raises:
        InputError: unusable folders, images or attributes, or images that changed since training.
    """
    members, looked = inspected(study, cache)
    check_unchanged(study, members.digest())
    if study.pictures not in (None, looked.digest):
        raise InputError(f"{study.source}: the content of its images changed since training; restore them, or train again")
    files = ImageFiles(tuple(map(str, members.paths)), frame_of(study, looked.seen))
    train, test = halves(whole_cohort(files, members), test_rows(members, study, fold), fold)
    if math.prod(files.shape) <= study.memory * 2**20:
        train, test = _held(train), _held(test)
    return ImageCohorts(train, test, members)


def _held(cohort: Cohort) -> Cohort:
    """Return a cohort of files with its images in memory."""
    return replace(cohort, x=cohort.x.held()) if isinstance(cohort.x, ImageFiles) else cohort


def images_at(source: Path, study: ImageStudy, shape: Sequence[int], cache: Path | None = None) -> tuple[list[str], ImageFiles]:
    """Return the images of a folder, or a single one, decoded as those of a study.

    Args:
        source: folder of images, or an image file.
        study: the study.
        shape: shape of its samples, (channels, side, side).
        cache: as ``cohorts``.

    Returns:
        Name of each image, its path within the folder, and the images.

    Raises:
        InputError: a folder without images, or files that cannot be used.
    """
    found, odd = list_folder(source) if source.is_dir() else ([source], [])
    looked = look_into(found, cache)
    if bad := [*odd, *problems(found, looked, study.bits)]:
        raise unusable(bad, len(found) + len(odd))
    if not found:
        raise InputError(f"{source}: no images; give a folder of images, or an image")
    frame = Frame(shape[1], shape[0], study.fit, study.bits)
    names = [path.relative_to(source).as_posix() if source.is_dir() else path.name for path in found]
    return names, ImageFiles(tuple(map(str, found)), frame)

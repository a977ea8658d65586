"""Training and test cohorts of a study, with volumes on one grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from sepclr.data import Cohort, VolumeCache
from sepclr.data.folds import test_rows
from sepclr.data.halves import halves, whole_cohort
from sepclr.data.study import check_unchanged
from sepclr.imaging.cache import images_digest, store
from sepclr.imaging.grid import GridSpec
from sepclr.imaging.participants import Participants
from sepclr.imaging.study import BrainStudy
from sepclr.types import InputError


def grid_spec_of(study: BrainStudy) -> GridSpec:
    """Return the grid that a study requests.

    Raises:
        InputError: an invalid grid.
    """
    return GridSpec(study.spacing, study.shape, study.scaling, Path(study.mask) if study.mask else None, study.resample)


def cohorts(study: BrainStudy, fold: int, cache: Path | None = None) -> tuple[Cohort, Cohort]:
    """Load the training and the test samples of one fold.

    Args:
        study: the study.
        fold: fold to test, from 0.
        cache: cache of resampled volumes; the user's cache if None.

    Returns:
        Training and test cohort; volumes are read on access.

    Raises:
        InputError: an unusable table or image.
    """
    people, x, _ = volumes(study, cache)
    return halves(whole_cohort(x, people), test_rows(people, study, fold), fold)


def volumes(study: BrainStudy, cache: Path | None = None) -> tuple[Participants, VolumeCache, Float[np.ndarray, "n 4 4"]]:
    """Read the subjects of a study, and resample its volumes to one grid unless they are cached.

    Returns:
        The subjects, their volumes and the affines of the volumes, in the order of the table.

    Raises:
        InputError: an unusable table or image, or data that changed since training.
    """
    people = study.members()
    check_unchanged(study, people.digest())
    wanted = grid_spec_of(study)
    if study.volumes not in (None, images_digest(people.images, wanted.mask, cache)):
        raise InputError(f"{study.source}: the content of its images or of the mask changed since training; restore them, or train again")
    x, affines = store(people.images, people.subjects.tolist(), wanted, cache)
    return people, x, affines

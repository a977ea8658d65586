"""Training and test cohorts of a study, with volumes on one grid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from jaxtyping import Float
from numpy.typing import NDArray

from sepclr.data import Cohort, VolumeCache
from sepclr.data.attributes import is_quantity, known
from sepclr.imaging.cache import images_digest, store
from sepclr.imaging.folds import Folds, digest, folds_of, write_folds
from sepclr.imaging.grid import GridSpec
from sepclr.imaging.participants import Columns, Participants, kinds, listed, read_participants
from sepclr.imaging.study import Study
from sepclr.types import InputError


def columns_of(study: Study) -> Columns:
    """Return the roles of the columns of a study's table.

    Raises:
        InputError: an attribute with two roles or two kinds, or a kind for a column that is not an attribute.
    """
    site = (study.site,) if study.site else ()
    if study.harmonise not in ("none", "residualise", "combat"):
        raise InputError(f"harmonise: {study.harmonise!r} is unknown; choose none, residualise or combat")
    if study.harmonise != "none" and not site:
        raise InputError(f"harmonise: {study.harmonise} needs a site column; name it with --site")
    names = [*study.common, *study.salient, *site]
    if both := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"common, salient, site: {', '.join(both)} listed more than once; give each column one role")
    if "group" in names or study.group in names:
        raise InputError("common, salient: the group is always probed in both codes; name other columns")
    if stray := sorted({*study.numeric, *study.categorical} - set(names)):
        raise InputError(f"numeric, categorical: not attributes: {listed(stray)}; name them with --common or --salient")
    if study.site in study.numeric:
        raise InputError(f"numeric: {study.site} is the site column, which is categorical")
    attributes = kinds(names, study.numeric, (*study.categorical, *site))
    return Columns(study.images, study.group, study.background, study.target, attributes, study.subject, study.split)


def grid_spec_of(study: Study) -> GridSpec:
    """Return the grid that a study requests.

    Raises:
        InputError: an invalid grid.
    """
    return GridSpec(study.spacing, study.shape, study.scaling, Path(study.mask) if study.mask else None, study.resample)


def known_by_content(study: Study, cache: Path | None = None) -> Study:
    """Return a study with hashes of its table and images, which distinguish its runs from runs on edited data.

    Args:
        study: the study.
        cache: cache of resampled volumes; the user's cache if None.

    Raises:
        InputError: an unusable table or image.
    """
    people = read_participants(Path(study.table), columns_of(study))
    return replace(study, content=people.digest(), volumes=images_digest(people.images, grid_spec_of(study).mask, cache))


def cohorts(study: Study, fold: int, cache: Path | None = None) -> tuple[Cohort, Cohort]:
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
    tested = test_rows(people, study, fold)
    whole = Cohort(x, torch.from_numpy(people.is_target), people.attributes, people.subjects)
    train, test = whole.where(~tested), whole.where(tested)
    for name, values in people.attributes.items():
        learnt = _known(values[~tested])
        if len(np.unique(learnt)) < 2:
            raise InputError(f"attributes: {name!r} has fewer than two values in the training subjects of fold {fold}; use fewer --folds")
        if not len(_known(values[tested])):
            raise InputError(f"attributes: {name!r} has no values in the test subjects of fold {fold}; use fewer --folds")
        if not is_quantity(values) and (unseen := sorted(set(_known(values[tested])) - set(learnt))):
            raise InputError(
                f"attributes: {name!r} is {listed(unseen)} only in test subjects of fold {fold}; use fewer --folds or merge classes"
            )
    return train, test


def _known(values: NDArray[Any]) -> NDArray[Any]:
    return values[known(values)]


def volumes(study: Study, cache: Path | None = None) -> tuple[Participants, VolumeCache, Float[np.ndarray, "n 4 4"]]:
    """Read the table of a study, and resample its volumes to one grid unless they are cached.

    Returns:
        The subjects, their volumes and the affines of the volumes, in the order of the table.

    Raises:
        InputError: an unusable table or image, or data that changed since training.
    """
    people = read_participants(Path(study.table), columns_of(study))
    if study.content not in (None, people.digest()):
        raise InputError(f"{study.table}: its subjects or their values changed since training; restore it, or train again")
    wanted = grid_spec_of(study)
    if study.volumes not in (None, images_digest(people.images, wanted.mask, cache)):
        raise InputError(f"{study.table}: the content of its images or of the mask changed since training; restore them, or train again")
    x, affines = store(people.images, people.subjects.tolist(), wanted, cache)
    return people, x, affines


def test_rows(people: Participants, study: Study, fold: int) -> NDArray[np.bool_]:
    """Return which rows are tested: those of the table's split column, or those of a fold if it has none.

    Raises:
        InputError: a fold that does not exist, stored folds that do not fit, or too many folds for the subjects of a group.
    """
    if people.split is not None:
        if fold:
            raise InputError(f"fold: {fold}, but column {study.split!r} defines a single split, fold 0")
        return np.asarray(people.split == "test")
    if not 0 <= fold < study.folds or study.folds < 2:
        raise InputError(f"fold: {fold} of {study.folds}; there must be at least 2 folds, counted from 0")
    folds = folds_of(people, study)
    return np.array([folds[subject] == fold for subject in people.subjects.tolist()])


def drawn(study: Study | None, stored: Path | None) -> tuple[Study | None, Folds | None]:
    """Fix the folds of a study.

    Args:
        study: the study, if any.
        stored: folds file; if None, that of the study is read, or folds are drawn if it has none.

    Returns:
        The study with a hash of its folds, and the folds, which are None without a study or if its table has a split column.

    Raises:
        InputError: an unusable table, or a folds file that is missing or does not fit the table.
    """
    if study is None or study.split:
        return study, None
    study = replace(study, folds_file=str(stored) if stored else study.folds_file)
    folds = folds_of(read_participants(Path(study.table), columns_of(study)), study)
    return replace(study, folds_digest=digest(folds)), folds


def with_drawn_folds_beside(study: Study | None, runs: Path) -> Study | None:
    """Fix the folds of a benchmark: as stored beside its runs, or drawn if none are stored. Write nothing.

    Raises:
        InputError: as ``drawn``.
    """
    return drawn(with_folds(study, runs), None)[0]


def keep_folds(study: Study | None, runs: Path) -> None:
    """Store the folds of a study beside the runs of a benchmark, unless they are already there.

    Raises:
        InputError: as ``drawn``.
    """
    if study is not None and not study.split:
        path = _beside(study, runs)
        with FileLock(f"{path}.lock"):
            _, folds = drawn(with_folds(study, runs), None)
            if folds is not None and not path.exists():
                write_folds(path, folds)


def with_folds(study: Study | None, runs: Path) -> Study | None:
    """Return the study with the folds stored beside the runs of a benchmark, if any."""
    if study is None or study.split or not _beside(study, runs).exists():
        return study
    return replace(study, folds_file=str(_beside(study, runs)))


def _beside(study: Study, runs: Path) -> Path:
    """Return the path of a study's folds; the name is per table, because benchmarks of several tables may share a folder."""
    return runs / f"folds-{study.content or 'study'}-{study.folds}.tsv"

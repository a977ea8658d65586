"""From a study to its cohorts: who is trained on, who is tested, and their volumes on one grid."""

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
    """Say what the columns of a study's table mean.

    Raises:
        InputError: an attribute with two roles or two kinds, or a kind for what is no attribute.
    """
    site = (study.site,) if study.site else ()
    if study.harmonise not in ("none", "residualise", "combat"):
        raise InputError(f"harmonise: {study.harmonise!r} is unknown; choose none, residualise or combat")
    if study.harmonise != "none" and not site:
        raise InputError(f"harmonise: {study.harmonise} evens out sites; name their column with --site")
    names = [*study.common, *study.salient, *site]
    if both := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"common, salient, site: {', '.join(both)} cannot be several of them")
    if "group" in names or study.group in names:
        raise InputError("common, salient: the group is read from both codes anyway; name other columns")
    if stray := sorted({*study.numeric, *study.categorical} - set(names)):
        raise InputError(f"numeric, categorical: {listed(stray)} are no attributes; name them with --common or --salient")
    if study.site in study.numeric:
        raise InputError(f"numeric: {study.site} is the site, which is a class")
    attributes = kinds(names, study.numeric, (*study.categorical, *site))
    return Columns(study.images, study.group, study.background, study.target, attributes, study.subject, study.split)


def grid_spec_of(study: Study) -> GridSpec:
    """Say which grid a study wants.

    Raises:
        InputError: a grid that cannot be.
    """
    return GridSpec(study.spacing, study.shape, study.scaling, Path(study.mask) if study.mask else None, study.resample)


def known_by_content(study: Study, cache: Path | None = None) -> Study:
    """Note what the table of a study says and what its images hold, so that a run on it is told from one on edited ones.

    Args:
        study: the study.
        cache: folder for volumes on their grid; the user's cache if None.

    Raises:
        InputError: a table or images that cannot be used.
    """
    people = read_participants(Path(study.table), columns_of(study))
    return replace(study, content=people.digest(), volumes=images_digest(people.images, grid_spec_of(study).mask, cache))


def cohorts(study: Study, fold: int, cache: Path | None = None) -> tuple[Cohort, Cohort]:
    """Load the training and the test samples of one fold.

    Args:
        study: the study.
        fold: which of its parts is tested, from 0.
        cache: folder for volumes on their grid; the user's cache if None.

    Returns:
        Training and test cohort; volumes are read when they are asked for.

    Raises:
        InputError: anything of the table or its images that cannot be used.
    """
    people, x, _ = volumes(study, cache)
    tested = test_rows(people, study, fold)
    whole = Cohort(x, torch.from_numpy(people.is_target), people.attributes, people.subjects)
    train, test = whole.where(~tested), whole.where(tested)
    for name, values in people.attributes.items():
        learnt = _known(values[~tested])
        if len(np.unique(learnt)) < 2:
            raise InputError(
                f"attributes: {name!r} has a single value, or none, among the training subjects of fold {fold}; give fewer --folds"
            )
        if not len(_known(values[tested])):
            raise InputError(f"attributes: {name!r} is known of no test subject of fold {fold}; give fewer --folds")
        if not is_quantity(values) and (unseen := sorted(set(_known(values[tested])) - set(learnt))):
            raise InputError(
                f"attributes: {name!r} is {listed(unseen)} in test subjects of fold {fold} alone; give fewer --folds or merge classes"
            )
    return train, test


def _known(values: NDArray[Any]) -> NDArray[Any]:
    return values[known(values)]


def volumes(study: Study, cache: Path | None = None) -> tuple[Participants, VolumeCache, Float[np.ndarray, "n 4 4"]]:
    """Read the table of a study and bring all its volumes onto one grid, or find them there.

    Returns:
        The subjects, their volumes and the affines of these, all in the order of the table.

    Raises:
        InputError: a table or images that cannot be used, or that are not what they were at training.
    """
    people = read_participants(Path(study.table), columns_of(study))
    if study.content not in (None, people.digest()):
        raise InputError(f"{study.table}: who is in it, or what it says of them, changed since training; restore it, or train again")
    wanted = grid_spec_of(study)
    if study.volumes not in (None, images_digest(people.images, wanted.mask, cache)):
        raise InputError(f"{study.table}: the content of its images, or of the mask, changed since training; restore it, or train again")
    x, affines = store(people.images, people.subjects.tolist(), wanted, cache)
    return people, x, affines


def test_rows(people: Participants, study: Study, fold: int) -> NDArray[np.bool_]:
    """Return which rows are tested: those that the table says, or a fold, in which groups have their share and subjects are whole.

    Raises:
        InputError: a fold that is not there, stored folds that do not fit, or more folds than a group has subjects for.
    """
    if people.split is not None:
        if fold:
            raise InputError(f"fold: {fold}, but the split of column {study.split!r} is the only one, fold 0")
        return np.asarray(people.split == "test")
    if not 0 <= fold < study.folds or study.folds < 2:
        raise InputError(f"fold: {fold} of {study.folds}; folds are at least 2 and counted from 0")
    folds = folds_of(people, study)
    return np.array([folds[subject] == fold for subject in people.subjects.tolist()])


def drawn(study: Study | None, stored: Path | None) -> tuple[Study | None, Folds | None]:
    """Fix who is tested in which fold.

    Args:
        study: the study, if any.
        stored: file to read that from; where it is None, that of the study, or folds are drawn.

    Returns:
        The study with a hash of its folds, and these; None where there is no study or the table itself says who is tested.

    Raises:
        InputError: a table that cannot be used, or a file that is missing or does not fit it.
    """
    if study is None or study.split:
        return study, None
    study = replace(study, folds_file=str(stored) if stored else study.folds_file)
    folds = folds_of(read_participants(Path(study.table), columns_of(study)), study)
    return replace(study, folds_digest=digest(folds)), folds


def with_drawn_folds_beside(study: Study | None, runs: Path) -> Study | None:
    """Fix who is tested in which fold of a benchmark: as stored beside its runs, or drawn where nothing is; writes nothing.

    Raises:
        InputError: as ``drawn``.
    """
    return drawn(with_folds(study, runs), None)[0]


def keep_folds(study: Study | None, runs: Path) -> None:
    """Store the folds of a study beside the runs of a benchmark, if they are not there.

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
    """Return the study with the folds that are stored beside the runs of a benchmark, if there are any."""
    if study is None or study.split or not _beside(study, runs).exists():
        return study
    return replace(study, folds_file=str(_beside(study, runs)))


def _beside(study: Study, runs: Path) -> Path:
    """Name the file of a study's folds: benchmarks of several tables may share a folder."""
    return runs / f"folds-{study.content or 'study'}-{study.folds}.tsv"

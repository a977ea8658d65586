"""From a study to its cohorts: who is trained on, who is tested, and their volumes on one grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from sepclr.benchmark.study import Study
from sepclr.data import Cohort, Stored
from sepclr.data.grid import Wanted
from sepclr.data.participants import Columns, Participants, kinds, listed, read_participants
from sepclr.data.stored import store
from sepclr.probes import is_quantity, known
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


def wanted_of(study: Study) -> Wanted:
    """Say which grid a study wants.

    Raises:
        InputError: a grid that cannot be.
    """
    return Wanted(study.spacing, study.shape, study.scaling, Path(study.mask) if study.mask else None, study.resample)


def known_by_content(study: Study) -> Study:
    """Note what the table of a study says, so that a run on it is told from one on another, and from one on an edited table.

    Raises:
        InputError: a table that cannot be used.
    """
    return replace(study, content=read_participants(Path(study.table), columns_of(study)).digest())


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


def volumes(study: Study, cache: Path | None = None) -> tuple[Participants, Stored, Float[np.ndarray, "n 4 4"]]:
    """Read the table of a study and bring all its volumes onto one grid, or find them there.

    Returns:
        The subjects, their volumes and the affines of these, all in the order of the table.

    Raises:
        InputError: a table or images that cannot be used, or a table that says something else than it did.
    """
    people = read_participants(Path(study.table), columns_of(study))
    if study.content not in (None, people.digest()):
        raise InputError(f"{study.table}: who is in it, or what it says of them, changed since training; restore it, or train again")
    x, affines = store(people.images, people.subjects.tolist(), wanted_of(study), cache)
    return people, x, affines


def test_rows(people: Participants, study: Study, fold: int) -> NDArray[np.bool_]:
    """Say which rows are tested: those that the table says, or one of the folds, in which groups have their share and subjects are whole.

    Raises:
        InputError: a fold that is not there, or more folds than a group has subjects.
    """
    if people.split is not None:
        if fold:
            raise InputError(f"fold: {fold}, but the split of column {study.split!r} is the only one, fold 0")
        return np.asarray(people.split == "test")
    if not 0 <= fold < study.folds or study.folds < 2:
        raise InputError(f"fold: {fold} of {study.folds}; folds are at least 2 and counted from 0")
    smallest = min(len(np.unique(people.subjects[people.is_target == member])) for member in (False, True))
    if smallest < 2 * study.folds:
        raise InputError(f"folds: {study.folds}, but one group has {smallest} subjects; give at most {smallest // 2}")
    deal = StratifiedGroupKFold(study.folds, shuffle=True, random_state=0)
    parts: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]] = list(deal.split(people.subjects, people.is_target, people.subjects))
    tested = np.zeros(len(people), dtype=bool)
    tested[parts[fold][1]] = True
    return tested

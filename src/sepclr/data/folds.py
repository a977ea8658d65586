"""Cross-validation folds of a study: drawn once, stored, and read back.

They are stored because another version of scikit-learn may draw other folds, and subjects that a run was trained on would be tested.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from sepclr.atomic import replacing
from sepclr.data.members import Members
from sepclr.data.study import Study
from sepclr.data.tables import listed, read_cells, write_cells
from sepclr.errors import InputError

Folds = Mapping[str, int]
"""Fold in which each subject is tested."""


def folds_of(people: Members, study: Study) -> Folds:
    """Return the fold in which each subject is tested: read from the study's folds file if it has one, otherwise drawn.

    Raises:
        InputError: a file that is missing or lists other subjects, folds that differ from those of the study, or too many folds for the
            subjects of a group.
    """
    folds = _read(Path(study.folds_file), people, study.folds) if study.folds_file else _draw(people, study.folds)
    if study.folds_digest not in (None, digest(folds)):
        where = study.folds_file or f"{study.source}: newly drawn folds"
        raise InputError(f"{where}: test subjects differ from those at the first use of the study; restore folds.tsv, or train again")
    return folds


def digest(folds: Folds) -> str:
    """Return a hash of folds that does not depend on the order of subjects."""
    return hashlib.sha256(json.dumps(sorted(folds.items())).encode()).hexdigest()[:12]


def write_folds(path: Path, folds: Folds) -> None:
    """Write folds atomically, one row per subject; ``folds_of`` reads them back."""
    with replacing(path) as part:
        write_cells(part, {"subject": [*folds], "fold": [str(fold) for fold in folds.values()]})


def test_rows(people: Members, study: Study, fold: int) -> NDArray[np.bool_]:
    """Return which rows are tested: those of the table's split column, or those of a fold if it has none.

    Raises:
        InputError: a fold that does not exist, stored folds that do not fit, too many folds for the subjects of a group, or a group
            without training or test samples.
    """
    if people.split is not None:
        if fold:
            raise InputError(f"fold: {fold}, but column {study.split!r} defines a single split, fold 0")
        tested = np.asarray(people.split == "test")
        _check_sides(people, study, tested, f"split: column {study.split!r}")
        return tested
    if not 0 <= fold < study.folds or study.folds < 2:
        raise InputError(f"fold: {fold} of {study.folds}; there must be at least 2 folds, counted from 0")
    folds = folds_of(people, study)
    tested = np.array([folds[subject] == fold for subject in people.subjects.tolist()])
    _check_sides(people, study, tested, f"fold: {fold}")
    return tested


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
    folds = folds_of(study.members(), study)
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


def _strata(people: Members) -> NDArray[np.int64]:
    """Return the group of each sample: 0 and 1, or -1 in background and 0, 1, … in several target groups."""
    return people.is_target.astype(np.int64) if people.groups is None else people.groups


def _check_sides(people: Members, study: Study, tested: NDArray[np.bool_], where: str) -> None:
    """Check that every group has training and test samples: without them, its codes cannot be learnt or scored."""
    strata = _strata(people)
    names = ("background", *(study.target_names or ("target",)))
    for side, rows in (("training", ~tested), ("test", tested)):
        for group, name in zip(np.unique(strata).tolist(), names, strict=True):
            if group not in strata[rows]:
                raise InputError(f"{where} leaves {name} without {side} samples; give every group some in training and in test")


def _draw(people: Members, count: int) -> Folds:
    """Draw stratified folds that keep all images of a subject together."""
    strata = _strata(people)
    smallest = min(len(np.unique(people.subjects[strata == member])) for member in np.unique(strata))
    if smallest < 2 * count:
        raise InputError(f"folds: {count}, but one group has {smallest} subjects; give at most {smallest // 2}")
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=0)
    fold_of = np.zeros(len(people), dtype=int)
    for fold, (_, tested) in enumerate(splitter.split(people.subjects, strata, people.subjects)):
        fold_of[tested] = fold
    return dict(zip(people.subjects.tolist(), fold_of.tolist(), strict=True))


def _read(path: Path, people: Members, count: int) -> Folds:
    remedy = "restore the file and the table from the first use of the study, or train again"
    if not path.is_file():
        raise InputError(f"{path}: missing, so the training subjects are unknown; {remedy}")
    cells = read_cells(path)
    if not {"subject", "fold"} <= set(cells) or not set(cells["fold"].tolist()) <= set(map(str, range(count))):
        raise InputError(f"{path}: expected columns subject and fold, with folds 0 to {count - 1}; {remedy}")
    subjects = cells["subject"].tolist()
    if len(set(subjects)) < len(subjects):
        raise InputError(f"{path}: subjects are listed more than once; {remedy}")
    if differing := sorted(set(subjects) ^ set(people.subjects.tolist())):
        raise InputError(f"{path}: {len(differing)} subjects are only in the file or only in the table: {listed(differing)}; {remedy}")
    return dict(zip(subjects, map(int, cells["fold"].tolist()), strict=True))

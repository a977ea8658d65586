"""Cross-validation folds of a study: drawn once, stored, and read back.

They are stored because another version of scikit-learn may draw other folds, and subjects that a run was trained on would be tested.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from sepclr.atomic import replacing
from sepclr.imaging.participants import Participants, listed, read_cells, write_cells
from sepclr.imaging.study import Study
from sepclr.types import InputError

Folds = Mapping[str, int]
"""Fold in which each subject is tested."""


def folds_of(people: Participants, study: Study) -> Folds:
    """Return the fold in which each subject is tested: read from the study's folds file if it has one, otherwise drawn.

    Raises:
        InputError: a file that is missing or lists other subjects, folds that differ from those of the study, or too many folds for the
            subjects of a group.
    """
    folds = _read(Path(study.folds_file), people, study.folds) if study.folds_file else _draw(people, study.folds)
    if study.folds_digest not in (None, digest(folds)):
        where = study.folds_file or f"{study.table}: newly drawn folds"
        raise InputError(f"{where}: test subjects differ from those at the first use of the study; restore folds.tsv, or train again")
    return folds


def digest(folds: Folds) -> str:
    """Return a hash of folds that does not depend on the order of subjects."""
    return hashlib.sha256(json.dumps(sorted(folds.items())).encode()).hexdigest()[:12]


def write_folds(path: Path, folds: Folds) -> None:
    """Write folds atomically, one row per subject; ``folds_of`` reads them back."""
    with replacing(path) as part:
        write_cells(part, {"subject": [*folds], "fold": [str(fold) for fold in folds.values()]})


def _draw(people: Participants, count: int) -> Folds:
    """Draw stratified folds that keep all images of a subject together."""
    smallest = min(len(np.unique(people.subjects[people.is_target == member])) for member in (False, True))
    if smallest < 2 * count:
        raise InputError(f"folds: {count}, but one group has {smallest} subjects; give at most {smallest // 2}")
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=0)
    fold_of = np.zeros(len(people), dtype=int)
    for fold, (_, tested) in enumerate(splitter.split(people.subjects, people.is_target, people.subjects)):
        fold_of[tested] = fold
    return dict(zip(people.subjects.tolist(), fold_of.tolist(), strict=True))


def _read(path: Path, people: Participants, count: int) -> Folds:
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

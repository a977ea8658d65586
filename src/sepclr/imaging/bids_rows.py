"""Rows of a BIDS tree: its participants and their sessions, joined with its images, a row for each image."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sepclr.data.tables import column, column_of, listed, read_cells
from sepclr.errors import InputError
from sepclr.imaging.bids import SUFFIX, Image, check_fetched, find_images, held, one_per_session, raw_roots, with_prefix
from sepclr.imaging.study import BrainStudy

IMAGE = "bids_image"
"""Column of the absolute paths of images."""

SESSION = "session_id"
"""Column of sessions, which a tree without sessions does not have."""

PARTICIPANT = "participant_id"


class Rows(NamedTuple):
    """Columns of a study, with a row for each image.

    Attributes:
        table: the table of participants; for new images without one, the folder of the tree.
        cells: columns by name, strings, shape (n,).
        notes: what was left out, a line each.
    """

    table: Path
    cells: Mapping[str, NDArray[Any]]
    notes: Sequence[str] = ()


def read_tree(study: BrainStudy, attributes: Sequence[str] = ()) -> Rows:
    """Join participants, sessions and images of the BIDS tree of a study.

    Args:
        study: a study with ``bids``. Only subjects of its groups need images.
        attributes: columns that may be in ``sub-*_sessions.tsv``; there, a value of a session replaces that of the participant.

    Returns:
        A row for each image, and one for each participant of neither group, with the columns of the participants, the attributes, IMAGE
        and, if there are sessions, SESSION.

    Raises:
        InputError: as ``find_images``, no usable table of participants, subjects without images and images without a row, unless the study
            skips them, several images of a session, content that was not fetched, or sessions that lack an attribute.
    """
    root, suffix = Path(study.bids or ""), study.suffix or SUFFIX
    found = find_images(root, suffix, study.entities or ())
    table = Path(study.table) if study.table else _participants_file(root)
    cells = _participants(table)
    subjects = cells[PARTICIPANT].tolist()
    group = column(table, cells, study.group, "group")
    chosen = np.isin(group, [*study.background, *study.target])
    notes = [] if (root / "dataset_description.json").is_file() else [f"{root} has no dataset_description.json, which BIDS requires"]
    notes += _unpaired(study, table, found, subjects, chosen, suffix)
    for role, values in (("background", study.background), ("target", study.target)):
        there = np.isin(group, values)
        if there.any() and not any(found.get(subjects[row]) for row in np.flatnonzero(there)):
            raise InputError(f"bids: no {role} subject has a {suffix} image with these entities; change --suffix or --entities")
    usable = one_per_session({subject: found.get(subject, []) for subject in np.array(subjects)[chosen].tolist()}, suffix)
    pairs: list[tuple[int, Image | None]] = []
    for row, subject in enumerate(subjects):
        pairs += [(row, image) for image in usable[subject]] if chosen[row] else [(row, None)]
    images = [image for _, image in pairs]
    check_fetched([image.path for image in images if image], root)
    rows = [row for row, _ in pairs]
    whole = {name: values[rows] for name, values in cells.items()} | _columns(images)
    homes = dict.fromkeys([table.parent, *raw_roots(root)])
    return Rows(table, whole | _of_sessions(table, whole, images, homes, attributes), tuple(notes))


def new_images(root: Path, suffix: str = SUFFIX, entities: Sequence[str] = ()) -> Rows:
    """List the images of a BIDS tree, whose participants need no table.

    Returns:
        A row for each image, with the columns participant_id, IMAGE and, if there are sessions, SESSION.

    Raises:
        InputError: as ``find_images``, several images of a session, or content that was not fetched.
    """
    found = one_per_session(find_images(root, suffix, entities), suffix)
    images = [image for each in found.values() for image in each]
    check_fetched([image.path for image in images], root)
    without = [subject for subject, each in found.items() if not each]
    notes = [f"{len(without)} subjects without a {suffix} image are left out: {listed(without)}"] if without else []
    return Rows(root, {PARTICIPANT: np.array([image.subject for image in images])} | _columns(images), tuple(notes))


def _participants_file(root: Path) -> Path:
    """Return the table of participants of a tree or, for a derivative, of the raw data above it."""
    tables = [folder / "participants.tsv" for folder in raw_roots(root)]
    found = next((table for table in tables if table.exists() or table.is_symlink()), None)
    if found is None:
        where = " or ".join(str(table.parent) for table in tables)
        raise InputError(f"bids: no participants.tsv in {where}; give --table a file with the columns {PARTICIPANT} and group")
    return found


def _participants(table: Path) -> dict[str, NDArray[Any]]:
    """Read a table of participants, each once, with the prefix of their folders."""
    if table.is_symlink() and not table.exists():
        raise InputError(f"{table}: a link to a file that is not here; fetch it, such as with `datalad get {table}`")
    cells = read_cells(table)
    if PARTICIPANT not in cells and len(cells) == 1 and PARTICIPANT in next(iter(cells)):
        mark = "commas" if table.suffix == ".csv" else "tabs"
        raise InputError(f"{table}: a single column {next(iter(cells))!r}; separate columns by {mark}")
    given = column(table, cells, PARTICIPANT, "bids").tolist()
    if empty := [place for place, label in enumerate(given, 2) if not label]:
        raise InputError(f"{table}: {len(empty)} rows have no {PARTICIPANT}: line {listed(list(map(str, empty)))}; fill them in")
    subjects = [with_prefix(label, "sub-") for label in given]
    if twice := [subject for subject, count in Counter(subjects).items() if count > 1]:
        raise InputError(
            f"{table}: {len(twice)} participants are listed more than once: {listed(twice)}; "
            "give each one row, and values of sessions in sub-*/sub-*_sessions.tsv"
        )
    return cells | {PARTICIPANT: np.array(subjects)}


def _unpaired(
    study: BrainStudy, table: Path, found: Mapping[str, Sequence[Image]], subjects: Sequence[str], chosen: NDArray[np.bool_], suffix: str
) -> list[str]:
    """Return lines on subjects without an image and on images without a row.

    Raises:
        InputError: any, unless the study skips them.
    """
    root = Path(study.bids or "")
    missing = [subject for subject, wanted in zip(subjects, chosen, strict=True) if wanted and not found.get(subject)]
    strays = sorted({subject for subject, images in found.items() if images} - set(subjects))
    lines = []
    if missing:
        lines.append(f"{len(missing)} subjects of {table.name} have no {suffix} image: {listed(missing)} ({held(root, missing[0])})")
    if strays:
        lines.append(f"{len(strays)} subjects with an image are not in {table.name}: {listed(strays)}")
    if lines and not study.skip_missing:
        raise InputError(f"bids: {'; '.join(lines)}; complete the tree or the table, or leave them out with --skip_missing")
    return [f"left out: {line}" for line in lines]


def _columns(images: Sequence[Image | None]) -> dict[str, NDArray[Any]]:
    """Return the columns of paths and of sessions, empty where there is no image."""
    paths = np.array([str(image.path.absolute()) if image else "" for image in images])
    sessions = np.array([image.session if image else "" for image in images])
    return {IMAGE: paths} | ({SESSION: sessions} if sessions.astype(bool).any() else {})


def _of_sessions(
    table: Path, cells: Mapping[str, NDArray[Any]], images: Sequence[Image | None], homes: Iterable[Path], attributes: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Return the attributes that ``sub-*_sessions.tsv`` have; a session that they do not list has the value of its participant."""
    subjects = dict.fromkeys(image.subject for image in images if image and image.session) if attributes else {}
    files = {subject: file for subject in subjects if (file := _sessions_file(subject, homes)) is not None}
    tables = {subject: read_cells(file) for subject, file in files.items()}
    there = dict.fromkeys(name for each in tables.values() for name in each)
    known = [name for name in {**cells, **there} if name not in (IMAGE, SESSION)]
    values: dict[str, NDArray[Any]] = {}
    for name in attributes:
        column_of(table, known, name, "attributes")
        if name not in there:
            continue
        by_session = {key: value for subject, file in files.items() for key, value in _by_session(subject, file, tables[subject], name)}
        usual = cells[name].tolist() if name in cells else [""] * len(images)
        keys = [(image.subject, image.session) if image else ("", "") for image in images]
        values[name] = np.array([by_session.get(key, value) for key, value in zip(keys, usual, strict=True)])
    return values


def _sessions_file(subject: str, homes: Iterable[Path]) -> Path | None:
    files = (home / subject / f"{subject}_sessions.tsv" for home in homes)
    return next((file for file in files if os.path.exists(file)), None)


def _by_session(subject: str, file: Path, cells: Mapping[str, NDArray[Any]], name: str) -> list[tuple[tuple[str, str], str]]:
    """Return the values of a column by subject and session."""
    sessions = [with_prefix(label, "ses-") for label in column(file, cells, SESSION, "bids").tolist()]
    if twice := [session for session, count in Counter(sessions).items() if count > 1]:
        raise InputError(f"{file}: {listed(twice)} listed more than once; give each session one row")
    if name not in cells:
        raise InputError(f"attributes: column {name!r} is in the sessions.tsv of other subjects, but not in {file}; add it, n/a if unknown")
    return [((subject, session), value) for session, value in zip(sessions, cells[name].tolist(), strict=True)]

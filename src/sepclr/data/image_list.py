"""Images in folders, with attributes from class folders and from a table. No image is opened here."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sepclr.data.image_study import SUFFIXES, ImageStudy
from sepclr.data.members import Members
from sepclr.data.tables import MISSING, attribute, column, kinds, listed, read_cells, sides_of, without_missing
from sepclr.errors import InputError

JUNK = ("thumbs.db", "desktop.ini", "__macosx")
"""Files and folders that operating systems add, in lower case; hidden ones are ignored, too."""

CLASS, FILE = "class", "file"
LEAST = 4
"""Fewest images of a group: two for training, and two for test."""

CLASSES = 20
"""Maximum number of classes of a column that nobody named; others, such as comments, are not probed."""

SHOWN = 10


class Found(NamedTuple):
    """Files in the folders of a study.

    Attributes:
        paths: the images.
        names: group and path within its folder of each image.
        places: path of each image within its folder.
        is_target: whether each image is a target.
        problems: path and problem of each file that is no usable image, as far as this is known without opening it.
    """

    paths: list[Path]
    names: list[str]
    places: list[str]
    is_target: list[bool]
    problems: list[tuple[Path, str]]


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageMembers(Members):
    """The images of a study.

    Attributes:
        paths: the files, n of them.
        files: group and path within its folder of each file, n names.
        common: attributes expected in c.
        salient: attributes expected in s.
    """

    paths: Sequence[Path]
    files: Sequence[str]
    common: tuple[str, ...]
    salient: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Group and path within its folder of each file."""
        return list(self.files)


def list_images(study: ImageStudy) -> Found:
    """List the files of both groups.

    Raises:
        InputError: a folder that is missing, the same as another, within another, or without enough images.
    """
    folders = _folders(study)
    found = Found([], [], [], [], [])
    table = os.path.realpath(study.attributes) if study.attributes else ""
    several = len(folders) > 2
    for number, (option, folder) in enumerate(folders):
        called = f"{option}{number}" if several and number else option
        for path, problem in _walk(folder, (os.path.realpath(folder),)):
            if os.path.realpath(path) == table:
                continue
            if problem:
                found.problems.append((path, problem))
                continue
            place = path.relative_to(folder).as_posix()
            found.paths.append(path)
            found.names.append(f"{called}/{place}")
            found.places.append(place)
            found.is_target.append(option == "target")
    for option, folder in folders:
        count = found.is_target.count(option == "target") + len(found.problems)
        if count < LEAST:
            what = "no images" if not count else f"only {count} image{'s' * (count > 1)}"
            raise InputError(f"{option}: {what} in {folder}; give a folder with at least {LEAST} ({', '.join(SUFFIXES)})")
    return found


def _folders(study: ImageStudy) -> list[tuple[str, Path]]:
    """Return the option and the path of each folder, after checks."""
    folders = [("background", Path(study.background)), *(("target", Path(each)) for each in study.target)]
    if len(folders) < 2:
        raise InputError("target: no folder; give a folder of images")
    for option, folder in folders:
        if not folder.is_dir():
            raise InputError(f"{option}: {folder} is {'not a folder' if folder.exists() else 'missing'}; give a folder of images")
    real = [(option, folder, Path(os.path.realpath(folder))) for option, folder in folders]
    for i, (option, folder, one) in enumerate(real):
        for other_option, other_folder, other in real[:i]:
            if one == other:
                raise InputError(f"{other_option}, {option}: {folder} is given twice; give a folder of its own to each group")
            if one in other.parents or other in one.parents:
                inner, outer = (folder, other_folder) if other in one.parents else (other_folder, folder)
                raise InputError(f"{other_option}, {option}: {inner} is within {outer}; give folders that do not contain each other")
    return folders


def _walk(folder: Path, above: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    """Yield files in order of their names, each with its problem, if any; ``above`` holds the folders that contain them."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield folder, f"cannot be read: {error.strerror}"
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name.lower() in JUNK:
            continue
        path = folder / entry.name
        try:
            if entry.is_dir():
                real = os.path.realpath(path)
                if real in above:
                    yield path, "links to a folder that contains it"
                else:
                    yield from _walk(path, (*above, real))
            else:
                yield path, _oddity(entry)
        except OSError as error:
            yield path, f"cannot be read: {error.strerror}"


def list_folder(folder: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Return the images in a folder and its subfolders, and the path and problem of each other file."""
    found = list(_walk(folder, (os.path.realpath(folder),)))
    return [path for path, problem in found if not problem], [(path, problem) for path, problem in found if problem]


def _oddity(entry: os.DirEntry[str]) -> str:
    """Return why a file is no usable image, as far as its name and its facts tell; empty if they do not."""
    if not entry.name.isprintable():
        return "has a line break, another control character or bytes that are not UTF-8 in its name"
    if not entry.is_file():
        return "is a broken link" if entry.is_symlink() else "is not a file"
    if not entry.name.lower().endswith(SUFFIXES):
        return "is not an image"
    if entry.stat().st_size == 0:
        return "is empty"
    return "" if os.access(entry.path, os.R_OK) else "cannot be read: permission denied"


def unusable(problems: Sequence[tuple[Path, str]], total: int) -> InputError:
    """Return an error that names the first ten unusable files on one line, and counts the rest."""
    texts = [f"{printable(str(path))} ({problem})" for path, problem in problems[:SHOWN]]
    more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return InputError(f"{len(problems)} of {total} files cannot be used: {', '.join(texts)}{more}; remove, rename or replace them")


def printable(name: str) -> str:
    """Return a file name, with escapes if it has line breaks or bytes that are not UTF-8."""
    return name if name.isprintable() else ascii(name)[1:-1]


def read_members(study: ImageStudy, found: Found | None = None) -> ImageMembers:
    """List the images of a study, and run all checks that open no image.

    Args:
        study: the study.
        found: its files; listed if None.

    Returns:
        The images of both groups.

    Raises:
        InputError: as ``list_images``; files that are no images, or the same file in both groups; a table that cannot be read, lists files
            that are not there or more than once, or lacks files or columns; or an attribute that is constant, or of mixed types.
    """
    found = found or list_images(study)
    if found.problems:
        raise unusable(found.problems, len(found.paths) + len(found.problems))
    owner: dict[str, bool] = {}
    real = [os.path.realpath(path) for path in found.paths]
    both = [path for path, at, target in zip(found.paths, real, found.is_target, strict=True) if owner.setdefault(at, target) != target]
    if both:
        raise InputError(f"background, target: {len(both)} files are in both groups, by links: {listed([str(each) for each in both])}")
    if wrong := [name for name in ("subject", "split") if getattr(study, name) and not study.attributes]:
        raise InputError(f"{wrong[0]}: {getattr(study, wrong[0])!r} is a column of a table; give the table with --attributes")
    table = Path(study.attributes or study.background)
    cells = _matched(table, read_cells(table), found) if study.attributes else {}
    cells, common, salient = _with_classes(study, cells, found)
    subjects = column(table, cells, study.subject, "subject") if study.subject else np.array(found.names)
    return ImageMembers(
        subjects=subjects,
        is_target=np.array(found.is_target),
        attributes=_attributes(study, table, cells, (*common, *salient)),
        split=sides_of(table, cells, study.split, subjects),
        paths=found.paths,
        files=found.names,
        common=common,
        salient=salient,
    )


def _matched(table: Path, cells: Mapping[str, NDArray[Any]], found: Found) -> dict[str, NDArray[Any]]:
    """Return the columns of a table with a row for each image, in the order of the images."""
    keys: dict[str, set[int]] = defaultdict(set)
    for i, (path, place) in enumerate(zip(found.paths, found.places, strict=True)):
        for key in {os.path.abspath(path), place, path.name}:
            keys[key].add(i)
    named = column(table, cells, FILE, "attributes").tolist()
    rows: dict[int, list[int]] = defaultdict(list)
    unknown: list[str] = []
    unclear: list[str] = []
    for row, name in enumerate(named):
        fitting = keys.get(os.path.abspath(table.parent / name)) or keys.get(name) or set()
        if len(fitting) == 1:
            rows[next(iter(fitting))].append(row)
        else:
            (unclear if fitting else unknown).append(name or "an empty cell")
    said = f"attributes: column {FILE!r} of {table}"
    if unknown:
        raise InputError(f"{said} names {len(unknown)} files that are in neither folder: {listed(unknown)}; fix or remove these rows")
    if unclear:
        raise InputError(f"{said}: {len(unclear)} names fit several files: {listed(unclear)}; give paths relative to the table")
    if twice := [found.names[i] for i, lines in rows.items() if len(lines) > 1]:
        raise InputError(f"{said} lists {len(twice)} files more than once: {listed(twice)}; keep one row for each")
    if lacking := [name for i, name in enumerate(found.names) if i not in rows]:
        raise InputError(f"{said} lacks {len(lacking)} of {len(found.names)} files: {listed(lacking)}; add a row for each")
    order = np.array([rows[i][0] for i in range(len(found.paths))])
    return {name: values[order] for name, values in cells.items()}


def _with_classes(
    study: ImageStudy, cells: Mapping[str, NDArray[Any]], found: Found
) -> tuple[dict[str, NDArray[Any]], tuple[str, ...], tuple[str, ...]]:
    """Return the columns with that of class folders, if there are any, and the attributes expected in c and in s."""
    if CLASS in cells:
        return dict(cells), study.common, study.salient
    classes = np.array([place.split("/")[0] if "/" in place else "" for place in found.places])
    is_target = np.array(found.is_target)
    of_background, of_target = ({*classes[members].tolist()} - {""} for members in (~is_target, is_target))
    if len(of_target) < 2:
        return dict(cells), study.common, study.salient
    if len(of_background) < 2:
        classes[~is_target] = ""
    common, salient = study.common, study.salient
    if CLASS not in (*common, *salient):
        common += (CLASS,) if of_background == of_target else ()
        salient += (CLASS,) if len(of_background) < 2 else ()
    return {**cells, CLASS: classes}, common, salient


def _attributes(study: ImageStudy, table: Path, cells: Mapping[str, NDArray[Any]], named: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return the values of the attributes: those that are named, then other columns that can be probed."""
    if both := sorted({name for name in named if named.count(name) > 1}):
        raise InputError(f"common, salient: {', '.join(both)} listed more than once; give each column one role")
    if taken := [name for name in named if name in ("group", FILE, study.subject, study.split)]:
        raise InputError(f"common, salient: {taken[0]!r} is no attribute; name other columns")
    if named and not cells:
        raise InputError(f"common, salient: no attribute {named[0]!r}; give a table with --attributes, or class folders, for 'class'")
    asked = list(dict.fromkeys([*named, *study.numeric, *study.categorical]))
    if asked and not cells:
        raise InputError(f"numeric, categorical: no attribute {asked[0]!r}; give a table with --attributes")
    kind = kinds([*asked, *cells], study.numeric, study.categorical)
    known = {name: without_missing(column(table, cells, name, "attributes")) for name in asked}
    others = {name: without_missing(values) for name, values in cells.items() if name not in (*asked, FILE, study.subject, study.split)}
    known |= {name: values for name, values in others.items() if name != "group" and _can_be_probed(values, 2 * study.folds)}
    return {name: attribute(table, name, values, kind[name]) for name, values in known.items()}


def _can_be_probed(values: NDArray[Any], least: int) -> bool:
    """Return whether a column that nobody named holds numbers, or a few classes, each often enough."""
    classes, times = np.unique(values[~np.isin(values, MISSING)], return_counts=True)
    if len(classes) < 2:
        return False
    if len(classes) > 2:
        try:
            return bool(np.isfinite(classes.astype(float)).all())
        except ValueError:
            pass
    return len(classes) <= CLASSES and bool(times.min() >= least)

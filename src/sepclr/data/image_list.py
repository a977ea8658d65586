"""Image files in the folders of a study. None is opened here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sepclr.data.image_study import SUFFIXES, ImageStudy
from sepclr.errors import InputError

JUNK = ("thumbs.db", "desktop.ini", "__macosx")
"""Files and folders that operating systems add, in lower case; hidden ones are ignored, too."""

LEAST = 4
"""Fewest images of a group: two for training, and two for test."""

SHOWN = 10


class Found(NamedTuple):
    """Files in the folders of a study.

    Attributes:
        paths: the images.
        names: group and path within its folder of each image.
        places: path of each image within its folder.
        is_target: whether each image is a target.
        groups: place of the target folder of each image in the study, from 0; -1 in background.
        problems: path and problem of each file that is no usable image, as far as this is known without opening it.
    """

    paths: list[Path]
    names: list[str]
    places: list[str]
    is_target: list[bool]
    groups: list[int]
    problems: list[tuple[Path, str]]


def list_images(study: ImageStudy) -> Found:
    """List the files of both groups.

    Raises:
        InputError: a folder that is missing, the same as another, within another, or without enough images.
    """
    folders = _folders(study)
    found = Found([], [], [], [], [], [])
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
            found.groups.append(number - 1)
    for number, (option, folder) in enumerate(folders):
        count = found.groups.count(number - 1) + len(found.problems)
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

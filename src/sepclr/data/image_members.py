"""Members of a study of images: their files, groups, and attributes from class folders and from a table. No image is opened here."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.data.image_list import Found, list_images, unusable
from sepclr.data.image_study import ImageStudy
from sepclr.data.members import Members
from sepclr.data.tables import MISSING, attribute, column, degrees_of, kinds, listed, read_cells, sides_of, subjects_of, without_missing
from sepclr.errors import InputError

CLASS, FILE = "class", "file"

CLASSES = 20
"""Maximum number of classes of a column that nobody named; others, such as comments, are not probed."""


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
    if wrong := [name for name in ("subject", "split", "degree") if getattr(study, name) and not study.attributes]:
        raise InputError(f"{wrong[0]}: {getattr(study, wrong[0])!r} is a column of a table; give the table with --attributes")
    table = Path(study.attributes or study.background)
    cells = _matched(table, read_cells(table), found) if study.attributes else {}
    cells, common, salient = _with_classes(study, cells, found)
    subjects = subjects_of(table, cells, study.subject) if study.subject else np.array(found.names)
    return ImageMembers(
        subjects=subjects,
        is_target=np.array(found.is_target),
        attributes=_attributes(study, table, cells, (*common, *salient)),
        split=sides_of(table, cells, study.split, subjects),
        groups=np.array(found.groups) if study.target_groups else None,
        degrees=degrees_of(table, cells, study.degree, np.array(found.is_target)),
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
    if taken := [name for name in named if name in ("group", *_roles(study))]:
        raise InputError(f"common, salient: {taken[0]!r} is no attribute; name other columns")
    if named and not cells:
        raise InputError(f"common, salient: no attribute {named[0]!r}; give a table with --attributes, or class folders, for 'class'")
    asked = list(dict.fromkeys([*named, *study.numeric, *study.categorical]))
    if asked and not cells:
        raise InputError(f"numeric, categorical: no attribute {asked[0]!r}; give a table with --attributes")
    kind = kinds([*asked, *cells], study.numeric, study.categorical)
    known = {name: without_missing(column(table, cells, name, "attributes")) for name in asked}
    others = {name: without_missing(values) for name, values in cells.items() if name not in (*asked, *_roles(study))}
    known |= {name: values for name, values in others.items() if name != "group" and _can_be_probed(values, 2 * study.folds)}
    return {name: attribute(table, name, values, kind[name]) for name, values in known.items()}


def _roles(study: ImageStudy) -> tuple[str | None, ...]:
    """Return the columns that are no attributes."""
    return FILE, study.subject, study.split, study.degree


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

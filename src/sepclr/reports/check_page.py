"""Page that describes a participants table: group sizes, slices, attributes and possible confounders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.data.attributes import is_quantity
from sepclr.probes import Confounding
from sepclr.reports.figures import sheet
from sepclr.reports.html import write_html

SHOWN = 24
"""Maximum number of slices shown per group."""
CLASSES = 12
"""Number of classes of an attribute with a line of their own; rarer ones share one."""


@dataclass(frozen=True, eq=False)
class CheckPage:
    """Contents of the page.

    Attributes:
        title: heading of the page.
        problems: one line per problem that prevents using the data.
        is_target: True for target, shape (n,).
        subjects: subject of each image, shape (n,).
        attributes: values by name, shape (n,); floating point, NaN where missing, or strings, empty where missing.
        confounding: association of attributes with the group.
        slices: a 2-D slice of each image, or None if it cannot be used.
        left_out: number of rows in neither group.
        grid: shape and voxel size of the volumes, as text.
    """

    title: str
    problems: Sequence[str]
    is_target: NDArray[np.bool_]
    subjects: NDArray[Any]
    attributes: Mapping[str, NDArray[Any]]
    confounding: Sequence[Confounding]
    slices: Sequence[NDArray[np.uint8] | None]
    left_out: int
    grid: str


def write_check_page(path: Path, page: CheckPage) -> None:
    """Write the page as one HTML file."""
    groups = {"background": ~page.is_target, "target": page.is_target}
    seen = [i for members in groups.values() for i in _evenly(np.flatnonzero(members & _has(page.slices)), SHOWN)]
    images = _square([image for i in seen if (image := page.slices[i]) is not None])
    tiles = {name: [(k, page.subjects[i]) for k, i in enumerate(seen) if members[i]] for name, members in groups.items()}
    counts = {name: int(members.sum()) for name, members in groups.items()}
    people = {name: len(np.unique(page.subjects[members])) for name, members in groups.items()}
    lines = [line for name, values in page.attributes.items() for line in summary(name, values, list(groups.values()))]
    write_html(
        path,
        "check.html.j2",
        page=page,
        counts=counts,
        people=people,
        lines=lines,
        tiles=tiles,
        sheet=sheet(images) if len(images) else None,
    )


def summary(name: str, values: NDArray[Any], groups: Sequence[NDArray[np.bool_]]) -> list[tuple[str, ...]]:
    """Summarise an attribute by group: one line for a quantity or one per class, and one for missing values."""
    lines = []
    if is_quantity(values):
        known = np.isfinite(values)
        parts = [values[group & known] for group in groups]
        lines.append((name, *(_quantity(part) for part in parts)))
    else:
        known = values != ""
        names, times = np.unique(values[known], return_counts=True)
        order = names[np.argsort(-times, kind="stable")]
        for label in order[:CLASSES]:
            lines.append((f"{name}: {label}", *(str(int((values[group] == label).sum())) for group in groups)))
        if len(order) > CLASSES:
            rare = np.isin(values, order[CLASSES:])
            lines.append((f"{name}: {len(order) - CLASSES} others", *(str(int((rare & group).sum())) for group in groups)))
    if not known.all():
        lines.append((f"{name}: missing", *(str(int((~known & group).sum())) for group in groups)))
    return lines


def _quantity(values: NDArray[Any]) -> str:
    if not len(values):
        return ""
    spread = f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else ""
    return f"{values.mean():.1f}{spread} ({values.min():g} to {values.max():g})"


def _has(slices: Sequence[NDArray[np.uint8] | None]) -> NDArray[np.bool_]:
    return np.array([image is not None for image in slices])


def _evenly(rows: NDArray[np.intp], most: int) -> list[int]:
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)].tolist() if len(rows) else []


def _square(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Centre images of any size in black squares, shape (n, 1, side, side)."""
    side = max((max(image.shape) for image in images), default=1)
    framed = np.zeros((len(images), 1, side, side), dtype=np.uint8)
    for frame, image in zip(framed, images, strict=True):
        top, left = ((side - length) // 2 for length in image.shape)
        frame[0, top : top + image.shape[0], left : left + image.shape[1]] = image
    return framed

"""Page that describes samples before training: group sizes, facts, pictures, attributes and possible confounders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.data.attributes import is_quantity
from sepclr.data.facts import counted
from sepclr.probes import Confounding
from sepclr.reports.figures import sheet
from sepclr.reports.html import write_html
from sepclr.types import InputError

SHOWN = 24
"""Maximum number of pictures shown per group."""
CLASSES = 12
"""Number of classes of an attribute with a line of their own; rarer ones share one."""


@dataclass(frozen=True, eq=False)
class CheckPage:
    """Contents of the page.

    Attributes:
        title: heading of the page.
        problems: one line per problem that prevents using the data.
        is_target: True for target, shape (n,).
        attributes: values by name, shape (n,); floating point, NaN where missing, or strings, empty where missing.
        confounding: association of attributes with the group.
        subjects: subject of each sample, shape (n,); None if every sample is a subject of its own.
        names: name of each sample, for its picture; the subjects if empty.
        what: plural of what a sample is called, such as images, rows or cells.
        facts: name and text of each further fact, such as sizes, ranges or duplicates.
        warnings: one line for each fact that does not prevent using the data, but deserves attention.
        pictures: a picture of each sample, shape (h, w) or (channels, h, w) with 1 or 3 channels, or None if it has none; if empty, no
            pictures are shown.
        caption: what the pictures show, one sentence.
        left_out: number of samples in neither group.
        verdict: the answer at the top; whether there are problems if empty.
        advice: method and reason of each recommendation.

    Raises:
        InputError: lengths that differ.
    """

    title: str
    problems: Sequence[str]
    is_target: NDArray[np.bool_]
    attributes: Mapping[str, NDArray[Any]]
    confounding: Sequence[Confounding]
    subjects: NDArray[Any] | None = None
    names: Sequence[str] = ()
    what: str = "images"
    facts: Sequence[tuple[str, str]] = ()
    warnings: Sequence[str] = ()
    pictures: Sequence[NDArray[np.uint8] | None] = field(default=())
    caption: str = ""
    left_out: int = 0
    verdict: str = ""
    advice: Sequence[tuple[str, str]] = ()

    def __post_init__(self) -> None:
        n = len(self.is_target)
        lengths = {f"attribute {name!r}": len(values) for name, values in self.attributes.items()}
        lengths |= {name: len(values) for name in ("subjects", "names", "pictures") if (values := getattr(self, name)) is not None}
        for name, length in lengths.items():
            if length != n and not (length == 0 and name in ("names", "pictures")):
                raise InputError(f"{name}: {length} values for {counted(n, self.what)}; give one for each")


def write_check_page(path: Path, page: CheckPage) -> None:
    """Write the page as one HTML file."""
    groups = {"background": ~page.is_target, "target": page.is_target}
    pictures = page.pictures or [None] * len(page.is_target)
    has = np.array([picture is not None for picture in pictures], dtype=bool)
    seen = [i for members in groups.values() for i in _evenly(np.flatnonzero(members & has), SHOWN)]
    images = _square([image for i in seen if (image := pictures[i]) is not None])
    called = page.names or (range(1, len(page.is_target) + 1) if page.subjects is None else page.subjects)
    tiles = {name: [(k, str(called[i])) for k, i in enumerate(seen) if members[i]] for name, members in groups.items()}
    lines = [line for name, values in page.attributes.items() for line in summary(name, values, list(groups.values()))]
    write_html(
        path,
        "check.html.j2",
        page=page,
        sizes=[_size(page, name, members) for name, members in groups.items()],
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
    return f"{values.mean():.1f}{spread} ({values.min():.4g} to {values.max():.4g})"


def _size(page: CheckPage, group: str, members: NDArray[np.bool_]) -> str:
    """Describe the size of a group; numbers of subjects are left out where every sample has its own."""
    count = int(members.sum())
    if page.subjects is None:
        return counted(count, f"{group} {page.what}")
    return f"{counted(count, page.what)} of {counted(len(np.unique(page.subjects[members])), f'{group} subjects')}"


def _evenly(rows: NDArray[np.intp], most: int) -> list[int]:
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)].tolist() if len(rows) else []


def _square(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Centre images of any size in black squares, shape (n, 1 or 3, side, side); with any colour image, all are in colour."""
    images = [image if image.ndim == 3 else image[None] for image in images]
    side = max((max(image.shape[1:]) for image in images), default=1)
    framed = np.zeros((len(images), max((len(image) for image in images), default=1), side, side), dtype=np.uint8)
    for frame, image in zip(framed, images, strict=True):
        top, left = ((side - length) // 2 for length in image.shape[1:])
        frame[:, top : top + image.shape[1], left : left + image.shape[2]] = image
    return framed

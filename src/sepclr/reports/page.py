"""Report of a run as one self-contained HTML file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.probes import Certificate, Importance
from sepclr.reports.attributes import Shown, caption, shown_attributes
from sepclr.reports.certificate import views
from sepclr.reports.features import feature_bars
from sepclr.reports.figures import charts, flatten, sheet, strip
from sepclr.reports.html import write_html
from sepclr.reports.neighbours import neighbourhood
from sepclr.reports.scores import SPACES, Reading, findings, number, predicted, readings, span
from sepclr.reports.seeds import SeedsView
from sepclr.types import InputError, Row

COLOURS = 10
"""Number of classes with a colour of their own; further classes are grey."""
EXAMPLES = 12


@dataclass(frozen=True, eq=False)
class RunView:
    """One run as the page shows it.

    Attributes:
        name: display name; the first run of a page is the main one, the others are compared with it.
        rows: its scores; the attribute ``group`` is background or target.
        history: one mapping per epoch with ``epoch``, ``step`` and the value of each term; values may be NaN.
        c: common codes of the shown samples, shape (n, d_c).
        s: salient codes of the shown samples, shape (n, d_s).
        decoded: images in 0..1 decoded from some targets, by display name, each of shape (k, channels, h, w).
        signs: warnings about training, one sentence each.
        certificate: tests of its separation; None if there are none.
    """

    name: str
    rows: Sequence[Row]
    history: Sequence[Mapping[str, float | int]]
    c: NDArray[np.float32]
    s: NDArray[np.float32]
    decoded: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    signs: Sequence[str] = ()
    certificate: Certificate | None = None


@dataclass(frozen=True, eq=False)
class Page:
    """Contents of the report.

    Attributes:
        title: heading of the page.
        lead: description of the data, in two sentences.
        images: test samples of both groups, shape (n, channels, h, w) with 1 or 3 channels; None if the samples are not images.
        is_target: True for target samples, shape (n,).
        attributes: values by name, each of shape (n,); integers, strings and Booleans are classes, floating point is a quantity.
            Salient attributes of background samples are ignored. In other attributes NaN, an empty string, and −1 in background mark
            missing values.
        common_attributes: names of the attributes expected in c.
        salient_attributes: names of the attributes expected in s.
        class_names: optional names of the classes 0, 1, … of integer attributes.
        runs: at least one run.
        made: how the page was made, shown unchanged.
        features: for rows, which features the codes of the first run are read from; None if the samples are not rows.
        target_groups: address of the page of each target group by name, where there are several; empty for this one.
        seeds: agreement of runs that differ in their seed; None for others.

    Raises:
        InputError: there is no sample or no run, lengths differ, or images have another shape.
    """

    title: str
    lead: str
    images: NDArray[np.uint8] | None
    is_target: NDArray[np.bool_]
    attributes: Mapping[str, NDArray[Any]]
    common_attributes: Sequence[str]
    salient_attributes: Sequence[str]
    class_names: Mapping[str, Sequence[str]]
    runs: Sequence[RunView]
    made: Mapping[str, str]
    features: Sequence[Importance] | None = None
    target_groups: Mapping[str, str] = field(default_factory=dict)
    seeds: SeedsView | None = None

    def __post_init__(self) -> None:
        n = len(self.is_target)
        if n == 0 or not self.runs:
            raise InputError("page: nothing to show; give at least one sample and one run")
        lengths = {f"attribute {name!r}": len(values) for name, values in self.attributes.items()}
        lengths |= {f"code {space} of run {run.name!r}": len(getattr(run, space)) for run in self.runs for space in SPACES}
        if self.images is not None:
            lengths["images"] = len(self.images)
            if self.images.ndim != 4 or self.images.shape[1] not in (1, 3):
                raise InputError(f"images: shape {self.images.shape} is not (n, 1 or 3, height, width)")
        for what, length in lengths.items():
            if length != n:
                raise InputError(f"{what}: {length} values for {n} samples; give one for each")


def write_page(path: Path, page: Page) -> None:
    """Write the report as one HTML file; replace an existing file only once the new one is complete.

    Args:
        path: file to write; its folder must exist.
        page: contents of the report.

    Raises:
        OSError: the file cannot be written.
    """
    write_html(path, "page.html.j2", **_context(page))


def _context(page: Page) -> dict[str, Any]:
    """Compute the variables of the template."""
    main = page.runs[0]
    scored = [(run.name, run.rows) for run in page.runs]
    attributes = shown_attributes(page.attributes, page.is_target, page.common_attributes, page.salient_attributes, page.class_names)
    spaces = _spaces(page)
    maps = {space: flatten(getattr(main, space)) for space in SPACES}
    return {
        "page": page,
        "main": main,
        "spaces": spaces,
        "alone": len(spaces) == 1,
        "run_names": [run.name for run in page.runs],
        "findings": findings(scored, page.common_attributes, page.salient_attributes),
        "predicted": predicted(main.rows),
        "readings": [_within(reading, spaces) for reading in readings(scored, page.common_attributes, page.salient_attributes)],
        "rows": [_table_row(run.name, row) for run in page.runs for row in run.rows],
        "attributes": attributes,
        "captions": [caption(attributes, i) for i in range(len(page.is_target))],
        "sheet": None if page.images is None else sheet(page.images),
        "examples": [(name, np.flatnonzero(page.is_target == flag)[:EXAMPLES].tolist()) for name, flag in _groups()],
        "counts": {name: int((page.is_target == flag).sum()) for name, flag in _groups()},
        "maps": maps,
        "data": _data(page, attributes, {space: plane for space, (plane, _) in maps.items()}),
        "features": None if page.features is None else feature_bars(page.features, spaces),
        "near": neighbourhood({space: getattr(main, space) for space in SPACES}, page.is_target, attributes),
        "decoded": [(name, strip(images)) for name, images in main.decoded.items()],
        "charts": charts([(run.name, run.history) for run in page.runs]),
        "correlated": any("c_with_s" in epoch for run in page.runs for epoch in run.history),
        "certificates": views([(run.name, run.certificate) for run in page.runs]),
        "signs": [(run.name, sign) for run in page.runs for sign in run.signs],
        "again": page.seeds and page.seeds.context(),
        "share": lambda value: number(value, "accuracy"),
    }


def _spaces(page: Page) -> tuple[str, ...]:
    """Return the spaces to show: only c for samples of one group without s, as a bias has no code of its own."""
    one_group = len(np.unique(page.is_target)) == 1
    return ("c",) if one_group and all(np.ptp(run.s) == 0 for run in page.runs) else SPACES


def _within(reading: Reading, spaces: Sequence[str]) -> Reading:
    """Leave out the lines of other spaces, and with them the lead of one space over the other."""
    if len(spaces) == len(SPACES):
        return reading
    return replace(reading, lines=tuple(line for line in reading.lines if line.space in spaces), ahead=())


def _groups() -> tuple[tuple[str, bool], tuple[str, bool]]:
    return ("background", False), ("target", True)


def _table_row(run: str, row: Row) -> dict[str, Any]:
    """Format one row of the full table, with one decimal."""
    score, chance = (number(value, row["metric"], 1) for value in (row["score"], row["chance"]))
    words = {"run": run, "metric": row["metric"].replace("_", " "), "score": score, "interval": span(row, 1), "chance": chance}
    return {**row, **words}


def _data(page: Page, attributes: Sequence[Shown], planes: Mapping[str, NDArray[np.float64]]) -> dict[str, Any]:
    """Collect the data from which the page's script draws both maps, without NaN, which is not valid JSON."""
    return {
        "target": page.is_target.astype(int).tolist(),
        "planes": {space: plane.round(4).tolist() for space, plane in planes.items()},
        "attributes": [
            {
                "name": a.name,
                "salient": a.role == "s",
                "quantity": a.is_quantity,
                "names": a.names,
                "values": [None if math.isnan(v) else _value(a, v) for v in a.values.tolist()],
                "text": a.text,
                "low": f"{a.low:.3g}",
                "high": f"{a.high:.3g}",
            }
            for a in attributes
        ],
    }


def _value(attribute: Shown, value: float) -> float | int:
    """Return the colour index of a class, or the position of a quantity in 0..1."""
    if not attribute.is_quantity:
        return min(int(value), COLOURS)
    extent = attribute.high - attribute.low
    return round((value - attribute.low) / extent, 3) if extent else 0.5

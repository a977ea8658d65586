"""Rows of an evaluation as the page shows them: which number stands where, and how long its bar is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sepclr.types import Row

SPACES = ("c", "s")
METRICS = ("balanced_accuracy", "accuracy", "mae")
"""Metrics from the preferred to the last resort."""
PROTOCOLS = ("strict", "published")
LOWER_IS_BETTER = frozenset({"mae"})

Scored = Sequence[tuple[str, Sequence[Row]]]
"""Name and rows of each run; the first is the main one."""


@dataclass(frozen=True)
class Bar:
    """One score of one run. Positions are in percent of the track; a longer bar is a better reading, whatever the metric."""

    run: str
    text: str
    interval: str
    chance: str
    untrained: str
    """Empty where there is no such row."""
    length: float
    chance_at: float
    low_at: float | None
    high_at: float | None
    untrained_at: float | None


@dataclass(frozen=True)
class Line:
    """One attribute read from one space, one bar per run (None where a run has no such row)."""

    space: str
    expected: bool
    bars: tuple[Bar | None, ...]


@dataclass(frozen=True)
class Reading:
    """One attribute: its two lines, and how far the expected space is ahead of the other one in each run (empty if unknown)."""

    name: str
    expected: str
    """``c``, ``s``, or empty where nothing is expected."""
    metric: str
    lower_is_better: bool
    chance: str
    lines: tuple[Line, ...]
    ahead: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """One clause of the verdict."""

    name: str
    space: str
    score: str
    other: str
    other_score: str
    chance: str
    lower_is_better: bool


def expectations(common: Sequence[str], salient: Sequence[str], runs: Scored) -> dict[str, str]:
    """Say from which space each scored attribute should be read: common ones, salient ones, group, then the others (empty)."""
    wanted = dict.fromkeys(common, "c") | dict.fromkeys(salient, "s") | {"group": "s"}
    scored = dict.fromkeys(row["attribute"] for _, rows in runs for row in rows)
    return {name: space for name, space in wanted.items() if name in scored} | {name: "" for name in scored if name not in wanted}


def readings(runs: Scored, common: Sequence[str], salient: Sequence[str]) -> list[Reading]:
    """Arrange the rows of all runs by attribute and space."""
    return [_reading(runs, name, expected) for name, expected in expectations(common, salient, runs).items()]


def findings(runs: Scored, common: Sequence[str], salient: Sequence[str]) -> list[Finding]:
    """Word the main run's scores of every attribute that is expected in a space; attributes without both scores are left out."""
    found = []
    _, rows = runs[0]
    for name, space in expectations(common, salient, runs[:1]).items():
        if not space or name == "group":
            continue
        metric, protocol = _chosen(rows, name)
        other = "s" if space == "c" else "c"
        here, there = (_find(rows, name, where, "trained", protocol, metric) for where in (space, other))
        if here is not None and there is not None:
            scores = [number(row["score"], metric) for row in (here, there)]
            chance = number(here["chance"], metric)
            found.append(Finding(name, space, scores[0], other, scores[1], chance, metric in LOWER_IS_BETTER))
    return found


def number(value: float, metric: str, digits: int = 0) -> str:
    """Write a score: a share of 0..1 as a percentage with ``digits`` decimals, an error with three significant digits."""
    if not math.isfinite(value):
        return "–"
    return error(value) if metric in LOWER_IS_BETTER else f"{100 * value:.{digits}f}\u202f%"


def error(value: float) -> str:
    """Write an error with three significant digits, and without an exponent where it is large."""
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"


def span(row: Row, digits: int = 0) -> str:
    """Write the interval of a row, empty if an end is not finite."""
    ends = [number(row["low"], row["metric"], digits), number(row["high"], row["metric"], digits)]
    if "–" in ends:
        return ""
    return "–".join(end.removesuffix("\u202f%") for end in ends)


def _reading(runs: Scored, name: str, expected: str) -> Reading:
    metric, protocol = _chosen([row for _, rows in runs for row in rows], name)
    shown = [
        row
        for _, rows in runs
        for row in rows
        if (row["attribute"], row["protocol"], row["metric"]) == (name, protocol, metric) and row["space"] in SPACES
    ]
    top = _top(shown, metric)
    lines = tuple(
        Line(space, space == expected, tuple(_bar(run, rows, name, space, protocol, metric, top) for run, rows in runs)) for space in SPACES
    )
    chances = [number(row["chance"], metric) for row in shown]
    ahead = tuple(_ahead(rows, name, expected, protocol, metric) for _, rows in runs)
    return Reading(name, expected, metric, metric in LOWER_IS_BETTER, chances[0] if chances else "", lines, ahead)


def _chosen(rows: Sequence[Row], name: str) -> tuple[str, str]:
    """Choose the metric, then the protocol, that the rows of an attribute offer, the preferred ones first."""
    own = [row for row in rows if row["attribute"] == name]
    metrics = {row["metric"] for row in own}
    metric = next((m for m in METRICS if m in metrics), min(metrics, default=METRICS[0]))
    protocols = {row["protocol"] for row in own if row["metric"] == metric}
    return metric, next((p for p in PROTOCOLS if p in protocols), min(protocols, default=PROTOCOLS[0]))


def _find(rows: Sequence[Row], name: str, space: str, encoder: str, protocol: str, metric: str) -> Row | None:
    key = (name, space, encoder, protocol, metric)
    for row in rows:
        if (row["attribute"], row["space"], row["encoder"], row["protocol"], row["metric"]) == key:
            return row
    return None


def _top(rows: Sequence[Row], metric: str) -> float:
    """Give the error at which a bar has no length: a little over the largest one shown. Shares have none."""
    values = [value for row in rows for value in (row["score"], row["high"], row["chance"]) if math.isfinite(value)]
    return 1.08 * max(values, default=1.0) or 1.0 if metric in LOWER_IS_BETTER else 1.0


def _at(value: float, metric: str, top: float) -> float | None:
    """Place a value on the track, in percent; an error runs from right (none) to left (the largest)."""
    if not math.isfinite(value):
        return None
    share = 1 - value / top if metric in LOWER_IS_BETTER else value
    return round(100 * min(max(share, 0.0), 1.0), 2)


def _bar(run: str, rows: Sequence[Row], name: str, space: str, protocol: str, metric: str, top: float) -> Bar | None:
    row = _find(rows, name, space, "trained", protocol, metric)
    if row is None:
        return None
    before = _find(rows, name, space, "untrained", protocol, metric)
    ends = [_at(value, metric, top) for value in (row["low"], row["high"])]
    finite = sorted(end for end in ends if end is not None)
    return Bar(
        run=run,
        text=number(row["score"], metric),
        interval=span(row),
        chance=number(row["chance"], metric),
        untrained="" if before is None else number(before["score"], metric),
        length=_at(row["score"], metric, top) or 0.0,
        chance_at=_at(row["chance"], metric, top) or 0.0,
        low_at=finite[0] if len(finite) == 2 else None,
        high_at=finite[1] if len(finite) == 2 else None,
        untrained_at=None if before is None else _at(before["score"], metric, top),
    )


def _ahead(rows: Sequence[Row], name: str, expected: str, protocol: str, metric: str) -> str:
    """Word by how much the expected space reads the attribute better than the other one."""
    if not expected:
        return ""
    here, there = (_find(rows, name, space, "trained", protocol, metric) for space in (expected, "s" if expected == "c" else "c"))
    if here is None or there is None or not math.isfinite(here["score"] - there["score"]):
        return ""
    lead = there["score"] - here["score"] if metric in LOWER_IS_BETTER else 100 * (here["score"] - there["score"])
    amount = f"{abs(lead):.3g}" if metric in LOWER_IS_BETTER else f"{abs(lead):.0f} points"
    return f"{'behind' if lead < 0 else 'ahead'} by {amount}"

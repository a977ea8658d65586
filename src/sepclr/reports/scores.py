"""Evaluation rows as the page shows them: formatted scores and the lengths of their bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sepclr.types import Row

SPACES = ("c", "s")
METRICS = ("balanced_accuracy", "accuracy", "mae")
"""Metrics, most preferred first."""
PROTOCOLS = ("strict", "published")
LOWER_IS_BETTER = frozenset({"mae"})

Scored = Sequence[tuple[str, Sequence[Row]]]
"""Name and rows of each run; the first is the main one."""


@dataclass(frozen=True)
class Bar:
    """One score of one run. Positions are in percent of the track; a longer bar means a better score, whatever the metric."""

    run: str
    text: str
    interval: str
    chance: str
    untrained: str
    """Empty if there is no such row."""
    length: float
    chance_at: float
    low_at: float | None
    high_at: float | None
    untrained_at: float | None


@dataclass(frozen=True)
class Line:
    """One attribute probed in one space: one bar per run, None if a run has no such row."""

    space: str
    expected: bool
    bars: tuple[Bar | None, ...]


@dataclass(frozen=True)
class Reading:
    """One attribute: a line per space, and the lead of the expected space over the other in each run (empty if unknown)."""

    name: str
    expected: str
    """``c``, ``s``, or empty if neither is expected."""
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
    """Map each scored attribute to the space it is expected in, in order: common, salient, group, then others (empty)."""
    wanted = dict.fromkeys(common, "c") | dict.fromkeys(salient, "s") | {"group": "s"}
    scored = dict.fromkeys(row["attribute"] for _, rows in runs for row in rows)
    return {name: space for name, space in wanted.items() if name in scored} | {name: "" for name in scored if name not in wanted}


def readings(runs: Scored, common: Sequence[str], salient: Sequence[str]) -> list[Reading]:
    """Group the rows of all runs by attribute and space."""
    return [_reading(runs, name, expected) for name, expected in expectations(common, salient, runs).items()]


def findings(runs: Scored, common: Sequence[str], salient: Sequence[str]) -> list[Finding]:
    """Format the main run's scores of each attribute expected in c or s; of the group only if there are no others.

    Attributes without both scores are left out.
    """
    _, rows = runs[0]
    wanted = {name: space for name, space in expectations(common, salient, runs[:1]).items() if space}
    found = {name: each for name, space in wanted.items() if (each := _finding(rows, name, space)) is not None}
    return [each for name, each in found.items() if name != "group" or len(found) == 1]


def _finding(rows: Sequence[Row], name: str, space: str) -> Finding | None:
    metric, protocol = _chosen(rows, name)
    other = "s" if space == "c" else "c"
    here, there = (_find(rows, name, where, "trained", protocol, metric) for where in (space, other))
    if here is None or there is None:
        return None
    scores = [number(row["score"], metric) for row in (here, there)]
    return Finding(name, space, scores[0], other, scores[1], number(here["chance"], metric), metric in LOWER_IS_BETTER)


def predicted(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Format the scores of a method's own predictions under the first protocol: ``name`` of the attribute and ``score``."""
    own = [row for row in rows if row["space"] == "prediction" and row["metric"] == METRICS[0] and row["protocol"] == PROTOCOLS[0]]
    return [{"name": row["attribute"], "score": number(row["score"], row["metric"])} for row in own]


def number(value: float, metric: str, digits: int = 0) -> str:
    """Format a score: a fraction in 0..1 as a percentage with ``digits`` decimals, an error with three significant digits."""
    if not math.isfinite(value):
        return "–"
    return error(value) if metric in LOWER_IS_BETTER else f"{100 * value:.{digits}f}\u202f%"


def error(value: float) -> str:
    """Format an error with three significant digits, without an exponent if it is large."""
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"


def span(row: Row, digits: int = 0) -> str:
    """Format the interval of a row; return an empty string if an end is not finite."""
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
    """Choose the most preferred metric in the rows of an attribute, then the most preferred protocol."""
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
    """Return the error at which a bar has length 0, slightly above the largest one shown; 1 if the metric is not an error."""
    values = [value for row in rows for value in (row["score"], row["high"], row["chance"]) if math.isfinite(value)]
    return 1.08 * max(values, default=1.0) or 1.0 if metric in LOWER_IS_BETTER else 1.0


def _at(value: float, metric: str, top: float) -> float | None:
    """Return the position of a value on the track, in percent; errors run from right (0) to left (largest)."""
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
    """Format the lead of the expected space over the other one."""
    if not expected:
        return ""
    here, there = (_find(rows, name, space, "trained", protocol, metric) for space in (expected, "s" if expected == "c" else "c"))
    if here is None or there is None or not math.isfinite(here["score"] - there["score"]):
        return ""
    lead = there["score"] - here["score"] if metric in LOWER_IS_BETTER else 100 * (here["score"] - there["score"])
    amount = f"{abs(lead):.3g}" if metric in LOWER_IS_BETTER else f"{abs(lead):.0f} points"
    return f"{'behind' if lead < 0 else 'ahead'} by {amount}"

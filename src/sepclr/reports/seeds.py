"""Runs that differ in their seed: how far their codes agree, and what their scores are on average."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from sepclr.reports.comparison import DELTAS, decimals, title
from sepclr.reports.tables import spread

SPACES = {"c_head": "c projection", "s_head": "s projection"}
"""Display names of the projections of codes, which the losses see."""

MEASURES = {"procrustes": "Procrustes similarity", "neighbours": "neighbours in common", "cka": "CKA"}
"""Display names of measures of agreement."""

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class SeedsView:
    """What a page shows of runs that differ in their seed.

    Attributes:
        agreement: lines of ``stability.jsonl``.
        results: lines of ``results.jsonl`` of one protocol, of the runs and of their ensemble.
        target: name of the target group, where there are several.
    """

    agreement: Rows
    results: Rows
    target: str = ""

    def context(self) -> dict[str, Any]:
        """Return the variables of the template."""
        rows = [row for row in self.agreement if row.get("target", "") == self.target]
        return {
            "seeds": len([row for row in self.results if "ensemble" not in row]),
            "sentence": agreement_sentence(rows),
            "agreement": agreement_cells(rows),
            "scores": score_cells(self.results, self.target),
            "samples": {row["space"]: row["samples"] for row in rows if row["space"] in ("c", "s")},
            "dimensions": dimensions_of(rows),
            "neighbours": max((row["neighbours"] for row in rows if row["neighbours"]), default=0),
            "notes": list(dict.fromkeys(f"{_space(row)}: {row['note']}" for row in rows if row["note"] and row["encoder"] == "trained")),
        }


def agreement_cells(rows: Rows) -> list[dict[str, str]]:
    """Return a row of a table for each space and measure: mean over pairs of seeds with its range, untrained encoders, and chance.

    Args:
        rows: lines of ``stability.jsonl``, of one target group.
    """
    found = []
    for space, measure in dict.fromkeys((row["space"], row["measure"]) for row in rows):
        here = [row for row in rows if (row["space"], row["measure"]) == (space, measure)]
        trained, untrained = (_scores(here, encoder) for encoder in ("trained", "untrained"))
        chance = [row["chance"] for row in here if row["encoder"] == "trained" and row["score"] is not None]
        words = {"between seeds": _ranged(trained), "untrained encoders": _ranged(untrained)}
        words["chance"] = f"{mean(chance):.2f}" if chance else "–"
        found.append({"space": _space(here[0]), "agreement": MEASURES[measure], **words})
    return found


def dimensions_of(rows: Rows) -> dict[str, str]:
    """Return the range of the effective number of dimensions over seeds, by space.

    Args:
        rows: lines of ``stability.jsonl``, of one target group.
    """
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["encoder"] == "trained":
            found.setdefault(_space(row), []).extend(each for each in row["dimensions"] if each is not None)
    return {space: f"{min(values):.1f}–{max(values):.1f}" for space, values in found.items() if values}


VERDICTS = {
    "more": "agree{} more between seeds than untrained encoders do",
    "same": "agree{} between seeds about as much as untrained encoders do, in ranges that overlap",
    "less": "agree{} less between seeds than untrained encoders do",
    "alone": "agree{} between seeds",
    "none": "could not be compared",
}
"""What is said of the spaces of each kind; untrained encoders are missing if the method is not trained."""


def agreement_sentence(rows: Rows) -> str:
    """Say which spaces agree more than those of untrained encoders, by CKA: more only if the ranges over pairs are apart.

    Args:
        rows: lines of ``stability.jsonl``, of one target group.
    """
    found: dict[str, list[str]] = {verdict: [] for verdict in VERDICTS}
    for space in dict.fromkeys(row["space"] for row in rows):
        here = [row for row in rows if row["space"] == space and row["measure"] == "cka"]
        trained, untrained = (_scores(here, encoder) for encoder in ("trained", "untrained"))
        if not trained:
            found["none"].append(_space(here[0]))
        elif not untrained:
            found["alone"].append(f"{_space(here[0])} (CKA {mean(trained):.2f})")
        else:
            verdict = "more" if min(trained) > max(untrained) else "less" if max(trained) < min(untrained) else "same"
            found[verdict].append(f"{_space(here[0])} (CKA {mean(trained):.2f} against {mean(untrained):.2f})")
    clauses = [
        f"{' and '.join(spaces)} {VERDICTS[verdict].format('s' if len(spaces) == 1 else '')}" for verdict, spaces in found.items() if spaces
    ]
    return "; ".join(clauses) + "."


def score_cells(results: Rows, target: str = "") -> list[dict[str, str]]:
    """Return a row of a table for each score: mean ± standard deviation over seeds, the ensemble, and the best expected score.

    Args:
        results: lines of one protocol, of runs that differ in their seed and of their ensemble, which has ``ensemble``; of several folds
            those of all.
        target: name of the target group, where there are several.
    """
    runs, ensembles = ([row for row in results if ("ensemble" in row) == joint] for joint in (False, True))
    errors, best = runs[0].get("errors", []), runs[0]["best_expected"]
    chance = {column: runs[0]["chance"].get(column.rpartition("_")[0], 0.0) for column in runs[0]["scores"]}
    # A method's own predictions are not among the scores of an ensemble.
    shown = [column for column in runs[0]["scores"] if column in ensembles[0]["scores"] and (not target or f"[{target}]_" in column)]
    found = []
    for column in shown:
        unit, digits = 1 if column in (*errors, *DELTAS) else 100, decimals(column, errors, chance)
        values = [spread([unit * row["scores"][column] for row in rows], digits) for rows in (runs, ensembles)]
        name = title(column.replace(f"[{target}]", "")) + " (error)" * (column in errors)
        expected = 0.0 if column in DELTAS else best.get(column)
        heads = "score", f"mean ± sd, {len(runs)} runs", f"ensemble{'s' * (len(ensembles) > 1)}", "best expected"
        found.append(dict(zip(heads, (name, *values, "" if expected is None else f"{unit * expected:.{digits}f}"), strict=True)))
    return found


def _space(row: Mapping[str, Any]) -> str:
    """Return the display name of the space of a row."""
    return SPACES.get(row["space"], str(row["space"]))


def _scores(rows: Rows, encoder: str) -> list[float]:
    return [row["score"] for row in rows if row["encoder"] == encoder and row["score"] is not None]


def _ranged(values: Sequence[float]) -> str:
    """Format a mean and, of several values, their range."""
    if not values:
        return "–"
    to = "–" if min(values) >= 0 else " to "
    return f"{mean(values):.2f}" + (f" ({min(values):.2f}{to}{max(values):.2f})" if len(values) > 1 else "")

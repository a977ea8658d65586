"""Finished runs with their evaluation, and its summary for ``results/``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Literal

from sepclr.atomic import write_whole
from sepclr.datasets.source import Source
from sepclr.probes import GROUP, ProbeProtocol, delta_tot
from sepclr.reports import signs
from sepclr.runs.folder import RunFolder
from sepclr.runs.recipe import Recipe, shared
from sepclr.runs.targets import by_target, rows_of
from sepclr.types import Row

PLACE = {"c": "common", "s": "salient", "w": "weak", "w_to_c": "crossed", "prediction": "predicted"}
"""How columns name spaces."""

DELTAS: Mapping[str, Literal["signed", "absolute"]] = {"delta_tot": "signed", "delta_tot_absolute": "absolute"}
"""Columns of both forms of δ_tot."""

MADE = ("commit", "versions", "machine", "precision", "accelerator")
"""Facts about each session of a run that a results line records."""


@dataclass(frozen=True)
class Finished:
    """A run with its evaluation.

    Attributes:
        folder: folder of the run.
        recipe: recipe of the run.
        source: the data set.
        rows: all rows of the evaluation.
        seconds: training time, over all sessions.
        name: display name; that of the recipe if empty.
    """

    folder: RunFolder
    recipe: Recipe
    source: Source
    rows: Sequence[Row]
    seconds: float
    name: str = ""

    @property
    def label(self) -> str:
        """Display name."""
        return self.name or self.recipe.label

    @property
    def signs(self) -> list[str]:
        """Problems that its training curves show, one sentence each."""
        kernel = self.recipe.independence == "k-jem"
        return signs(self.folder.history(), batch_size=self.recipe.settings.batch_size if kernel else None)


def result(run: Finished, protocol: ProbeProtocol) -> dict[str, Any]:
    """Summarise the probe scores of a run as a line for ``results/``.

    Scores of classes are balanced accuracies, or plain accuracies under ``published``. Scores of quantities are mean absolute errors, in
    their units. Without quantities, δ_tot is added. With several target groups, columns are those of each, such as ``group[NAME]_salient``,
    and δ_tot is the mean over them. ``heads`` holds scores, intervals and ``untrained`` of the projections, if any.
    Methods of debiasing have no s, so its scores and δ_tot are left out.
    """
    metric = "accuracy" if protocol == "published" else "balanced_accuracy"
    source = run.source
    debiasing = run.recipe.declared.task == "debiasing"  # there is no s
    rows = [row for row in run.rows if row["protocol"] == protocol and not (debiasing and row["space"] == "s")]
    shown = [row for row in rows if row["metric"] in (metric, "mae")]
    codes, heads = ([row for row in shown if row["space"] in spaces] for spaces in (tuple(PLACE), ("c_head", "s_head")))
    trained = {column_of(row, source.columns): row for row in codes if row["encoder"] == "trained"}
    read = _summary(codes, source)
    more: dict[str, Any] = {"heads": _summary(heads, source)} if heads else {}
    if errors := sorted(name for name, row in trained.items() if row["metric"] == "mae"):
        more["errors"] = errors
    elif not debiasing:
        how: dict[str, Any] = {"common": source.common_attributes, "salient": source.salient_attributes, "metric": metric}
        deltas = [delta_tot(rows_of(rows, name), **how) for name, _ in by_target(source)]
        read["scores"] |= {name: mean(each[kind] for each in deltas) for name, kind in DELTAS.items()}
    return {
        "recipe": shared(run.recipe),
        "protocol": protocol,
        "method": run.recipe.method.name,
        "independence": run.recipe.independence,
        "seed": run.recipe.seed,
        **read,
        **more,
        "best_expected": _best_expected(rows, source),
        "chance": {name.rpartition("_")[0]: row["chance"] for name, row in trained.items()},
        "seconds": run.seconds,
        **_made(run.folder.sessions()),
    }


def _made(sessions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the provenance of a run's last session; if other sessions differ, ``sessions`` lists the differing facts, each once."""
    facts = [{name: session.get(name) for name in MADE} for session in sessions]
    differing = [name for name in MADE if any(each[name] != facts[-1][name] for each in facts)]
    several = [{name: each[name] for name in differing} for each in facts] if differing else []
    once = [each for place, each in enumerate(several) if each not in several[:place]]
    return facts[-1] | ({"sessions": once} if once else {})


def _summary(rows: Sequence[Row], source: Source) -> dict[str, dict[str, Any]]:
    """Collect scores and intervals of trained encoders, and scores of untrained ones, by column."""
    trained, untrained = (
        {column_of(row, source.columns): row for row in rows if row["encoder"] == kind} for kind in ("trained", "untrained")
    )
    return {
        "scores": {name: row["score"] for name, row in trained.items()},
        "intervals": {name: [row["low"], row["high"]] for name, row in trained.items()},
        "untrained": {name: row["score"] for name, row in untrained.items()},
    }


def column_of(row: Row, columns: Mapping[str, str]) -> str:
    """Return the name of a score, as in published tables; the target group, where there are several, follows the attribute."""
    target = f"[{row['target']}]" if "target" in row else ""
    return f"{columns.get(row['attribute'], row['attribute'])}{target}_{PLACE[row['space'].removesuffix('_head')]}"


def _best_expected(rows: Sequence[Row], source: Source) -> dict[str, float]:
    """Return the best expected score of each column: 1, or no error, where an attribute belongs, chance where it does not."""
    best = {}
    salient = {*source.salient_attributes, GROUP}
    for row in rows:
        if row["space"] in PLACE and row["encoder"] == "trained" and row["metric"] in ("balanced_accuracy", "mae"):
            belongs = salient if row["space"] == "s" else source.common_attributes
            if row["attribute"] in {*source.common_attributes, *salient, *source.unwanted}:
                right = 0.0 if row["metric"] == "mae" else 1.0
                best[column_of(row, source.columns)] = right if row["attribute"] in belongs else row["chance"]
    return best


def write_results(path: Path, results: Sequence[Mapping[str, Any]]) -> None:
    """Write results, one JSON object per line."""
    write_whole(path, "".join(json.dumps(line) + "\n" for line in results))

"""Scores against training time: whether longer training brings a method closer to its best expected scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from sepclr.fields import flattened
from sepclr.reports.comparison import DELTAS, run_name, title
from sepclr.reports.dots import QUIET

COLOURS = ("#1d5fbf", "#bd4b00", "#1b8a5a", "#8a3fb5", "#1b1d20", "#b58900")
"""One colour per run."""


def draw_length(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Draw scores of runs of different lengths against training time.

    Args:
        rows: lines of a file in ``results/``, of one data set and one protocol, from runs on one thread each; methods with runs of a
            single length are left out.

    Returns:
        A matplotlib figure, not attached to a display: one panel for each score with a best expected value, except those of the group,
        and one for δ_tot. Each point is the mean over the seeds of one length.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    lengths: dict[str, dict[int, list[Mapping[str, Any]]]] = {}
    for row in rows:
        lengths.setdefault(run_name(row), {}).setdefault(flattened(row["recipe"]).get("max_epochs", 1), []).append(row)
    shown = {name: dict(sorted(runs.items())) for name, runs in lengths.items() if len(runs) > 1}
    expected = rows[0]["best_expected"]
    columns = [*sorted(name for name in expected if not name.startswith("group_")), "delta_tot_absolute"]
    figure = Figure(figsize=(2.5 * len(columns), 3.1), layout="constrained")
    for axes, column in zip(figure.subplots(1, len(columns)), columns, strict=True):
        axes.axhline(100 * expected.get(column, 0.0), color=QUIET, linestyle=(0, (3, 2)), linewidth=1)
        for colour, (name, runs) in zip(COLOURS, shown.items(), strict=False):
            values = [[(1 if column in DELTAS else 100) * run["scores"][column] for run in same] for same in runs.values()]
            minutes = [mean(run["seconds"] for run in same) / 60 for same in runs.values()]
            spread = [stdev(each) if len(each) > 1 else 0.0 for each in values]
            axes.errorbar(minutes, [mean(each) for each in values], spread, color=colour, marker="o", markersize=4, label=name)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(title(column), fontsize=10)
        if column not in DELTAS:
            axes.set_ylim(0, 103)
        axes.grid(color="#eceef1", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8.5)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(COLOURS), frameon=False, fontsize=9)
    figure.supxlabel("minutes of training on one core; dashed: best expected", fontsize=8.5, color=QUIET)
    return figure

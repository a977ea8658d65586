"""Draw δ_tot against three settings of the objective: results/objective-ablation.jsonl to docs/objective.svg; ``make docs`` calls it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from sepclr.reports import as_svg

SETTINGS = {
    "decay of the moments": {"decay 0.8": "0.8", "decorrelated, β = 1": "0.95", "decay 0.99": "0.99"},
    "cosines in D": {"D without cosines": "0", "decorrelated, β = 1": "64", "D with 256 cosines": "256"},
    "radius of the ball": {"radius 1": "1", "decorrelated, β = 1": "2", "radius 4": "4"},
}
"""Runs of each panel and their values of the setting; the default is in the middle."""

COLOURS = {"rows": "#1d5fbf", "marked digits": "#bd4b00"}


def draw(runs: Mapping[str, Mapping[str, Any]]) -> Any:
    """Draw δ_tot against each setting: a curve for each data set, mean and standard deviation over seeds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3), layout="constrained")
    panels = figure.subplots(1, len(SETTINGS), sharey=True)
    for axes, (title, values) in zip(panels, SETTINGS.items(), strict=True):
        for data, colour in COLOURS.items():
            found = [[run["δ_tot"] for run in runs[name][data]] for name in values]
            heights, spread = [mean(each) for each in found], [stdev(each) for each in found]
            axes.errorbar([*values.values()], heights, spread, color=colour, marker="o", markersize=4, capsize=3, label=data)
        axes.set_title(title, fontsize=10)
        axes.set_ylim(bottom=0)
        axes.margins(x=0.15)
        axes.grid(color="#eceef1", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8.5)
    panels[0].set_ylabel("δ_tot, 0 is best", fontsize=9)
    panels[0].legend(frameon=False, fontsize=9)
    return figure


def picture(results: Path) -> str:
    """Return the figure of a results file as SVG."""
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    return as_svg(lambda: draw({line["name"]: line["runs"] for line in lines}))


if __name__ == "__main__":
    Path("docs/objective.svg").write_text(picture(Path("results/objective-ablation.jsonl")))

"""Dot plot of a comparison: one panel per score, one line per method, obtained and published scores on the same scale."""

from __future__ import annotations

import math
from typing import Any

from sepclr.reports.comparison import Comparison, Line
from sepclr.reports.drawn import as_svg

COLOUR = {"common": "#1d5fbf", "salient": "#bd4b00", "weak": "#1b1d20", "predicted": "#1b1d20", "tot": "#1b1d20", "absolute": "#1b1d20"}
"""Colours of c, s and δ_tot, as on the pages, by the suffix of a column's name."""
QUIET = "#5c636c"
ROW_HEIGHT = 0.27
ACROSS = 6
"""Maximum number of panels side by side."""


def draw(table: Comparison) -> Any:
    """Draw a comparison as a dot plot.

    Filled dots are obtained scores, with the standard deviation over seeds or folds (the bootstrap interval of a single run). Rings are
    published scores, dashed lines the best expected scores (chance for errors), and crosses untrained encoders.

    Args:
        table: rows under one protocol.

    Returns:
        A matplotlib figure, not attached to a display.
    """
    from matplotlib.figure import Figure

    # The published δ_tot is signed; without published scores the absolute form is more informative.
    delta = "delta_tot" if table.published_columns else "delta_tot_absolute"
    columns = [column for column in table.columns if column in table.expected or column == delta]
    lines = list(reversed(table.lines))
    down = math.ceil(len(columns) / ACROSS)
    across = math.ceil(len(columns) / down)
    figure = Figure(figsize=(2.2 * across + 1.4, (ROW_HEIGHT * len(lines) + 1.3) * down), layout="constrained")
    panels = figure.subplots(down, across, sharey=True, squeeze=False).flatten()
    for axes in panels[len(columns) :]:
        axes.set_axis_off()
    for axes, column in zip(panels, columns, strict=False):
        colour = COLOUR[column.rpartition("_")[2]]
        best = table.chance[column] if column in table.errors else table.expected.get(column, 0.0)
        axes.axvline(best, color=QUIET, linestyle=(0, (3, 2)), linewidth=1)
        for place, line in enumerate(lines):
            _dots(axes, place, line, column, colour)
        for scores in table.untrained.values():
            if column in scores:
                axes.plot(scores[column], -1, "x", color=QUIET, markersize=5)
        axes.set_title(table.heading(column), color=colour, fontsize=10)
        if column in table.errors:
            axes.set_xlim(left=0)
        elif column in table.expected:
            axes.set_xlim(-3, 103)
        axes.set_ylim(-1.7, len(lines) - 0.3)
        axes.grid(axis="y", color="#eceef1", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(axis="both", length=0, labelsize=8.5)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
    panels[0].set_yticks(range(-1, len(lines)), ["untrained" if table.untrained else "", *(line.name for line in lines)])
    dashed = "best expected, of an error chance" if table.errors else "best expected"
    marks = f"filled: obtained (bars: sd over {table.over}, or bootstrap interval of one); dashed: {dashed}; ×: untrained encoders"
    figure.supxlabel((f"ring: {table.published_heading}; " if table.published_columns else "") + marks, fontsize=8.5, color=QUIET)
    return figure


def _dots(axes: Any, place: int, line: Line, column: str, colour: str) -> None:
    cell = line.cells[column]
    if cell.published is not None:
        axes.plot([cell.mean, cell.published], [place, place], color="#c9ced4", linewidth=1, zorder=1)
        axes.plot(cell.published, place, "o", markerfacecolor="white", markeredgecolor=colour, markersize=5.5, zorder=2)
    if cell.low is not None and cell.high is not None:
        axes.plot([cell.low, cell.high], [place, place], color=colour, linewidth=2.2, alpha=0.45, zorder=3)
    axes.plot(cell.mean, place, "o", color=colour, markersize=5.5, zorder=4)


def svg(table: Comparison) -> str:
    """Return the dot plot of a comparison as SVG; equal rows give equal text."""
    return as_svg(lambda: draw(table))

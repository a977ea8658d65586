"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sepclr.probes import PROBES, Certificate
from sepclr.reports.certificate import THIN, lines
from sepclr.reports.comparison import Cell, Comparison
from sepclr.reports.scores import LOWER_IS_BETTER, error
from sepclr.types import Row

MOST_COLUMNS = 6
"""Number of scores that fit side by side in 80 characters."""

MOST_LINES = 4
"""Number of runs that fit side by side in 80 characters."""

METRIC = {"strict": "balanced_accuracy", "published": "accuracy"}
"""Metric reported for classes under each protocol; rows hold other metrics, too."""


def print_separation(runs: Mapping[str, Sequence[Row]], *, common: Sequence[str], salient: Sequence[str], target: str = "") -> None:
    """Print probe scores on c and s, one table per protocol, next to chance and untrained encoders.

    Args:
        runs: rows of each run, by display name.
        common: names of the attributes that belong in c.
        salient: names of the attributes that belong in s.
        target: name of the target group, where there are several.
    """
    of = f" of {escape(target)} against background" if target else ""
    for protocol in dict.fromkeys(row["protocol"] for rows in runs.values() for row in rows):
        errors = any(row["metric"] in LOWER_IS_BETTER for rows in runs.values() for row in rows)
        metric = METRIC[protocol].replace("_", " ") + (" in %, errors (MAE) in their units" if errors else " in %")
        table = Table(title=f"Linear probes{of}, {protocol}: {metric}, with 95 % intervals")
        for heading in ("run", "attribute"):
            table.add_column(heading)
        for heading in ("from c", "from s", "chance", "untrained\nc, s"):
            table.add_column(heading, justify="right")
        for name, rows in runs.items():
            shown = [row for row in rows if row["protocol"] == protocol and row["metric"] in {METRIC[protocol], *LOWER_IS_BETTER}]
            cells = {(row["attribute"], row["encoder"], row["space"]): row for row in shown}
            for attribute in dict.fromkeys(row["attribute"] for row in shown):
                from_c, from_s = (_score(cells[attribute, "trained", space]) for space in "cs")
                table.add_row(
                    escape(name),
                    escape(attribute),
                    f"[bold]{from_c}[/bold]" if attribute in common else from_c,
                    f"[bold]{from_s}[/bold]" if attribute in salient else from_s,
                    _number(cells[attribute, "trained", "c"], "chance"),
                    ", ".join(_number(row, "score") for space in "cs" if (row := cells.get((attribute, "untrained", space)))),
                )
            table.add_section()
        Console().print(table)


def print_certificate(certificate: Certificate) -> None:
    """Print the tests and the verdict of a certificate."""
    of = f" of {escape(certificate.target)} against background" if certificate.target else ""
    table = Table(title=f"Certificate of separation{of}", caption="balanced accuracy in %, or R²; bold: significant after correction")
    for heading in ("attribute", "from", "expected"):
        table.add_column(heading)
    for heading in (*PROBES, "chance"):
        table.add_column(heading, justify="right")
    for line in lines(certificate):
        shown = [line.cells[name] for name in PROBES if name in line.cells] or [*line.cells.values(), *[("", False)] * (len(PROBES) - 1)]
        cells = [f"[bold]{text}[/bold]" if significant else text for text, significant in shown]
        table.add_row(escape(line.about), line.space, line.expected, *(cell.replace(THIN, "") for cell in [*cells, line.chance]))
    Console().print(table)
    print("\n".join(certificate.verdict))


def print_comparison(tables: Sequence[Comparison]) -> None:
    """Print the obtained scores of each protocol and their rank correlation with published ones."""
    for comparison in tables:
        # Leave the signed δ_tot to the page, to fit into 80 characters.
        columns = [column for column in comparison.columns if column != "delta_tot"]
        scores = "scores in %, errors (MAE) in their units" if comparison.errors else "scores in %"
        heading = f"{comparison.protocol}, {comparison.of}: mean ± sd over {comparison.over}, {scores}"
        if len(columns) <= MOST_COLUMNS:
            parts = [columns]
        elif len(comparison.lines) <= MOST_LINES:
            _print_turned(comparison, columns, heading)
            parts = []
        else:  # keep both columns of an attribute together
            parts = [columns[begin : begin + 4] for begin in range(0, len(columns), 4)]
        for part in parts:
            table = Table(title=heading, box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
            table.add_column("row", no_wrap=True)
            for column in part:
                name = escape(comparison.heading(column)).replace(" MAE from", "\nMAE from")
                table.add_column(name if "\n" in name else name.replace(" from", "\nfrom"), justify="right", no_wrap=True)
            for line in comparison.lines:
                table.add_row(escape(line.name), *(_marked(line.cells[column]) for column in part))
            Console().print(table)
        if comparison.agreement():
            print(comparison.agreement())


def _print_turned(comparison: Comparison, columns: Sequence[str], heading: str) -> None:
    """Print a transposed table, one column per run, for few runs with many scores."""
    table = Table(title=heading, box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for line in comparison.lines:
        table.add_column(f"{escape(line.name)}\n{line.runs} {comparison.over if line.runs > 1 else comparison.over[:-1]}", justify="right")
    table.add_column("chance", justify="right")
    for column in columns:
        chance = comparison.number(column, comparison.chance[column]) if column in comparison.chance else ""
        table.add_row(escape(comparison.heading(column)), *(_marked(line.cells[column]) for line in comparison.lines), chance)
    Console().print(table)


def _marked(cell: Cell) -> str:
    return f"[bold]{cell.text}[/bold]" if cell.best else cell.text


def _score(row: Row) -> str:
    if row["metric"] in LOWER_IS_BETTER:
        return f"{error(row['score'])} ({error(row['low'])}–{error(row['high'])})"
    return f"{100 * row['score']:.1f} ({100 * row['low']:.0f}–{100 * row['high']:.0f})"


def _number(row: Row, field: Literal["score", "chance"]) -> str:
    return error(row[field]) if row["metric"] in LOWER_IS_BETTER else f"{100 * row[field]:.1f}"

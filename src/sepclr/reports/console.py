"""The separation table in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from sepclr.types import Row

LOWER_IS_BETTER = "mae"


def print_separation(runs: Mapping[str, Sequence[Row]], *, common: Sequence[str], salient: Sequence[str]) -> None:
    """Print what is read from c and from s, a line per run, protocol, attribute and metric, with chance and untrained encoders beside.

    Args:
        runs: rows of each run, by its name.
        common: names of the attributes that belong into c.
        salient: names of the attributes that belong into s.
    """
    table = Table(title="What is read from each code (linear probes)")
    for heading in ("run", "protocol", "attribute", "metric"):
        table.add_column(heading)
    for heading in ("from c", "from s", "chance", "untrained c", "untrained s"):
        table.add_column(heading, justify="right")
    for name, rows in runs.items():
        cells = {(row["protocol"], row["attribute"], row["metric"], row["encoder"], row["space"]): row for row in rows}
        for protocol, attribute, metric in dict.fromkeys(key[:3] for key in cells):
            shown = {key[3:]: row for key, row in cells.items() if key[:3] == (protocol, attribute, metric)}
            from_c, from_s = _score(shown["trained", "c"]), _score(shown["trained", "s"])
            table.add_row(
                name,
                protocol,
                attribute,
                metric.replace("_", " "),
                f"[bold]{from_c}[/bold]" if attribute in common else from_c,
                f"[bold]{from_s}[/bold]" if attribute in salient else from_s,
                _number(shown["trained", "c"]["chance"], metric),
                *(_number(shown["untrained", space]["score"], metric) if ("untrained", space) in shown else "" for space in "cs"),
            )
        table.add_section()
    Console().print(table)


def _score(row: Row) -> str:
    metric = row["metric"]
    return f"{_number(row['score'], metric)} ({_number(row['low'], metric)}–{_number(row['high'], metric)})"


def _number(value: float, metric: str) -> str:
    return f"{value:.2f}" if metric == LOWER_IS_BETTER else f"{100 * value:.1f}"

"""Results as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from sepclr.reports.comparison import DELTAS, Comparison, run_name, title


def markdown(results: Sequence[Mapping[str, Any]]) -> str:
    """Return results as a Markdown table: one row per run, followed by untrained encoders and chance.

    Args:
        results: lines of a file in ``results/``.

    Returns:
        The table; scores in percent, errors in the units of the attribute.
    """
    errors = results[0].get("errors", [])

    def number(name: str, value: float) -> str:
        return f"{value:.3g}" if name in errors else f"{100 * value:.1f}"

    cells = [name for name in results[0]["scores"] if name not in DELTAS]
    heads = ["protocol", "run", "seed", *(title(name).replace(" from", " MAE from" if name in errors else " from") for name in cells)]
    lines = [[*heads, "δ_tot", "minutes"]]
    for protocol in dict.fromkeys(result["protocol"] for result in results):
        runs = [result for result in results if result["protocol"] == protocol]
        for run in runs:
            scores = [number(name, run["scores"][name]) for name in cells]
            delta = "" if errors else f"{run['scores']['delta_tot_absolute']:.1f}"
            lines.append([protocol, run_name(run), str(run["seed"]), *scores, delta, f"{run['seconds'] / 60:.1f}"])
        networks: dict[tuple[str, ...], list[str]] = {}
        for run in runs:
            if run["untrained"]:
                before = run["untrained"]  # which makes no predictions of its own
                networks.setdefault(tuple(number(name, before[name]) if name in before else "" for name in cells), []).append(run_name(run))
        chance = [number(name, runs[0]["chance"][name.rpartition("_")[0]]) for name in cells]
        for untrained, names in networks.items():
            of = f" of {', '.join(dict.fromkeys(names))}" if len(networks) > 1 else ""
            lines.append([protocol, f"*untrained encoders{of}*", "", *untrained, "", ""])
        lines.append([protocol, "*chance*", "", *chance, "", ""])
    return _table(lines, words=3)


def plain(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the ``cells`` of rows, which map headings to text, as a Markdown table."""
    heads = list(rows[0]["cells"])
    return _table([heads, *([str(row["cells"][head]) for head in heads] for row in rows)], words=1)


def comparison_markdown(tables: Sequence[Comparison]) -> str:
    """Return tables in Markdown, with the best scores in bold and published scores next to obtained ones."""
    return "\n".join(_comparison(table) for table in tables)


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Format a mean and, if there are several values, their standard deviation."""
    return " ± ".join(f"{value:.{digits}f}" for value in (mean(values), *([stdev(values)] if len(values) > 1 else [])))


def _comparison(table: Comparison) -> str:
    beside = table.published_columns
    heads = [f"`{table.protocol}`" + (", projections" if table.of == "projections" else ""), table.over]
    for column in table.columns:
        heads += [table.heading(column), table.published_heading] if column in beside else [table.heading(column)]
    lines = [heads]
    for line in table.lines:
        words = [line.name, str(line.runs)]
        for column in table.columns:
            cell = line.cells[column]
            words.append(f"**{cell.text}**" if cell.best else cell.text)
            if column in beside:
                words.append("" if cell.published is None else f"{cell.published:.1f}")
        lines.append(words)
    for name, scores in table.rest.items():
        words = [f"*{name}*", ""]
        for column in table.columns:
            words.append(table.number(column, scores[column]) if column in scores else "")
            words += [""] * (column in beside)
        lines.append(words)
    return _table(lines, words=1) + (f"\n{agreement}\n" if (agreement := table.agreement()) else "")


def _table(lines: Sequence[Sequence[str]], *, words: int) -> str:
    """Return lines of cells, headings first, as a Markdown table; the first ``words`` columns hold text, the others numbers."""
    rule = ["---"] * words + ["--:"] * (len(lines[0]) - words)
    return "".join(f"| {' | '.join(line)} |\n" for line in [lines[0], rule, *lines[1:]])

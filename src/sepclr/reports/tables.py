"""Tables of results as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def markdown(results: Sequence[Mapping[str, Any]]) -> str:
    """Write results as a Markdown table, a row per run, with each kind of untrained encoders and chance below.

    Args:
        results: lines of a file in ``results/``.

    Returns:
        The table, scores in percent.
    """
    cells = [name for name in results[0]["scores"] if not name.startswith("delta")]
    heads = [f"{name.rpartition('_')[0]} from {'s' if name.endswith('_salient') else 'c'}" for name in cells]
    lines = [["protocol", "run", "seed", *heads, "δ_tot", "minutes"]]
    for protocol in dict.fromkeys(result["protocol"] for result in results):
        runs = [result for result in results if result["protocol"] == protocol]
        for run in runs:
            scores = [f"{100 * run['scores'][name]:.1f}" for name in cells]
            delta = f"{run['scores']['delta_tot_absolute']:.1f}"
            lines.append([protocol, _name(run), str(run["seed"]), *scores, delta, f"{run['seconds'] / 60:.1f}"])
        networks: dict[tuple[str, ...], list[str]] = {}
        for run in runs:
            networks.setdefault(tuple(f"{100 * run['untrained'][name]:.1f}" for name in cells), []).append(_name(run))
        chance = [f"{100 * runs[0]['chance'][name.rpartition('_')[0]]:.1f}" for name in cells]
        for untrained, names in networks.items():
            of = f" of {', '.join(dict.fromkeys(names))}" if len(networks) > 1 else ""
            lines.append([protocol, f"*untrained encoders{of}*", "", *untrained, "", ""])
        lines.append([protocol, "*chance*", "", *chance, "", ""])
    lines.insert(1, ["---"] * 3 + ["--:"] * (len(lines[0]) - 3))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _name(run: Mapping[str, Any]) -> str:
    """Name SepCLR's runs by their way to independence, others by their method, and say where a release was followed."""
    released = run["recipe"].get("fidelity") == "released"
    return str(run["independence"] or run["method"]) + (" (released)" if released else "")


def plain(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows that say themselves what to show (``cells``: heading and text) as a Markdown table."""
    heads = list(rows[0]["cells"])
    lines = [heads, ["---"] + ["--:"] * (len(heads) - 1), *([row["cells"][head] for head in heads] for row in rows)]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)

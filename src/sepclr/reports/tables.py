"""Tables of results as Markdown, written into a page between markers, so that no number is typed by hand."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sepclr.methods import catalogue
from sepclr.types import InputError

METHODS = re.compile(r"(<!-- methods -->\n).*?(<!-- end of methods -->)", re.DOTALL)
MARKER = re.compile(r"(<!-- results: (?P<name>\S+) -->\n).*?(<!-- end of results -->)", re.DOTALL)


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


def fill(text: str, folder: Path) -> str:
    """Replace what stands between the markers of a page by the tables of ``folder``, and by the table of methods.

    Raises:
        InputError: a marker that names a file that is not there.
    """

    def table(match: re.Match[str]) -> str:
        path = folder / match["name"]
        if not path.is_file():
            raise InputError(f"{path}: no such results, though the page asks for them")
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        return match[1] + (plain if "cells" in rows[0] else markdown)(rows) + match[3]

    return MARKER.sub(table, METHODS.sub(lambda match: match[1] + catalogue.table() + match[2], text))


if __name__ == "__main__":
    results, *pages = (Path(argument) for argument in sys.argv[1:])
    for page in pages:
        page.write_text(fill(page.read_text(), results))

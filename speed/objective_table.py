"""Results of the objective's runs as rows of a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sepclr.reports import spread
from sepclr.runs.folder import made_with


class Table:
    """Results file with a line for each row of a table, rewritten after every run."""

    def __init__(self, out: Path, cells: Callable[[str, Mapping[str, Sequence[Mapping[str, Any]]]], Mapping[str, str]]) -> None:
        self.out, self.cells = out, cells
        lines = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
        self.rows: dict[str, dict[str, Any]] = {line["name"]: line for line in lines}

    def run(self, name: str, data: str, seed: int, make: Callable[[], Mapping[str, float]]) -> None:
        """Make a run and store it, unless it is stored already."""
        row = self.rows.setdefault(name, {"cells": {}, "name": name, "runs": {}})
        runs = row["runs"].setdefault(data, [])
        if any(run["seed"] == seed for run in runs):
            return
        found = make()
        runs.append({"seed": seed, **found, **made_with()})
        row["cells"] = self.cells(name, row["runs"])
        print(name, data, seed, {key: round(value, 1) for key, value in found.items()}, flush=True)
        self.out.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in self.rows.values()))


def ablation_cells(name: str, runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """Return the cells of an ablation row: δ_tot and the probe scores on each data set."""
    cells = {"": name}
    for data, made in runs.items():
        cells[f"{data}: δ_tot"] = spread([run["δ_tot"] for run in made])
        for cell in ("common from c", "salient from c", "common from s", "salient from s", "group from c"):
            cells[f"{data}: {cell}"] = spread([run[cell] for run in made], 0)
    return cells


def transfer_cells(name: str, runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """Return the cells of a transfer row: one data set, one objective."""
    data, _, objective = name.partition(" | ")
    (made,) = runs.values()
    columns = ("common from c", "salient from c", "common from s", "salient from s", "group from c", "group from s", "δ_tot", "CPU s")
    return {"data": data, "objective": objective} | {column: spread([run[column] for run in made]) for column in columns}

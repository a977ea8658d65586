"""The demo: SepCLR with and without k-JEM on marked digits, side by side on one page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from sepclr.benchmark.folder import write_whole
from sepclr.benchmark.recipes import Recipe
from sepclr.benchmark.results import Finished, result, write_results
from sepclr.benchmark.runner import print_rows, run, write_report
from sepclr.types import InputError


def demo(recipe: Recipe, out: Path, *, resume: bool = False, progress: bool = True) -> Path:
    """Run a recipe, and the same with ``none`` for comparison, and write one report of both.

    Args:
        recipe: of the main run; with independence ``none`` it is run alone.
        out: folder that gets a run's folder each, ``metrics.json``, ``results.jsonl`` and ``report.html``.
        resume: go on with what lies in ``out``.
        progress: show bars with the terms of the loss.

    Returns:
        The path of the report.

    Raises:
        InputError: a folder that holds something or cannot be written, or options that cannot be used.
    """
    if recipe.method != "sepclr":
        raise InputError(f"method: the demo shows sepclr; for {recipe.method!r} use sepclr fit marked-digits --method {recipe.method}")
    if recipe.devices not in ("auto", "1") or recipe.nodes > 1:
        raise InputError(f"devices: {recipe.devices} on {recipe.nodes} node(s); the demo's two runs are small and take one device")
    finished: list[Finished] = []
    report = out / "report.html"
    with one_thread():
        for independence in dict.fromkeys([recipe.independence, "none"]):
            folder = out / independence
            # A demo that was interrupted before its second run began starts that one as a new run.
            going_on = resume and (folder.exists() or not finished)
            finished.append(run(replace(recipe, independence=independence, devices="1"), folder, resume=going_on, progress=progress))
        write_report(report, finished)
    write_whole(out / "metrics.json", json.dumps({**cells(finished[0]), "none": cells(finished[-1])}, indent=1))
    write_results(out / "results.jsonl", [result(each, "strict") for each in finished])
    print_rows(finished)
    return report


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: on networks this small, further threads spend more CPU time waiting than they save."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def cells(finished: Finished) -> Mapping[str, Any]:
    """Pick the cells that say whether separation worked: balanced accuracies, 0..1, of the codes under ``strict``."""
    rows = {
        (row["attribute"], row["space"], row["encoder"]): row
        for row in finished.rows
        if row["metric"] == "balanced_accuracy" and row["protocol"] == "strict"
    }
    picked: dict[str, Any] = {}
    for kind, names in (
        ("salient_attribute", finished.source.salient_attributes),
        ("common_attribute", finished.source.common_attributes),
    ):
        name = names[0]
        picked[kind] = {
            "name": name,
            "from_s": rows[name, "s", "trained"]["score"],
            "from_c": rows[name, "c", "trained"]["score"],
            "untrained_s": rows[name, "s", "untrained"]["score"],
            "untrained_c": rows[name, "c", "untrained"]["score"],
            "chance": rows[name, "s", "trained"]["chance"],
        }
    return picked | {"seconds": finished.seconds}

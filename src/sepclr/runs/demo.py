"""The demo: two variants of SepCLR on marked digits, compared on one page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from joblib import Parallel, cpu_count, delayed

from sepclr.atomic import write_whole
from sepclr.errors import InputError
from sepclr.runs.folder import RunFolder, this_command
from sepclr.runs.parent import end_worker_with_parent
from sepclr.runs.recipe import Recipe, changed
from sepclr.runs.report import write_report
from sepclr.runs.results import Finished, result, write_results
from sepclr.runs.run import print_rows, run
from sepclr.runs.usable import check_demo


def demo(recipes: Sequence[Recipe], out: Path, *, resume: bool = False, progress: bool = True) -> Path:
    """Run recipes and write a report that compares them.

    Args:
        recipes: recipe of the main run, then those of runs to compare it with, each with a different independence term.
        out: output folder: a folder for each run, ``metrics.json``, ``results.jsonl`` and ``report.html``.
        resume: resume the runs in ``out``.
        progress: print a line per epoch; with a single run or core, show a progress bar on a terminal instead.

    Returns:
        Path of the report.

    Raises:
        InputError: if the folder is not empty or cannot be written, or options cannot be used.
    """
    check_demo(recipes, out, resume=resume)
    together = min(len(recipes), cpu_count())  # in parallel, each on its share of the cores
    made = Parallel(n_jobs=together)(
        delayed(_run)(
            changed(recipe, devices="1"),
            out / recipe.label,
            resume=resume and RunFolder(out / recipe.label).config.exists(),  # an earlier session may have been interrupted before this run
            progress=recipe.label if progress and together > 1 else progress,
            command=this_command(),
        )
        for recipe in recipes
    )
    finished: list[Finished] = [each for each in made if each is not None]
    if len(finished) < len(recipes):
        raise InputError("demo: started in several processes; run it in one, without torchrun")
    report = out / "report.html"
    write_report(report, finished)
    others = {each.recipe.label: cells(each) for each in finished[1:]}
    write_whole(out / "metrics.json", json.dumps({**cells(finished[0]), **others}, indent=1))
    write_results(out / "results.jsonl", [result(each, "strict") for each in finished])
    print_rows(finished)
    return report


def _run(*arguments: Any, **options: Any) -> Finished | None:
    end_worker_with_parent()
    return run(*arguments, **options)


def cells(finished: Finished) -> Mapping[str, Any]:
    """Return the scores that show whether separation worked: balanced accuracies in 0..1 on the codes, under ``strict``."""
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

"""The table of a benchmark: how far it is, and what it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sepclr.benchmark import sources
from sepclr.benchmark.jobs import Places, done, status
from sepclr.benchmark.plan import Job
from sepclr.benchmark.published import PUBLISHED
from sepclr.reports import compare, print_comparison, write_table_page


def print_status(jobs: Sequence[Job], places: Places) -> None:
    """Print how far each run is, and how many are done, running, cut or missing."""
    standing = status(jobs, places)
    table = Table()
    for heading in ("run", "seed", "state"):
        table.add_column(heading)
    for heading in ("epochs", "minutes"):
        table.add_column(heading, justify="right")
    for run in standing:
        recipe = run.job.recipe
        minutes = f"{run.seconds / 60:.1f}" if run.epochs else ""
        table.add_row(recipe.label, str(recipe.seed), run.state, f"{run.epochs} of {recipe.max_epochs}", minutes)
    Console().print(table)
    counts = Counter(run.state for run in standing)
    print(", ".join(f"{counts[state]} {state}" for state in ("done", "running", "cut", "missing")))


def show_table(jobs: Sequence[Job], places: Places) -> Path:
    """Print the rows that are there beside published numbers, and write them as a page.

    Returns:
        The page, ``table.html`` in the folder of the runs.
    """
    rows = [row for key, several in done(places.results).items() if key in {job.key for job in jobs} for row in several]
    page = places.runs / "table.html"
    if not rows:
        return page
    recipe = jobs[0].recipe
    tables = compare(rows, PUBLISHED.get(recipe.data, {}))
    print_comparison(tables)
    title, lead = sources.ABOUT[recipe.data]
    made = {
        "Profile": ", ".join(dict.fromkeys(row["profile"] for row in rows)),
        "Commits": ", ".join(dict.fromkeys(row["commit"] or "not a checkout" for row in rows)),
        "Machines": "; ".join(dict.fromkeys(", ".join(f"{k} {v}" for k, v in row["machine"].items() if v) for row in rows)),
        "Versions": "; ".join(dict.fromkeys(", ".join(f"{k} {v}" for k, v in row["versions"].items()) for row in rows)),
        "Rows": str(places.results),
    }
    write_table_page(page, title=f"{title}: all methods", lead=lead, tables=tables, made=made)
    return page

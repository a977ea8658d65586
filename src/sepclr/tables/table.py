"""Show the status and the results of a benchmark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import get_args

from filelock import FileLock
from rich.console import Console
from rich.table import Table

from sepclr.reports import print_comparison, write_table_page
from sepclr.tables.jobs import Places, State, done, epochs_of, status
from sepclr.tables.pages import compared
from sepclr.tables.plan import Job


def print_status(jobs: Sequence[Job], places: Places) -> None:
    """Print the progress of each run, and the number of runs in each state."""
    standing = status(jobs, places)
    table = Table()
    for heading in ("run", "seed", "state"):
        table.add_column(heading)
    for heading in ("epochs", "minutes"):
        table.add_column(heading, justify="right")
    for run in standing:
        recipe = run.job.recipe
        minutes = f"{run.seconds / 60:.1f}" if run.epochs else ""
        table.add_row(recipe.label, str(recipe.seed), run.state, f"{run.epochs} of {epochs_of(recipe)}", minutes)
    Console().print(table)
    counts = Counter(run.state for run in standing)
    print(", ".join(f"{counts[state]} {state}" for state in get_args(State)))


def show_table(jobs: Sequence[Job], places: Places) -> None:
    """Print the existing rows, and write them beside published numbers to ``table.html`` in the folder of the runs."""
    rows = [row for key, several in done(places.results).items() if key in {job.key for job in jobs} for row in several]
    if not rows:
        return
    tables = compared(rows)
    print_comparison(tables)
    data_set = jobs[0].recipe.data_set
    # Each session of a row: what a session does not record is that of the row.
    sessions = [{**row, **session} for row in rows for session in row.get("sessions", [{}])]
    made = {
        "Profile": ", ".join(dict.fromkeys(row["profile"] for row in rows)),
        "Commits": ", ".join(dict.fromkeys(each["commit"] or "not a checkout" for each in sessions)),
        "Machines": "; ".join(dict.fromkeys(", ".join(f"{k} {v}" for k, v in each["machine"].items() if v) for each in sessions)),
        "Precision": ", ".join(dict.fromkeys(each.get("precision") or "not recorded" for each in sessions)),
        "Versions": "; ".join(dict.fromkeys(", ".join(f"{k} {v}" for k, v in each["versions"].items()) for each in sessions)),
        "Rows": str(places.results),
    }
    page = places.runs / "table.html"
    with FileLock(f"{page}.lock"):
        write_table_page(page, title=f"{data_set.title}: all methods", lead=data_set.lead, tables=tables, made=made)
    print(f"table: {page}")

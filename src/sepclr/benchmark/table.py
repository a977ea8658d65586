"""A table of a benchmark: how far it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from sepclr.benchmark.jobs import Places, status
from sepclr.benchmark.plan import Job


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


def show_table(jobs: Sequence[Job], places: Places) -> None:
    """Nothing yet."""

"""Run the rows of a table on free workers; skip finished runs, resume interrupted ones."""

from __future__ import annotations

import json
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from filelock import FileLock, Timeout
from joblib import Parallel, delayed

from sepclr.atomic import write_whole
from sepclr.data.folds import keep_folds, with_folds
from sepclr.datasets.source import Source
from sepclr.errors import Stopped, reading
from sepclr.runs.folder import RunFolder, make_folder
from sepclr.runs.leftovers import BEFORE_CONFIG, remove_own
from sepclr.runs.parent import end_worker_with_parent
from sepclr.runs.recipe import Recipe, changed
from sepclr.runs.results import Finished, result
from sepclr.runs.run import check_machine, load, prepare, read_finished, run
from sepclr.runs.usable import check_row
from sepclr.tables.plan import Job
from sepclr.tables.workers import Backend, at_work
from sepclr.types import InputError

State = Literal["done", "running", "failed", "interrupted", "missing"]

PATIENCE = 3
"""Give up after this many rounds without progress."""

ONE_AT_A_TIME = threading.Lock()
"""Lock held by the run of this process: views are drawn with torch's generator, of which a process has one."""


@dataclass(frozen=True)
class Places:
    """Folders and files of a table; workers on all machines need access to them.

    Attributes:
        runs: folder that holds the run folders.
        results: results file, in JSON lines.
        root: data folder, for data sets that need one.
    """

    runs: Path
    results: Path
    root: Path | None = None


def done(results: Path) -> dict[str, list[Mapping[str, Any]]]:
    """Read the existing rows, by the key of their run.

    Raises:
        InputError: if the results file is a folder, or has a line that is not a row.
    """
    rows: dict[str, list[Mapping[str, Any]]] = {}
    if results.is_dir():
        raise InputError(f"{results}: is a folder; name a file with --results")
    if results.exists():
        with reading(results, "restore it, or choose another --results"):
            lines = results.read_text().splitlines()
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                rows.setdefault(row["key"], []).append(row)
            except (ValueError, KeyError, TypeError, RecursionError):
                raise InputError(f"{results}: line {number} is not a row of a benchmark; restore it, or choose another --results") from None
    return rows


def check_jobs(jobs: Sequence[Job], places: Places, *, download: bool = False) -> None:
    """Check that every run can start, before any does.

    Raises:
        InputError: if data are missing, options cannot be used, or the results file is invalid.
    """
    done(places.results)
    recipes = dict.fromkeys(_with_folds(replace(job.recipe, seed=0), places) for job in jobs)
    for recipe in recipes:
        check_row(recipe)
        check_machine(recipe)
    loaded: dict[tuple[object, int], Source] = {}
    for recipe in recipes:
        which = recipe.study, recipe.fold
        if which not in loaded:
            loaded[which] = load(recipe, places.root, download=download)
        with torch.device("meta"):  # no weights are drawn
            prepare(recipe, loaded[which])


def _with_folds(recipe: Recipe, places: Places) -> Recipe:
    return recipe.of(with_folds(recipe.study, places.runs))


def run_jobs(
    jobs: Sequence[Job],
    places: Places,
    *,
    workers: int = 1,
    backend: Backend = "loky",
    scheduler: str | None = None,
    say: Callable[[str], None] = print,
) -> list[str]:
    """Run the missing rows of a table.

    Args:
        jobs: the runs; those that already have a row are skipped.
        places: folders and files of the table.
        workers: number of parallel runs on this machine, which share its cores; with dask, its workers determine the number.
        backend: ``loky``, processes on this machine, or ``dask``, workers of a scheduler.
        scheduler: address of the dask scheduler.
        say: called with a progress message for every run that ends.

    Returns:
        One line for each failed run; the others have their rows.

    Raises:
        InputError: if no workers are available, or folders cannot be written.
    """
    failed: dict[str, str] = {}

    def left() -> list[Job]:
        present = done(places.results)
        return [job for job in jobs if job.key not in present and job.name not in failed]

    missing = left()
    say(f"{len(jobs) - len(missing)} of {len(jobs)} runs are finished; {len(missing)} to go")
    in_vain = 0
    with at_work(workers, backend, scheduler) as killed:
        for folder in (places.runs, places.results.parent):
            make_folder(folder, "choose another --runs or --results")
        for study in {job.recipe.study for job in jobs}:
            keep_folds(study, places.runs)
        while missing and in_vain < PATIENCE:
            for job, outcome in _each(missing, places, in_vain > 0, killed, say):
                if outcome == "done" and job in left():
                    outcome = f"its worker wrote to other folders; all workers must share {places.results.parent} and {places.runs}"
                if outcome not in ("done", "held"):
                    write_whole(_error(places, job), outcome)
                    failed[job.name] = f"{_last(outcome)} (full error: {_error(places, job)})"
                say(f"{job.name}  {'runs elsewhere' if outcome == 'held' else _last(outcome)}; {len(left())} to go")
            before, missing = len(missing), left()
            in_vain = in_vain + 1 if len(missing) == before else 0
    return [f"{name}: {why}" for name, why in failed.items()] + [f"{job.name}: its workers were killed" for job in missing]


def _each(
    jobs: Sequence[Job], places: Places, wait: bool, killed: tuple[type[Exception], ...], say: Callable[[str], None]
) -> Iterator[tuple[Job, str]]:
    """Attempt jobs and yield the outcome of each; end early if a worker is killed, because that ends the others, too."""
    with warnings.catch_warnings():
        # Memory that the allocator keeps makes processes grow; loky takes this for a leak, starts a new process and warns.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor")
        tasks = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="all")
        try:
            yield from tasks(delayed(_attempt)(job, places, wait) for job in jobs)
        except killed as error:
            what = "the scheduler was lost" if isinstance(error, CancelledError) else "a worker was killed"
            say(f"{what} ({type(error).__name__}); another resumes its run")


def _error(places: Places, job: Job) -> Path:
    return places.runs / f"{job.name}.error"


def _last(text: str) -> str:
    return text.strip().splitlines()[-1]


def _attempt(job: Job, places: Places, wait: bool) -> tuple[Job, str]:
    """Make a row; return ``done``, ``held`` if another process has the job, or the error, so that other runs continue."""
    end_worker_with_parent()
    try:
        make_row(job, places, wait=wait)
    except (Timeout, Stopped):  # a worker that is asked to end leaves its run to the others
        return job, "held"
    except InputError as error:
        return job, str(error)
    except Exception:
        return job, traceback.format_exc()
    return job, "done"


def make_row(job: Job, places: Places, *, wait: bool = True) -> None:
    """Run a job and add its row; resume an interrupted run, and skip a run that has its row.

    Args:
        job: the run.
        places: folders and files of the table.
        wait: wait while another process has the job.

    Raises:
        Timeout: if another process has the job and ``wait`` is False.
    """
    folder = RunFolder(places.runs / job.name)
    # One lock is for threads of this process, the other for processes; the system releases it when a process is killed.
    with ONE_AT_A_TIME, FileLock(f"{folder.path}.lock", timeout=-1 if wait else 0):
        if job.key in done(places.results):
            return
        if not folder.config.exists():
            # It was interrupted before its config was written.
            remove_own(folder.path, BEFORE_CONFIG, "choose another --runs")
        recipe = _with_folds(job.recipe, places)
        if folder.rows.exists():
            whole: Finished | None = read_finished(folder, load(recipe, places.root))
        else:
            # A run on several devices would start this command again for each device.
            recipe = changed(recipe, devices="1")
            whole = run(recipe, folder.path, root=places.root, resume=folder.path.exists(), progress=job.name, command=job.command)
        if whole is None:
            raise InputError("benchmark: started in several processes; run it in one, without torchrun, and use --jobs")
        _append(whole, job, places)
        _error(places, job).unlink(missing_ok=True)


def _append(whole: Finished, job: Job, places: Places) -> None:
    """Add the rows of a run, one for each protocol, in one step."""
    rows = [{"key": job.key, "profile": job.profile} | result(whole, protocol) for protocol in whole.source.tests]
    with FileLock(f"{places.results}.lock"):
        if job.key in done(places.results):
            return  # another command, with other run folders, was first
        lines = places.results.read_text().splitlines() if places.results.exists() else []
        write_whole(places.results, "".join(f"{line}\n" for line in [*lines, *map(json.dumps, rows)]))


@dataclass(frozen=True)
class Standing:
    """Progress of a run.

    Attributes:
        job: the run.
        state: ``done``, with its row; ``running``; ``failed``; ``interrupted``; or ``missing``, not started.
        epochs: number of trained epochs.
        seconds: their training time.
    """

    job: Job
    state: State
    epochs: int
    seconds: float


def epochs_of(recipe: Recipe) -> int:
    """Return the number of epochs of a recipe; principal components count as one."""
    return recipe.training.max_epochs if recipe.training else 1


def status(jobs: Sequence[Job], places: Places) -> list[Standing]:
    """Return the progress of each run of a table, without starting or changing anything."""
    present = done(places.results)
    standing = []
    for job in jobs:
        folder = RunFolder(places.runs / job.name)
        if job.key in present:
            row = present[job.key][0]
            standing.append(Standing(job, "done", epochs_of(job.recipe), row["seconds"]))
            continue
        state: State = "failed" if _error(places, job).exists() else "interrupted" if folder.config.exists() else "missing"
        if _held(Path(f"{folder.path}.lock")):
            state = "running"
        standing.append(Standing(job, state, len(folder.history()), folder.seconds()))
    return standing


def _held(lock: Path) -> bool:
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True

"""Run the rows of a table: each once, wherever a worker is free, and on from where it was cut."""

from __future__ import annotations

import json
import shutil
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from filelock import FileLock, Timeout
from joblib import Parallel, cpu_count, delayed, parallel_config

from sepclr.benchmark import sources
from sepclr.benchmark.folder import RunFolder, write_whole
from sepclr.benchmark.plan import Job
from sepclr.benchmark.results import Finished, result
from sepclr.benchmark.runner import prepare, read_finished, run
from sepclr.types import InputError

Backend = Literal["loky", "dask"]
State = Literal["done", "running", "cut", "missing"]

ONE_AT_A_TIME = threading.Lock()
"""Held by the run of this process: torch's generator, which views draw from, is the process's own."""


@dataclass(frozen=True)
class Places:
    """Where a table is made; with workers on several machines all of them see these folders.

    Attributes:
        runs: folder of the runs' folders.
        results: file of the rows, JSON lines.
        root: folder of the data, for data sets that need one.
    """

    runs: Path
    results: Path
    root: Path | None = None


def done(results: Path) -> dict[str, list[Mapping[str, Any]]]:
    """Read the rows that are there, by the key of their run.

    Raises:
        InputError: a line that is not a row.
    """
    rows: dict[str, list[Mapping[str, Any]]] = {}
    if results.exists():
        for number, line in enumerate(results.read_text().splitlines(), 1):
            try:
                row = json.loads(line)
                rows.setdefault(row["key"], []).append(row)
            except (ValueError, KeyError, TypeError):
                raise InputError(f"{results}: line {number} is not a row of a benchmark; restore it, or choose another --results") from None
    return rows


def check_jobs(jobs: Sequence[Job], places: Places, *, download: bool = False) -> None:
    """Find out whether every run could start, before any does.

    Raises:
        InputError: data that are missing, options that a method does not have, or results that are none.
    """
    done(places.results)
    source = sources.load(jobs[0].recipe.data, places.root, download=download)
    for recipe in dict.fromkeys(replace(job.recipe, seed=0) for job in jobs):
        with torch.device("meta"):  # no weights are drawn
            prepare(recipe, source)


def run_jobs(
    jobs: Sequence[Job],
    places: Places,
    *,
    workers: int = 1,
    backend: Backend = "loky",
    scheduler: str | None = None,
    say: Callable[[str], None] = print,
) -> list[str]:
    """Run what is missing of a table.

    Args:
        jobs: the runs; those with a row already are left out.
        places: where they run.
        workers: runs at a time on this machine, which share its cores; with dask it is the workers that decide.
        backend: ``loky``, processes on this machine, or ``dask``, workers of a scheduler.
        scheduler: address of dask's scheduler.
        say: is told of every run that ends.

    Returns:
        A line for each run that failed; the others have their rows.

    Raises:
        InputError: dask without an address, or not installed, or a scheduler that does not answer; folders that cannot be written.
    """
    present = done(places.results)
    missing = [job for job in jobs if job.key not in present]
    say(f"{len(jobs) - len(missing)} of {len(jobs)} runs are there; {len(missing)} to go")
    failed = []
    with _workers(workers, backend, scheduler), warnings.catch_warnings():
        for folder in (places.runs, places.results.parent):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as refused:
                raise InputError(f"{folder}: cannot be made ({refused.strerror or refused}); choose another --runs or --results") from None
        # Processes grow by what the allocator keeps; loky takes that for a leak, starts a fresh one and says so.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor")
        tasks = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="all")
        for number, (job, error) in enumerate(tasks(delayed(_attempt)(job, places) for job in missing), 1):
            last = error.strip().splitlines()[-1] if error else "done"
            say(f"{number} of {len(missing)}  {job.name}  {last}")
            if error:
                write_whole(places.runs / f"{job.name}.error", error)
                failed.append(f"{job.name}: {last} (the whole of it: {places.runs / job.name}.error)")
    return failed


@contextmanager
def _workers(workers: int, backend: Backend, scheduler: str | None) -> Iterator[None]:
    if workers < 1:
        raise InputError(f"jobs: {workers} is not at least 1")
    if backend == "loky":
        if scheduler:
            raise InputError("scheduler: processes on this machine have none; add --backend dask")
        with parallel_config("loky", n_jobs=workers, inner_max_num_threads=max(1, cpu_count() // workers)):
            yield
        return
    if not scheduler:
        raise InputError("scheduler: dask needs the address of its scheduler; give --scheduler tcp://HOST:8786")
    try:
        from distributed import Client
    except ImportError:
        raise InputError("backend: dask is not installed; pip install 'sepclr[dask]'") from None
    try:
        client = Client(scheduler, timeout=20)
    except (OSError, ValueError) as error:
        raise InputError(f"scheduler: {scheduler} does not answer ({error}); start one with `dask scheduler`") from None
    with client, parallel_config("dask", n_jobs=-1, client=client):
        yield


def _attempt(job: Job, places: Places) -> tuple[Job, str]:
    """Make a row; gives the traceback where that failed, so that the other runs go on."""
    try:
        make_row(job, places)
    except InputError as error:
        return job, str(error)
    except Exception:
        return job, traceback.format_exc()
    return job, ""


def make_row(job: Job, places: Places) -> None:
    """Run a job to its row, on from where it was cut; nothing where it has its row.

    Whoever else has the same job waits here, and then finds the row.
    """
    folder = RunFolder(places.runs / job.name)
    # Within a process one lock does for both; the other is let go by the system when a process is killed.
    with ONE_AT_A_TIME, FileLock(f"{folder.path}.lock"):
        if job.key in done(places.results):
            return
        if folder.path.exists() and not folder.config.exists():
            shutil.rmtree(folder.path)  # cut before there was anything in it
        if folder.rows.exists():
            whole = read_finished(folder, sources.load(job.recipe.data, places.root))
        else:
            whole = run(job.recipe, folder.path, root=places.root, resume=folder.path.exists(), progress=False, command=job.command)
        _append(whole, job, places)


def _append(whole: Finished, job: Job, places: Places) -> None:
    """Add the rows of a run, one for each protocol: all of them at once or none."""
    rows = [{"key": job.key, "profile": job.profile} | result(whole, protocol) for protocol in whole.source.tests]
    with FileLock(f"{places.results}.lock"):
        before = places.results.read_text() if places.results.exists() else ""
        write_whole(places.results, before + "".join(json.dumps(row) + "\n" for row in rows))


@dataclass(frozen=True)
class Standing:
    """How far a run is.

    Attributes:
        job: the run.
        state: ``done``, with its row; ``running``; ``cut``, begun and not going on; ``missing``.
        epochs: epochs that were trained.
        seconds: time that they took.
    """

    job: Job
    state: State
    epochs: int
    seconds: float


def status(jobs: Sequence[Job], places: Places) -> list[Standing]:
    """Tell how far each run of a table is; starts and changes nothing."""
    present = done(places.results)
    standing = []
    for job in jobs:
        folder = RunFolder(places.runs / job.name)
        if job.key in present:
            row = present[job.key][0]
            standing.append(Standing(job, "done", job.recipe.max_epochs, row["seconds"]))
            continue
        state: State = "running" if _held(Path(f"{folder.path}.lock")) else "cut" if folder.config.exists() else "missing"
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

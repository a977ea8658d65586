"""A table on the workers of a scheduler, one of which is killed in the middle of its run."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sepclr.runs.folder import RunFolder
from sepclr.tables.jobs import Places, check_jobs, done, run_jobs, status
from sepclr.tables.plan import Job, plan

SMALL = {"width": 4, "max_epochs": 5, "encoder": "cnn3", "crop": 12, "precision": "32-true", "loggers": "tensorboard"}
PATIENCE = 120


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Start a scheduler and two workers of one thread, each a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "dask"]
    quiet = {"cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": os.environ | {"OMP_NUM_THREADS": "1"}}
    scheduler = subprocess.Popen([*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"], **quiet)
    worker = [*dask, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    workers = [subprocess.Popen(worker, **quiet) for _ in range(2)]
    yield address, workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()


def until(met: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)


@pytest.mark.slow
def test_the_other_worker_finishes_the_row_of_one_that_is_killed(cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path):
    address, workers = cluster
    places = Places(tmp_path / "runs", tmp_path / "rows.jsonl")
    jobs = plan("marked-digits", independence=["none"], seeds=[0, 1, 2], options=SMALL)
    check_jobs(jobs, places)
    failed: list[str] = []
    said: list[str] = []
    ends = threading.Thread(target=lambda: failed.extend(run_jobs(jobs, places, backend="dask", scheduler=address, say=said.append)))
    ends.start()

    def running() -> list[Job]:
        return [run.job for run in status(jobs, places) if run.state == "running" and run.epochs > 0]

    until(lambda: len(running()) == 2, "two runs with a checkpoint")
    before = running()
    os.kill(workers[0].pid, signal.SIGKILL)
    workers[0].wait()
    # The system lets go of a dead worker's lock; until somebody else takes it, its run is cut.
    until(lambda: len([job for job in before if _trained_by_two(places, job)]) == 1 or not ends.is_alive(), "the cut run to go on")
    ends.join(PATIENCE)
    assert not ends.is_alive()
    assert failed == []
    assert len(said) == 1 + len(jobs)
    rows = done(places.results)
    assert Counter(row["key"] for several in rows.values() for row in several) == {job.key: 1 for job in jobs}
    assert len([job for job in before if _trained_by_two(places, job)]) == 1
    for job in jobs:
        assert [epoch["epoch"] for epoch in RunFolder(places.runs / job.name).history()] == [0, 1, 2, 3, 4]


def _trained_by_two(places: Places, job: Job) -> bool:
    """Tell whether a second process went on with a run: each opens a TensorBoard log of its own."""
    return len(list((places.runs / job.name / "tensorboard").glob("events.*"))) > 1

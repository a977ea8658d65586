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
from sepclr.runs.lock import LOCK
from sepclr.tables.jobs import Places, check_jobs, done, run_jobs, status
from sepclr.tables.plan import Job, plan

SMALL = {"width": 4, "max_epochs": 5, "encoder": "cnn3", "crop": 12, "precision": "32-true", "loggers": "tensorboard"}
PATIENCE = 600
"""Seconds: on a busy machine, workers take minutes to import torch."""


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
    worker = [*dask, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60"]
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
    ends = threading.Thread(
        target=lambda: failed.extend(run_jobs(jobs, places, backend="dask", scheduler=address, say=said.append)), daemon=True
    )
    ends.start()
    cut: list[Job] = []

    def half_trained() -> bool:
        cut[:] = [run.job for run in status(jobs, places) if run.state == "running" and 0 < run.epochs < 4]
        return bool(cut)

    until(half_trained, "a run with a checkpoint")
    holder = int((places.runs / cut[0].name / LOCK).read_text().split()[1])
    (worker,) = [each for each in workers if each.pid == holder]
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    ends.join(PATIENCE)
    assert not ends.is_alive()
    assert failed == []
    assert len(said) == 1 + len(jobs)
    rows = done(places.results)
    assert Counter(row["key"] for several in rows.values() for row in several) == {job.key: 1 for job in jobs}
    assert _trained_by_two(places, cut[0])
    for job in jobs:
        assert [epoch["epoch"] for epoch in RunFolder(places.runs / job.name).history()] == [0, 1, 2, 3, 4]


def _trained_by_two(places: Places, job: Job) -> bool:
    """Tell whether a second process went on with a run: each opens a TensorBoard log of its own."""
    return len(list((places.runs / job.name / "tensorboard").glob("events.*"))) > 1

"""Workers for the rows of a table: processes on this machine, or workers of a dask scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from typing import Literal

from sepclr.errors import InputError
from sepclr.extras import need

Backend = Literal["loky", "dask"]

ANSWERS = 20
"""Timeout for an answer of a scheduler, and for its first worker, in seconds."""


def check_workers(workers: int, backend: Backend, scheduler: str | None) -> None:
    """Check the options for workers, without contacting any.

    Raises:
        InputError: if there is no worker, a scheduler is given without dask, or dask has no scheduler or is not installed.
    """
    if workers < 1:
        raise InputError(f"jobs: {workers} is not at least 1")
    if backend == "loky" and scheduler:
        raise InputError("scheduler: used with dask only; add --backend dask")
    if backend == "dask" and not scheduler:
        raise InputError("scheduler: dask needs the address of its scheduler; give --scheduler tcp://HOST:8786")
    if backend == "dask":
        need("dask", "backend: dask")


@contextmanager
def at_work(workers: int, backend: Backend, scheduler: str | None) -> Iterator[tuple[type[Exception], ...]]:
    """Make joblib use the workers; yields the exceptions that are raised when one of them is killed.

    Raises:
        InputError: as ``check_workers``, or if a scheduler does not answer or has no worker.
    """
    from joblib import cpu_count, parallel_config

    check_workers(workers, backend, scheduler)
    if backend == "loky":
        with parallel_config("loky", n_jobs=workers, inner_max_num_threads=max(1, cpu_count() // workers)):
            yield (BrokenExecutor,)
        return
    from distributed import Client, KilledWorker

    try:
        client = Client(scheduler, timeout=ANSWERS)
    except (OSError, ValueError) as error:
        raise InputError(f"scheduler: {scheduler} does not answer ({error}); start one with `dask scheduler`") from None
    with client, parallel_config("dask", n_jobs=-1, client=client):
        try:
            client.wait_for_workers(1, timeout=ANSWERS)
        except TimeoutError:
            raise InputError(f"scheduler: {scheduler} has no worker; start some with `dask worker {scheduler} --nthreads 1`") from None
        yield (KilledWorker,)

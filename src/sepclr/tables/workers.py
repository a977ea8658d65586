"""Who runs the rows of a table: processes of this machine, or the workers of a scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Literal

from sepclr.errors import InputError

Backend = Literal["loky", "dask"]

ANSWERS = 20
"""Seconds that a scheduler, and its first worker, have to answer."""


def check_workers(workers: int, backend: Backend, scheduler: str | None) -> None:
    """Find out what can be found out about workers without asking them.

    Raises:
        InputError: no worker, a scheduler without dask, or dask without a scheduler or not installed.
    """
    if workers < 1:
        raise InputError(f"jobs: {workers} is not at least 1")
    if backend == "loky" and scheduler:
        raise InputError("scheduler: processes on this machine have none; add --backend dask")
    if backend == "dask" and not scheduler:
        raise InputError("scheduler: dask needs the address of its scheduler; give --scheduler tcp://HOST:8786")
    if backend == "dask" and not find_spec("distributed"):
        raise InputError("backend: dask is not installed; pip install 'sepclr[dask]'")


@contextmanager
def at_work(workers: int, backend: Backend, scheduler: str | None) -> Iterator[tuple[type[Exception], ...]]:
    """Let joblib use the workers; gives the exceptions that say that one of them was killed.

    Raises:
        InputError: as ``check_workers``, or a scheduler that does not answer or has no worker.
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

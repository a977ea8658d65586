"""End a worker whose parent was killed, which could not end it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from functools import cache

SECONDS = 1.0
"""Time between two looks."""


@cache
def end_with_parent() -> None:
    """Kill this process once the process that started it has ended; a run that it trains can be resumed.

    Called in processes that another starts for its own work; processes that a user starts live on when their shell ends.
    """
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True, name="end-with-parent").start()


def end_worker_with_parent() -> None:
    """Do so if this is a process of ``multiprocessing`` or joblib, and nothing elsewhere."""
    if multiprocessing.parent_process() is not None:
        end_with_parent()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(SECONDS)
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

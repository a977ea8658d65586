"""How a command ends: exit codes and one line for signals, input that cannot be used, and full disks."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, cast

from sepclr.atomic import FULL
from sepclr.errors import InputError, Stopped
from sepclr.runs.parent import end_with_parent
from sepclr.runs.usable import RANKS

Given = ParamSpec("Given")

REMEDIES = {
    "fit": "resume with --resume",
    "demo": "resume with --resume",
    "decode fit": "resume with --resume",
    "benchmark": "rerun the command to resume",
}
"""How to resume a command; others start again."""


def ended(main: Callable[Given, int]) -> Callable[Given, int]:
    """Return ``main`` with its errors as one line on standard error, and with SIGTERM as an end like any other.

    Exit codes are 2 for input that cannot be used and for a full disk; 0 after SIGTERM for commands that can be resumed, so that a
    scheduler does not take the job as failed, and 143 for others; and 130 after Ctrl-C.
    """

    @wraps(main)
    def run(*given: Given.args, **named: Given.kwargs) -> int:
        words = given[0] if given and given[0] is not None else sys.argv[1:]
        first_words = list(cast(Sequence[str], words))[:2]
        remedy = REMEDIES.get(" ".join(first_words), REMEDIES.get("".join(first_words[:1])))
        first = next((os.environ[name] for name in RANKS if name in os.environ), "0") == "0"
        try:
            with _listening():
                return main(*given, **named)
        except (InputError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in FULL:
                raise
            text = error if isinstance(error, InputError) else _of_full_disk(error, remedy)
            print(f"sepclr: error: {text}", file=sys.stderr)
            return 2
        except (Stopped, KeyboardInterrupt) as error:
            stopped = error if isinstance(error, Stopped) else Stopped(signal.SIGINT)
            if first:
                begun = "" if stopped.where or remedy == REMEDIES["benchmark"] else ", or without it if no config.yaml had been written"
                print(f"sepclr: {stopped}{f'; {remedy}{begun}' if remedy else ''}", file=sys.stderr)
            return 0 if remedy and stopped.signal == signal.SIGTERM else 128 + stopped.signal

    return run


def _of_full_disk(error: OSError, remedy: str | None) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{(error.strerror or '').lower()}; free some space, and {remedy or 'run the command again'}"


@contextmanager
def _listening() -> Iterator[None]:
    """Raise ``Stopped`` on SIGTERM; training replaces this to end with a step. End with the first of several processes."""
    # Only processes that Lightning started: those of torchrun and SLURM have an agent that ends them.
    if os.environ.get("LOCAL_RANK", "0") != "0" and not {"RANK", "SLURM_PROCID"} & os.environ.keys():
        end_with_parent()
    if threading.current_thread() is not threading.main_thread():  # only there can Python handle signals
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise Stopped(number)

    before, hook = signal.signal(signal.SIGTERM, stop), threading.excepthook
    # TensorBoard writes in a thread, whose error also reaches the main one.
    threading.excepthook = lambda error: None if getattr(error.exc_value, "errno", None) in FULL else hook(error)
    try:
        yield
    finally:
        threading.excepthook = hook
        signal.signal(signal.SIGTERM, before)

"""Stop training between two steps when a signal asks the process to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from sepclr.errors import Stopped

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping(Callback):
    """Stop all processes before the same step, once one of them has received SIGTERM or SIGINT.

    The run resumes from its last epoch: to resume within one, checkpoints would have to hold what has been drawn and averaged in it.
    Lightning's own handler is replaced, because with several processes it communicates wherever the signal interrupts it.
    """

    def __init__(self) -> None:
        self.asked: int | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note signals instead of ending; at the end raise ``Stopped`` if there was one, in place of errors that it caused in others.

        Raises:
            Stopped: after a signal.
        """
        if threading.current_thread() is not threading.main_thread():  # only there can Python handle signals
            yield
            return
        before = {number: signal.signal(number, self._note) for number in SIGNALS}
        try:
            yield
        except BaseException as error:
            if self.asked is None or isinstance(error, Stopped):
                raise
            raise self.stopped() from error  # of a worker or another process that ended first
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: Any) -> None:
        self.asked = number
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C does not wait for the step

    def stopped(self, where: str = "") -> Stopped:
        """Return what to raise."""
        return Stopped(self.asked or signal.SIGTERM, where)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the signal back from Lightning, which has set its handler by now."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._note)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Stop before a step if any process was asked to.

        Raises:
            Stopped: on all processes.
        """
        if trainer.strategy.reduce_boolean_decision(self.asked is not None, all=False):
            raise self.stopped(f"after epoch {trainer.current_epoch} of {trainer.max_epochs}")

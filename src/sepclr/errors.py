"""What ends a command without a traceback. It is separate from the other types because they import torch, which takes seconds to load."""

from __future__ import annotations

import signal


class InputError(ValueError):
    """Invalid input; the message is one line that names the problem and the remedy. The command line exits with status 2."""


class Stopped(BaseException):
    """A signal asked the process to end; like ``KeyboardInterrupt``, it passes by what handles errors.

    Args:
        number: the signal.
        where: what is kept, for the message of the command line, such as ``after epoch 2 of 10``; may be empty.
    """

    def __init__(self, number: int, where: str = "") -> None:
        super().__init__(number, where)
        self.signal, self.where = signal.Signals(number), where

    def __str__(self) -> str:
        return f"stopped by {self.signal.name} {self.where}".rstrip()

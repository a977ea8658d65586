"""What ends a command without a traceback. It is separate from the other types because they import torch, which takes seconds to load."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 2000
"""Most characters of a message; a file may hold names of any length."""


class InputError(ValueError):
    """Invalid input; the message is one line that names the problem and the remedy. The command line exits with status 2.

    Args:
        message: the line. Line breaks and control characters, which may come from a file, are escaped, and the middle of a long one is left
            out. Of an error in a ``DataLoader`` worker, whose traceback torch makes the message, the line that was raised there is kept.
    """

    def __init__(self, message: str) -> None:
        own = message.rpartition(f"{__name__}.{type(self).__name__}: ")[2].rstrip("\n")
        line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in own)
        super().__init__(line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}")


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


@contextmanager
def reading(path: Path, remedy: str, option: str = "") -> Iterator[None]:
    """Turn whatever a library raises for a damaged file into an ``InputError`` that names the file; one of ours is left as it is.

    Args:
        path: the file.
        remedy: how the message ends, such as ``restore it``.
        option: option that the message begins with, if any.

    Raises:
        InputError: anything was raised.
    """
    start = f"{option}: {path}" if option else str(path)
    try:
        yield
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"{start}: needs more memory than is free; {remedy}") from None
    except Exception as error:  # damaged files raise anything
        reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{start}: cannot be read ({reason}); {remedy}") from None

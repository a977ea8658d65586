"""What is promised of any file: it is read or refused in one line, in bounded time and memory, without running or writing anything else."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sepclr.errors import InputError

SECONDS = 10
"""Longest time on the processor that reading a small file may take. A busy machine may take six times as long."""

RESIDENT = 1 << 30
"""Memory that reading a small file may fill, in bytes. Pillow's own limit of pixels allows 270 MB for an image, and a few copies of it."""

RESERVED = 3 << 30
"""Memory that it may reserve, in bytes; threads reserve some that they never fill."""

LONGEST = 3000
"""Most characters of an error."""

STARTS = ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "os.system", "pty.spawn", "socket.connect")
CHANGES = ("os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate", "shutil.rmtree")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

_watched: Path | None = None
_seen: list[str] = []


class Finding(Exception):
    """A broken promise.

    Args:
        name: what and where, the same for the same fault.
        detail: traceback or message.
    """

    def __init__(self, name: str, detail: str = "") -> None:
        super().__init__(f"{name}\n{detail}")
        self.name, self.detail = name, detail


class Hang(BaseException):
    """Reading took too long; not an Exception, so that no reader takes it for damage of a file."""


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    folder = _watched
    if folder is None:
        return
    if event in STARTS or event == "subprocess.Popen":
        _seen.append(f"{event} {arguments[:2]!r}"[:200])
    elif event == "open" and isinstance(arguments[0], str | bytes) and isinstance(arguments[2], int):
        path = os.fsdecode(arguments[0])
        if arguments[2] & WRITING and not _allowed(path, folder):
            _seen.append(f"writes {path}"[:200])
        elif path.endswith("etc/passwd"):
            _seen.append(f"opens {path}"[:200])
    elif event in CHANGES:
        paths = [os.fsdecode(each) for each in arguments[: 1 + (event == "os.rename")] if isinstance(each, str | bytes)]
        _seen.extend(f"{event} {path}"[:200] for path in paths if not _allowed(path, folder))


def _allowed(path: str, folder: Path) -> bool:
    if not os.path.isabs(path) or os.sep not in path:  # relative to a folder that is being walked, or to the current one
        path = os.path.join(folder, path)
    return path.startswith(("/dev/", "/proc/self/")) or "__pycache__" in path or Path(os.path.normpath(path)).is_relative_to(folder)


sys.addaudithook(_watch)


def check(read: Callable[[Path], object], folder: Path, *, seconds: float = SECONDS) -> bool:
    """Read what is in a folder, and return whether it was accepted rather than refused.

    Args:
        read: reads the folder; what it writes there must be in ``cache`` or, if it is accepted, anywhere.
        folder: the folder.
        seconds: longest time on the processor that it may take.

    Raises:
        Finding: a broken promise.
    """
    global _watched
    before, base = _entries(folder), _reset_peak()
    _seen.clear()
    said, refused = io.StringIO(), None
    try:
        with _limits(seconds), warnings.catch_warnings(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            warnings.simplefilter("ignore")
            _watched = folder
            read(folder)
    except InputError as error:
        refused = str(error)
    except Hang as error:
        raise Finding(f"hang {_place(error)}", _trace(error)) from None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise Finding(f"{type(error).__name__} {_place(error)}", _trace(error)) from None
    finally:
        _watched = None
        new = _entries(folder) - before
        _remove(folder, new)
    if _seen:
        raise Finding(f"acts {_seen[0].split()[0]}", "\n".join(_seen))
    if (grown := _peak() - base) > RESIDENT:
        raise Finding("memory", f"{grown / 2**20:.0f} MiB")
    if refused is not None:
        if not refused.isprintable() or len(refused) > LONGEST:
            raise Finding("message", repr(refused[: 2 * LONGEST]))
        if left := [name for name in new if not name.startswith("cache")]:
            raise Finding("leftover", ", ".join(sorted(left)))
    return refused is None


@contextlib.contextmanager
def _limits(seconds: float) -> Iterator[None]:
    """Limit time and the memory that can be reserved."""

    def stop(*_: object) -> None:
        raise Hang

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_size() + RESERVED, hard))
    main = threading.current_thread() is threading.main_thread()
    timers = {signal.SIGPROF: (signal.ITIMER_PROF, seconds), signal.SIGALRM: (signal.ITIMER_REAL, 6 * seconds)} if main else {}
    usual = {each: signal.signal(each, stop) for each in timers}
    for timer, limit in timers.values():
        signal.setitimer(timer, limit)
    try:
        yield
    finally:
        for each, (timer, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(each, usual[each])
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _size() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _reset_peak() -> int:
    """Set the high-water mark of resident memory back, and return what is resident."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _entries(folder: Path) -> set[str]:
    return {os.path.relpath(os.path.join(place, name), folder) for place, folders, files in os.walk(folder) for name in (*folders, *files)}


def _remove(folder: Path, names: set[str]) -> None:
    for name in sorted(names, reverse=True):
        if not name.startswith("cache"):
            path = folder / name
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def _place(error: BaseException) -> str:
    """Return the last place of ours in a traceback."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if "/sepclr/" in each.filename]
    last = frames[-1] if frames else traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename.rpartition('/sepclr/')[2]}:{last.name}"


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-4000:]

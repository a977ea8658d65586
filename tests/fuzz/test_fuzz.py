"""Changed files of every kind are read or refused, as ``guard`` says; ``make fuzz`` does the same for an hour."""

from __future__ import annotations

import mmap
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from tests.fuzz import guard
from tests.fuzz.guard import Finding, check
from tests.fuzz.targets import BY_NAME, TARGETS

from sepclr.errors import LONGEST, InputError


@pytest.mark.parametrize("name", BY_NAME)
def test_changed_files_are_read_or_refused(tmp_path: Path, name: str) -> None:
    target, folder = BY_NAME[name], tmp_path.resolve()
    contents = target.contents(folder)
    if (folder / target.file).exists():
        assert check(target.read, folder), "the file as it was made is refused"

    how = {"derandomize": True, "database": None, "deadline": None, "phases": [Phase.generate], "suppress_health_check": list(HealthCheck)}

    @settings(max_examples=target.examples, **how)
    @given(contents)
    def run(content: bytes) -> None:
        target.put(folder, content)
        check(target.read, folder)

    run()


def test_targets_have_names_of_their_own() -> None:
    assert len(BY_NAME) == len(TARGETS)


def outside(_: Path) -> None:
    (Path(os.environ["HOME"]) / "sepclr-fuzz").write_text("")


def endless(_: Path) -> None:
    while True:
        pass


def growing(_: Path) -> None:
    with mmap.mmap(-1, 2**29, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as more:  # not what this process has freed before
        more.write(bytes(2**29))


def left(folder: Path) -> None:
    (folder / "out").mkdir()
    raise InputError("refused")


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "error": (lambda _: [][0], "IndexError"),
    "exit": (lambda _: exit(1), "SystemExit"),
    "hang": (endless, "hang"),
    "memory": (growing, "memory"),
    "reserved": (lambda _: bytearray(2**40), "MemoryError"),
    "program": (lambda folder: subprocess.run(["true"], check=True, cwd=folder), "acts subprocess"),
    "outside": (outside, "acts writes"),
    "left": (left, "leftover"),
}


@pytest.mark.parametrize(("read", "found"), BROKEN.values(), ids=BROKEN)
def test_what_is_promised_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], object], found: str
) -> None:
    monkeypatch.setattr(guard, "RESIDENT", 2**26)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(Finding, match=found):
        check(read, tmp_path / "folder", seconds=0.5 if found == "hang" else 10)


def test_errors_are_one_line_of_bounded_length_that_a_terminal_can_show() -> None:
    assert str(InputError("a\nb \x1b[2J \udcff é")) == "a\\nb \\x1b[2J \\udcff é"
    long = str(InputError("x" * 10**6 + "; the remedy"))
    assert len(long) <= LONGEST + 3
    assert long.endswith("; the remedy")


def test_an_error_in_a_worker_is_that_line() -> None:
    from torch.utils.data import DataLoader

    with pytest.raises(InputError) as error:
        list(DataLoader(Damaged(), num_workers=1, batch_size=None))
    assert str(error.value) == "0.png: cannot be decoded; restore it"


class Damaged:
    """Samples of which none can be read."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> None:
        raise InputError(f"{index}.png: cannot be decoded; restore it")

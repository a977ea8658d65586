"""How commands end: codes and lines, in a fork of this process and, for what several processes do, as commands."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sepclr.cli.ending import ended
from sepclr.errors import InputError, Stopped

FIRST = "sepclr fit rows --tau 1 --out a run"

PATIENCE = 600
"""Seconds, for a busy machine."""


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "runs/a/metrics.jsonl")


def wrong() -> None:
    raise InputError("tau: -1 is not positive")


def ctrl_c() -> None:
    raise KeyboardInterrupt


def stopped() -> None:
    raise Stopped(signal.SIGTERM, "after epoch 3 of 10")


def asked() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)


@pytest.mark.parametrize(
    ("command", "does", "code", "says"),
    [
        ("fit", wrong, 2, "error: tau: -1 is not positive"),
        ("fit", full, 2, "error: runs/a/metrics.jsonl: no space left on device; free some space, and resume with --resume"),
        ("encode", full, 2, "error: runs/a/metrics.jsonl: no space left on device; free some space, and run the command again"),
        ("demo", stopped, 0, "stopped by SIGTERM after epoch 3 of 10; resume with --resume"),
        ("decode fit", asked, 0, "stopped by SIGTERM; resume with --resume, or without it if no config.yaml had been written"),
        ("benchmark", asked, 0, "stopped by SIGTERM; rerun the command to resume"),
        ("encode", asked, 143, "stopped by SIGTERM"),
        ("fit", ctrl_c, 130, "stopped by SIGINT; resume with --resume, or without it if no config.yaml had been written"),
    ],
)
def test_a_command_ends_with_a_code_and_one_line(
    command: str, does: Callable[[], None], code: int, says: str, capsys: pytest.CaptureFixture[str]
):
    before = signal.getsignal(signal.SIGTERM)
    assert ended(lambda words: does() or 0)(command.split()) == code
    assert capsys.readouterr() == ("", f"sepclr: {says}\n")
    assert signal.getsignal(signal.SIGTERM) == before


def test_other_errors_keep_their_traceback():
    def missing() -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "x")

    with pytest.raises(FileNotFoundError):
        ended(lambda words: missing() or 0)(["fit"])


def test_only_the_first_process_says_that_it_stopped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("RANK", "1")
    assert ended(lambda words: stopped() or 0)(["fit"]) == 0
    assert capsys.readouterr().err == ""


STUBS = {
    "srun": 'echo "$@" >> calls; mkdir -p "$OUT"; touch "$OUT/config.yaml"; [ -z "$ENDS" ] || touch "$OUT/rows.jsonl"; exit ${FAILS:-0}',
    "scontrol": 'echo scontrol "$@" >> calls',
}


@pytest.mark.parametrize(
    ("given", "code", "calls"),
    [
        ({}, 0, [FIRST, "scontrol requeue 7"]),
        ({"ENDS": "1"}, 0, [FIRST]),
        ({"FAILS": "2"}, 2, [FIRST]),
    ],
)
def test_the_job_is_requeued_until_its_run_has_ended(given: dict[str, str], code: int, calls: list[str], tmp_path: Path):
    for name, does in STUBS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{does}\n")
        (tmp_path / name).chmod(0o755)
    script = Path(__file__).parents[1] / "examples" / "slurm" / "fit.sbatch"
    words = ["bash", str(script), "a run", "rows", "--tau", "1"]
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "OUT": "a run"} | given
    assert subprocess.run(words, cwd=tmp_path, env=env, check=False).returncode == code
    assert (tmp_path / "calls").read_text().splitlines() == calls
    subprocess.run(words, cwd=tmp_path, env=env, check=False)
    assert (tmp_path / "calls").read_text().splitlines()[len(calls)] == FIRST.replace("--out", "--resume --out")


ROWS = [
    *(sys.executable, "-m", "sepclr.cli", "fit", "rows", "--group", "group", "--background", "0", "--target", "1", "--max_epochs", "5000"),
    *("--batch_size", "40", "--accelerator", "cpu", "--precision", "32-true", "--norm", "group"),
]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    lines = ["subject\tgroup\ta\tb\tc", *(f"{i}\t{i % 2}\t{i % 7}\t{i * i % 11}\t{i % 5}" for i in range(120))]
    path = tmp_path / "rows.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    begun: list[subprocess.Popen[str]] = []

    def command(*words: str) -> subprocess.Popen[str]:
        quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": os.environ | {"OMP_NUM_THREADS": "1"}}
        begun.append(subprocess.Popen(words, cwd=tmp_path, **quiet))
        return begun[-1]

    yield command
    for process in begun:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def until(met: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    end = time.monotonic() + PATIENCE
    while not met():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.1)


def lines_of(folder: Path) -> int:
    metrics = folder / "metrics.jsonl"
    return len(metrics.read_text().splitlines()) if metrics.exists() else 0


def alive(processes: set[int]) -> set[int]:
    """Those of the processes that exist and are no zombies."""
    stats = {pid: Path(f"/proc/{pid}/stat") for pid in processes}
    return {pid for pid, stat in stats.items() if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"}


def children(parent: int) -> set[int]:
    """Direct children that do the work of their parent."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(parent)], capture_output=True, text=True, check=False).stdout
    return {int(line.split()[0]) for line in listed.splitlines() if "tracker" not in line and not line.endswith("ps")}


@pytest.mark.slow
@pytest.mark.parametrize("devices", ["1", "2"])
def test_sigterm_ends_a_run_of_one_and_of_two_processes(devices: str, table: Path, start: Start, tmp_path: Path):
    run = start(*ROWS, "--table", str(table), "--out", "run", "--devices", devices)
    until(lambda: lines_of(tmp_path / "run") > 1, run)
    others = children(run.pid)
    assert len(others) == int(devices) - 1
    run.send_signal(signal.SIGTERM)
    _, error = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, error
    (line,) = [line for line in error.splitlines() if line.startswith("sepclr: ")]
    assert line.startswith("sepclr: stopped by SIGTERM after epoch ")
    assert line.endswith(" of 5000; resume with --resume")
    until(lambda: not alive(others))


@pytest.mark.slow
def test_a_second_process_is_refused_with_the_id_of_the_first(table: Path, start: Start, tmp_path: Path):
    words = (*ROWS, "--table", str(table), "--out", "run")
    run = start(*words)
    until(lambda: lines_of(tmp_path / "run") > 0, run)
    before = (tmp_path / "run" / "environment.json").read_bytes()
    second = start(*words, "--resume")
    _, error = second.communicate(timeout=PATIENCE)
    assert second.returncode == 2
    assert error.startswith(f"sepclr: error: run: in use by process {run.pid} on ")
    assert error.count("\n") == 1
    assert (tmp_path / "run" / "environment.json").read_bytes() == before
    run.kill()
    run.wait()
    third = start(*words, "--resume")
    until(lambda: f"process {third.pid} " in (tmp_path / "run" / "run.lock").read_text(), third)


@pytest.mark.slow
@pytest.mark.parametrize(("by", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 0)])
def test_the_workers_of_a_benchmark_end_with_it(by: signal.Signals, code: int, start: Start, tmp_path: Path):
    small = ["--width", "4", "--max_epochs", "50", "--encoder", "cnn3", "--crop", "12", "--precision", "32-true"]
    rows = ["--methods", "sepclr", "--independence", "none", "--seeds", "0,1", "--jobs", "2", "--runs", "runs", "--results", "rows.jsonl"]
    table = start(sys.executable, "-m", "sepclr.cli", "benchmark", "marked-digits", *rows, *small)
    until(lambda: len(list(tmp_path.glob("runs/*/run.lock"))) == 2, table)
    workers = {int(path.read_text().split()[1]) for path in tmp_path.glob("runs/*/run.lock")}
    assert alive(workers) == workers
    table.send_signal(by)
    out = threading.Thread(target=table.communicate)
    out.start()
    until(lambda: table.poll() is not None)
    assert table.returncode == code
    until(lambda: not alive(workers))
    out.join()


@pytest.mark.parametrize(("words", "code"), [(["fit"], 0), (["decode", "fit"], 0), (["decode", "remove"], 143), (["encode"], 143)])
def test_only_what_can_be_resumed_ends_well_after_sigterm(words: list[str], code: int, capsys: pytest.CaptureFixture[str]):
    def stopped(given: list[str]) -> int:
        raise Stopped(signal.SIGTERM)

    assert ended(stopped)(words) == code
    assert ("--resume" in capsys.readouterr().err) == (code == 0)

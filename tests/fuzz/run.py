"""Change valid files at random and read them, for as long as asked: ``python -m tests.fuzz.run --minutes 60``.

Targets take turns, each in a process of its own, so that one that dies, hangs or takes all memory is a finding as well. Where atheris is
installed, every other time changes that reach new lines of Python are changed further; otherwise Hypothesis draws them at random, with the
seed that is logged. The folder ``.fuzz`` holds the smallest content of each finding, what reached something new, from where the next call
resumes, and a log.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import importlib.util
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

HERE = Path(".fuzz")
STUCK = 90
"""Seconds after which a process that does not answer is ended: it is stuck in a library that is not Python."""


def main() -> None:
    """Let all targets, or those that are named, take turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="how long (default: 60)")
    parser.add_argument("--turn", type=float, default=12, help="seconds of each turn (default: 12)")
    parser.add_argument("--plain", action="store_true", help="without atheris")
    parser.add_argument("targets", nargs="*", help="names of targets (default: all)")
    options = parser.parse_args()
    atheris: Any = None
    if not options.plain and importlib.util.find_spec("atheris"):
        import atheris
    with atheris.instrument_imports(include=["sepclr", "nibabel", "PIL"]) if atheris else nullcontext():
        from tests.fuzz.targets import BY_NAME
    names = options.targets or list(BY_NAME)
    end, turn = time.monotonic() + 60 * options.minutes, 0
    print(f"{len(names)} targets, changes drawn by Hypothesis{', in turn with atheris' if atheris else ''}", flush=True)
    while time.monotonic() < end:
        name, seed = names[turn % len(names)], random.SystemRandom().getrandbits(31)
        guided = turn // len(names) % 2 == 0
        turn += 1
        child = os.fork()
        if not child:
            _one(BY_NAME[name], options.turn, seed, atheris if guided else None)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            said = (HERE / name / "said").read_text(errors="replace")[-4000:]
            _keep(name, f"died with status {status}", said, (HERE / name / "current").read_bytes())
            _log({"target": name, "seed": seed, "findings": [f"died with status {status}"]})
    report(names)


def _one(target: Any, seconds: float, seed: int, atheris: Any) -> None:
    """Run a target for some seconds, and end this process."""
    import torch
    from hypothesis import given, settings
    from tests.fuzz.guard import Finding, check

    torch.set_num_threads(1)
    place, counts, found = HERE / target.name, Counter[str](), set[str]()
    for each in ("corpus", "findings"):
        (place / each).mkdir(parents=True, exist_ok=True)
    said = os.open(place / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-")).resolve()
    end = time.monotonic() + seconds

    @settings(database=None, deadline=None)
    @given(target.contents(folder))
    def case(content: bytes) -> None:
        counts["cases"] += 1
        (place / "current").write_bytes(content)
        target.put(folder, content)
        faulthandler.dump_traceback_later(STUCK, exit=True)
        try:
            counts["accepted"] += check(target.read, folder)
        except Finding as finding:
            found.add(finding.name)
            _keep(target.name, finding.name, finding.detail, content)
        finally:
            faulthandler.cancel_dump_traceback_later()

    def try_one(data: bytes) -> None:
        if time.monotonic() < end:
            case.hypothesis.fuzz_one_input(data)
            return
        _log({"target": target.name, "seed": seed, "guided": atheris is not None, **counts, "findings": sorted(found)})
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)  # libFuzzer would not return

    source = random.Random(seed)
    if atheris:
        for i in range(0 if any((place / "corpus").iterdir()) else 50):
            (place / "corpus" / str(i)).write_bytes(source.randbytes(1024))
        options = [f"-seed={seed or 1}", "-max_len=4096", "-len_control=0", "-rss_limit_mb=0", "-timeout=600", "-verbosity=0"]
        atheris.Setup([sys.argv[0], *options, str(place / "corpus")], try_one)
        atheris.Fuzz()
    while True:
        try_one(source.randbytes(1024))


def _keep(name: str, what: str, detail: str, content: bytes) -> None:
    """Keep the smallest content of each finding."""
    path = HERE / name / "findings" / hashlib.sha256(what.encode()).hexdigest()[:12]
    if not path.exists() or len(content) < path.stat().st_size:
        path.write_bytes(content)
        path.with_suffix(".txt").write_text(f"{what}\n\n{detail}")


def _log(line: dict[str, Any]) -> None:
    with (HERE / "log.jsonl").open("a") as file:
        file.write(json.dumps(line | {"time": time.strftime("%Y-%m-%dT%H:%M:%S")}) + "\n")


def report(names: Sequence[str]) -> None:
    """Print iterations and findings of each target, over all calls so far."""
    lines = [json.loads(line) for line in (HERE / "log.jsonl").read_text().splitlines()]
    for name in names:
        mine = [line for line in lines if line["target"] == name]
        cases, accepted = (sum(line.get(key, 0) for line in mine) for key in ("cases", "accepted"))
        found = sorted({each for line in mine for each in line["findings"]})
        print(f"{name:24} {cases:9} cases, {accepted:8} accepted, {len(found)} findings  {'; '.join(found)}")


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    main()

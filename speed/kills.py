"""Runs that are killed at random times and resumed, beside runs that are not: the weights are the same, byte for byte.

Each of seven configurations trains once without interruption. The same command is then killed (SIGKILL) at a time drawn from the duration
of that run, and repeated, with ``--resume`` where there is something to resume, until it ends; then a new run begins, until there are 20
kills. Commands run in forks of one process that has imported everything, so that kills fall into their work and not into imports.
``python speed/kills.py`` adds rows to results/kills.jsonl, some 20 minutes on one core; configurations that have their row are skipped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

SMALL = "--accelerator cpu --precision 32-true"
ROWS = f"fit rows --table rows.npz --group group --background control --target case --salient own --batch_size 40 --max_epochs 12 {SMALL}"
BRAINS = f"fit mri --table brains/participants.tsv --images image --group group --background control --target patient --cache cache {SMALL}"
BRAINS += " --encoder resnet10 --width 4 --batch_size 20 --max_epochs 6 --resample --shape 16,16,16"
COMMANDS = {
    "SepCLR, k-JEM": f"{ROWS} --independence k-jem",
    "SepCLR, a critic (tc)": f"{ROWS} --independence tc",
    "SepVAE": f"{ROWS} --method sepvae",
    "flow (decoder)": "decode fit RUN --width 8 --max_epochs 8 --batch_size 40 --accelerator cpu",
    "SepCLR in 3-D": f"{BRAINS} --independence k-jem",
    "SepCLR in 3-D, 2 DataLoader workers": f"{BRAINS} --independence k-jem --workers 2",
    "SepCLR, 2 processes": f"{ROWS} --independence k-jem --norm group --devices 2 --max_epochs 60",
}


def write_data() -> None:
    """Write a table of rows and a study of brains to the working directory."""
    from sepclr.cli import main

    draw = np.random.default_rng(0)
    case = np.arange(200) % 2 == 1
    x = draw.normal(size=(200, 8))
    own = draw.integers(2, size=200)
    x[case, own[case]] += 3
    words = np.where(case, "case", "control")
    np.savez("rows.npz", x=x, group=words, own=np.where(case, own.astype(str), ""), subject=np.arange(200).astype(str))
    main(["phantom", "brains", "--subjects", "60"])


def started(words: list[str], log: Path) -> int:
    """Run a command of the command line in a fork; return its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        with log.open("a") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        import sepclr.cli
        from sepclr.cli import main

        sys.argv = [str(Path(sepclr.cli.__file__).with_name("__main__.py")), *words]  # Lightning starts a second process with it
        code = main(words)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def digest(path: Path) -> str:
    """Return a hash of the weights of a run."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def curve(folder: Path) -> list[dict[str, float]]:
    """Return the metrics of a run, without the seconds."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def state(folder: Path) -> str:
    """Return where a killed command was."""
    if not (folder / "config.yaml").exists():
        return "before the config"
    if (folder / "rows.jsonl").exists():
        return "after the rows"
    if (folder / "model.safetensors").exists():
        return "evaluation"
    if list((folder / "checkpoints").glob("*.part")):
        return "writing a checkpoint"
    return "training" if (folder / "checkpoints" / "last.ckpt").exists() else "before a checkpoint"


class Trial:
    """One configuration.

    Args:
        words: its command, without ``--out``.
        seed: random seed of the times of kills.
    """

    def __init__(self, words: str, seed: int) -> None:
        self.draw = random.Random(seed)
        self.decoder = words.startswith("decode")
        self.words = words.split()
        self.log = Path("log.txt")

    def command(self, folder: Path) -> list[str]:
        """Return the command that starts or resumes the run in a folder."""
        resume = ["--resume"] if (self.place(folder) / "config.yaml").exists() else []
        if self.decoder:
            return [str(folder) if word == "RUN" else word for word in self.words] + resume
        return [*self.words, "--out", str(folder), *resume]

    def place(self, folder: Path) -> Path:
        """Return the folder with the weights."""
        return folder / "decoder" if self.decoder else folder

    def fresh(self, name: str) -> Path:
        """Return the folder of a new run; for a decoder, a copy of a finished one without it."""
        folder = Path(name)
        shutil.rmtree(folder, ignore_errors=True)
        if self.decoder:
            if not Path("base").exists():
                self.finished(f"{ROWS} --independence k-jem --out base".split())
            shutil.copytree("base", folder)
        return folder

    def finished(self, words: list[str]) -> float:
        """Run a command to its end; return its seconds."""
        began = time.perf_counter()
        _, status = os.waitpid(started(words, self.log), 0)
        if status != 0:
            raise RuntimeError(f"{' '.join(words)}: {self.log.read_text()[-2000:]}")
        return time.perf_counter() - began

    def killed(self, words: list[str], after: float) -> bool:
        """Kill a command after some seconds; return whether it was still running."""
        pid = started(words, self.log)
        end = time.perf_counter() + after
        while time.perf_counter() < end:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                if status != 0:
                    raise RuntimeError(f"{' '.join(words)}: {self.log.read_text()[-2000:]}")
                return False
            time.sleep(0.002)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return True

    def measured(self, kills: int) -> dict[str, object]:
        """Return how often runs were killed and where, and how many of them have the weights of the one that was not."""
        whole = self.fresh("whole")
        seconds = self.finished(self.command(whole))
        expected = digest(self.place(whole) / "model.safetensors")
        where: Counter[str] = Counter()
        equal = curves = runs = 0
        folder = self.fresh("cut")
        of_run = 0
        while True:
            if sum(where.values()) < kills and self.killed(self.command(folder), self.draw.uniform(0, seconds)):
                where[state(self.place(folder))] += 1
                of_run += 1
                continue
            if sum(where.values()) == kills and of_run:
                self.finished(self.command(folder))
            if of_run:  # it ended, after at least one kill
                runs += 1
                equal += digest(self.place(folder) / "model.safetensors") == expected
                curves += curve(self.place(folder)) == curve(self.place(whole))
            if sum(where.values()) == kills:
                return {"kills": kills, "where": dict(where), "runs": runs, "equal": equal, "curves": curves, "seconds of a run": seconds}
            folder, of_run = self.fresh("cut"), 0


def main() -> None:
    """Measure the configurations that have no row yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("results/kills.jsonl"))
    parser.add_argument("--only", help="a configuration")
    options = parser.parse_args()
    out = options.out.absolute()
    import torch

    import sepclr.runs.decoder
    import sepclr.runs.removal
    import sepclr.runs.run  # noqa: F401
    from sepclr.runs.folder import made_with

    torch.set_num_threads(1)
    made = made_with()
    there = {json.loads(line)["cells"][""] for line in out.read_text().splitlines()} if out.exists() else set()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        write_data()
        for seed, (name, words) in enumerate(COMMANDS.items()):
            if name in there or options.only not in (None, name):
                continue
            found = Trial(words, seed).measured(options.kills)
            cells = {"": name, "kills": str(found["kills"]), "runs": str(found["runs"]), "with the same weights": str(found["equal"])}
            print(cells, found, flush=True)
            with out.open("a") as file:
                file.write(json.dumps({"cells": cells, "measured": found} | made, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

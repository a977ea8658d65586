"""Larger than memory: peak memory and throughput of rows from a ``Dataset`` and from batches, beside the same rows in memory.

Rows are read from a memory-mapped file, in the order that training asks for (``Dataset``) or in consecutive blocks (batches). Each
measurement runs in its own process, on one thread, and records the growth of its peak memory and the time of an epoch, without and with
the passes before training. Run it on an otherwise idle machine; it prints a line for each way.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from sepclr import SepCLR

FEATURES, BATCH = 256, 512
WAYS = ("memory", "dataset", "batches")


class Items(Dataset[tuple[np.ndarray, bool]]):
    """Rows of a file, every other one a target."""

    def __init__(self, path: Path) -> None:
        self.x = np.load(path, mmap_mode="r")
        self.is_target = np.arange(len(self.x)) % 2 == 1

    def __len__(self) -> int:
        return len(self.is_target)

    def __getitem__(self, row: int) -> tuple[np.ndarray, bool]:
        return np.array(self.x[row]), bool(row % 2)


class Blocks:
    """Consecutive rows of a file as batches."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for begin in range(0, len(np.load(self.path, mmap_mode="r")), BATCH):
            yield np.array(np.load(self.path, mmap_mode="r")[begin : begin + BATCH]), np.arange(BATCH) % 2


def measure(way: str, path: Path) -> dict[str, float]:
    """Measure one way: seconds of an epoch and of all, and bytes."""
    torch.set_num_threads(1)
    model = SepCLR(8, 8, width=64, max_epochs=2, batch_size=BATCH, device="cpu", random_state=0)
    rng = np.random.default_rng(0)
    model.fit(rng.normal(size=(2 * BATCH, FEATURES)), np.arange(2 * BATCH) % 2)  # what happens once
    before, began = _peak(), perf_counter()
    if way == "memory":
        x = np.load(path)
        model.fit(x, np.arange(len(x)) % 2)
    else:
        given: Any = Items(path) if way == "dataset" else Blocks(path)
        model.fit(given)
    return {"epoch": model.history_[-1]["seconds"], "all": perf_counter() - began, "bytes": _peak() - before}


def _peak() -> float:
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Measure each way and print it beside rows in memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="number of rows, rounded down to whole batches")
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case is not None:
        print(json.dumps(measure(options.case[0], Path(options.case[1]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        path, n = Path(folder) / "x.npy", options.rows // BATCH * BATCH
        np.save(path, np.random.default_rng(0).normal(size=(n, FEATURES)).astype(np.float32))
        print(f"{n} rows, {path.stat().st_size / 1e6:.0f} MB")
        first: dict[str, float] = {}
        for way in WAYS:
            words = [sys.executable, __file__, "--case", way, str(path)]
            found = json.loads(subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1])
            first = first or found
            ratios = {name: found[name] / first[name] for name in found}
            print(
                f"{way}: {n / found['epoch']:.0f} rows/s in an epoch ({1 / ratios['epoch']:.2f}×), {found['all']:.1f} s for two epochs "
                f"({ratios['all']:.2f}×), {found['bytes'] / 1e6:.0f} MB ({ratios['bytes']:.2f}×)",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""A table of rows five times larger than the memory that training may use, beside the same table in memory.

Writes a Parquet table (200,000 rows of 2,560 features, 2 GB), and trains on it for one epoch as ``sepclr fit rows`` does: prepared from
the table in parts, then read from a file in the cache. The limit is a fifth of the table's size, on top of the data segment (RLIMIT_DATA)
of the process after it has trained on a small table; a file that is mapped does not count, because the system drops its pages at will. In
memory, the same fails under the limit. ``python speed/beyond_memory.py`` writes results/beyond-memory.jsonl, ten minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FEATURES = 2560
GROUP = 2000
"""Rows of a row group."""
MIB = 2**20
ONE_ARENA = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
"""Let freed memory return to the system, so that what is used is what counts."""


def write_table(path: Path, rows: int) -> None:
    """Write random rows of two groups."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    draw = np.random.default_rng(0)
    schema = pa.schema([("group", pa.string()), *((f"f{i}", pa.float32()) for i in range(FEATURES))])
    groups = pa.array(np.where(np.arange(GROUP) % 2, "case", "control"))
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False, write_statistics=False) as writer:
        for _ in range(0, rows, GROUP):
            x = draw.standard_normal((FEATURES, GROUP), dtype=np.float32)
            writer.write_batch(pa.record_batch([groups, *map(pa.array, x)], schema=schema))


def segment() -> float:
    """Return the data segment of this process in MiB."""
    return int(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData")).split()[1]) / 1024


def train(table: Path, memory: int, cache: Path) -> tuple[float, float, int]:
    """Prepare a table and train for an epoch; return the seconds of both, and the number of training rows."""
    from sepclr.data.row_cohorts import cohorts
    from sepclr.data.row_study import RowStudy
    from sepclr.datasets.source import Source
    from sepclr.runs.recipe import usual
    from sepclr.runs.run import prepare
    from sepclr.training import fit

    study = RowStudy(table=str(table), group="group", background=("control",), target=("case",), memory=memory)
    began = time.perf_counter()
    rows, test, _ = cohorts(study, 0, cache)
    prepared = time.perf_counter()
    recipe = usual("rows", max_epochs=1, batch_size=256, accelerator="cpu", devices="1", width=32)
    method, views = prepare(recipe, Source("rows", "", rows, {"strict": test}, (), ()))
    fit(method, views, rows, recipe.settings, seed=0)
    return prepared - began, time.perf_counter() - prepared, len(rows)


def measured(folder: Path, memory: int, limit: int) -> dict[str, Any]:
    """Train under a limit in MiB (0 for none), in this process, and return what it took."""
    import pyarrow
    import torch

    torch.set_num_threads(1)
    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    train(folder / "small.parquet", memory, folder / "cache")
    before = segment()
    if limit:
        resource.setrlimit(resource.RLIMIT_DATA, (int((before + limit) * MIB),) * 2)
    try:
        preparing, epoch, rows = train(folder / "large.parquet", memory, folder / "cache")
    except (MemoryError, RuntimeError) as error:
        return {"failed": type(error).__name__}
    return {"preparing": preparing, "epoch": epoch, "rows_per_second": rows / epoch}


def main() -> None:
    """Write the table, measure, and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--out", type=Path, default=Path("results/beyond-memory.jsonl"))
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        folder, memory, limit = options.measure
        print(json.dumps(measured(Path(folder), int(memory), int(limit))))
        return
    from sepclr.runs.folder import made_with

    made = made_with()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_table(folder / "small.parquet", GROUP)
        write_table(folder / "large.parquet", options.rows)
        size = options.rows * FEATURES * 4 // MIB
        lines = []
        for name, memory, limit in (("read from a file", 1, size // 5), ("in memory", 2 * size, size // 5), ("in memory", 2 * size, 0)):
            command = [sys.executable, __file__, "--measure", place, str(memory), str(limit)]
            done = subprocess.run(command, env=os.environ | ONE_ARENA, capture_output=True, text=True, check=False)
            found = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"failed": f"exit code {done.returncode}"}
            cells = {"": name, "MiB of rows": str(size), "limit, MiB": str(limit) if limit else "none"}
            cells |= (
                {"preparing, s": f"{found['preparing']:.0f}", "rows/s": f"{found['rows_per_second']:.0f}"}
                if "epoch" in found
                else {"preparing, s": "out of memory", "rows/s": "–"}
            )
            print(cells, done.stderr[-300:] if "failed" in found else "", flush=True)
            lines.append({"cells": cells, "measured": found} | made)
            options.out.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


if __name__ == "__main__":
    main()

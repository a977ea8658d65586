"""Volumes: time and memory of the 3-D encoders, and whether memory grows with the number of subjects.

``encoders``: forward and backward pass of ResNet-18 and DenseNet-121 on volumes of 128³, in float32, in bfloat16, and in bfloat16 with
activation checkpointing. ``subjects``: a study of synthetic brains at 2 mm, from its table through the cache of resampled volumes to one
epoch of narrow encoders. Each measurement runs in its own process and records its peak resident memory. Run it on an otherwise idle
machine; it writes results/volume-encoders.jsonl and results/volume-memory.jsonl.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from sepclr import nets
from sepclr.imaging.phantom import write_phantoms
from sepclr.imaging.study import BrainStudy
from sepclr.runs.folder import made_with
from sepclr.runs.recipe import usual
from sepclr.runs.results import write_results
from sepclr.runs.run import load, prepare
from sepclr.training import fit, resolve_accelerator

SIDE = 128


def encode(kind: str, precision: str, checkpointing: bool, batch: int, repeats: int) -> dict[str, float]:
    """Measure time and memory of the forward and backward pass of one encoder."""
    device = resolve_accelerator("auto")
    network = nets.encoder(kind, (1, SIDE, SIDE, SIDE), 32, width=64, stem_stride=2, checkpointing=checkpointing)
    network.to(device, memory_format=torch.channels_last_3d)
    x = torch.rand(batch, 1, SIDE, SIDE, SIDE, device=device).contiguous(memory_format=torch.channels_last_3d)
    times = []
    before = memory(device)
    for _ in range(repeats):
        began = perf_counter()
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            codes = network(x)
        codes.float().square().sum().backward()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(perf_counter() - began)
    return {"seconds": min(times), "bytes": memory(device) - before}


def memory(device: str) -> float:
    """Return the peak memory of this process, in bytes."""
    if device == "cuda":
        return float(torch.cuda.max_memory_allocated())
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def study(subjects: int) -> dict[str, Any]:
    """Bring a study onto its grid, train on it for an epoch, and return the memory used."""
    with tempfile.TemporaryDirectory() as folder:
        table = write_phantoms(Path(folder) / "study", subjects)
        brains = BrainStudy(
            table=str(table), images="image", group="group", background=("control",), target=("patient",), common=("age",), spacing=2.0
        )
        small = {"encoder": "resnet8", "width": 8, "max_epochs": 1, "batch_size": 16, "accelerator": "cpu", "devices": "1"}
        recipe = usual("mri", independence="k-jem", study=brains, **small)
        source = load(recipe, Path(folder) / "cache")
        method, views = prepare(recipe, source)
        fit(method, views, source.train, recipe.settings, seed=0)
        stored = sum(path.stat().st_size for path in (Path(folder) / "cache").glob("*.npy"))
    return {"bytes": memory("cpu"), "stored": stored, "voxels": list(source.train.x.shape[2:])}


def measured(*words: object) -> dict[str, Any]:
    """Run one measurement of this file in a separate process and return its result."""
    done = subprocess.run([sys.executable, __file__, *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def write(path: Path, rows: list[dict[str, object]]) -> None:
    """Write rows with the commit, the versions and the machine that made them."""
    made = made_with()
    write_results(path, [{"cells": cells} | made for cells in rows])


def encoders(output: Path, batch: int, repeats: int) -> None:
    """Measure both encoders in each configuration."""
    rows: list[dict[str, object]] = []
    for kind in ("resnet18", "densenet121"):
        for precision, checkpointing in (("float32", False), ("bf16", False), ("bf16", True)):
            found = measured("--encode", kind, precision, int(checkpointing), batch, repeats)
            cells: dict[str, object] = {
                "encoder": kind,
                "precision": precision,
                "checkpointing": "yes" if checkpointing else "no",
                "threads": torch.get_num_threads(),
                "batch": batch,
                "s a volume": f"{found['seconds'] / batch:.2f}",
                "volumes a minute": f"{60 * batch / found['seconds']:.1f}",
                "GB a volume": f"{found['bytes'] / batch / 1e9:.2f}",
            }
            rows.append(cells)
            print("  ".join(f"{head} {value}" for head, value in cells.items()), flush=True)
    write(output, rows)


def subjects(output: Path) -> None:
    """Measure memory on studies of two sizes."""
    rows: list[dict[str, object]] = []
    for number in (50, 181):
        found = measured("--study", number)
        cells: dict[str, object] = {
            "subjects": number,
            "voxels": " x ".join(map(str, found["voxels"])),
            "MB of volumes in the file": f"{found['stored'] / 1e6:.0f}",
            "MB of memory at most": f"{found['bytes'] / 1e6:.0f}",
        }
        rows.append(cells)
        print("  ".join(f"{head} {value}" for head, value in cells.items()), flush=True)
    write(output, rows)


def main() -> None:
    """Measure and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["encoders", "subjects"])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--encode", nargs=5, help=argparse.SUPPRESS)
    parser.add_argument("--study", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.encode:
        kind, precision, checkpointing, batch, repeats = options.encode
        print(json.dumps(encode(kind, precision, checkpointing == "1", int(batch), int(repeats))))
        return
    if options.study:
        print(json.dumps(study(options.study)))
        return
    if options.only != "encoders":
        subjects(options.out / "volume-memory.jsonl")
    if options.only != "subjects":
        encoders(options.out / "volume-encoders.jsonl", options.batch, options.repeats)


if __name__ == "__main__":
    main()

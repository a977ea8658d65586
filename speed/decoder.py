"""Decoders: time and memory against the size of images and volumes, the width of the denoiser and the precision.

A training step is the forward and backward pass of ``sepclr.nets.Denoiser``, which takes nearly all of the time; a removal is 32 forward
passes in float32, 16 to noise and 16 back. Each measurement runs in its own process, on one thread, and records the growth of its peak
memory. FLOP are counted, of a training step on one sample. The time on an A100 is extrapolated from them, not measured: 3,000 steps of 128
images or 16 volumes at a tenth of the 156 TFLOP/s of its data sheet (TF32). Run it on an otherwise idle machine; it writes
results/decoder-cost.jsonl.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import torch
from torch.utils.flop_counter import FlopCounterMode

from sepclr.nets.denoiser import Denoiser
from sepclr.runs.folder import made_with
from sepclr.runs.results import write_results

A100 = 0.1 * 156e12
"""Operations per second that are assumed for an A100: small convolutions wait for memory."""

CONDITION = 65
"""Length of the condition: two codes of 32 dimensions and the flag."""

STEPS, PASSES = 3000, 32
IMAGES, VOLUMES = 128, 16
"""Samples of a step for the extrapolation."""

CASES = [
    *(((side, side), width, "float32") for side in (32, 64, 128, 256) for width in (32, 64)),
    *(((side, side, side), 32, precision) for side in (40, 64, 96, 128) for precision in ("float32", "bf16")),
]
"""Grid, width and precision of each row."""


def measure(space: Sequence[int], width: int, precision: str, batch: int, repeats: int) -> dict[str, float]:
    """Measure one denoiser: seconds a sample of a training step and of a removal, and bytes a sample of the step."""
    torch.set_num_threads(1)
    denoiser = Denoiser((3 if len(space) == 2 else 1, *space), CONDITION, width)
    x, time, condition = torch.randn(batch, 3 if len(space) == 2 else 1, *space), torch.rand(batch), torch.randn(batch, CONDITION)
    before, steps, removals = _peak(), [], []
    for _ in range(repeats):
        began = perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            velocity = denoiser(x, time, condition)
        velocity.float().square().mean().backward()
        steps.append(perf_counter() - began)
    peak = _peak()
    for _ in range(repeats):
        began = perf_counter()
        with torch.inference_mode():
            denoiser(x, time, condition)
        removals.append(PASSES * (perf_counter() - began))
    with FlopCounterMode(display=False) as counted:
        denoiser(x[:1], time[:1], condition[:1]).square().mean().backward()
    flop = counted.get_total_flops()
    return {"step": min(steps) / batch, "removal": min(removals) / batch, "bytes": (peak - before) / batch, "flop": flop}


def _peak() -> float:
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Measure and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=16, help="images a step; a fourth of it for volumes")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("results/decoder-cost.jsonl"))
    parser.add_argument("--case", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case is not None:
        space, width, precision = CASES[options.case]
        batch = options.batch if len(space) == 2 else max(options.batch // 4, 1)
        print(json.dumps(measure(space, width, precision, batch, options.repeats)))
        return
    rows = []
    for number, (space, width, precision) in enumerate(CASES):
        words = [sys.executable, __file__, "--case", str(number), "--batch", str(options.batch), "--repeats", str(options.repeats)]
        found = json.loads(subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1])
        at_once = IMAGES if len(space) == 2 else VOLUMES
        cells = {
            "grid": " x ".join(map(str, space)),
            "width": width,
            "precision": precision,
            "ms a sample and step": f"{1e3 * found['step']:.1f}",
            "MB a sample": f"{found['bytes'] / 1e6:.0f}",
            "s a removal": f"{found['removal']:.2f}",
            "GFLOP a sample and step": f"{found['flop'] / 1e9:.2f}",
            "min on an A100, extrapolated": f"{found['flop'] * STEPS * at_once / A100 / 60:.2g}",
        }
        rows.append({"cells": cells} | made_with())
        print("  ".join(f"{head} {value}" for head, value in cells.items()), flush=True)
    write_results(options.out, rows)


if __name__ == "__main__":
    main()

"""Speed and memory of the fused kernel against the released formulas, value and gradient, as ratios within one interleaved run.

Run ``make bench`` on an otherwise idle machine. It writes results/loss-speed.jsonl, or, on a GPU, results/loss-speed-gpu.jsonl;
``make docs`` copies the numbers into the documentation.
The released formulas are pdist and cdist with exp, mean and log under autograd. The floor is the time of the arithmetic alone, once per
pair of samples: four products of 32 dimensions, four exponentials and four accumulations, tile by tile. Half of the samples are
background, whose salient codes are 0. The fused kernel skips the arithmetic that this makes unnecessary and can beat the floor.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor
from torch.nn.functional import normalize, pdist
from torch.profiler import ProfilerActivity, profile

from sepclr.losses import hide_background, kernel_entropies
from sepclr.runs.folder import made_with
from sepclr.runs.results import write_results
from sepclr.training import resolve_accelerator

SIZES = (128, 256, 512, 1024, 2048, 4096, 8192)
SPREADS = {"tight": 0.3, "spread": 2.0}
LARGEST_RELEASED = 8192
LARGEST = 65536
TILE = {"cpu": 256, "cuda": 4096}


def codes(n: int, spread: float, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """Draw codes of 32 + 32 dimensions, half of them of targets: c on the unit sphere, s with a given standard deviation."""
    c, s = (torch.randn(n, 32, device=device) for _ in range(2))
    return normalize(c).requires_grad_(), (spread * s).requires_grad_(), torch.arange(n, device=device) % 2 == 1


def released(c: Tensor, s: Tensor, is_target: Tensor, tau: float = 0.5) -> Tensor:
    """Compute the sum of the three entropies by the released formulas."""
    s = hide_background(s, is_target)
    common, salient = ((-pdist(z).square() / (2 * tau)).exp().mean().log() for z in (c, s))
    joint = (-(torch.cdist(c, c).square() + torch.cdist(s, s).square()) / (2 * tau)).exp().mean(1).log().mean()
    return common + salient + joint


def fused(c: Tensor, s: Tensor, is_target: Tensor) -> Tensor:
    """Compute the sum of the three entropies by the fused kernel."""
    return torch.stack([*kernel_entropies(c, s, is_target=is_target).values()]).sum()


def arithmetic(n: int, device: str) -> Callable[[], object]:
    """Return a function that does the arithmetic of the floor."""
    side = min(n, TILE[device])
    z, kernel, gradient = (torch.randn(shape, device=device) for shape in ((side, 32), (side, side), (side, 32)))
    pairs = n * (n + 1) / 2

    def once() -> None:
        for _ in range(max(1, round(pairs / side**2))):
            for _ in range(2):
                torch.mm(z, z.T, out=kernel)
                kernel.clamp_(max=0).exp2_()
                gradient.addmm_(kernel, z)
            for _ in range(2):
                kernel.exp2_().sum(1)
                kernel.sum(0)

    return once


def seconds(work: Callable[[], object], device: str) -> float:
    """Measure the time of one call in seconds, including all work on the GPU."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    began = perf_counter()
    work()
    wait()
    return perf_counter() - began


def peak_bytes(work: Callable[[], object], device: str) -> int:
    """Measure the peak memory of a call in bytes, beyond what was allocated before it."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    held = most = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


def measured(n: int, kind: str, repeats: int, device: str) -> dict[str, object]:
    """Compare the formulas at one size and return the cells of its row."""
    problem = codes(n, SPREADS[kind], device)
    works = {
        "released": lambda: released(*problem).backward(),
        "fused": lambda: fused(*problem).backward(),
        "floor": arithmetic(n, device),
    }
    if n > LARGEST_RELEASED:
        del works["released"]
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()  # a GPU compiles its kernels first
    for _ in range(repeats):
        for name, work in works.items():
            times[name].append(seconds(work, device))
    best = {name: min(values) for name, values in times.items()}
    ratios = [slow / fast for slow, fast in zip(times.get("released", []), times["fused"], strict=False)]
    memory = {name: peak_bytes(works[name], device) / 1e6 for name in works if name != "floor"}
    return {
        "samples": n,
        "codes": kind,
        "released, ms": f"{1e3 * best['released']:.1f}" if ratios else "",
        "fused, ms": f"{1e3 * best['fused']:.1f}",
        "floor, ms": f"{1e3 * best['floor']:.1f}",
        "times faster": f"{sorted(ratios)[len(ratios) // 2]:.1f}" if ratios else "",
        "released, MB": f"{memory['released']:.1f}" if ratios else "",
        "fused, MB": f"{memory['fused']:.1f}",
    }


def main() -> None:
    """Measure all sizes and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    device = resolve_accelerator("auto")
    output = options.out or Path("results") / ("loss-speed.jsonl" if device == "cpu" else "loss-speed-gpu.jsonl")
    made = made_with()
    rows = []
    for n in (*SIZES, LARGEST):
        for kind in SPREADS:
            cells = measured(n, kind, 30 if n <= 1024 else 5 if n <= 4096 else 1, device)
            print("  ".join(f"{name} {value}" for name, value in cells.items() if value), flush=True)
            rows.append({"cells": cells} | made | {"threads": options.threads})
    write_results(output, rows)


if __name__ == "__main__":
    main()

"""A whole training step of the ``paper`` profile against the released recipe, as ratios within one interleaved run.

A step is two views of 512 photographs, both ResNet-18s, the losses, their gradient and Adam. The released recipe is reimplemented from its
description: float32 images and networks in the default layout, kornia's augmentation on the host with its default cropping and one random
draw per batch for the jitter, the loss from pdist and cdist under autograd, and a copy of the loss to the host each step. Ours is
``sepclr.training.fit`` with that profile and its automatic settings, on the GPU if there is one.

The peak is the rate that this machine reaches in the same precision on a product of two large matrices. The fraction of it counts only the
products of the networks. Run ``make bench`` on an otherwise idle machine; it writes results/step-speed.jsonl, or, on a GPU,
results/step-speed-gpu.jsonl.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import kornia.augmentation as kornia
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.utils.flop_counter import FlopCounterMode

from losses import peak_bytes
from sepclr.data import Cohort
from sepclr.datasets.source import Source
from sepclr.methods import SepCLR
from sepclr.runs.folder import made_with
from sepclr.runs.make import make_method
from sepclr.runs.recipe import changed, usual
from sepclr.runs.results import write_results
from sepclr.runs.run import prepare
from sepclr.training import resolve_accelerator
from sepclr.training.fit import fit, resolve_precision

PAPER = usual("digits-on-cifar", "paper", independence="k-jem")
TAU = 0.5


def cohort(n: int) -> Cohort:
    """Draw noise images of the size of photographs, half of them targets."""
    return Cohort(torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8), torch.arange(n) % 2 == 1, {})


def released_total(c: list[Tensor], s: list[Tensor], is_target: Tensor) -> Tensor:
    """Compute the released loss from the projections of both views, one formula per term."""
    c = [normalize(z) for z in c]
    hidden = [z * is_target[:, None] for z in s]
    common = (c[0] - c[1]).square().sum(1).mean() / (2 * TAU)
    salient = (s[0] - s[1])[is_target].square().sum(1).mean() / (2 * TAU)
    nothing = sum(z[~is_target].square().sum(1).mean() / (2 * TAU) for z in s) / 2
    uniform = [sum(torch.pdist(z).square().div(-2 * TAU).exp().mean().log() for z in several) / 2 for several in (c, hidden)]
    pairs = [torch.cdist(a, a).square() + torch.cdist(b, b).square() for a, b in zip(c, hidden, strict=True)]
    joint = sum((-both / (2 * TAU)).exp().mean(1).log().mean() for both in pairs) / 2
    return common + 2 * uniform[0] + 1000 * (salient + 2 * uniform[1]) + 1000 * nothing + 10 * joint


def released_epoch(data: Cohort, batch_size: int, device: str) -> Callable[[], float]:
    """Return a function that runs an epoch of the released recipe and returns its time in seconds."""
    images = data.x.float() / 255
    method = make_method(PAPER, (3, 32, 32))
    assert isinstance(method, SepCLR)
    method.to(device)
    jitter = kornia.ColorJitter(0.4, 0.4, 0.4, 0.1, p=1.0)
    place = nn.Sequential(kornia.RandomResizedCrop((24, 24), scale=(0.2, 1.0)), kornia.RandomHorizontalFlip())
    grey = kornia.RandomGrayscale(p=0.2)
    optimiser = torch.optim.Adam(method.parameters(), lr=PAPER.settings.learning_rate)

    def view(x: Tensor) -> Tensor:
        with torch.no_grad():
            x = place(x)
            return grey(jitter(x) if torch.rand(()).item() < 0.8 else x)

    def epoch() -> float:
        began = perf_counter()
        method.train()
        for x, is_target in zip(images.split(batch_size), data.is_target.split(batch_size), strict=True):
            codes = [method.encode(view(x).to(device)) for _ in range(2)]
            heads = [method.project(code) for code in codes]
            loss = released_total([head.c for head in heads], [head.s for head in heads], is_target.to(device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            loss.item()
        return perf_counter() - began

    return epoch


def our_epoch(data: Cohort, batch_size: int, device: str) -> Callable[[], float]:
    """Return a function that runs an epoch of our recipe and returns its time in seconds."""
    recipe = changed(PAPER, max_epochs=1, batch_size=batch_size, accelerator=device, devices="1")
    method, views = prepare(recipe, Source("", "", data, {}, (), ()))

    def epoch() -> float:
        with tempfile.TemporaryDirectory() as folder:
            fit(method, views, data, recipe.settings, seed=0, folder=Path(folder))
            return float(json.loads((Path(folder) / "metrics.jsonl").read_text())["seconds"])

    return epoch


def products(batch_size: int) -> float:
    """Count the floating-point operations of both networks in a step; the backward pass counts twice the forward pass."""
    method = make_method(PAPER, (3, 32, 32))
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        method.encode(torch.zeros(2, 3, PAPER.views.crop, PAPER.views.crop))
    return 3 * batch_size * counter.get_total_flops()


def peak(precision: str, device: str) -> float:
    """Measure the floating-point operations per second of a product of two large matrices."""
    dtype = torch.bfloat16 if precision.startswith("bf16") else torch.float32
    side = 2048 if device == "cpu" else 8192
    a = torch.randn(side, side, dtype=dtype, device=device)
    times = []
    for _ in range(8):
        began = perf_counter()
        (a @ a)[0, 0].item()  # waits for a GPU
        times.append(perf_counter() - began)
    return 2 * side**3 / min(times)


def main() -> None:
    """Measure and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--batch_size", type=int, default=PAPER.settings.batch_size)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    device = resolve_accelerator("auto")
    output = options.out or Path("results") / ("step-speed.jsonl" if device == "cpu" else "step-speed-gpu.jsonl")
    size, steps = options.batch_size, 1 if device == "cpu" else 20
    data = cohort(size * steps)
    epochs = {"released": released_epoch(data, size, device), "ours": our_epoch(data, size, device)}
    times: dict[str, list[float]] = {name: [] for name in epochs}
    for _ in range(options.repeats):
        for name, epoch in epochs.items():
            times[name].append(epoch() / steps)
            print(name, f"{times[name][-1]:.3f} s", flush=True)
    memory = {name: peak_bytes(epoch, device) / 1e9 for name, epoch in epochs.items()}
    chosen = resolve_precision("auto", device)
    work = products(size)
    ratios = sorted(slow / fast for slow, fast in zip(times["released"], times["ours"], strict=True))
    made = made_with()
    rows = []
    for name, precision in (("released", "32-true"), ("ours", chosen)):
        seconds = min(times[name])
        cells = {
            "recipe": name,
            "precision": precision,
            "threads": options.threads,
            "batch": size,
            "s a step": f"{seconds:.3g}",
            "images a second": f"{size / seconds:.3g}",
            "% of peak": f"{100 * work / seconds / peak(precision, device):.0f}",
            "GB at most": f"{memory[name]:.2f}",
            "times faster": f"{ratios[len(ratios) // 2]:.1f}" if name == "ours" else "",
        }
        print("  ".join(f"{head} {value}" for head, value in cells.items() if value), flush=True)
        rows.append({"cells": cells} | made)
    write_results(output, rows)


if __name__ == "__main__":
    main()

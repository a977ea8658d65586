"""Images: peak memory and throughput where they are decoded on access, beside the same images in memory.

Each measurement is one epoch of narrow encoders on 20,000 PNG files of 64 x 64 pixels, in its own process, with the inspection of the files
already done. Run it on an otherwise idle machine; it prints a line for each way.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from sepclr.cli import main

SIDE = 64
WAYS = {"memory": (1024, 0), "access": (1, 0), "access, 2 workers": (1, 2)}
"""MiB up to which images are held, and number of workers."""


def write(folder: Path, images: int) -> None:
    """Write images with a square on a gradient, half of them for each group."""
    rng = np.random.default_rng(0)
    gradient = np.linspace(0, 160, SIDE)[:, None, None] + np.zeros((SIDE, SIDE, 3))
    for number in range(images):
        x = gradient + rng.integers(0, 12, gradient.shape)
        top, left = rng.integers(0, SIDE - 16, 2)
        x[top : top + 16, left : left + 16] += rng.integers(0, 80, 3)
        path = folder / ("background", "target")[number % 2] / f"{number:06}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(x.astype(np.uint8)).save(path)


def options(folder: Path) -> list[str]:
    """Return the options of the study."""
    return ["--background", str(folder / "background"), "--target", str(folder / "target"), "--cache", str(folder / "cache")]


def measure(way: str, folder: Path) -> dict[str, float]:
    """Measure one way: seconds of an epoch, and peak memory in MiB."""
    memory, workers = WAYS[way]
    out = folder / f"run-{memory}-{workers}"
    short = ["--max-epochs", "1", "--width", "16", "--accelerator", "cpu", "--precision", "32-true"]
    main(["fit", "images", *options(folder), *short, "--memory", str(memory), "--workers", str(workers), "--out", str(out)])
    epoch = json.loads((out / "metrics.jsonl").read_text())
    return {"seconds": epoch["seconds"], "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000, help="number of images (default: %(default)s)")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one[0], Path(given.one[1]))))
        raise SystemExit
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), given.images)
        main(["check", "images", *options(Path(name)), "--out", str(Path(name) / "check.html")])
        for way in WAYS:
            done = subprocess.run([sys.executable, __file__, "--one", way, name], capture_output=True, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            print(f"{way}: {found['seconds']:.1f} s an epoch, peak {found['peak']:.0f} MiB")

"""What common and salient codes tell about simulated cells, beside scvi-tools' ContrastiveVI on the same cells.

4,000 cells of 1,000 genes, half of them target: four cell types in both groups, three responses in target only, negative binomial counts
(``sepclr.datasets.simulated_cells``). Linear probes are fitted on the codes of three quarters of the cells, on which methods were trained,
and scored on the rest. All methods have codes of 10 + 10 dimensions, hidden layers of 128 units and batches of 128. Otherwise ContrastiveVI
has its own hyperparameters; ours train for 100 epochs. ``python speed/contrastive_vi.py --scvi ENVIRONMENT/bin/python`` writes
results/cells.jsonl, about six minutes a seed on one core; without ``--scvi``, ContrastiveVI is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.decomposition import PCA

from sepclr import CVAE, ContrastivePCA, SepCLR, SepVAE
from sepclr.data import SparseRows
from sepclr.data.genes import preparation
from sepclr.datasets.simulated_cells import SimulatedCells, simulate_cells
from sepclr.probes import Probed, probe
from sepclr.runs.folder import made_with

FIT = Path(__file__).with_name("contrastive_vi_fit.py")
READ = (("type", "c"), ("type", "s"), ("response", "s"), ("response", "c"), ("group", "s"), ("group", "c"))
CELL = {"type": "common", "response": "salient"}
DIMS = (10, 10)

Encoded = tuple[NDArray[Any], NDArray[Any]]


class Problem(NamedTuple):
    """Cells, which of them train, and their log-normalised and standardised rows."""

    cells: SimulatedCells
    train: NDArray[np.bool_]
    rows: NDArray[np.float32]


def problem(seed: int) -> Problem:
    """Simulate cells; the preparation is measured on training cells."""
    cells = simulate_cells(seed=seed)
    train = np.random.default_rng(seed).permutation(len(cells.counts)) < 0.75 * len(cells.counts)
    counts = csr_array(cells.counts)
    x = SparseRows(counts.indptr.astype(np.int64), counts.indices, counts.data, counts.shape[1])
    return Problem(cells, train, x.prepared(preparation(x.where(train)))[:].numpy())


def trained(make: Callable[..., Any], *, counts: bool, **options: Any) -> Callable[[Problem, int], Encoded]:
    """Return a function that trains one of our methods and encodes all cells."""

    def run(of: Problem, seed: int) -> Encoded:
        x = of.cells.counts.astype(np.float32) if counts else of.rows
        more = {"width": 128, "batch_size": 128, "max_epochs": 100, "device": "cpu", "random_state": seed} | options
        model = make(*DIMS, **more).fit(x[of.train], of.cells.is_target[of.train])
        return model.transform_common(x), model.transform_salient(x)

    return run


def linear(of: Problem, seed: int) -> Encoded:
    """Encode with PCA of background as c and contrastive PCA as s."""
    y = of.cells.is_target
    c = PCA(DIMS[0], random_state=seed).fit(of.rows[of.train & ~y])
    s = ContrastivePCA(DIMS[1], standardise=False, random_state=seed).fit(of.rows[of.train], y[of.train])
    return c.transform(of.rows), s.transform(of.rows)


METHODS: dict[str, Callable[[Problem, int], Encoded]] = {
    "decorrelation": trained(SepCLR, counts=False),
    "cvae, negative binomial": trained(CVAE, counts=True, reconstruction="negative-binomial"),
    "sepvae, negative binomial": trained(SepVAE, counts=True, reconstruction="negative-binomial"),
    "cvae, squared error": trained(CVAE, counts=False),
    "contrastive PCA, PCA of background": linear,
}


def scores(of: Problem, codes: Encoded) -> dict[str, float]:
    """Probe the codes of held-out cells with probes of training cells."""
    attributes = {name: getattr(of.cells, field) for name, field in CELL.items()}

    def side(chosen: NDArray[np.bool_]) -> Probed:
        known = {name: values[chosen] for name, values in attributes.items()}
        return Probed({"c": codes[0][chosen], "s": codes[1][chosen]}, of.cells.is_target[chosen], known)

    rows = [row for row in probe(side(of.train), side(~of.train), encoder="trained") if row["metric"] == "balanced_accuracy"]
    found = {(row["attribute"], row["space"]): row["score"] for row in rows}
    return {f"{name} from {space}": found[name, space] for name, space in READ}


def contrastive_vi(python: Path, of: Problem, seed: int) -> tuple[Encoded, float, dict[str, Any]]:
    """Train ContrastiveVI in its own environment and return codes, seconds of training, and what it did."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "cells.npz"), Path(folder, "codes.npz")
        np.savez(source, counts=of.cells.counts, is_target=of.cells.is_target, train=of.train)
        subprocess.run([python, FIT, source, out, str(seed)], check=True)
        codes = np.load(out)
        return (codes["c"], codes["s"]), float(codes["seconds"]), {"scvi-tools": str(codes["version"]), "epochs": int(codes["epochs"])}


def runs(seed: int, scvi: Path | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and result of each method on the cells of a seed."""
    of = problem(seed)
    if scvi is not None:
        codes, seconds, about = contrastive_vi(scvi, of, seed)
        yield (
            "ContrastiveVI (scvi-tools)",
            {"seed": seed, "scores": scores(of, codes), "seconds": seconds, "load": os.getloadavg()[0]} | about,
        )
    for name, run in METHODS.items():
        begin = time.perf_counter()
        codes = run(of, seed)
        seconds = time.perf_counter() - begin
        yield name, {"seed": seed, "scores": scores(of, codes), "seconds": seconds, "load": os.getloadavg()[0]}


def write(path: Path, found: dict[str, list[dict[str, Any]]], made: dict[str, Any]) -> None:
    """Write a row for each method."""
    rows = []
    for name, results in found.items():
        cells = {"": name, "seeds": str(len(results))}
        columns = {key: [100 * result["scores"][key] for result in results] for key in results[0]["scores"]}
        for key, values in (columns | {"seconds": [result["seconds"] for result in results]}).items():
            cells[key] = f"{np.mean(values):.1f}" + (f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else "")
        rows.append({"cells": cells, "runs": results} | made)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def main() -> None:
    """Train, probe and write the rows, after each run those so far."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scvi", type=Path, help="Python of an environment with scvi-tools")
    parser.add_argument("--out", type=Path, default=Path("results/cells.jsonl"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    made, found = made_with(), dict[str, list[dict[str, Any]]]()
    for seed in range(options.seeds):
        for name, result in runs(seed, options.scvi):
            print(name, seed, {key: round(value, 3) for key, value in result["scores"].items()}, f"{result['seconds']:.0f} s", flush=True)
            found.setdefault(name, []).append(result)
            write(options.out, found, made)


if __name__ == "__main__":
    main()

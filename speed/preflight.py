"""What ``preflight`` says of exchanged groups, of simulated factors and of the library's data sets.

Exchanged groups hold no signal: it should say yes in at most 5 % of the trials. Simulated rows have factors that both groups share and
some that only the target has, plus noise: the contrastive dimension is known. ``python speed/preflight.py --data DIR`` adds rows to
results/preflight.jsonl and skips those that are there, a quarter of an hour on one core; DIR holds the files of CIFAR-10, MNIST and the
mice, and rows of data without files are left out.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.stats import binomtest

TRIALS = {"factors": 200, "cells": 60}
FACTORS = [(400, 30, 4, 0), (400, 30, 4, 1), (400, 30, 4, 3), (1000, 50, 5, 2), (1000, 50, 5, 6), (2000, 500, 8, 4), (200, 12, 3, 1)]
"""Samples, features, shared factors and factors of the target."""
DRAWS = 5


def factors(n: int, features: int, shared: int, own: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows with known factors, and their groups."""
    draw = np.random.default_rng(seed)
    is_target = np.arange(n) >= n // 2
    loadings = np.linalg.qr(draw.normal(size=(features, shared + own)))[0]
    z = draw.normal(size=(n, shared + own)) * draw.permutation(np.linspace(2, 3, shared + own))
    z[~is_target, shared:] = 0
    return z @ loadings.T + 0.5 * draw.normal(size=(n, features)), is_target


def exchanged(kind: str, trials: int) -> dict[str, Any]:
    """Count how often exchanged groups are said to differ."""
    from sepclr import SepCLR
    from sepclr.datasets.simulated_cells import simulate_cells

    said = []
    for seed in range(trials):
        if kind == "factors":
            x, is_target = factors(200, 20, 3, 2, seed)
        else:
            cells = simulate_cells(200, 40, program=4, seed=seed)
            x, is_target = np.log1p(cells.counts), cells.is_target
        model = SepCLR(8, 8, width=16, random_state=seed, device="cpu")
        found = model.preflight(x, np.random.default_rng(seed).permutation(is_target), seed=seed)
        said.append((found.signal, found.findings["dimension"].numbers["estimate"]))
    yes = int(sum(signal for signal, _ in said))
    low, high = binomtest(yes, trials).proportion_ci()
    cells_of = {"trials": str(trials), "yes": f"{yes} ({100 * yes / trials:.1f} %, 95 %: {100 * low:.1f} to {100 * high:.1f})"}
    dimensions = [int(dimension) for _, dimension in said]
    return {"cells": cells_of | {"dimension": f"0 in {dimensions.count(0)}"}, "measured": {"yes": yes, "dimensions": dimensions}}


def simulated(n: int, features: int, shared: int, own: int, draws: int) -> dict[str, Any]:
    """Estimate a known contrastive dimension."""
    from sepclr import ContrastivePCA

    said = []
    for seed in range(draws):
        found = ContrastivePCA().preflight(*factors(n, features, shared, own, seed), seed=seed)
        said.append((found.signal, int(found.findings["dimension"].numbers["estimate"])))
    yes, dimensions = sum(signal for signal, _ in said), [dimension for _, dimension in said]
    right = dimensions.count(own)
    cells = {"trials": str(draws), "yes": str(yes), "dimension": f"{own} in {right}" + ("" if right == draws else f", of {dimensions}")}
    return {"cells": cells, "measured": {"yes": yes, "dimensions": dimensions, "truth": own}}


def of_data(found: Any) -> dict[str, Any]:
    """Return the row of one data set."""
    findings = found.findings
    dimension = findings["dimension"].numbers
    cells = {"trials": "1", "yes": findings["signal"].verdict, "dimension": f"{dimension['estimate']:.0f} (p {dimension['p']:.2f})"}
    return {"cells": cells, "measured": {name: dict(each.numbers) for name, each in findings.items()}}


def marked_digits() -> Any:
    """Look at marked digits."""
    from sepclr.runs.preflight import look
    from sepclr.runs.recipe import usual

    return look(usual("marked-digits"))


def digits_on_cifar(data: Path) -> Any:
    """Look at digits on CIFAR-10."""
    from sepclr.runs.preflight import look
    from sepclr.runs.recipe import usual

    return look(usual("digits-on-cifar"), root=data)


def mice(data: Path) -> Any:
    """Look at the shocked mice, imputed by the mean."""
    from sepclr import ContrastivePCA
    from sepclr.datasets.mice import load

    table = load(data)
    x = np.where(np.isfinite(table.x), table.x, np.nanmean(table.x, 0))
    return ContrastivePCA().preflight(x, table.is_target, subjects=table.mouse)


def simulated_cells() -> Any:
    """Look at simulated cells of the default sizes, scaled to the median total, as log counts."""
    from sepclr import SepCLR
    from sepclr.datasets.simulated_cells import simulate_cells

    cells = simulate_cells()
    totals = cells.counts.sum(1, keepdims=True)
    return SepCLR(random_state=0).preflight(np.log1p(cells.counts / totals * np.median(totals)), cells.is_target)


def phantoms(folder: Path, subjects: int) -> Any:
    """Look at phantom brains, half of them with a pattern."""
    from sepclr.imaging.phantom import write_phantoms
    from sepclr.imaging.study import BrainStudy
    from sepclr.runs.preflight import look
    from sepclr.runs.recipe import usual

    table = write_phantoms(folder / f"phantoms-{subjects}", subjects, sites=2, seed=0)
    study = BrainStudy(table=str(table), images="image", group="group", background=("control",), target=("patient",), site="site")
    return look(usual("mri").of(study), root=folder)


def rows(data: Path | None, draws: int, folder: Path) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Yield the name of each row and what measures it."""
    for n, features, shared, own in FACTORS:
        yield f"{n} rows of {features}, {shared} shared factors, {own} of the target", partial(simulated, n, features, shared, own, draws)
    of_phantoms = {f"{subjects} phantom brains": partial(phantoms, folder, subjects) for subjects in (60, 240)}
    for name, look in {"marked digits": marked_digits, "simulated cells": simulated_cells, **of_phantoms}.items():
        yield name, lambda look=look: of_data(look())  # type: ignore[misc]
    if data is not None:
        for name, of_files in (("mice", mice), ("digits on CIFAR-10", digits_on_cifar)):
            yield name, lambda of_files=of_files: of_data(of_files(data))  # type: ignore[misc]
    for kind, words in (("factors", "200 rows of 20 factors"), ("cells", "200 simulated cells of 40 genes")):
        yield f"exchanged groups, {words}", partial(exchanged, kind, TRIALS[kind])


def main() -> None:
    """Measure what is missing, and add its rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--out", type=Path, default=Path("results/preflight.jsonl"))
    options = parser.parse_args()
    import torch

    from sepclr.runs.folder import made_with

    torch.set_num_threads(1)
    done = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.is_file() else []
    with TemporaryDirectory() as place:
        for name, measure in rows(options.data, options.draws, Path(place)):
            if name in {row["cells"][""] for row in done}:
                continue
            began = time.perf_counter()
            row = measure()
            seconds = (time.perf_counter() - began) / int(row["cells"]["trials"])
            row["cells"] = {"": name, **row["cells"], "seconds": f"{seconds:.1f}"}
            print(row["cells"], flush=True)
            done.append(row | made_with())
            options.out.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in done))


if __name__ == "__main__":
    main()

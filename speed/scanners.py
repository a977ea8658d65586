"""What remains of a scanner in the codes, with ``free_of`` and with corrections of the codes after training.

The samples are marked digits. Half of the images look as another scanner would show them: darker mid-tones, darker towards the right,
slightly blurred. In training, three quarters of the targets and a quarter of background come from that scanner, as where patients are
scanned elsewhere; where probes are fitted and scored, scanner and group are independent. Residualisation and ComBat are fitted on the
codes of training samples. Besides linear probes, 15 nearest neighbours look for the scanner.
``python speed/scanners.py`` writes results/scanners.jsonl, about four minutes a run on one core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sepclr import SepCLR
from sepclr.data import Cohort
from sepclr.datasets import marked_digits
from sepclr.probes import Probed, harmonised, probe
from sepclr.runs.folder import made_with
from sepclr.views import ImageViews

SHARE = 0.75
"""Share of training targets from the second scanner, and of training background from the first."""

READ = (("scanner", "c"), ("scanner", "s"), ("digit", "c"), ("mark", "s"), ("mark", "c"), ("group", "s"), ("group", "c"))


def scanned(x: NDArray[np.uint8], scanner: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Show images, shape (n, 1, 32, 32), as their scanner would."""
    seen = (x / 255) ** 1.4 * np.linspace(1.1, 0.7, x.shape[3])
    seen = gaussian_filter(seen, (0, 0, 0.5, 0.5))
    return np.where(scanner[:, None, None, None] == 1, np.round(255 * np.clip(seen, 0, 1)), x).astype(np.uint8)


def cohorts(seed: int) -> tuple[Cohort, Cohort]:
    """Return training samples, whose scanner depends on the group, and test samples, whose scanner does not."""
    draw, made = np.random.default_rng(seed), []
    for cohort, share in zip(marked_digits.load(), (SHARE, 0.5), strict=True):
        is_target = cohort.is_target.numpy()
        scanner = (draw.random(len(cohort)) < np.where(is_target, share, 1 - share)).astype(np.int64)
        x = torch.from_numpy(scanned(cohort.x.numpy(), scanner))
        made.append(replace(cohort, x=x, attributes={**cohort.attributes, "scanner": scanner}))
    return made[0], made[1]


def probed(model: SepCLR, cohort: Cohort) -> Probed:
    """Return codes with their attributes; the scanner is also known in background."""
    spaces = {"c": model.transform_common(cohort), "s": model.transform_salient(cohort)}
    return Probed(spaces, cohort.is_target.numpy(), cohort.attributes)


def half(side: Probed, chosen: NDArray[np.bool_]) -> Probed:
    """Return some of the samples."""
    spaces = {space: codes[chosen] for space, codes in side.spaces.items()}
    attributes = {name: values[chosen] for name, values in side.attributes.items()}
    return replace(side, spaces=spaces, is_target=side.is_target[chosen], attributes=attributes)


def scores(test: Probed) -> dict[str, float]:
    """Probe one half of the test samples with probes of the other; the scanner in targets, as s has no say in background."""
    first = np.arange(len(test.is_target)) % 2 == 0
    sides = half(test, first), half(test, ~first)
    rows = [row for row in probe(*sides, encoder="trained") if row["metric"] == "balanced_accuracy"]
    found = {(row["attribute"], row["space"]): row["score"] for row in rows}
    read = {f"{name} from {space}": found[name, space] for name, space in READ}
    for space in "cs":
        one, two = ((side.spaces[space][side.is_target], side.attributes["scanner"][side.is_target]) for side in sides)
        neighbours = make_pipeline(StandardScaler(), KNeighborsClassifier(15)).fit(*one)
        read[f"scanner from {space}, neighbours"] = float(balanced_accuracy_score(two[1], neighbours.predict(two[0])))
    return read


def conditions(independence: str, seed: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the scores of a run without ``free_of``, with both corrections of its codes, and of a run with it."""
    train, test = cohorts(seed)
    views = ImageViews(1, 28, (0.6, 1.0), 1.1, 0.0, (0.4, 0, 0, 0), 1.0)
    more: dict[str, Any] = {} if independence == "decorrelation" else {"weight_salient": 3.0, "weight_information_less": 3.0}
    for free_of in (None, "scanner"):
        dims = (32, 32) if independence == "decorrelation" else (32, 16)
        options = {"encoder": "cnn4", "width": 16, "views": views, "max_epochs": 15, "batch_size": 128, "learning_rate": 2e-3}
        model = SepCLR(*dims, **options, **more, independence=independence, free_of=free_of, random_state=seed).fit(train)
        sides = probed(model, train), probed(model, test)
        yield f"free of the {free_of}" if free_of else "", scores(sides[1])
        if free_of is None:
            for how in ("residualise", "combat"):
                yield f"then {how}", scores(harmonised(*sides, "scanner", how)[1])


def main() -> None:
    """Train, probe and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/scanners.jsonl"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    made, found = made_with(), dict[str, list[dict[str, float]]]()
    for seed in range(options.seeds):
        for independence in ("decorrelation", "k-jem"):
            for condition, read in conditions(independence, seed):
                name = ", ".join(filter(None, (independence, condition)))
                print(name, seed, {key: round(value, 3) for key, value in read.items()}, flush=True)
                found.setdefault(name, []).append(read)
    rows = []
    for name, reads in found.items():
        cells = {"": name, "seeds": str(len(reads))}
        for key in reads[0]:
            values = [100 * read[key] for read in reads]
            cells[key] = f"{np.mean(values):.1f}" + (f" ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else "")
        rows.append({"cells": cells, "scores": reads} | made)
    options.out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


if __name__ == "__main__":
    main()

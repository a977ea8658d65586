"""Samples without their salient pattern: of a file, and scored beside the true images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sepclr.atomic import replacing
from sepclr.datasets.source import Source
from sepclr.methods.flow import Flow
from sepclr.probes.removal import baselines, removal
from sepclr.reports import RemovalPage, removal_cells, write_removal_page
from sepclr.runs.decoder import decoder_folder, load_decoder, options_of_decoder
from sepclr.runs.encode import read_arrays
from sepclr.runs.folder import RunFolder, made_with, make_folder
from sepclr.runs.judge import train_judge
from sepclr.runs.recipe import Recipe, shared
from sepclr.runs.results import write_results
from sepclr.runs.run import load
from sepclr.training import decode, encode
from sepclr.types import InputError, Method
from sepclr.views import pixels

TARGETS = 500
"""Number of test targets that are scored."""

SHOWN = 12
"""Number of targets on the page."""


def remove_file(run: Path, source: Path, output: Path) -> int:
    """Write the samples of a file as they would look, according to the model, without their salient pattern.

    Args:
        run: folder of a run with a decoder.
        source: targets, ``.npy``, ``.npz`` with an array ``x``, or ``.parquet``, as ``sepclr encode`` takes them.
        output: ``.npz`` with an array ``x``, in the shape of the samples; images in floating point in 0..1.

    Returns:
        The number of samples.

    Raises:
        InputError: the run has no decoder, samples cannot be read or do not fit, or the output cannot be written.
    """
    x = read_arrays(RunFolder(run), source)
    made = decode(load_decoder(run), x, what=("without_salient",))["without_salient"]
    try:
        with replacing(output) as part, part.open("wb") as file:
            np.savez(file, x=made.numpy())
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror or error}); choose another --out") from None
    return len(made)


def evaluate_removal(run: Path, *, root: Path | None = None) -> Path:
    """Remove the salient pattern from test targets, score this beside baselines where the true images are known, and write a page.

    The judge is trained on real training images alone. It judges ``truth`` as well, which is the best that can be reached.

    Args:
        run: folder of a run with a decoder.
        root: data folder; that of the run if None.

    Returns:
        The page. Beside it, ``results.jsonl`` has a line for each set of images.

    Raises:
        InputError: the run has no decoder, or the data are missing.
    """
    folder = RunFolder(run)
    recipe, method = folder.recipe(), load_decoder(run)
    source = load(recipe, root or folder.root())
    test = source.tests["strict"]
    chosen = torch.from_numpy(np.flatnonzero(test.is_target.numpy())[-TARGETS if source.without is not None else -SHOWN :])
    x = pixels(test.x[chosen])
    made = decode(method, x, what=("reconstruction", "without_salient"))
    truth = None if source.without is None else pixels(source.without()[chosen])
    lines = [] if truth is None else _lines(recipe, run, method, source, x, truth, made["without_salient"])
    place = decoder_folder(run)
    make_folder(place.path, "make the run folder writable")
    write_results(place.results, lines)
    shown = {"Target": x, "Reconstruction": made["reconstruction"], "Without": made["without_salient"]}
    shown["Difference"] = (made["without_salient"] - x + 1) / 2
    if truth is not None:
        shown["Truth"] = truth
    page = RemovalPage(
        title=source.title,
        run=recipe.label,
        images={name: images[:SHOWN] for name, images in shown.items()},
        rows=[line["cells"] for line in lines],
        attribute=next(iter(source.common_attributes), ""),
    )
    write_removal_page(place.report, page)
    return place.report


def _lines(recipe: Recipe, run: Path, method: Method, source: Source, x: Tensor, truth: Tensor, made: Tensor) -> list[Mapping[str, Any]]:
    """Score removal and its baselines, a line for each as ``results/`` collects them."""
    test, name = source.tests["strict"], source.common_attributes[0]
    values = test.attributes[name][test.is_target.numpy()][-len(x) :]
    background = source.train.where(~source.train.is_target.numpy())
    others = baselines(x, background.x[:], encode(method, x).c, encode(method, background.x).c)
    judge = train_judge(source.train, name, seed=recipe.seed)
    of_flow = isinstance(method, Flow)
    label = f"{recipe.label}, flow" if of_flow else recipe.label
    scored = removal({label: made, **others, "truth": truth}, x, truth, judge, {name: values})
    decoder = asdict(options_of_decoder(run)) if of_flow else None
    same = {"recipe": shared(recipe), "decoder": decoder, "seed": recipe.seed, "seconds": decoder_folder(run).seconds() if of_flow else 0.0}
    rows = [{**row, "psnr": row["psnr"] if isfinite(row["psnr"]) else None} for row in scored]  # JSON knows no infinity
    return [same | {"cells": removal_cells([row]), "scores": row} | made_with() for row in rows]

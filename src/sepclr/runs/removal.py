"""Samples without their salient pattern: of a file, and scored beside the true images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sepclr.atomic import replacing
from sepclr.data import VolumeCache
from sepclr.data.preparation import load_preparation
from sepclr.datasets.source import Source
from sepclr.imaging.study import BrainStudy
from sepclr.imaging.truth import true_volumes
from sepclr.methods.flow import Flow
from sepclr.probes.removal import baselines, change_of_background, pattern_mask, removal
from sepclr.probes.swap import Swap, swap_scores
from sepclr.reports import RemovalPage, removal_cells, swap_cells, write_removal_page
from sepclr.runs.decoder import decoder_folder, load_decoder, options_of_decoder
from sepclr.runs.encode import read_new, write_columns
from sepclr.runs.folder import RunFolder, made_with, make_folder
from sepclr.runs.judge import Judge, train_judge
from sepclr.runs.lock import held
from sepclr.runs.recipe import Recipe, shared
from sepclr.runs.results import write_results
from sepclr.runs.run import load
from sepclr.training import decode, encode
from sepclr.training.decoder import span_of
from sepclr.types import InputError, Method
from sepclr.views import pixels

TARGETS = 500
"""Number of test targets that are scored, and of test background samples that are decoded to see what changes."""

SHOWN = 12
"""Number of targets on the page."""

SWAPS = "swaps.jsonl"
"""File with a line for each set of swapped images, beside the results of removal."""

WHAT = ("reconstruction", "without_salient")
"""What is decoded."""


def remove_file(run: Path, source: Path, output: Path) -> int:
    """Write the samples of a file as they would look, according to the model, without their salient pattern.

    Args:
        run: folder of a run with a decoder.
        source: targets, ``.npy``, ``.npz`` with an array ``x``, ``.parquet``, a folder of images, a table of rows or an AnnData file, as
            ``sepclr encode`` takes them.
        output: ``.npz`` with an array ``x``, in the shape of the samples; images in floating point in 0..1, with ``path`` for a folder.
            Rows are in the units of their table, without the effect of covariates; for them and cells also ``.parquet`` or ``.tsv``.

    Returns:
        The number of samples.

    Raises:
        InputError: the run has no decoder, samples cannot be read or do not fit, or the output cannot be written.
    """
    folder = RunFolder(run)
    x, whose = read_new(folder, source)
    made = decode(load_decoder(run), x, what=("without_salient",))["without_salient"].numpy()
    if folder.preparation.exists():
        prepared = load_preparation(folder.preparation)
        made, whose = prepared.undone(made.astype(np.float64)), whose | {"feature_names": np.array(prepared.features)}
    arrays: dict[str, Any] = {"x": made, **whose}
    try:
        with replacing(output) as part:
            if output.suffix == ".npz":
                with part.open("wb") as file:
                    np.savez(file, **arrays)
            else:
                names = arrays.pop("feature_names").tolist()
                columns = {**whose, **dict(zip(names, made.T, strict=True))}
                columns.pop("feature_names")
                write_columns(part, output.suffix, columns)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror or error}); choose another --out") from None
    return len(made)


def check_truth(run: Path, truth: str, *, root: Path | None = None) -> None:
    """Check that removal from the test targets of a run can be scored; arguments and errors are those of ``evaluate_removal``."""
    folder = RunFolder(run)
    recipe = folder.recipe()
    source = load(recipe, root or folder.root())
    unit = _unit(source)
    x, clean = _targets(recipe, source, truth)
    if clean is not None:
        pattern_mask(unit(x), unit(clean))  # raises InputError


def evaluate_removal(run: Path, *, root: Path | None = None, truth: str | None = None) -> Path:
    """Remove the salient pattern from test targets, score this beside baselines where the true images are known, and write a page.

    Also swap patterns; each target's donor is the next one. Judges are trained on real training images alone. They judge the true
    images as well, which is the best that can be reached. Volumes are not judged: studies have too few subjects.

    Args:
        run: folder of a run with a decoder.
        root: data folder; that of the run if None.
        truth: for a run on ``mri``, column of the table with the true images, or a pattern with {COLUMN} in it; unknown if None.

    Returns:
        The page. Beside it, ``results.jsonl`` has a line for each set of images, and ``swaps.jsonl`` for each set of swapped ones.

    Raises:
        InputError: the run has no decoder, another process writes to it, the data are missing, or the true images cannot be used.
    """
    folder = RunFolder(run)
    recipe, method = folder.recipe(), load_decoder(run)
    with held(run):
        source = load(recipe, root or folder.root())
        unit = _unit(source)
        x, clean = _targets(recipe, source, truth)
        made = decode(method, x, what=WHAT)
        judge = train_judge(source.train, source.common_attributes[0], seed=recipe.seed) if clean is not None and x.ndim == 4 else None
        rows = [] if clean is None else _scores(recipe, method, source, unit, x, clean, made, judge)
        scored = len(x) if judge is not None and source.salient_attributes else SHOWN
        donors = _donors(x)[:scored]
        swapped = decode(method, x[:scored], donors, what=("swapped",))["swapped"]
        swaps = [] if judge is None or not source.salient_attributes else _swaps(recipe, method, source, x, swapped, judge)
        cells = removal_cells([[row] for row in rows])
        names = {"common": source.common_attributes[0], "salient": source.salient_attributes[0]} if swaps else {}
        swap_rows = [swap_cells([row], **names) for row in swaps]
        place = decoder_folder(run)
        make_folder(place.path, "make the run folder writable")
        of_flow = isinstance(method, Flow)
        same = {
            "recipe": shared(recipe),
            "decoder": asdict(options_of_decoder(run)) if of_flow else None,
            "seed": recipe.seed,
            "seconds": place.seconds() if of_flow else 0.0,
        }
        made_by = same | made_with()
        write_results(place.results, [made_by | {"cells": cell, "scores": row} for cell, row in zip(cells, rows, strict=True)])
        made_by |= {"attributes": names}
        write_results(place.path / SWAPS, [made_by | {"cells": cell, "scores": row} for cell, row in zip(swap_rows, swaps, strict=True)])
        first = {name: images[:SHOWN] for name, images in made.items()}
        shown = {
            "Target": unit(x[:SHOWN]),
            "Reconstruction": unit(first["reconstruction"]),
            "Without": unit(_without(recipe, x[:SHOWN], first)),
        }
        shown["Difference"] = (shown["Without"] - shown["Target"] + 1) / 2
        if clean is not None:
            shown["Truth"] = unit(clean[:SHOWN])
        shown |= {"Donor": unit(donors[:SHOWN]), "Swapped": unit(swapped[:SHOWN])}
        page = RemovalPage(
            title=source.title,
            run=recipe.label,
            images=shown,
            rows=cells,
            attribute=source.common_attributes[0] if judge is not None else "",
            swaps=swap_rows,
        )
        write_removal_page(place.report, page)
        return place.report


def _targets(recipe: Recipe, source: Source, truth: str | None) -> tuple[Tensor, Tensor | None]:
    """Return test targets, and the true images without the pattern where they are known."""
    test = source.tests["strict"]
    place = torch.from_numpy(np.flatnonzero(test.is_target.numpy()))[-TARGETS:]
    if not len(place):
        raise InputError("split: there are no targets among the test samples; add some")
    if truth is None:
        if source.without is None:
            return pixels(test.x[place[-SHOWN:]]), None
        return pixels(test.x[place]), pixels(source.without()[place])
    if not isinstance(recipe.study, BrainStudy) or not isinstance(test.x, VolumeCache):
        raise InputError(f"truth: {truth!r} is for a table of images, but the run is on {recipe.data.name}; leave --truth out")
    clean = true_volumes(recipe.study, recipe.fold, truth, test.x)[-TARGETS:]
    return pixels(test.x[place]), pixels(clean)


def _unit(source: Source) -> Callable[[Tensor], Tensor]:
    """Return a function that maps values from the range of the training samples to 0..1, which scores and pictures need."""
    low, high = span_of(source.train.x)
    return lambda images: ((pixels(images) - low) / (high - low)).clamp(0, 1)


def _scores(
    recipe: Recipe,
    method: Method,
    source: Source,
    unit: Callable[[Tensor], Tensor],
    x: Tensor,
    clean: Tensor,
    made: Mapping[str, Tensor],
    judge: Judge | None,
) -> list[Mapping[str, Any]]:
    """Score removal, reconstruction and baselines, a row each."""
    train, test = source.train, source.tests["strict"]
    background = train.where(~train.is_target.numpy())
    others = baselines(unit(x), unit(background.x[:]), encode(method, x).c, encode(method, background.x).c)
    label = _label(recipe, method)
    decoded = {label: unit(_without(recipe, x, made)), f"{label}, reconstruction": unit(made["reconstruction"])}
    kept = None if judge is None else {judge.name: _values(source, judge.name, x)}
    rows = removal({**decoded, **others, "truth": unit(clean)}, unit(x), unit(clean), judge, kept)
    controls = torch.from_numpy(np.flatnonzero(~test.is_target.numpy())[:TARGETS])
    if len(controls):
        rows[0]["controls"] = change_of_background(decode(method, test.x[controls], what=WHAT), made)
    return [{**row, "psnr": row["psnr"] if isfinite(row["psnr"]) else None} for row in rows]  # JSON knows no infinity


def _without(recipe: Recipe, x: Tensor, made: Mapping[str, Tensor]) -> Tensor:
    """Return targets without their pattern: of volumes, as ``remove_volumes`` writes them, the target and the change within the mask."""
    if x.ndim == 4:
        return made["without_salient"]
    change = made["without_salient"] - made["reconstruction"]
    masked = isinstance(recipe.study, BrainStudy) and recipe.study.mask is not None
    return x + (change * (x != 0) if masked else change)


def _swaps(recipe: Recipe, method: Method, source: Source, x: Tensor, swapped: Tensor, judge: Judge) -> list[Swap]:
    """Score swaps, beside the targets as they are."""
    salient = source.salient_attributes[0]
    values, donors = _values(source, salient, x), _donors(torch.arange(len(x))).numpy()
    if any((each == each[donors]).all() for each in (values, _values(source, judge.name, x))):
        return []  # donors that bring nothing
    other = train_judge(source.train, salient, seed=recipe.seed, shared=False)
    sets = {_label(recipe, method): swapped, "target itself": x}
    judged = {name: (judge.attribute(images), other.attribute(images)) for name, images in sets.items()}
    return swap_scores(judged, _values(source, judge.name, x), values, donors)


def _donors(x: Tensor) -> Tensor:
    """Return the donor of each target, the next one, as ``decode`` chooses it."""
    return x.roll(-1, 0)


def _values(source: Source, name: str, x: Tensor) -> Any:
    """Return the true values of an attribute of the scored targets."""
    test = source.tests["strict"]
    return test.attributes[name][test.is_target.numpy()][-len(x) :]


def _label(recipe: Recipe, method: Method) -> str:
    return f"{recipe.label}, flow" if isinstance(method, Flow) else recipe.label

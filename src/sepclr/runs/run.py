"""Run a recipe into a folder: data, training, probes, rows, report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from safetensors.torch import save_file
from torch import Tensor, nn

from sepclr.atomic import replacing, write_whole
from sepclr.data import Batches, VolumeCache
from sepclr.datasets.source import Source
from sepclr.imaging.subjects import drawn
from sepclr.methods.options.linear import LinearOptions
from sepclr.parts import ImageAugmentation, VolumeAugmentation
from sepclr.probes import EncoderState, harmonised, probe
from sepclr.reports import print_separation
from sepclr.runs.folder import RunFolder, open_folder, same_recipe
from sepclr.runs.linear import LinearCodes, solve
from sepclr.runs.make import make_method
from sepclr.runs.recipe import Recipe
from sepclr.runs.report import write_report
from sepclr.runs.results import Finished, result, write_results
from sepclr.runs.trained import device_of, load_method, probed
from sepclr.training import check, fit, is_first, precision_of, resolve_accelerator
from sepclr.types import Method, Row
from sepclr.views import ImageViews, VolumeViews, pixels


def run(
    recipe: Recipe,
    out: Path,
    *,
    root: Path | None = None,
    download: bool = False,
    resume: bool = False,
    progress: bool | str = True,
    command: str | None = None,
) -> Finished | None:
    """Train and evaluate a recipe into a folder; of several processes only the first evaluates.

    Args:
        recipe: what to run.
        out: folder of the run.
        root: folder of the data, for data sets that need one.
        download: fetch missing data into ``root``.
        resume: go on with the run in ``out``.
        progress: show a bar with the terms of the loss, or, without a terminal, a line per epoch; a string labels these lines.
        command: what makes the same run again; the words of this process if not given.

    Returns:
        The run, its model, rows and report written; None for processes that are not the first.

    Raises:
        InputError: data, options or a folder that cannot be used; training has not started then.
    """
    check_machine(recipe)  # raises InputError before anything is fetched
    folder = RunFolder(out)
    if resume:
        same_recipe(folder, recipe)
    # The first process stores the folds before it starts others on this machine.
    study, folds = drawn(recipe.study, folder.folds if resume or (not is_first() and folder.folds.exists()) else None)
    recipe = recipe.of(study)
    source = load(recipe, root, download=download)
    method, views = prepare(recipe, source)
    settings = recipe.training
    if settings is not None:
        settings = replace(settings, precision=precision_of(method, views, source.train, settings))
    used = {
        "precision": settings.precision if settings else "32-true",
        "accelerator": resolve_accelerator(settings.accelerator if settings else "auto"),
    }
    if is_first():
        open_folder(out, recipe, resume=resume, root=root, command=command, used=used, folds=folds)
    if isinstance(method, LinearCodes):
        begin = time.perf_counter()
        solve(method, cast(LinearOptions, recipe.method), source.train, seed=recipe.seed)
        write_whole(folder.metrics, json.dumps({"epoch": 0, "seconds": time.perf_counter() - begin}) + "\n")
    elif settings is not None:
        fit(method, views, source.train, settings, seed=recipe.seed, folder=out, progress=is_first() and progress)
    if not is_first():
        return None  # the first process evaluates and writes; the others have done their part
    weights = {name: tensor.contiguous() for name, tensor in cast(nn.Module, method).state_dict().items()}
    with replacing(folder.model) as part:
        save_file(weights, part, metadata={"samples": json.dumps(_of_samples(source.train.x))})  # one key: several would come in any order
    return evaluate(folder, source)


def _of_samples(x: Tensor | VolumeCache) -> dict[str, Any]:
    """Say what samples the encoders take: of which shape, and on which grid volumes lie."""
    return {"sample_shape": list(x.shape[1:])} | ({"grid": x.grid()} if isinstance(x, VolumeCache) else {})


def load(recipe: Recipe, root: Path | None = None, *, download: bool = False) -> Source:
    """Load the data set of a recipe.

    Args:
        recipe: names the data set, and of brains the study and its fold.
        root: folder of its files, of brains the cache of volumes; None for a data set without.
        download: fetch missing files into ``root``.

    Raises:
        InputError: no folder, or files that are missing or damaged.
    """
    recipe.data_set.check_root(root, download=download)
    return cast(Source, recipe.data_set.load(recipe.data, root, download))


def prepare(recipe: Recipe, source: Source) -> tuple[Method, Callable[[Tensor], Tensor]]:
    """Make what a recipe is trained with, and find out before anything is written whether it can be.

    Raises:
        InputError: options that cannot be used, or too few samples for a batch.
    """
    if recipe.training is not None:
        Batches(source.train, recipe.training.batch_size, seed=recipe.seed, epoch=0)  # raises InputError
    shape = source.train.x.shape[1:]
    return make_method(recipe, shape), _views(recipe.views, shape)


def check_machine(recipe: Recipe) -> None:
    """Check that a recipe can be trained on this machine.

    Raises:
        InputError: an accelerator, devices, strategy or precision that cannot be used here.
    """
    if recipe.training is not None:
        check(recipe.training)


def _views(views: ImageAugmentation | VolumeAugmentation | None, shape: Sequence[int]) -> Callable[[Tensor], Tensor]:
    """Make what draws random views; without views it scales pixels."""
    if views is None:
        return pixels
    if isinstance(views, VolumeAugmentation):
        return VolumeViews(**vars(views))
    strengths: dict[str, Any] = vars(views) | {"crop_scale": (views.crop_scale, 1.0)}
    return ImageViews(shape[0], **strengths)


def evaluate(folder: RunFolder, source: Source) -> Finished:
    """Probe a finished run, beside the same networks untrained, and write its rows and report.

    Args:
        folder: of the run.
        source: its data set.

    Returns:
        The run.
    """
    recipe = folder.recipe()
    method, shape = load_method(folder)
    rows: list[Row] = []
    untrained = [("untrained", make_method(recipe, shape))] if recipe.training else []
    for encoder, network in [*untrained, ("trained", method)]:
        cast(nn.Module, network).to(device_of(recipe))
        how = {"everyone": source.everyone, "standardised": recipe.declared.standardised}
        train = probed(network, source.train, **how)
        for protocol, cohort in source.tests.items():
            sides = train, probed(network, cohort, **how)
            if source.site is not None:
                sides = harmonised(*sides, source.site, source.harmonise)
            rows += probe(*sides, encoder=cast(EncoderState, encoder), protocol=protocol, seed=recipe.seed)
    whole = Finished(folder, recipe, source, rows, folder.seconds())
    write_results(folder.results, [result(whole, protocol) for protocol in source.tests])
    write_report(folder.report, [whole])
    folder.write_rows(rows)  # the last, for where there are rows nothing is missing
    return whole


def read_finished(folder: RunFolder, source: Source) -> Finished:
    """Read back a run with its evaluation."""
    rows = [cast(Row, json.loads(line)) for line in folder.rows.read_text().splitlines()]
    return Finished(folder, folder.recipe(), source, rows, folder.seconds())


def evaluate_again(path: Path, root: Path | None = None) -> Finished:
    """Evaluate the run in a folder once more.

    Args:
        path: folder of the run.
        root: folder of the data; where it was at training when None.

    Returns:
        The run, its rows and report written anew.

    Raises:
        InputError: the folder holds no finished run, or the data are not there.
    """
    folder = RunFolder(path)
    recipe = folder.recipe()
    load_method(folder)  # raises InputError for an unfinished run before the data are read
    return evaluate(folder, load(recipe, root or folder.root()))


def print_rows(runs: Sequence[Finished]) -> None:
    """Print the table of runs on the same data set, and what went wrong in their training."""
    source = runs[0].source
    rows = {run.recipe.label: run.rows for run in runs}
    print_separation(rows, common=source.common_attributes, salient=source.salient_attributes)
    for run in runs:
        for sign in run.signs:
            print(f"warning: {run.recipe.label}: {sign}")

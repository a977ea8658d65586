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

from sepclr.benchmark import sources
from sepclr.benchmark.brains import drawn
from sepclr.benchmark.build import build
from sepclr.benchmark.folder import RunFolder, open_folder, same_recipe, write_whole
from sepclr.benchmark.linear import LinearCodes, solve
from sepclr.benchmark.recipes import Recipe, declared, resolved
from sepclr.benchmark.report import write_report
from sepclr.benchmark.results import Finished, result, write_results
from sepclr.benchmark.sources import Source
from sepclr.benchmark.trained import device_of, load_method, probed
from sepclr.data import Batches, Stored
from sepclr.probes import EncoderState, harmonised, probe
from sepclr.reports import print_separation
from sepclr.training import Settings, check, fit, is_first, precision_of, resolve_accelerator
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
    settings = settings_of(recipe)  # raises InputError before anything is fetched
    recipe, folder = resolved(recipe), RunFolder(out)
    if resume:
        same_recipe(folder, recipe)
    # The first process stores the folds before it starts others on this machine.
    study, folds = drawn(recipe.study, folder.folds if resume or (not is_first() and folder.folds.exists()) else None)
    recipe = replace(recipe, study=study)
    source = sources.load(recipe, root, download=download)
    method, views = prepare(recipe, source)
    linear = isinstance(method, LinearCodes)
    if not linear:
        settings = replace(settings, precision=precision_of(method, views, source.train, settings))
    used = {"precision": "32-true" if linear else settings.precision, "accelerator": resolve_accelerator(settings.accelerator)}
    if is_first():
        open_folder(out, recipe, resume=resume, root=root, command=command, used=used, folds=folds)
    if isinstance(method, LinearCodes):
        begin = time.perf_counter()
        solve(method, recipe, source.train)
        write_whole(folder.metrics, json.dumps({"epoch": 0, "seconds": time.perf_counter() - begin}) + "\n")
    else:
        fit(method, views, source.train, settings, seed=recipe.seed, folder=out, progress=is_first() and progress)
    if not is_first():
        return None  # the first process evaluates and writes; the others have done their part
    save_file(
        {name: tensor.contiguous() for name, tensor in cast(nn.Module, method).state_dict().items()},
        folder.model,
        metadata={name: json.dumps(value) for name, value in _of_samples(source.train.x).items()},
    )
    return evaluate(folder, source)


def _of_samples(x: Tensor | Stored) -> dict[str, Any]:
    """Say what samples the encoders take: of which shape, and on which grid volumes lie."""
    return {"sample_shape": list(x.shape[1:])} | ({"grid": x.grid()} if isinstance(x, Stored) else {})


def prepare(recipe: Recipe, source: Source) -> tuple[Method, Callable[[Tensor], Tensor]]:
    """Make what a recipe is trained with, and find out before anything is written whether it can be.

    Raises:
        InputError: options that cannot be used, or too few samples for a batch.
    """
    if declared(recipe).trained:
        Batches(source.train, recipe.batch_size, seed=recipe.seed, epoch=0)  # raises InputError
    shape = source.train.x.shape[1:]
    return build(recipe, shape), _views(recipe, shape)


def settings_of(recipe: Recipe) -> Settings:
    """Say how a recipe is optimised.

    Raises:
        InputError: options that cannot be used on this machine.
    """
    settings = Settings(
        recipe.max_epochs,
        recipe.batch_size,
        recipe.learning_rate,
        recipe.schedule,
        recipe.precision,
        recipe.accelerator,
        recipe.devices,
        recipe.strategy,
        recipe.nodes,
        recipe.workers,
    )
    check(settings)
    return settings


def _views(recipe: Recipe, shape: Sequence[int]) -> Callable[[Tensor], Tensor]:
    """Make what draws the random views of a recipe; without views it scales pixels."""
    if recipe.views == "none":
        return pixels
    if len(shape) == 4:
        return VolumeViews(recipe.flip, recipe.shift, recipe.rotation, recipe.blur, recipe.gamma, recipe.noise, recipe.cutout)
    return ImageViews(
        shape[0],
        recipe.crop,
        (recipe.crop_scale, 1.0),
        recipe.crop_ratio,
        recipe.flip,
        recipe.jitter,
        recipe.jitter_probability,
        recipe.grey,
        recipe.jitter_whole_batch,
    )


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
    untrained = [("untrained", build(recipe, shape))] if declared(recipe).trained else []
    for encoder, network in [*untrained, ("trained", method)]:
        cast(nn.Module, network).to(device_of(recipe))
        how = {"everyone": source.everyone, "standardised": declared(recipe).standardised}
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
    return evaluate(folder, sources.load(recipe, root or folder.root()))


def print_rows(runs: Sequence[Finished]) -> None:
    """Print the table of runs on the same data set, and what went wrong in their training."""
    source = runs[0].source
    rows = {run.recipe.label: run.rows for run in runs}
    print_separation(rows, common=source.common_attributes, salient=source.salient_attributes)
    for run in runs:
        for sign in run.signs:
            print(f"warning: {run.recipe.label}: {sign}")

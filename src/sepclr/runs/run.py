"""Run a recipe: load the data, train, probe, and write rows and report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from safetensors.torch import save_file
from torch import Tensor, nn

from sepclr.atomic import replacing, write_whole
from sepclr.data import Batches, VolumeCache
from sepclr.data.folds import drawn
from sepclr.datasets.source import Source
from sepclr.fields import flattened
from sepclr.methods.extra import check_extra, inseparable, with_free_of
from sepclr.methods.options.linear import LinearOptions
from sepclr.parts import MACHINE_FIELDS, Augmentation, RowAugmentation, VolumeAugmentation
from sepclr.probes import EncoderState, probe
from sepclr.reports import predicted, print_separation
from sepclr.runs.certificates import certificates, cheap, read_certificates, write_certificates
from sepclr.runs.folder import RunFolder, check_out, make_folder, open_folder, same_recipe
from sepclr.runs.linear import LinearCodes, solve
from sepclr.runs.lock import held
from sepclr.runs.make import make_method
from sepclr.runs.recipe import Recipe, published
from sepclr.runs.records import read_rows
from sepclr.runs.report import write_report
from sepclr.runs.results import Finished, result, write_results
from sepclr.runs.targets import by_target, of_target, rows_of
from sepclr.runs.trained import device_of, load_method, predictions, shapes_of, sides
from sepclr.training import check, evened, fit, is_first, precision_of, resolve_accelerator
from sepclr.types import HasClassifier, Method, Row
from sepclr.views import ImageViews, RowViews, VolumeViews, pixels


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
    """Train and evaluate a recipe; with several processes, only the first evaluates.

    Args:
        recipe: recipe to run.
        out: folder of the run.
        root: data folder, for data sets that need one.
        download: fetch missing data into ``root``.
        resume: resume the run in ``out``.
        progress: show a progress bar with the loss terms or, without a terminal, a line per epoch; a string labels such lines.
        command: command that reproduces the run; that of this process if None.

    Returns:
        The finished run, with its model, rows and report written; None in processes other than the first.

    Raises:
        InputError: if data, options or the folder cannot be used, or another process uses it; training has not started then.
        InputError, Stopped: as ``fit``.
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
        check_out(out, resume=resume)
        make_folder(out, "choose another --out")
    with held(out) if is_first() else nullcontext():
        if is_first():
            open_folder(out, recipe, resume=resume, root=root, command=command, used=used, folds=folds)
            for each in inseparable(recipe.declared, source.train):
                print(f"warning: {source.common_attributes[0]} {each} occurs with a single bias; nothing shows what belongs to which")
        if isinstance(method, LinearCodes):
            begin = time.perf_counter()
            solve(method, cast(LinearOptions, recipe.method), source.train, seed=recipe.seed)
            write_whole(folder.metrics, json.dumps({"epoch": 0, "seconds": time.perf_counter() - begin}) + "\n")
        elif settings is not None:
            noted = {name: value for name, value in flattened(published(recipe)).items() if name not in MACHINE_FIELDS}
            fit(method, views, source.train, settings, seed=recipe.seed, folder=out, progress=is_first() and progress, noted=noted)
        if not is_first():
            return None  # only the first process evaluates and writes
        if source.preparation is not None:
            source.preparation.save(folder.preparation)
        weights = {name: tensor.contiguous() for name, tensor in cast(nn.Module, method).state_dict().items()}
        with replacing(folder.model) as part:
            save_file(weights, part, metadata={"samples": json.dumps(_of_samples(source))})  # one key: the order of several would vary
        return evaluate(folder, source)


def _of_samples(source: Source) -> dict[str, Any]:
    """Return the shapes of the samples that the encoders take, names of target groups and, for volumes, their grid."""
    cohort = source.train
    grid = {"grid": cohort.x.grid()} if isinstance(cohort.x, VolumeCache) else {}
    extra = {"further": cohort.further, "classes": cohort.classes} if cohort.extra else {}
    names = {"target_groups": list(source.target_groups)} if source.target_groups else {}
    return {"sample_shape": list(cohort.x.shape[1:])} | extra | names | grid


def load(recipe: Recipe, root: Path | None = None, *, download: bool = False) -> Source:
    """Load the data set of a recipe.

    Args:
        recipe: recipe with the data set and, for a user's own data, the study and its fold.
        root: data folder, or the volume cache for brains; None for a data set without files.
        download: fetch missing files into ``root``.

    Raises:
        InputError: if the folder or files are missing, files are damaged, or an attribute that codes should not hold is unknown.
    """
    recipe.data_set.check_root(root, download=download)
    source = cast(Source, recipe.data_set.load(recipe.data, root, download))
    if (name := getattr(recipe.method, "free_of", None)) is None:
        return source
    common, salient = ([each for each in names if each != name] for names in (source.common_attributes, source.salient_attributes))
    train = with_free_of(source.train, name)
    return replace(source, train=train, common_attributes=common, salient_attributes=salient, unwanted=[*source.unwanted, name])


def prepare(recipe: Recipe, source: Source) -> tuple[Method, Callable[[Tensor], Tensor]]:
    """Make the method and the views of a recipe, and check that it can be trained, before anything is written.

    Raises:
        InputError: if options cannot be used, or there are too few samples for a batch.
    """
    if recipe.training is not None:
        check_extra(recipe.declared, source.train)
    shape = source.train.x.shape[1:]
    method = make_method(recipe, shape, source.train.further, source.train.classes)
    if recipe.training is not None:
        Batches(source.train, recipe.training.batch_size, seed=recipe.seed, epoch=0, evened=evened(method))  # raises InputError
    return method, _views(recipe.views, shape)


def check_machine(recipe: Recipe) -> None:
    """Check that a recipe can be trained on this machine.

    Raises:
        InputError: if the accelerator, devices, strategy or precision cannot be used here.
    """
    if recipe.training is not None:
        check(recipe.training)


def _views(views: Augmentation | None, shape: Sequence[int]) -> Callable[[Tensor], Tensor]:
    """Return the function that draws random views; without views, it only scales pixels."""
    if views is None:
        return pixels
    if isinstance(views, VolumeAugmentation):
        return VolumeViews(**vars(views))
    if isinstance(views, RowAugmentation):
        return RowViews(**vars(views))
    strengths: dict[str, Any] = vars(views) | {"crop": views.side(shape[1:]), "crop_scale": (views.crop_scale, 1.0)}
    return ImageViews(shape[0], **strengths)


def evaluate(folder: RunFolder, source: Source) -> Finished:
    """Probe a finished run and the same networks untrained, and write rows and report.

    Args:
        folder: folder of the run.
        source: its data set.

    Returns:
        The run.
    """
    recipe = folder.recipe()
    method, _ = load_method(folder)
    rows: list[Row] = []
    untrained = [("untrained", make_method(recipe, *shapes_of(folder)))] if recipe.training else []
    for encoder, network in [*untrained, ("trained", method)]:
        cast(nn.Module, network).to(device_of(recipe))
        rows += scored(network, source, recipe, cast(EncoderState, encoder))
    if cheap(source) or read_certificates(folder):  # one that is there must not be of other test samples
        write_certificates(folder, certificates(method, source, recipe))
    whole = Finished(folder, recipe, source, rows, folder.seconds())
    write_results(folder.results, [result(whole, protocol) for protocol in source.tests])
    write_report(folder.report, [whole])
    folder.write_rows(rows)  # last: where rows exist, the evaluation is complete
    return whole


def scored(network: Method, source: Source, recipe: Recipe, encoder: EncoderState) -> list[Row]:
    """Probe a network under all protocols, against each target group if there are several.

    Args:
        network: the network.
        source: the data set.
        recipe: recipe of the run.
        encoder: whether the network is trained; recorded in the rows.
    """
    rows: list[Row] = []
    for group, (name, part) in enumerate(by_target(source)):
        found = _rows(of_target(network, group), part, recipe, encoder)
        rows += [{**row, "target": name} for row in found] if name else found
    return rows


def _rows(network: Method, source: Source, recipe: Recipe, encoder: EncoderState) -> list[Row]:
    """Probe a network under all protocols."""
    rows: list[Row] = []
    for protocol, train, test in sides(network, source, recipe):
        rows += probe(train, test, encoder=encoder, protocol=protocol, seed=recipe.seed)
        if isinstance(network, HasClassifier) and encoder == "trained":
            rows += predictions(network, source.tests[protocol], source.common_attributes[0], protocol=protocol, seed=recipe.seed)
    return rows


def read_finished(folder: RunFolder, source: Source) -> Finished:
    """Read a run with its evaluation."""
    return Finished(folder, folder.recipe(), source, [cast(Row, row) for row in read_rows(folder.rows)], folder.seconds())


def evaluate_again(path: Path, root: Path | None = None) -> Finished:
    """Repeat the evaluation of a run.

    Args:
        path: folder of the run.
        root: data folder; that of training if None.

    Returns:
        The run, with its rows and report rewritten.

    Raises:
        InputError: if the folder is not a finished run, the data are missing, or another process writes to the folder.
    """
    folder = RunFolder(path)
    recipe = folder.recipe()
    load_method(folder)  # raises InputError for an unfinished run before the data are read
    with held(path):
        return evaluate(folder, load(recipe, root or folder.root()))


def print_rows(runs: Sequence[Finished]) -> None:
    """Print the scores of runs on the same data set, and warnings about their training."""
    for name, source in by_target(runs[0].source):
        rows = {run.label: rows_of(run.rows, name) for run in runs}
        print_separation(rows, common=source.common_attributes, salient=source.salient_attributes, target=name)
    for run in runs:
        for own in predicted(run.rows):
            print(f"{run.label}: {own['name']} predicted with {own['score']} accuracy")
        for sign in run.signs:
            print(f"warning: {run.label}: {sign}")

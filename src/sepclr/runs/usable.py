"""Whether the options of a command can be used. No heavy imports here, so errors are reported before torch is loaded."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from sepclr.data.image_study import SUFFIXES, ImageStudy
from sepclr.errors import InputError
from sepclr.extras import need, need_loggers
from sepclr.ranges import either
from sepclr.runs.folder import RunFolder, check_out, check_place
from sepclr.runs.lock import LOCK, check_free
from sepclr.runs.recipe import Recipe
from sepclr.runs.seeds_folder import SeedsFolder

TABLES = (".tsv", ".csv")
"""File extensions of tables of images."""

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Environment variables with the rank of this process, in the order in which Lightning reads them."""

EXPORTED = (".onnx", ".pt2")
"""File extensions of exported encoders."""

CODES = (".npz", ".parquet", ".tsv", ".h5ad")
"""File extensions of codes."""


def check_recipe(recipe: Recipe) -> None:
    """Check that the parts of a recipe fit together; each part has already checked its own values.

    Raises:
        InputError: if the method lacks the views that it needs, or workers would read samples that are in memory.
    """
    if recipe.declared.views and recipe.views is None:
        raise InputError(f"views: {recipe.method.name!r} needs random views; set views to random")
    takes_counts = getattr(recipe.method, "reconstruction", "squared") == "negative-binomial"
    if takes_counts and recipe.study is not None and not getattr(recipe.study, "counts", False):
        raise InputError(f"reconstruction: negative-binomial takes counts, which {recipe.data.name} are not here; give cells --counts")
    if getattr(recipe.study, "counts", False) and not takes_counts:
        raise InputError("counts: raw counts are for --reconstruction negative-binomial; give it, or --normalise instead of --counts")
    if recipe.training and recipe.training.workers and recipe.data_set.study is None:
        raise InputError(f"workers: {recipe.training.workers}, but the samples are in memory; leave it at 0")


def check_row(recipe: Recipe) -> None:
    """Check the recipe of a table row, which runs on one device.

    Raises:
        InputError: as ``check_recipe``, or if the recipe asks for several devices or nodes.
    """
    if given := _several_devices(recipe):
        raise InputError(f"{given}; a row runs on one device; use --jobs or dask workers to run several rows at a time")
    check_recipe(recipe)
    _check_loggers(recipe)


def _check_loggers(recipe: Recipe) -> None:
    """Check that training can log; not part of ``check_recipe``, because a finished run needs no loggers."""
    need_loggers(recipe.training.logger_names if recipe.training else ())


def _several_devices(recipe: Recipe) -> str:
    """Return the devices and nodes of a recipe that asks for several, as text; empty for other recipes."""
    training = recipe.training
    if training is None or (str(training.devices) in ("auto", "1") and training.nodes == 1):
        return ""
    return f"devices: {training.devices} on {training.nodes} node(s)"


def check_rows(recipes: Sequence[Recipe], root: Path | None, *, download: bool) -> None:
    """Check the recipes of all rows of a table and their data folder.

    Raises:
        InputError: as ``check_row`` and ``DataSet.check_root``.
    """
    for recipe in recipes:
        check_row(recipe)
        recipe.data_set.check_root(root, download=download)


def check_table_places(runs: Path, results: Path) -> None:
    """Check that the runs and the results file of a table can be written.

    Raises:
        InputError: if they cannot.
    """
    for folder in (runs, results.parent):
        check_place(folder, "choose another --runs or --results")


def check_demo(recipes: Sequence[Recipe], out: Path, *, resume: bool) -> None:
    """Check the recipes and the output folder of a demo.

    Raises:
        InputError: if the demo does not support the method or the devices, or as ``check_recipe``, ``check_out`` and ``check_free``.
    """
    for recipe in recipes:
        if (method := recipe.method.name) != "sepclr":
            raise InputError(f"method: the demo shows sepclr; for {method!r} use sepclr fit marked-digits --method {method}")
        if given := _several_devices(recipe):
            raise InputError(f"{given}; each run of the demo takes one device; leave out --devices and --nodes")
        check_recipe(recipe)
        _check_loggers(recipe)
    names = [recipe.label for recipe in recipes]
    begun = [name for name in names if (RunFolder(out / name).config if resume else out / name).exists()]
    for name in begun or names[:1]:
        check_out(out / name, resume=resume)
        check_free(out / name)


def check_run(recipe: Recipe, out: Path, *, resume: bool, root: Path | None = None, download: bool = False) -> None:
    """Check everything about a run that depends only on its options.

    Raises:
        InputError: as ``check_recipe``, ``DataSet.check_root``, ``check_out`` and ``check_free``.
    """
    check_recipe(recipe)
    _check_loggers(recipe)
    recipe.data_set.check_root(root, download=download)
    # With several processes, the first creates the folder before it starts the others with the same command.
    if next((os.environ[name] for name in RANKS if name in os.environ), "0") == "0":
        check_out(out, resume=resume)
        check_free(out)


def check_seeds(
    recipe: Recipe, out: Path, *, seeds: Sequence[int], seed: int | None, resume: bool, root: Path | None = None, download: bool = False
) -> None:
    """Check everything about runs that differ in their seed that depends only on their options.

    Args:
        recipe: recipe of the runs.
        out: their folder.
        seeds: their seeds.
        seed: a single seed, if one was given, too.
        resume: whether to resume the runs in ``out``.
        root: data folder.
        download: whether missing data are fetched.

    Raises:
        InputError: a single seed beside several, fewer than two seeds, or repeated ones; several devices; or as ``check_run``.
    """
    if seed is not None:
        raise InputError(f"seed: {seed} is given beside --seeds; leave one of them out")
    if len(seeds) < 2 or len(set(seeds)) < len(seeds):
        raise InputError(f"seeds: {', '.join(map(str, seeds)) or 'none'}; give two or more distinct seeds, or one with --seed")
    if given := _several_devices(recipe):
        raise InputError(f"{given}; with --seeds, each run takes one device; leave out --devices and --nodes")
    check_recipe(recipe)
    recipe.data_set.check_root(root, download=download)
    folder = SeedsFolder(out)
    begun = [folder.run(seed).path for seed in seeds if folder.run(seed).config.exists()]
    for path in begun if resume else [out]:
        check_out(path, resume=resume)
    if resume and not begun:  # killed before the first config, or another folder
        if not any(out.glob("seed-*")) and not any(out.glob("folds-*.tsv")) and not (out / LOCK).exists():
            raise InputError(f"{out}: there are no runs of several seeds to resume; leave --resume out")
        check_place(out, "choose another --out")


def check_finished(run: Path) -> None:
    """Check that a folder holds a finished run.

    Raises:
        InputError: if it does not, or packages that read its samples are missing.
    """
    RunFolder(run).recipe().data_set.check_packages()
    RunFolder(run).samples()


def check_evaluated(run: Path) -> None:
    """Check that a folder holds a finished run with its evaluation.

    Raises:
        InputError: if it does not.
    """
    check_finished(run)
    if not RunFolder(run).rows.is_file():
        raise InputError(f"{run}: not evaluated (rows.jsonl is missing); evaluate it first, with `sepclr evaluate {run}`")


def check_codes(run: Path, source: Path, out: Path, *, kinds: Sequence[str] = CODES, **of_table: object) -> None:
    """Check the run, the input and the output file of ``sepclr encode`` and ``sepclr decode remove``.

    Args:
        run: folder of the run.
        source: input.
        out: output.
        kinds: file extensions of the output.
        of_table: options of a table of images; None if not given.

    Raises:
        InputError: if the output has another extension or no folder, the run is not finished, the input does not exist, or options of a
            table are given without one.
    """
    if out.suffix not in kinds:
        raise InputError(f"{out}: unknown file type; use {either(kinds)}")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent}: no such folder; create it or choose another --out")
    if out.suffix == ".h5ad" and source.suffix != ".h5ad":
        raise InputError(f"{out}: codes are added to a copy of the input, and {source} is no .h5ad; use .npz, .parquet or .tsv")
    check_finished(run)
    if is_pictures(run, source):
        if not source.exists():
            raise InputError(f"{source}: no such file; give a folder of images, or an image")
        if given := [name for name in ("images", "subject", "suffix", "entities") if of_table.get(name) is not None]:
            raise InputError(f"{given[0]}: is for tables of images; leave it out")
        return
    check_input(source, **of_table)


def check_export(run: Path, out: Path, pixels: str | None = None) -> None:
    """Check the run and the output of ``sepclr export``.

    Args:
        run: folder of the run.
        out: a file, or a new folder for a MONAI bundle.
        pixels: type of pixels; None if not given.

    Raises:
        InputError: an unknown file type, a folder that is not empty, or cannot be written, a bundle of a run that is not on mri, a missing
            package, or a run that is not finished.
    """
    bundle = not out.suffix or out.is_dir()
    if bundle and pixels is not None:
        raise InputError("pixels: is for .onnx and .pt2 of images; leave it out")
    if not bundle and out.suffix not in EXPORTED:
        raise InputError(f"{out}: unknown file type; use {either(EXPORTED)}, or a new folder for a MONAI bundle")
    if not bundle and not out.parent.is_dir():
        raise InputError(f"{out.parent}: no such folder; create it or choose another --out")
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out}: not empty; choose another --out")
    check_place(out if bundle else out.parent, "choose another --out")
    check_finished(run)
    if bundle and "grid" not in RunFolder(run).samples():
        raise InputError(f"{out}: a folder is a MONAI bundle, for runs on mri; give a file {either(EXPORTED)}")
    if out.suffix == ".onnx":
        need("onnx", str(out))


def check_repository(name: str) -> None:
    """Check the name of a repository on the hub.

    Raises:
        InputError: a name that is not OWNER/NAME.
    """
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name, re.ASCII):
        raise InputError(f"{name}: neither a folder nor OWNER/NAME of a repository on the hub")


def kinds_without(run: Path) -> tuple[str, ...]:
    """Return the file extensions of samples without their salient pattern."""
    return (".npz", ".parquet", ".tsv") if RunFolder(run).preparation.exists() else (".npz",)


def lists_volumes(run: Path, source: Path) -> bool:
    """Return whether an input is a table of images or a BIDS tree, for a run that takes these."""
    rows = RunFolder(run).preparation.exists()
    return (source.suffix in TABLES or source.is_dir()) and not rows and not is_pictures(run, source)


def is_pictures(run: Path, source: Path) -> bool:
    """Return whether an input is a folder of images or an image, and a run takes these."""
    return isinstance(RunFolder(run).recipe().study, ImageStudy) and (source.is_dir() or source.suffix.lower() in SUFFIXES)


def check_input(source: Path, **of_table: object) -> None:
    """Check the input of a finished run; arguments and errors are those of ``check_codes``."""
    given = {name for name, value in of_table.items() if value is not None}
    if source.is_dir():
        if of_other := given & {"images", "subject"}:
            raise InputError(f"{', '.join(sorted(of_other))}: {source} is a BIDS tree, which names images and subjects; leave them out")
    elif source.suffix in TABLES:
        check_table_exists(source)
        if of_other := given & {"suffix", "entities"}:
            raise InputError(f"{', '.join(sorted(of_other))}: {source} is a table of images, not a BIDS tree; leave them out")
    elif not source.is_file():
        raise InputError(f"{source}: no such file; give samples as .npy, .npz or .parquet, or for mri a table of images or a BIDS tree")
    elif given:
        raise InputError(f"{', '.join(sorted(given))}: {source} is not a table of images; leave them out, or give a .tsv or .csv")


def check_table_exists(table: Path) -> None:
    """Check that a table exists.

    Raises:
        InputError: if it does not.
    """
    if not table.is_file():
        raise InputError(f"{table}: no such table")

"""Whether the options of a command can be used. No heavy imports here, so errors are reported before torch is loaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sepclr.data.image_study import SUFFIXES, ImageStudy
from sepclr.errors import InputError
from sepclr.ranges import either
from sepclr.runs.folder import RunFolder, check_out, check_place
from sepclr.runs.lock import check_free
from sepclr.runs.recipe import Recipe

TABLES = (".tsv", ".csv")
"""File extensions of tables of images."""

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Environment variables with the rank of this process, in the order in which Lightning reads them."""

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
    recipe.data_set.check_root(root, download=download)
    # With several processes, the first creates the folder before it starts the others with the same command.
    if next((os.environ[name] for name in RANKS if name in os.environ), "0") == "0":
        check_out(out, resume=resume)
        check_free(out)


def check_finished(run: Path) -> None:
    """Check that a folder holds a finished run.

    Raises:
        InputError: if it does not.
    """
    RunFolder(run).recipe()
    RunFolder(run).samples()


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

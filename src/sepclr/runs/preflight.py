"""Checks of what the words of a command decide. Nothing heavy is imported here, so that an error is answered before torch is loaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sepclr.errors import InputError
from sepclr.runs.folder import RunFolder, check_out, check_place
from sepclr.runs.recipe import Recipe

TABLES = (".tsv", ".csv")
"""Kinds of file that hold a table of images."""

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Variables that say which of several processes this is, in the order in which Lightning looks at them."""

CODES = (".npz", ".parquet", ".tsv")
"""Kinds of file that codes are written to."""


def check_recipe(recipe: Recipe) -> None:
    """Check that the parts of a recipe go together; each of them checked its own values.

    Raises:
        InputError: a method without the views that it learns from, or processes that read ahead what is in memory.
    """
    if recipe.declared.views and recipe.views is None:
        raise InputError(f"views: {recipe.method.name!r} learns from what two random views share; give random")
    if recipe.training and recipe.training.workers and not hasattr(recipe.data, "study"):
        raise InputError(f"workers: {recipe.training.workers}, but these samples are in memory; leave it at 0")


def check_row(recipe: Recipe) -> None:
    """Check the recipe of a row of a table, which takes one device.

    Raises:
        InputError: as ``check_recipe``, or several devices or nodes.
    """
    if given := _several_devices(recipe):
        raise InputError(f"{given}; a row takes one device; give --jobs, or workers, for several rows at a time")
    check_recipe(recipe)


def _several_devices(recipe: Recipe) -> str:
    """Word that a recipe wants several devices or nodes; empty where it does not."""
    training = recipe.training
    if training is None or (str(training.devices) in ("auto", "1") and training.nodes == 1):
        return ""
    return f"devices: {training.devices} on {training.nodes} node(s)"


def check_rows(recipes: Sequence[Recipe], root: Path | None, *, download: bool) -> None:
    """Check the recipes of all rows of a table and the folder of their data.

    Raises:
        InputError: as ``check_row`` and ``DataSet.check_root``.
    """
    for recipe in recipes:
        check_row(recipe)
        recipe.data_set.check_root(root, download=download)


def check_table_places(runs: Path, results: Path) -> None:
    """Check that the runs and the results file of a table can be written.

    Raises:
        InputError: they cannot.
    """
    for folder in (runs, results.parent):
        check_place(folder, "choose another --runs or --results")


def check_demo(recipes: Sequence[Recipe], out: Path, *, resume: bool) -> None:
    """Check the recipes and the folder of a demo.

    Raises:
        InputError: a method or devices that the demo does not take, or as ``check_recipe`` and ``check_out``.
    """
    for recipe in recipes:
        if (method := recipe.method.name) != "sepclr":
            raise InputError(f"method: the demo shows sepclr; for {method!r} use sepclr fit marked-digits --method {method}")
        if given := _several_devices(recipe):
            raise InputError(f"{given}; the demo's two runs are small and take one device")
        check_recipe(recipe)
    names = [recipe.label for recipe in recipes]
    begun = [name for name in names if (out / name).exists()]
    for name in begun or names[:1]:
        check_out(out / name, resume=resume)


def check_run(recipe: Recipe, out: Path, *, resume: bool, root: Path | None = None, download: bool = False) -> None:
    """Check all of a run that the words of its command decide.

    Raises:
        InputError: as ``check_recipe``, ``DataSet.check_root`` and ``check_out``.
    """
    check_recipe(recipe)
    recipe.data_set.check_root(root, download=download)
    # The first of several processes makes the folder before it starts the others with the same command.
    if next((os.environ[name] for name in RANKS if name in os.environ), "0") == "0":
        check_out(out, resume=resume)


def check_finished(run: Path) -> None:
    """Check that a folder holds a finished run.

    Raises:
        InputError: it does not.
    """
    RunFolder(run).recipe()
    RunFolder(run).samples()


def check_codes(run: Path, source: Path, out: Path) -> None:
    """Check what ``sepclr encode`` reads and writes.

    Raises:
        InputError: an output of another kind or in no folder, no finished run, or no input.
    """
    if out.suffix not in CODES:
        raise InputError(f"{out}: unknown kind of file; name the output .npz, .parquet or .tsv")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent}: no such folder; make it or choose another --out")
    check_finished(run)
    if source.suffix in TABLES:
        check_table_exists(source)
    elif not source.is_file():
        raise InputError(f"{source}: no such file; give samples as .npy, .npz or .parquet, or of mri a table of images")


def check_table_exists(table: Path) -> None:
    """Check that a table is there.

    Raises:
        InputError: it is not.
    """
    if not table.is_file():
        raise InputError(f"{table}: no such table")

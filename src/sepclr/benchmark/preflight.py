"""Checks of what the words of a command decide. Nothing heavy is imported here, so that an error is answered before torch is loaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sepclr.benchmark.folder import RunFolder, check_out, check_place
from sepclr.benchmark.profiles import adapted
from sepclr.benchmark.recipes import MACHINE_FIELDS, NEED_ROOT, Recipe, declared, method_options
from sepclr.errors import InputError
from sepclr.ranges import check_at_least, check_image_views, check_positive, check_volume_views

OF_IMAGES = ("crop", "crop_scale", "crop_ratio", "jitter", "jitter_probability", "jitter_whole_batch", "grey")
OF_VOLUMES = ("shift", "rotation", "blur", "gamma", "noise", "cutout")

TABLES = (".tsv", ".csv")
"""Kinds of file that hold a table of images."""

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Variables that say which of several processes this is, in the order in which Lightning looks at them."""

CODES = (".npz", ".parquet", ".tsv")
"""Kinds of file that codes are written to."""


def check_recipe(recipe: Recipe) -> None:
    """Check all of a recipe that can be checked without its data.

    Raises:
        InputError: a value outside its range, or an option that the method or the data set does not have.
    """
    method = declared(recipe)
    if "independence" not in method.defaults and recipe.independence != "none":
        raise InputError(f"independence: {recipe.independence!r} is SepCLR's; method {recipe.method!r} takes none")
    if method.views and recipe.views == "none":
        raise InputError(f"views: {recipe.method!r} learns from what two random views share; give random")
    method_options(recipe)
    check_at_least(0, seed=recipe.seed, fold=recipe.fold, workers=recipe.workers)
    for option in ("width", "stem_stride", "max_epochs", "batch_size", "nodes"):
        check_at_least(1, **{option: getattr(recipe, option)})
    check_positive(learning_rate=recipe.learning_rate)
    if not method.trained:
        _check_linear(recipe)
    _check_views(recipe)


def _check_linear(recipe: Recipe) -> None:
    """Refuse options of networks, views and training for principal components."""
    usual = adapted(Recipe(recipe.data), recipe.method)
    free = {"study", "fold", "seed", "common_dim", "salient_dim", "precision", *MACHINE_FIELDS}
    for option, value in vars(usual).items():
        if option not in free and getattr(recipe, option) != value:
            raise InputError(f"{option}: method {recipe.method!r} is not trained and has no such option; it has common_dim, salient_dim")


def _check_views(recipe: Recipe) -> None:
    volumes = recipe.data == "mri"
    for option in OF_IMAGES if volumes else OF_VOLUMES:
        if getattr(recipe, option) != getattr(Recipe, option):
            raise InputError(f"{option}: views of {'volumes' if volumes else 'images'} have no such option")
    if recipe.workers and not volumes:
        raise InputError(f"workers: {recipe.workers}, but these samples are in memory; leave it at 0")
    if recipe.views == "none":
        return
    if volumes:
        check_volume_views(recipe.flip, recipe.shift, recipe.rotation, recipe.blur, recipe.gamma, recipe.noise, recipe.cutout)
        return
    scale = (recipe.crop_scale, 1.0)
    check_image_views(recipe.crop, scale, recipe.crop_ratio, recipe.flip, recipe.jitter, recipe.jitter_probability, recipe.grey)


def check_row(recipe: Recipe) -> None:
    """Check the recipe of a row of a table, which takes one device.

    Raises:
        InputError: as ``check_recipe``, or several devices or nodes.
    """
    if recipe.devices not in ("auto", "1") or recipe.nodes > 1:
        given = f"devices: {recipe.devices} on {recipe.nodes} node(s)"
        raise InputError(f"{given}; a row takes one device; give --jobs, or workers, for several rows at a time")
    check_recipe(recipe)


def check_rows(recipes: Sequence[Recipe], root: Path | None, *, download: bool) -> None:
    """Check the recipes of all rows of a table and the folder of their data.

    Raises:
        InputError: as ``check_row`` and ``check_root``.
    """
    for recipe in recipes:
        check_row(recipe)
        check_root(recipe, root, download=download)


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
        if recipe.method != "sepclr":
            raise InputError(f"method: the demo shows sepclr; for {recipe.method!r} use sepclr fit marked-digits --method {recipe.method}")
        if recipe.devices not in ("auto", "1") or recipe.nodes > 1:
            raise InputError(f"devices: {recipe.devices} on {recipe.nodes} node(s); the demo's two runs are small and take one device")
        check_recipe(recipe)
    names = [recipe.label for recipe in recipes]
    begun = [name for name in names if (out / name).exists()]
    for name in begun or names[:1]:
        check_out(out / name, resume=resume)


def check_root(recipe: Recipe, root: Path | None, *, download: bool) -> None:
    """Check that the folder of a data set is there.

    Raises:
        InputError: no folder for a data set that needs one.
    """
    if recipe.data not in NEED_ROOT:
        return
    if root is None:
        raise InputError(f"root: {recipe.data} needs the folder of CIFAR-10 and MNIST; give --root DIR, with --download to fetch them")
    if not root.is_dir() and not download:
        raise InputError(f"root: no folder {root}; give the one that holds cifar-10-batches-py and MNIST/raw, or add --download")


def check_run(recipe: Recipe, out: Path, *, resume: bool, root: Path | None = None, download: bool = False) -> None:
    """Check all of a run that the words of its command decide.

    Raises:
        InputError: as ``check_recipe``, ``check_root`` and ``check_out``.
    """
    check_recipe(recipe)
    check_root(recipe, root, download=download)
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

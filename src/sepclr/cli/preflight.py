"""``sepclr preflight``: look at training samples before training."""

from __future__ import annotations

import os
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from sepclr.cli.options import Parser, add_data, add_recipe, recipe_options
from sepclr.cli.study import plain_study, root_of
from sepclr.datasets import DATA_SETS, DataSet
from sepclr.errors import InputError
from sepclr.runs import usable
from sepclr.runs.recipe import usual

OPTIONS = ("method", "encoder", "reconstruction", "seed", "fold")
"""Options of a recipe that untrained encoders and training samples depend on."""


def preflight(data_set: DataSet, options: Namespace) -> None:
    """Ask, before training, whether there is anything to learn: signal, dimensions, power, confounders, duplicates, and which method."""
    if data_set.task != "contrast":
        others = ", ".join(name for name, each in DATA_SETS.items() if each.task == "contrast")
        raise InputError(f"data: {data_set.name} is for {data_set.task}, which has no background and target to compare; choose {others}")
    given = {name: options.get(name) for name in OPTIONS}
    recipe = usual(data_set.name, options.profile, **given)
    out = Path(options.out) if options.out else None
    if out is not None and (out.is_dir() or not out.parent.is_dir() or not os.access(out.parent, os.W_OK)):
        raise InputError(f"out: {out} cannot be written; give --out a file in an existing, writable folder")
    root, download = root_of(options), options.get("download", False)
    recipe.data_set.check_root(root, download=download)
    if data_set.study is not None:
        study = plain_study(data_set, options)
        study.members()  # raises InputError before torch is imported
        recipe = recipe.of(study)
    usable.check_recipe(recipe)
    from sepclr.runs.preflight import look

    look(recipe, out, root=root, download=download)
    if out is not None:
        print(f"page: {out}")


def preflight_parser(about: str, data_set: DataSet) -> ArgumentParser:
    """Make the parser of ``sepclr preflight``."""
    parser: ArgumentParser = Parser(description=about)
    add_data(parser, data_set, required=data_set.task == "contrast")
    add_recipe(parser, data_set, without=[name for name in recipe_options(data_set) if name not in OPTIONS])
    parser.add_argument("--out", type=str, default=None, help="page to write, such as preflight.html (default: none)")
    return parser

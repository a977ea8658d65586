"""Look at the training samples of a data set before training: is there anything to learn?"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from torch import nn

from sepclr.estimators.preflight_cohort import of_cohort
from sepclr.probes.preflight import Preflight
from sepclr.reports.preflight_page import print_preflight, write_preflight_page
from sepclr.runs.make import make_method
from sepclr.runs.recipe import Recipe
from sepclr.runs.run import load
from sepclr.runs.trained import device_of


def look(recipe: Recipe, out: Path | None = None, *, root: Path | None = None, download: bool = False) -> Preflight:
    """Look at the training samples of a recipe's data set, print what was found, and write a page.

    Args:
        recipe: recipe with the data set, the method whose untrained encoders are used, and the seed.
        out: HTML file to write; none if None.
        root: data folder, or the volume cache of brains; None for a data set without files.
        download: fetch missing files into ``root``.

    Returns:
        What was found.

    Raises:
        InputError: data that cannot be used, or too few subjects of a group.
    """
    source = load(recipe, root, download=download)
    network = None
    if recipe.training is not None:
        network = make_method(recipe, source.train.x.shape[1:], source.train.further, source.train.classes)
        cast(nn.Module, network).to(device_of(recipe))
    known = [name for name in source.train.attributes if name not in source.salient_attributes]
    found = of_cohort(source.train, network, tests=[source.tests["strict"]], attributes=known, seed=recipe.seed)
    print_preflight(found)
    if out is not None:
        write_preflight_page(out, found, source.train, f"Before training: {source.title}")
    return found

"""Load the trained method of a run, and encode samples for probes."""

from __future__ import annotations

from typing import cast

from safetensors.torch import load_file
from torch import nn

from sepclr.data import Cohort
from sepclr.probes import Probed
from sepclr.runs.folder import RunFolder
from sepclr.runs.make import make_method
from sepclr.runs.recipe import Recipe
from sepclr.training import encode, project, resolve_accelerator
from sepclr.types import HasHeads, Method


def load_method(folder: RunFolder) -> tuple[Method, tuple[int, ...]]:
    """Load the trained method of a run, in evaluation mode on its device, and the shape of its samples.

    Raises:
        InputError: if the folder is not a finished run.
    """
    recipe = folder.recipe()
    shape = tuple(folder.samples()["sample_shape"])
    method = make_method(recipe, shape)
    # In evaluation mode, the code of a sample does not depend on the rest of its batch.
    cast(nn.Module, method).eval().load_state_dict(load_file(folder.model))
    cast(nn.Module, method).to(device_of(recipe))
    return method, shape


def device_of(recipe: Recipe) -> str:
    """Return the device of a trained network: a GPU if there is one, unless the recipe's accelerator is ``cpu``."""
    return resolve_accelerator("cpu" if recipe.training and recipe.training.accelerator == "cpu" else "auto")


def probed(method: Method, cohort: Cohort, *, everyone: bool = False, standardised: bool = False) -> Probed:
    """Encode a cohort into every space that is probed: codes and, if the method has them, projections."""
    codes = encode(method, cohort.x)
    spaces = {"c": codes.c.numpy(), "s": codes.s.numpy()}
    if isinstance(method, HasHeads):
        heads = project(method, codes)
        spaces |= {"c_head": heads.c.numpy(), "s_head": heads.s.numpy()}
    return Probed(spaces, cohort.is_target.numpy(), cohort.attributes, everyone, cohort.subjects, standardised)

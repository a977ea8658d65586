"""A trained method read back from its run, and its codes as probes take them."""

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
    """Load the trained method of a run, in evaluation mode, on a GPU if there is one, and the shape of the samples that it takes.

    Raises:
        InputError: the folder holds no finished run.
    """
    recipe = folder.recipe()
    shape = tuple(folder.samples()["sample_shape"])
    method = make_method(recipe, shape)
    # What encodes a sample by itself must not look at the rest of its batch.
    cast(nn.Module, method).eval().load_state_dict(load_file(folder.model))
    cast(nn.Module, method).to(device_of(recipe))
    return method, shape


def device_of(recipe: Recipe) -> str:
    """Choose where a trained network computes: on a GPU if there is one and the recipe does not keep it on the CPU."""
    return resolve_accelerator("cpu" if recipe.training and recipe.training.accelerator == "cpu" else "auto")


def probed(method: Method, cohort: Cohort, *, everyone: bool = False, standardised: bool = False) -> Probed:
    """Encode a cohort into every space that is probed: the codes, and the heads where the method has them."""
    codes = encode(method, cohort.x)
    spaces = {"c": codes.c.numpy(), "s": codes.s.numpy()}
    if isinstance(method, HasHeads):
        heads = project(method, codes)
        spaces |= {"c_head": heads.c.numpy(), "s_head": heads.s.numpy()}
    return Probed(spaces, cohort.is_target.numpy(), cohort.attributes, everyone, cohort.subjects, standardised)

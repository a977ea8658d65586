"""From a recipe to a method with fresh weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sepclr.benchmark.linear import LinearCodes
from sepclr.benchmark.preflight import check_recipe
from sepclr.benchmark.recipes import Recipe, declared, method_options
from sepclr.methods.make import make
from sepclr.nets import Networks
from sepclr.types import InputError, Method


def build(recipe: Recipe, sample_shape: Sequence[int]) -> Method:
    """Make the method of a recipe with fresh weights from its seed.

    Args:
        recipe: which method, networks and weights.
        sample_shape: (channels, *space) of one sample.

    Returns:
        The method.

    Raises:
        InputError: options that the method does not have.
    """
    check_recipe(recipe)
    if not declared(recipe).trained:
        return LinearCodes(math.prod(sample_shape), (recipe.common_dim, recipe.salient_dim))
    _check_views(recipe, sample_shape)
    how = {name: getattr(recipe, name) for name in ("width", "stem_stride", "norm", "checkpointing")}
    return make(method_options(recipe), Networks(tuple(sample_shape), recipe.encoder, **how), seed=recipe.seed)


def _check_views(recipe: Recipe, sample_shape: Sequence[int]) -> None:
    """Refuse views that are smaller than what the networks take."""
    whole = len(sample_shape) == 4 or recipe.views == "none" or all(side == recipe.crop for side in sample_shape[1:])
    decodes = declared(recipe).decoder
    if not whole and (recipe.encoder == "conv" or decodes):
        asks = f"encoder: {recipe.encoder!r}" if recipe.encoder == "conv" else f"method: {recipe.method!r}"
        raise InputError(f"{asks} takes whole images; give --views none, or a crop of their size")

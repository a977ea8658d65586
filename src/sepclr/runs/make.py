"""Make the method of a recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sepclr.methods.make import make_several
from sepclr.methods.options.linear import LinearOptions
from sepclr.nets import Networks
from sepclr.parts import ImageAugmentation
from sepclr.runs.linear import LinearCodes
from sepclr.runs.recipe import Recipe
from sepclr.runs.usable import check_recipe
from sepclr.types import TARGET_GROUP, InputError, Method


def make_method(
    recipe: Recipe,
    sample_shape: Sequence[int],
    further: Mapping[str, Sequence[int]] | None = None,
    classes: Mapping[str, int] | None = None,
) -> Method:
    """Make the method of a recipe, with weights initialised from its seed.

    Args:
        recipe: recipe with the method, its networks and the seed.
        sample_shape: (channels, *space) of one sample.
        further: shape of one sample of each further modality.
        classes: number of classes that the method predicts or is told, by name, and of target groups, where there are several.

    Returns:
        The method; with several target groups, one for each that share the common encoder.

    Raises:
        InputError: if options do not fit the method or the samples.
    """
    check_recipe(recipe)
    options = recipe.method
    groups = (classes or {}).get(TARGET_GROUP, 1)
    if isinstance(options, LinearOptions):
        if groups > 1:
            raise InputError(f"method: {options.name!r} takes one target group, not {groups}; choose a trained method, or --merge")
        return LinearCodes(math.prod(sample_shape), (options.common_dim, options.salient_dim))
    assert recipe.encoder is not None
    _check_views(recipe, recipe.encoder.kind, sample_shape)
    shapes = {name: tuple(shape) for name, shape in (further or {}).items()}
    networks = Networks(tuple(sample_shape), **vars(recipe.encoder), further=shapes, classes=classes or {})
    return make_several(options, networks, groups=groups, seed=recipe.seed)


def _check_views(recipe: Recipe, encoder: str, sample_shape: Sequence[int]) -> None:
    """Check that views have the size that the networks require."""
    crop = recipe.views.side(sample_shape[1:]) if isinstance(recipe.views, ImageAugmentation) else None
    whole = crop is None or all(side == crop for side in sample_shape[1:])
    if not whole and (encoder == "conv" or recipe.declared.decoder):
        asks = f"encoder: {encoder!r}" if encoder == "conv" else f"method: {recipe.method.name!r}"
        raise InputError(f"{asks} takes whole images; give --views none, or --crop with the side of the images")

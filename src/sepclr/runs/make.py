"""Make the method of a recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sepclr.methods.make import make
from sepclr.methods.options.linear import LinearOptions
from sepclr.nets import Networks
from sepclr.parts import ImageAugmentation
from sepclr.runs.linear import LinearCodes
from sepclr.runs.preflight import check_recipe
from sepclr.runs.recipe import Recipe
from sepclr.types import InputError, Method


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
        classes: number of classes that the method predicts or is told, by name.

    Returns:
        The method.

    Raises:
        InputError: if options do not fit the method or the samples.
    """
    check_recipe(recipe)
    options = recipe.method
    if isinstance(options, LinearOptions):
        return LinearCodes(math.prod(sample_shape), (options.common_dim, options.salient_dim))
    assert recipe.encoder is not None
    _check_views(recipe, recipe.encoder.kind, sample_shape)
    shapes = {name: tuple(shape) for name, shape in (further or {}).items()}
    networks = Networks(tuple(sample_shape), **vars(recipe.encoder), further=shapes, classes=classes or {})
    return make(options, networks, seed=recipe.seed)


def _check_views(recipe: Recipe, encoder: str, sample_shape: Sequence[int]) -> None:
    """Check that views have the size that the networks require."""
    crop = recipe.views.side(sample_shape[1:]) if isinstance(recipe.views, ImageAugmentation) else None
    whole = crop is None or all(side == crop for side in sample_shape[1:])
    if not whole and (encoder == "conv" or recipe.declared.decoder):
        asks = f"encoder: {encoder!r}" if encoder == "conv" else f"method: {recipe.method.name!r}"
        raise InputError(f"{asks} takes whole images; give --views none, or --crop with the side of the images")

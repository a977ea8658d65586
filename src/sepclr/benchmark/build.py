"""From a recipe to a method with fresh weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import torch

from sepclr import methods, nets
from sepclr.benchmark.linear import LinearCodes, check_linear
from sepclr.benchmark.recipes import LINEAR, VARIATIONAL, Recipe
from sepclr.methods.sepvae import RELEASED_CLASSIFICATION
from sepclr.types import InputError, Method

WEIGHTS: Mapping[str, type[Any]] = {
    "sepclr": methods.SepCLRWeights,
    "cvae": methods.CVAEWeights,
    "convae": methods.ConVAEWeights,
    "mm-cvae": methods.MMcVAEWeights,
    "sepvae": methods.SepVAEWeights,
    "simclr": methods.SimCLRWeights,
    "simclr-target": methods.SimCLRWeights,
}

HAVING = {
    "fidelity": ("cvae", "mm-cvae", "sepvae"),
    "critic_steps": ("sepclr", "cvae", "convae", "sepvae"),
    "tau": ("sepclr", "simclr", "simclr-target"),
}
"""Options that only some methods have."""

OF_IMAGES = ("crop", "crop_scale", "crop_ratio", "jitter", "jitter_probability", "jitter_whole_batch", "grey")
OF_VOLUMES = ("shift", "rotation", "blur", "gamma", "noise", "cutout")


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
    if recipe.method != "sepclr" and recipe.independence != "none":
        raise InputError(f"independence: {recipe.independence!r} is SepCLR's; method {recipe.method!r} takes none")
    if recipe.method in LINEAR:
        check_linear(recipe)
        return LinearCodes(math.prod(sample_shape), (recipe.common_dim, recipe.salient_dim))
    if recipe.method not in VARIATIONAL and recipe.views == "none":
        raise InputError(f"views: {recipe.method!r} learns from what two random views share; give random")
    _check(recipe, sample_shape)
    weights = _weights(recipe)

    def network(dim: int) -> torch.nn.Module:
        return nets.encoder(
            recipe.encoder,
            sample_shape,
            dim,
            width=recipe.width,
            stem_stride=recipe.stem_stride,
            norm=recipe.norm,
            checkpointing=recipe.checkpointing,
        )

    def head(dim: int) -> torch.nn.Module:
        return nets.head(dim, norm=recipe.norm)

    c, s = recipe.common_dim, recipe.salient_dim
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        if recipe.method == "sepclr":
            return methods.SepCLR(
                network(c),
                network(s),
                head(c),
                head(s),
                (c, s),
                independence=recipe.independence,
                critic_steps=recipe.critic_steps,
                weights=weights,
                tau=recipe.tau,
            )
        if recipe.method in ("simclr", "simclr-target"):
            group = "all" if recipe.method == "simclr" else "target"
            return methods.SimCLR(network(c), head(c), group=group, weights=weights, tau=recipe.tau)  # type: ignore[arg-type]
        gaussians = network(2 * c), network(2 * s), nets.decoder(sample_shape, c + s)
        if recipe.method == "mm-cvae":
            return methods.MMcVAE(*gaussians, fidelity=recipe.fidelity, weights=weights)
        if recipe.method == "convae":
            return methods.ConVAE(*gaussians, (c, s), critic_steps=recipe.critic_steps, weights=weights)
        faithful = methods.CVAE if recipe.method == "cvae" else methods.SepVAE
        return faithful(*gaussians, (c, s), fidelity=recipe.fidelity, critic_steps=recipe.critic_steps, weights=weights)


def _check(recipe: Recipe, sample_shape: Sequence[int]) -> None:
    """Refuse what would be ignored, or fail once training has begun."""
    for option, having in HAVING.items():
        if recipe.method not in having and getattr(recipe, option) != getattr(Recipe, option):
            raise InputError(f"{option}: method {recipe.method!r} has no such option; {', '.join(having)} have it")
    for option in ("common_dim", "salient_dim", "width", "stem_stride"):
        if getattr(recipe, option) < 1:
            raise InputError(f"{option}: {getattr(recipe, option)} is not at least 1")
    volumes = len(sample_shape) == 4
    for option in OF_IMAGES if volumes else OF_VOLUMES:
        if getattr(recipe, option) != getattr(Recipe, option):
            raise InputError(f"{option}: views of {'volumes' if volumes else 'images'} have no such option")
    if recipe.workers and not volumes:
        raise InputError(f"workers: {recipe.workers}, but these samples are in memory; leave it at 0")
    whole = volumes or recipe.views == "none" or all(side == recipe.crop for side in sample_shape[1:])
    if not whole and (recipe.encoder == "conv" or recipe.method in VARIATIONAL):
        asks = f"encoder: {recipe.encoder!r}" if recipe.encoder == "conv" else f"method: {recipe.method!r}"
        raise InputError(f"{asks} takes whole images; give --views none, or a crop of their size")


def _weights(recipe: Recipe) -> Any:
    """Take the method's published weights but for those that the recipe gives."""
    kind = WEIGHTS[recipe.method]
    prefix = "weight_"
    given = {
        field.name.removeprefix(prefix): getattr(recipe, field.name)
        for field in fields(Recipe)
        if field.name.startswith(prefix) and getattr(recipe, field.name) is not None
    }
    if recipe.method == "sepvae" and recipe.fidelity == "released":
        given.setdefault("classification", RELEASED_CLASSIFICATION)
    known = {field.name for field in fields(kind)}
    for name in given:
        if name not in known:
            raise InputError(f"weight_{name}: method {recipe.method!r} has no such term; it has {', '.join(sorted(known))}")
    return kind(**given)

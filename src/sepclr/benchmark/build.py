"""From a recipe to a method with fresh weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any, cast

import torch
from torch import nn

from sepclr import methods, nets
from sepclr.benchmark.linear import LinearCodes, NoWeights
from sepclr.benchmark.preflight import check_recipe, weights_of
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
    "pca": NoWeights,
    "contrastive-pca": NoWeights,
}


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
    if recipe.method in LINEAR:
        return LinearCodes(math.prod(sample_shape), (recipe.common_dim, recipe.salient_dim))
    _check_views(recipe, sample_shape)

    def network(dim: int) -> nn.Module:
        return nets.encoder(
            recipe.encoder,
            sample_shape,
            dim,
            width=recipe.width,
            stem_stride=recipe.stem_stride,
            norm=recipe.norm,
            checkpointing=recipe.checkpointing,
        )

    def head(dim: int) -> nn.Module:
        return nets.head(dim, norm=recipe.norm)

    c, s = recipe.common_dim, recipe.salient_dim
    given = {"critic_steps": recipe.critic_steps, "critic_learning_rate": recipe.critic_learning_rate}
    critic: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        if recipe.method == "sepclr":
            return _sepclr(recipe, (network(c), network(s), head(c), head(s)), critic)
        if recipe.method in ("simclr", "simclr-target"):
            group = "all" if recipe.method == "simclr" else "target"
            return methods.SimCLR(network(c), head(c), group=group, weights=resolved_weights(recipe), tau=recipe.tau)  # type: ignore[arg-type]
        return _variational(recipe, (network(2 * c), network(2 * s), nets.decoder(sample_shape, c + s)), critic)


def _sepclr(recipe: Recipe, parts: tuple[nn.Module, nn.Module, nn.Module, nn.Module], critic: dict[str, Any]) -> Method:
    """Make SepCLR of its encoders and its heads."""
    dims, weights = (recipe.common_dim, recipe.salient_dim), resolved_weights(recipe)
    if recipe.objective == "decorrelated":
        c, s = (nets.standardise(dim, norm=recipe.norm) for dim in dims)
        tau = cast(float, recipe.tau)  # checked
        return methods.Decorrelated(*parts, (c, s), dims, further_views=recipe.further_views, weights=weights, tau=tau)
    return methods.SepCLR(
        *parts,
        dims,
        objective=recipe.objective,
        further_views=recipe.further_views,
        independence=recipe.independence,
        adversary_over=recipe.adversary_over,
        critic_log_variance=recipe.critic_log_variance,
        weights=weights,
        tau=(recipe.tau, recipe.tau if recipe.tau_salient is None else recipe.tau_salient),
        **critic,
    )


def _variational(recipe: Recipe, networks: tuple[nn.Module, nn.Module, nn.Module], critic: dict[str, Any]) -> Method:
    """Make a variational method of its encoders and its decoder."""
    dims, weights = (recipe.common_dim, recipe.salient_dim), resolved_weights(recipe)
    if recipe.method == "mm-cvae":
        return methods.MMcVAE(*networks, weights=weights)
    if recipe.method == "cvae":
        return methods.CVAE(*networks, dims, fidelity=recipe.fidelity, weights=weights, **critic)
    critic["adversary_over"] = recipe.adversary_over
    if recipe.method == "convae":
        return methods.ConVAE(*networks, dims, weights=weights, **critic)
    return methods.SepVAE(*networks, dims, fidelity=recipe.fidelity, weights=weights, **critic)


def _check_views(recipe: Recipe, sample_shape: Sequence[int]) -> None:
    """Refuse views that are smaller than what the networks take."""
    whole = len(sample_shape) == 4 or recipe.views == "none" or all(side == recipe.crop for side in sample_shape[1:])
    if not whole and (recipe.encoder == "conv" or recipe.method in VARIATIONAL):
        asks = f"encoder: {recipe.encoder!r}" if recipe.encoder == "conv" else f"method: {recipe.method!r}"
        raise InputError(f"{asks} takes whole images; give --views none, or a crop of their size")


def resolved(recipe: Recipe) -> Recipe:
    """Write the method's own weights and critic settings into a recipe where it gives none; what the method does not have stays None.

    Raises:
        InputError: a weight that the method does not have.
    """
    known = {field.name for field in fields(Recipe)}
    weights = {f"weight_{name}": value for name, value in asdict(resolved_weights(recipe)).items()}
    values = {name: value for name, value in weights.items() if name in known}
    critic = methods.default_critic(recipe.independence) if recipe.method == "sepclr" else None
    if recipe.method in ("convae", "sepvae") or (recipe.method == "cvae" and recipe.fidelity == "paper"):
        critic = methods.DISCRIMINATOR
    for name, value in zip(("critic_steps", "critic_learning_rate"), critic or (), strict=False):
        if getattr(recipe, name) is None:
            values[name] = value
    return replace(recipe, **values)


def resolved_weights(recipe: Recipe) -> Any:
    """Take the method's published weights but for those that the recipe gives."""
    given = weights_of(recipe)
    if recipe.method == "sepvae" and recipe.fidelity == "released":
        given.setdefault("classification", RELEASED_CLASSIFICATION)
    if recipe.method == "sepclr" and recipe.objective == "decorrelated":
        return methods.DecorrelatedWeights(**given)
    published = methods.default_weights(recipe.independence) if recipe.method == "sepclr" else WEIGHTS[recipe.method]()
    return replace(published, **given)

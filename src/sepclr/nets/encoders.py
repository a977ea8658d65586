"""Encoders of rows, images and volumes, chosen by their kind and the shape of a sample; 2-D and 3-D work alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, cast

from torch import nn

from sepclr.nets.checkpointing import Checkpointed
from sepclr.nets.convolutional import conv_encoder
from sepclr.types import InputError

ENCODERS = {"mlp": "rows"} | dict.fromkeys(("conv", "cnn3", "cnn4", "resnet8", "resnet10", "resnet18", "densenet121"), "images")
"""Name of each encoder and the kind of samples that it accepts."""

Norm = Literal["batch", "group"]
"""``batch`` normalises over the samples of a process, ``group`` within each sample, over groups of channels (for rows, all features)."""

GROUPS = 8
"""Number of channel groups of norm ``group`` for images and volumes; the width must be a multiple of it."""

CONVOLUTIONS = {"cnn3": 3, "cnn4": 4}
BLOCKS = {"resnet8": [1, 1, 1, 1], "resnet10": [1, 1, 1, 1], "resnet18": [2, 2, 2, 2]}


def encoder(
    kind: str,
    sample_shape: Sequence[int],
    dim: int,
    *,
    width: int = 64,
    stem_stride: int = 1,
    norm: Norm = "batch",
    checkpointing: bool = False,
) -> nn.Module:
    """Return an encoder that maps samples (n, *sample_shape) to vectors (n, dim).

    Args:
        kind: ``mlp`` for rows; for images and volumes ``conv`` (``conv_encoder``, which has no normalisation); ``cnn3`` or ``cnn4``
            (three or four plain convolutions of size 3 and stride 2, except that the first has ``stem_stride``, each with normalisation
            and ReLU; then global average pooling and a linear layer); ``resnet8`` (three stages of one block), ``resnet10`` (four of one)
            or ``resnet18`` (four of two) with a stem of size 3, no max-pooling (SimCLR, arXiv 2002.05709, B.9) and a final linear layer;
            ``densenet121`` (Huang et al. 2017, arXiv 1608.06993) with a stem of stride 2 and max-pooling as published, and a growth rate
            of half the channels of its first stage.
        sample_shape: (features,) or (channels, *space) of one sample.
        dim: length of the vectors.
        width: channels of the first stage or convolution, doubled at each of the next; units of a hidden layer of ``mlp``.
        stem_stride: stride of the stem or first convolution: 1 keeps the resolution, 2 is four times cheaper in 2-D.
        norm: ``batch`` or ``group``.
        checkpointing: recompute the activations within the blocks of a ResNet or DenseNet in the backward pass instead of storing them:
            less memory for about a third more time.

    Returns:
        The encoder, with weights drawn from torch's global generator.

    Raises:
        InputError: unknown kind or norm, a kind that does not accept samples of this shape, a width that does not divide into groups, or
            an option that the kind does not have.
    """
    if kind not in ENCODERS:
        raise InputError(f"encoder: {kind!r} is unknown; choose one of {', '.join(ENCODERS)}")
    if not 1 <= len(sample_shape) <= 4 or min(sample_shape) < 1:
        raise InputError(f"encoder: no encoder takes samples of shape {tuple(sample_shape)}; give (features,) or (channels, *space)")
    rows = len(sample_shape) == 1
    if (ENCODERS[kind] == "rows") != rows:
        fitting = [name for name, takes in ENCODERS.items() if (takes == "rows") == rows]
        raise InputError(f"encoder: {kind!r} does not take samples of shape {tuple(sample_shape)}; choose one of {', '.join(fitting)}")
    if norm not in ("batch", "group"):
        raise InputError(f"norm: {norm!r} is unknown; choose batch or group")
    if norm == "group" and not rows and width % GROUPS:
        raise InputError(f"width: {width} is not a multiple of {GROUPS}, which norm 'group' needs")
    _has(kind, checkpointing=checkpointing, stem_stride=stem_stride)
    if rows:
        return nn.Sequential(
            *_hidden(sample_shape[0], width, norm),  # (n, width)
            *_hidden(width, width, norm),
            nn.Linear(width, dim),
        )
    if kind == "conv":
        return conv_encoder(sample_shape, dim, width)
    if kind in CONVOLUTIONS:
        return _cnn(CONVOLUTIONS[kind], sample_shape, dim, width, stem_stride, norm)
    if kind == "densenet121":
        network = _densenet(sample_shape, dim, width, norm)
    else:
        network = _resnet(kind, sample_shape, dim, width, stem_stride, norm)
    if checkpointing:
        _checkpoint(network)
    return network


def _has(kind: str, *, checkpointing: bool, stem_stride: int) -> None:
    if checkpointing and kind in ("mlp", "conv", *CONVOLUTIONS):
        raise InputError(f"checkpointing: unnecessary for encoder {kind!r}, which is small")
    if kind == "densenet121" and stem_stride != 2:
        raise InputError(f"stem_stride: {stem_stride}, but densenet121 has a stem of stride 2")


def _checkpoint(network: nn.Module) -> None:
    """Wrap each block. Wrapping whole stages would save less, because the first stage has most of the activations."""
    stages = [stage for name, stage in network.named_modules() if re.fullmatch(r"(.+\.)?(layer|denseblock)\d", name)]
    for stage in stages:
        for name, block in list(stage.named_children()):
            setattr(stage, name, Checkpointed(block))


def _norm(norm: Norm) -> Any:
    return "batch" if norm == "batch" else ("group", {"num_groups": GROUPS})


def _densenet(sample_shape: Sequence[int], dim: int, width: int, norm: Norm) -> nn.Module:
    from monai.networks.nets.densenet import DenseNet121

    dims = len(sample_shape) - 1
    if norm == "group" and width % (2 * GROUPS):
        raise InputError(f"width: {width} is not a multiple of {2 * GROUPS}, which norm 'group' of densenet121 needs")
    network = DenseNet121(dims, sample_shape[0], dim, init_features=width, growth_rate=max(width // 2, 1), norm=_norm(norm))
    return cast(nn.Module, network)


def _cnn(convolutions: int, sample_shape: Sequence[int], dim: int, width: int, stem_stride: int, norm: Norm) -> nn.Module:
    from monai.networks.blocks.convolutions import Convolution
    from monai.networks.layers.factories import Pool

    dims = len(sample_shape) - 1
    channels = [sample_shape[0], *[width * 2**stage for stage in range(convolutions)]]
    strides = [stem_stride, *[2] * (convolutions - 1)]
    # Convolutions need no bias, because normalisation has one.
    stages = [
        Convolution(dims, a, b, stride, adn_ordering="NA", act="relu", norm=_norm(norm), bias=False)
        for (a, b), stride in zip(pairwise(channels), strides, strict=True)
    ]
    return nn.Sequential(*stages, Pool[Pool.ADAPTIVEAVG, dims](1), nn.Flatten(), nn.Linear(channels[-1], dim))


def _resnet(kind: str, sample_shape: Sequence[int], dim: int, width: int, stem_stride: int, norm: Norm) -> nn.Module:
    from monai.networks.nets.resnet import ResNet  # takes seconds to import, and rows do not need it

    network = ResNet(
        "basic",
        layers=BLOCKS[kind],
        block_inplanes=[width, 2 * width, 4 * width, 8 * width],
        spatial_dims=len(sample_shape) - 1,
        n_input_channels=sample_shape[0],
        conv1_t_size=3,
        conv1_t_stride=stem_stride,
        no_max_pool=True,
        bias_downsample=False,
        norm=_norm(norm),
        num_classes=dim,
    )
    if kind == "resnet8":  # MONAI's ResNet always has four stages
        network.layer4, network.fc = nn.Identity(), nn.Linear(4 * width, dim)
    return cast(nn.Module, network)


def _hidden(inputs: int, outputs: int, norm: Norm) -> list[nn.Module]:
    middle = nn.BatchNorm1d(outputs) if norm == "batch" else nn.LayerNorm(outputs)
    return [nn.Linear(inputs, outputs), middle, nn.ReLU()]

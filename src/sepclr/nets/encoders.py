"""Encoders of rows, images and volumes; the kind and the shape of a sample decide, two or three dimensions make no difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from torch import nn

from sepclr.nets.convolutional import conv_encoder
from sepclr.types import InputError

ENCODERS = {"mlp": "rows", "conv": "images", "resnet8": "images", "resnet10": "images", "resnet18": "images"}
"""Name of each encoder and the kind of samples that it takes."""

Norm = Literal["batch", "group"]
"""``batch`` normalises over the samples of a process, ``group`` within each sample: over groups of channels, all of them for rows."""

GROUPS = 8
"""Groups of channels that ``group`` makes of an image's; a width must be a multiple of it."""

BLOCKS = {"resnet8": [1, 1, 1, 1], "resnet10": [1, 1, 1, 1], "resnet18": [2, 2, 2, 2]}


def encoder(kind: str, sample_shape: Sequence[int], dim: int, *, width: int = 64, stem_stride: int = 1, norm: Norm = "batch") -> nn.Module:
    """Make an encoder that maps samples (n, *sample_shape) to vectors (n, dim).

    Args:
        kind: ``mlp`` for rows; for images and volumes ``conv`` (``conv_encoder``, which has no normalisation), or ``resnet8`` (three
            stages of one block), ``resnet10`` (four of one) or ``resnet18`` (four of two) with a 3-wide stem and no max-pooling
            (SimCLR, arXiv 2002.05709, B.9), a linear layer at the end.
        sample_shape: (features,) or (channels, *space) of one sample.
        dim: length of the vectors.
        width: channels of the first stage, doubled at each of the next; units of a hidden layer of ``mlp``.
        stem_stride: stride of the stem: 1 keeps the resolution, 2 is four times cheaper in 2-D.
        norm: ``batch`` or ``group``.

    Returns:
        The encoder, with fresh weights from torch's global generator.

    Raises:
        InputError: unknown kind or norm, a kind that does not take samples of this shape, or a width that has no groups.
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
    if rows:
        return nn.Sequential(
            *_hidden(sample_shape[0], width, norm),  # (n, width)
            *_hidden(width, width, norm),
            nn.Linear(width, dim),
        )
    if kind == "conv":
        return conv_encoder(sample_shape, dim, width)
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
        norm="batch" if norm == "batch" else ("group", {"num_groups": GROUPS}),
        num_classes=dim,
    )
    if kind == "resnet8":  # MONAI's always has four stages
        network.layer4, network.fc = nn.Identity(), nn.Linear(4 * width, dim)
    return cast(nn.Module, network)


def _hidden(inputs: int, outputs: int, norm: Norm) -> list[nn.Module]:
    middle = nn.BatchNorm1d(outputs) if norm == "batch" else nn.LayerNorm(outputs)
    return [nn.Linear(inputs, outputs), middle, nn.ReLU()]

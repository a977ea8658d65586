"""The small convolutional encoder and decoder of the variational baselines, and decoders of rows; two or three dimensions alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

from torch import nn

from sepclr.types import InputError

LAST = 256
"""Channels of the last convolution and units of the layer behind it."""


def conv_encoder(sample_shape: Sequence[int], dim: int, width: int = 32) -> nn.Module:
    """Make the encoder: convolutions 4-wide of stride 2 with ``width``, …, ``width``, 256 channels, a layer of 256 units, ``dim`` outputs.

    Of 32 × 32 pixels there are four convolutions, the last without padding, so that a single pixel is left: the networks of SepVAE and
    ConVAE for digits on CIFAR-10 (github.com/neurospin-projects/2023_rlouiset_sepvae, cifar_mnist/cnn_model.py). There are fewer where a
    side can be halved less often, and the last one is padded where 2 pixels are left. Weights are drawn as ``he_init`` says, not by torch.

    Args:
        sample_shape: (channels, *space) of one sample, sides even.
        dim: length of the vectors.
        width: channels of all convolutions but the last.

    Returns:
        From samples (n, *sample_shape) to vectors (n, dim).

    Raises:
        InputError: a side that is odd.
    """
    from monai.networks.layers.factories import Conv

    halvings = _halvings(sample_shape)
    padding, innermost = _innermost(sample_shape, halvings)
    channels = [sample_shape[0], *[width] * (halvings - 1), LAST]
    stages = _stages(Conv[Conv.CONV, len(sample_shape) - 1], channels, [*[1] * (halvings - 1), padding])
    flat = LAST * math.prod(innermost)
    return he_init(nn.Sequential(*stages, nn.Flatten(), nn.Linear(flat, LAST), nn.ReLU(), nn.Linear(LAST, dim)))


def decoder(sample_shape: Sequence[int], dim: int, width: int = 32) -> nn.Module:
    """Make a decoder: for images and volumes the mirror image of ``conv_encoder`` with a sigmoid behind it, for rows two hidden layers.

    Args:
        sample_shape: (features,) or (channels, *space) of one sample.
        dim: length of the vectors.
        width: channels of all convolutions but the first, units of a hidden layer.

    Returns:
        From vectors (n, dim) to samples (n, *sample_shape), pixels in 0..1.

    Raises:
        InputError: a side that is odd.
    """
    if len(sample_shape) == 1:
        hidden = [nn.Linear(dim, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
        return nn.Sequential(*hidden, nn.Linear(width, sample_shape[0]))
    from monai.networks.layers.factories import Conv

    halvings = _halvings(sample_shape)
    padding, start = _innermost(sample_shape, halvings)
    channels = [LAST, *[width] * (halvings - 1), sample_shape[0]]
    stages = _stages(Conv[Conv.CONVTRANS, len(sample_shape) - 1], channels, [padding, *[1] * (halvings - 1)])
    unflattened = [nn.Linear(dim, LAST), nn.ReLU(), nn.Linear(LAST, LAST * math.prod(start)), nn.ReLU(), nn.Unflatten(1, (LAST, *start))]
    return he_init(nn.Sequential(*unflattened, *stages[:-1], nn.Sigmoid()))


def _stages(convolution: type[nn.Module], channels: Sequence[int], paddings: Sequence[int]) -> list[nn.Module]:
    """Make convolutions 4-wide of stride 2 from each number of channels to the next, a ReLU behind each."""
    sizes = zip(pairwise(channels), paddings, strict=True)
    return [layer for (a, b), padding in sizes for layer in (convolution(a, b, 4, stride=2, padding=padding), nn.ReLU())]


def _innermost(sample_shape: Sequence[int], halvings: int) -> tuple[int, list[int]]:
    """Choose the padding of the innermost convolution, none where its kernel fits in, and tell the sides that it leaves."""
    before = [side // 2 ** (halvings - 1) for side in sample_shape[1:]]
    padding = 0 if min(before) >= 4 else 1
    return padding, [side // 2 - 1 + padding for side in before]


def he_init(network: nn.Sequential) -> nn.Sequential:
    """Draw the weights before each ReLU so that signals keep their size (He et al. 2015, arXiv 1502.01852).

    With torch's own, smaller ones, a decoder's pixels depend on its biases alone at first; on dark images these fall until the sigmoid
    is 0 everywhere and nothing is learnt any more.
    """
    for layer, after in pairwise(cast(Any, network)):
        if isinstance(after, nn.ReLU):
            # A stride of 2 lets each output of a transposed convolution see a half of the kernel along every axis.
            thinned = 2 ** len(layer.stride) if hasattr(layer, "transposed") and layer.transposed else 1
            fan_in = layer.weight[0].numel() if thinned == 1 else layer.weight[:, 0].numel() / thinned
            nn.init.normal_(layer.weight, std=math.sqrt(2 / fan_in))
            nn.init.zeros_(layer.bias)
    return network


def _halvings(sample_shape: Sequence[int]) -> int:
    """Count how often every side can be halved, four times at most."""
    times = next((k for k in (4, 3, 2, 1) if all(side % 2**k == 0 for side in sample_shape[1:])), 0)
    if not times:
        raise InputError(f"encoder: samples of shape {tuple(sample_shape)} have an odd side; crop or pad them to even sides")
    return times

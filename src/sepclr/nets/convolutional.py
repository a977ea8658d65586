"""The small convolutional encoder and decoder of the variational baselines, in 2-D and 3-D, and decoders of rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

from torch import nn

from sepclr.types import InputError

LAST = 256
"""Channels of the last convolution and units of the layer after it."""


def conv_encoder(sample_shape: Sequence[int], dim: int, width: int = 32) -> nn.Module:
    """Return an encoder: convolutions of size 4 and stride 2 with ``width``, …, ``width``, 256 channels, 256 units, ``dim`` outputs.

    Images of 32 × 32 pixels get four convolutions, the last without padding, which leaves a single pixel. These are the networks of SepVAE
    and ConVAE for digits on CIFAR-10 (github.com/neurospin-projects/2023_rlouiset_sepvae, cifar_mnist/cnn_model.py). Samples with sides
    that can be halved less often get fewer convolutions, and the last one is padded if its input is 2 pixels wide. Weights are initialised
    by ``he_init``.

    Args:
        sample_shape: (channels, *space) of one sample, sides even.
        dim: length of the vectors.
        width: channels of all convolutions but the last.

    Returns:
        Network that maps samples (n, *sample_shape) to vectors (n, dim).

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
    """Return a decoder: for images and volumes the mirror image of ``conv_encoder`` and a sigmoid, for rows two hidden layers.

    Args:
        sample_shape: (features,) or (channels, *space) of one sample.
        dim: length of the vectors.
        width: channels of all convolutions but the first, units of a hidden layer.

    Returns:
        Network that maps vectors (n, dim) to samples (n, *sample_shape), pixels in 0..1.

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
    """Return convolutions of size 4 and stride 2 from each number of channels to the next, each followed by a ReLU."""
    sizes = zip(pairwise(channels), paddings, strict=True)
    return [layer for (a, b), padding in sizes for layer in (convolution(a, b, 4, stride=2, padding=padding), nn.ReLU())]


def _innermost(sample_shape: Sequence[int], halvings: int) -> tuple[int, list[int]]:
    """Return the padding of the innermost convolution, 0 where its kernel fits, and the sides of its output."""
    before = [side // 2 ** (halvings - 1) for side in sample_shape[1:]]
    padding = 0 if min(before) >= 4 else 1
    return padding, [side // 2 - 1 + padding for side in before]


def he_init(network: nn.Sequential) -> nn.Sequential:
    """Initialise the layers before each ReLU so that signals keep their scale (He et al. 2015, arXiv 1502.01852).

    With torch's smaller default weights, the pixels of a decoder initially depend on its biases alone. On dark images these fall until the
    sigmoid is 0 everywhere, and training stalls.
    """
    for layer, after in pairwise(cast(Any, network)):
        if isinstance(after, nn.ReLU):
            # With stride 2, each output of a transposed convolution sees half of the kernel along every axis.
            thinned = 2 ** len(layer.stride) if hasattr(layer, "transposed") and layer.transposed else 1
            fan_in = layer.weight[0].numel() if thinned == 1 else layer.weight[:, 0].numel() / thinned
            nn.init.normal_(layer.weight, std=math.sqrt(2 / fan_in))
            nn.init.zeros_(layer.bias)
    return network


def _halvings(sample_shape: Sequence[int]) -> int:
    """Return how often every side can be halved, at most four times."""
    times = next((k for k in (4, 3, 2, 1) if all(side % 2**k == 0 for side in sample_shape[1:])), 0)
    if not times:
        raise InputError(f"encoder: samples of shape {tuple(sample_shape)} have an odd side; crop or pad them to even sides")
    return times

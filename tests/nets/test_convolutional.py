from __future__ import annotations

import pytest
import torch
from torch import nn

from sepclr import nets
from sepclr.types import InputError


def test_the_released_layers_for_32_pixels():
    encoder = nets.encoder("conv", (3, 32, 32), 10, width=32)
    convolutions = [layer for layer in encoder if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [32, 32, 32, 256]
    assert all(layer.kernel_size == (4, 4) and layer.stride == (2, 2) for layer in convolutions)
    mirrored = [layer for layer in nets.decoder((3, 32, 32), 10) if isinstance(layer, nn.ConvTranspose2d)]
    assert [layer.out_channels for layer in mirrored] == [32, 32, 32, 3]


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 12, 20), (2, 8, 8, 16), (1, 2, 2)])
def test_shapes_of_images_and_volumes_come_back(shape):
    x = torch.rand(5, *shape)
    codes = nets.encoder("conv", shape, 7, width=4)(x)
    assert codes.shape == (5, 7)
    back = nets.decoder(shape, 7, width=4)(codes)
    assert back.shape == x.shape
    assert ((back >= 0) & (back <= 1)).all()


def test_rows_come_back_without_bounds():
    back = nets.decoder((6,), 3, width=16)(100 * torch.randn(50, 3))
    assert back.shape == (50, 6)
    assert back.min() < 0


@pytest.mark.parametrize("make", [lambda shape: nets.encoder("conv", shape, 4), lambda shape: nets.decoder(shape, 4)])
def test_an_odd_side_is_named(make):
    with pytest.raises(InputError, match=r"\(1, 9, 8\) have an odd side"):
        make((1, 9, 8))


@pytest.mark.parametrize("shape", [(1, 32, 32), (1, 16, 16, 16)])
def test_signals_reach_the_other_end_of_encoder_and_decoder(shape):
    torch.manual_seed(0)
    for network, x in ((nets.encoder("conv", shape, 16), torch.randn(20, *shape)), (nets.decoder(shape, 16), torch.randn(20, 16))):
        for layer in network:
            if isinstance(layer, nn.ReLU):
                assert 0.2 < x.std() < 2
            x = layer(x)

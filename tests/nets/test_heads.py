"""The projection head."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sepclr.nets import head

torch.set_num_threads(1)


def test_layout_is_linear_batch_normalisation_relu_linear() -> None:
    layers = list(head(32))
    assert [type(layer) for layer in layers] == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear]
    first, normalisation, _, last = layers
    assert (first.in_features, first.out_features) == (32, 128)
    assert normalisation.num_features == 128
    assert (last.in_features, last.out_features) == (128, 32)


@pytest.mark.parametrize(("dim", "hidden"), [(1, 8), (5, 16)])
def test_keeps_the_shape_of_codes(dim: int, hidden: int) -> None:
    projection = head(dim, hidden)
    assert projection(torch.rand(4, dim)).shape == (4, dim)
    assert sum(p.numel() for p in projection.parameters()) == (dim + 1) * hidden + 2 * hidden + (hidden + 1) * dim


def test_every_parameter_gets_a_gradient() -> None:
    torch.manual_seed(0)
    projection = head(5)
    projection(torch.randn(8, 5)).square().sum().backward()
    for name, parameter in projection.named_parameters():
        assert parameter.grad is not None, name
        if parameter.ndim > 1:
            assert parameter.grad.abs().max() > 1e-6, name


def test_normalises_over_the_batch_so_scale_and_place_of_codes_do_not_matter_in_training() -> None:
    torch.manual_seed(0)
    projection, codes = head(5).train(), torch.randn(16, 5)
    torch.testing.assert_close(projection(100 * codes + 3), projection(100 * codes), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(projection(1000 * codes), projection(100 * codes), rtol=1e-3, atol=1e-3)

"""Encoders: one function for rows, images and volumes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sepclr.nets import ENCODERS, Norm, encoder
from sepclr.types import InputError

torch.set_num_threads(1)

SAMPLES = {
    "rows": ("mlp", (7,)),
    "grey images": ("resnet10", (1, 16, 16)),
    "colour images": ("resnet18", (3, 16, 12)),
    "volumes": ("resnet10", (1, 8, 8, 8)),
    "images, plain convolutions": ("cnn4", (3, 16, 12)),
    "volumes, plain convolutions": ("cnn3", (2, 8, 8, 8)),
    "volumes with two channels": ("resnet18", (2, 8, 8, 8)),
}
every_kind_of_sample = pytest.mark.parametrize(("kind", "shape"), SAMPLES.values(), ids=SAMPLES)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@every_kind_of_sample
@pytest.mark.parametrize("dim", [1, 5])
def test_maps_samples_to_vectors(kind: str, shape: tuple[int, ...], dim: int) -> None:
    vectors = encoder(kind, shape, dim, width=4)(torch.rand(3, *shape))
    assert vectors.shape == (3, dim)
    assert vectors.dtype == torch.float32
    assert vectors.isfinite().all()


@every_kind_of_sample
def test_samples_of_one_batch_do_not_mix_in_evaluation(kind: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)  # of few units, some draws leave none that is alive
    network = encoder(kind, shape, 5, width=4).eval()
    x = torch.rand(3, *shape)
    torch.testing.assert_close(network(x)[1:2], network(x[1:2]), rtol=1e-4, atol=1e-5)
    assert (network(x)[0] - network(x)[1]).abs().max() > 1e-5


@every_kind_of_sample
def test_every_parameter_gets_a_gradient(kind: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = encoder(kind, shape, 5, width=4)
    network(torch.randn(8, *shape)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # A bias before batch normalisation changes nothing; every weight does.
        if parameter.ndim > 1:
            assert parameter.grad.abs().max() > 1e-6, name


@every_kind_of_sample
def test_fresh_weights_come_from_the_global_generator(kind: str, shape: tuple[int, ...]) -> None:
    def weights(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(encoder(kind, shape, 5, width=4).parameters())

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_resnet18_has_the_parameters_of_the_papers_torchvision_network() -> None:
    """Torchvision's ResNet-18 with a 3x3 stem and without its last layer has 11,168,832; the last layer is 512 to 32."""
    assert parameters(encoder("resnet18", (3, 32, 32), 32, width=64)) == 11_168_832 + 512 * 32 + 32


def test_only_the_last_layer_of_a_resnet_has_a_bias_outside_batch_normalisation() -> None:
    layers = encoder("resnet18", (3, 16, 16), 5, width=4).named_modules()
    biased = [name for name, m in layers if isinstance(m, nn.Conv2d | nn.Linear) and m.bias is not None]
    assert len(biased) == 1, biased


def test_resnet10_has_half_the_blocks_of_resnet18() -> None:
    def convolutions(kind: str) -> int:
        return sum(isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3) for m in encoder(kind, (1, 8, 8), 5, width=4).modules())

    assert convolutions("resnet10") == 1 + 2 * 4
    assert convolutions("resnet18") == 1 + 2 * 8


def first_convolution_sizes(network: nn.Module, x: Tensor) -> list[tuple[int, ...]]:
    """Spatial sizes after the first two convolutions, in the order in which they run."""
    sizes: list[tuple[int, ...]] = []

    def note(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        sizes.append(tuple(output.shape[2:]))

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            module.register_forward_hook(note)
    network(x)
    return sizes[:2]


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 16, 16, 16)], ids=["2-D", "3-D"])
def test_stem_keeps_the_resolution_or_halves_it_and_nothing_pools(shape: tuple[int, ...]) -> None:
    x = torch.rand(2, *shape)
    space = len(shape) - 1
    whole = encoder("resnet10", shape, 5, width=4)
    half = encoder("resnet10", shape, 5, width=4, stem_stride=2)
    assert first_convolution_sizes(whole, x) == [(16,) * space] * 2
    assert first_convolution_sizes(half, x) == [(8,) * space] * 2
    assert half(x).shape == (2, 5)
    assert parameters(half) == parameters(whole)


def test_width_is_the_channels_of_the_first_stage_doubled_at_each_further_one() -> None:
    network = encoder("resnet18", (3, 16, 16), 5, width=6)
    channels = [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert channels[0] == 6
    assert set(channels) == {6, 12, 24, 48}


@pytest.mark.parametrize("shape", [(3, 24, 20), (1, 24, 20, 24)], ids=["2-D", "3-D"])
@pytest.mark.parametrize(("kind", "channels"), [("cnn3", [8, 16, 32]), ("cnn4", [8, 16, 32, 64])])
@pytest.mark.parametrize("norm", ["batch", "group"])
def test_plain_convolutions_halve_the_sides_and_double_the_channels(
    kind: str, channels: list[int], shape: tuple[int, ...], norm: Norm
) -> None:
    network = encoder(kind, shape, 5, width=8, stem_stride=2, norm=norm)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Conv3d)]
    assert [m.out_channels for m in convolutions] == channels
    assert all(set(m.kernel_size) == {3} and set(m.stride) == {2} for m in convolutions)
    normalised = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d | nn.BatchNorm3d | nn.GroupNorm)]
    assert len(normalised) == len(convolutions)
    assert isinstance(normalised[0], nn.GroupNorm) == (norm == "group")
    network.train()
    assert network(torch.rand(2, *shape)).shape == (2, 5)
    whole = encoder(kind, shape, 5, width=8, norm=norm)
    first = next(m for m in whole.modules() if isinstance(m, nn.Conv2d | nn.Conv3d))
    assert set(first.stride) == {1}
    assert network.eval()(torch.rand(1, shape[0], *[9] * (len(shape) - 1))).shape == (1, 5)


def test_width_is_the_hidden_units_of_the_mlp() -> None:
    sizes = [(m.in_features, m.out_features) for m in encoder("mlp", (7,), 5, width=9).modules() if isinstance(m, nn.Linear)]
    assert sizes == [(7, 9), (9, 9), (9, 5)]


def test_unknown_kind_is_named_beside_the_choices() -> None:
    with pytest.raises(InputError) as error:
        encoder("resnet81", (3, 8, 8), 5)
    assert "'resnet81'" in str(error.value)
    for name in ENCODERS:
        assert name in str(error.value)


@pytest.mark.parametrize(
    ("kind", "shape", "fitting", "unfitting"),
    [
        ("mlp", (3, 8, 8), ["resnet10", "resnet18"], []),
        ("mlp", (1, 8, 8, 8), ["resnet10", "resnet18"], []),
        ("resnet10", (784,), ["mlp"], ["resnet18"]),
        ("resnet18", (784,), ["mlp"], ["resnet10"]),
    ],
)
def test_samples_of_the_wrong_shape_are_named_beside_the_kinds_that_fit(
    kind: str, shape: tuple[int, ...], fitting: list[str], unfitting: list[str]
) -> None:
    with pytest.raises(InputError) as error:
        encoder(kind, shape, 5)
    message = str(error.value)
    assert f"'{kind}'" in message
    assert str(shape) in message
    assert all(name in message for name in fitting)
    assert not any(name in message for name in unfitting)
    assert "\n" not in message


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("shape", [(), (1, 4, 4, 4, 4), (0,), (3, 0, 8)], ids=str)
def test_a_shape_that_no_encoder_takes_is_named(kind: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError) as error:
        encoder(kind, shape, 5)
    assert str(shape) in str(error.value)

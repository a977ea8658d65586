from __future__ import annotations

import pytest
import torch

from sepclr.nets.denoiser import Denoiser, patch

SHAPES = [(7,), (1, 16, 16), (3, 12, 12), (1, 9, 15), (1, 8, 16, 24), (1, 5, 8, 9)]


def denoiser(shape: tuple[int, ...]) -> Denoiser:
    torch.manual_seed(0)
    made = Denoiser(shape, 5, width=8)
    for parameter in made.parameters():  # the last layer begins at 0
        torch.nn.init.normal_(parameter, std=0.1)
    return made


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_have_the_shape_of_samples_and_every_parameter_a_gradient(shape: tuple[int, ...]) -> None:
    network = denoiser(shape)
    found = network(torch.randn(3, *shape), torch.rand(3), torch.randn(3, 5))
    assert found.shape == (3, *shape)
    found.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_time_and_condition_matter_and_other_samples_do_not(shape: tuple[int, ...]) -> None:
    network = denoiser(shape).eval()
    x, time, condition = torch.randn(3, *shape), torch.rand(3), torch.randn(3, 5)
    with torch.no_grad():
        found = network(x, time, condition)
        assert not torch.allclose(network(x, time.flip(0), condition)[0], found[0], atol=1e-4)
        assert not torch.allclose(network(x, time, condition.flip(0))[0], found[0], atol=1e-4)
        torch.testing.assert_close(network(x[:1], time[:1], condition[:1])[0], found[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("shape", "narrow"), [((65,), True), ((64,), False), ((1, 32, 32), True), ((1, 16, 16), False)], ids=str)
def test_samples_are_predicted_where_noise_would_not_pass(shape: tuple[int, ...], narrow: bool) -> None:
    network = Denoiser(shape, 5, width=8)
    assert network.predicts_samples == narrow
    if narrow:
        sample = torch.randn(3, *shape)
        network._found = lambda *_: sample  # type: ignore[method-assign]
        noise, time = torch.randn(3, *shape), torch.tensor([0.0, 0.5, 0.9])
        t = time.reshape(-1, *[1] * len(shape))
        torch.testing.assert_close(network((1 - t) * noise + t * sample, time, torch.zeros(3, 5)), sample - noise)
        assert network(noise, torch.ones(3), torch.zeros(3, 5)).isfinite().all()


@pytest.mark.parametrize(
    ("space", "side"), [((32, 32), 4), ((16, 16), 2), ((12, 12), 1), ((40, 48, 40), 4), ((128, 128, 128), 4), ((33, 32), 1)]
)
def test_patches_are_as_large_as_eight_of_them_allow(space: tuple[int, ...], side: int) -> None:
    assert patch(space) == side

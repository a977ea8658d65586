"""The flow on a method's codes: its loss as a loop, integrations in closed form, and what decoding depends on."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sepclr import nets
from sepclr.data import Cohort
from sepclr.methods import SepCLR
from sepclr.methods.flow import DROPPED, Flow, moved
from sepclr.nets.denoiser import Denoiser
from sepclr.training import Settings, decode, encode, fit
from sepclr.types import Batch, Codes, InputError
from sepclr.views import pixels

IS_TARGET = torch.tensor([True, False, True, False, True, False, False, True])
N = len(IS_TARGET)


class Field(nn.Module):
    """A velocity that is known."""

    def __init__(self, field: Any) -> None:
        super().__init__()
        self.field, self.seen = field, []

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        self.seen.append((time, condition))
        return self.field(x, time, condition)


def sepclr(shape: tuple[int, ...]) -> SepCLR:
    torch.manual_seed(0)
    kind = "mlp" if len(shape) == 1 else "cnn3"
    return SepCLR(*(nets.encoder(kind, shape, dim, width=4) for dim in (4, 3)), nets.head(4), nets.head(3), (4, 3))


def flow(shape: tuple[int, ...] = (6,), field: Any = None, **options: Any) -> tuple[Flow, Tensor]:
    method = sepclr(shape)
    x = torch.rand(N, *shape, generator=torch.Generator().manual_seed(1))
    denoiser: Any = Field(field) if field else Denoiser(shape, 8, width=8)
    return Flow(method, denoiser, encode(method, x), IS_TARGET, **options), x


def test_the_loss_is_the_squared_error_of_the_velocity_as_a_loop() -> None:
    made, x = flow(field=lambda x, time, condition: 0.5 * x)
    torch.manual_seed(3)
    error = made.outputs(Batch(x, IS_TARGET), Batch(x, IS_TARGET))["error"]
    torch.manual_seed(3)
    noise, times = torch.randn(N, 6), torch.randn(N).sigmoid()
    for i in range(N):
        between = [(1 - times[i]) * e + times[i] * value for e, value in zip(noise[i], x[i], strict=True)]
        squares = [(0.5 * b - (value - e)) ** 2 for b, value, e in zip(between, x[i], noise[i], strict=True)]
        assert error[i].item() == pytest.approx(float(sum(squares)) / 6, rel=1e-5)
    assert made.terms({"error": error}, IS_TARGET)["velocity"].item() == pytest.approx(error.mean().item())


def test_times_of_large_samples_are_moved_towards_noise() -> None:
    times = torch.tensor([0.0, 0.5, 1.0])
    assert torch.equal(moved(times, torch.zeros(1, 1, 32, 32)), times)
    torch.testing.assert_close(moved(times, torch.zeros(1, 1, 64, 64)), torch.tensor([0.0, 1 / 3, 1.0]))


def test_the_salient_code_of_background_is_exactly_0_and_codes_are_standardised() -> None:
    made, x = flow(field=lambda x, *_: x)
    codes = encode(made, x)
    torch.manual_seed(0)
    for _ in range(20):
        made.outputs(Batch(x, IS_TARGET), Batch(x, IS_TARGET))
    for _, condition in made.denoiser.seen:
        assert not condition[~IS_TARGET, 4:7].any()
        dropped = condition[:, 7] == 1
        assert not condition[dropped, :7].any()
        kept = IS_TARGET & ~dropped
        torch.testing.assert_close(condition[kept, :4], ((codes.c - codes.c.mean(0)) / codes.c.std(0))[kept])
        away = codes.s - codes.s[~IS_TARGET].mean(0)
        torch.testing.assert_close(condition[kept, 4:7], (away / away[IS_TARGET].square().mean().sqrt())[kept])
    share = torch.stack([condition[:, 7] for _, condition in made.denoiser.seen]).mean().item()
    assert share == pytest.approx(DROPPED, abs=0.08)


def test_a_field_that_depends_on_s_alone_is_taken_out_of_targets() -> None:
    made, x = flow(field=lambda x, time, condition: condition[:, 4:5].expand_as(x), steps=5)
    s = (encode(made, x).s - made.s_mean) / made.s_scale
    torch.testing.assert_close(made.reconstruct(x), x)
    torch.testing.assert_close(made.without_salient(x), x - s[:, :1])


def test_images_are_integrated_in_minus_1_to_1_and_stay_pixels() -> None:
    made, x = flow(
        (1, 8, 8), field=lambda x, time, condition: torch.where(condition[:, 4:7].any(1), 0.2, 0.0)[:, None, None, None].expand_as(x)
    )
    torch.testing.assert_close(made.without_salient(x), (x - 0.1).clamp(min=0))
    torch.testing.assert_close(made.reconstruct(x), x)


@pytest.mark.parametrize("shape", [(6,), (1, 8, 8), (1, 8, 8, 8)], ids=str)
def test_what_is_decoded_does_not_depend_on_the_other_samples(shape: tuple[int, ...]) -> None:
    made, x = flow(shape, steps=3)
    for parameter in made.denoiser.parameters():
        nn.init.normal_(parameter, std=0.05)
    donor = x.flip(0)
    whole = decode(made, x, donor)
    assert set(whole) == {"reconstruction", "without_salient", "swapped"}
    for name, values in decode(made, x[2:3], donor[2:3]).items():
        torch.testing.assert_close(values[0], whole[name][2], rtol=1e-3, atol=1e-4)


def test_the_method_is_a_copy_that_training_leaves_as_it_is() -> None:
    method = sepclr((6,))
    x = torch.rand(64, 6, generator=torch.Generator().manual_seed(1))
    is_target = torch.arange(64) % 2 == 1
    made = Flow(method, Denoiser((6,), 8, width=8), encode(method, x), is_target)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    fit(made, pixels, Cohort(x, is_target), Settings(2, 16, 1e-2, precision="32-true", accelerator="cpu", devices=1), seed=0)
    for name, value in made.state_dict().items():
        assert torch.equal(value, before[name]) == (not name.startswith("denoiser.")), name
    assert not made.frozen.training
    assert all(value is not other for value, other in zip(method.parameters(), made.frozen.parameters(), strict=True))


def test_a_constant_code_is_not_divided_by_0() -> None:
    method = sepclr((6,))
    codes = Codes(torch.ones(4, 4), torch.zeros(4, 3))
    made = Flow(method, Denoiser((6,), 8, width=8), codes, torch.tensor([True, False, True, False]))
    assert made.without_salient(torch.rand(2, 6)).isfinite().all()


def test_an_integration_without_steps_is_named() -> None:
    with pytest.raises(InputError, match="steps: 0"):
        flow(steps=0)


def test_values_outside_0_to_1_are_kept_where_training_had_them() -> None:
    made, x = flow((1, 8, 8), field=lambda x, *_: torch.zeros_like(x), span=(-3.0, 5.0))
    wide = 8 * x - 3
    torch.testing.assert_close(made.reconstruct(wide), wide)
    assert made.reconstruct(10 * wide).max() == 5.0

"""Views of images: what each step does, how often, and to which images."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from sepclr.types import InputError
from sepclr.views import ImageViews, pixels

torch.set_num_threads(1)

OFF: dict[str, Any] = {"crop_scale": (1.0, 1.0), "flip": 0.0, "jitter_probability": 0.0, "grey": 0.0}
"""Nothing happens; each test turns one thing on."""

colour_and_grey = pytest.mark.parametrize("channels", [1, 3])


def images(n: int = 6, channels: int = 3, side: int = 12, dtype: torch.dtype = torch.float32) -> Tensor:
    x = torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(0))
    return (x * 255).to(dtype) if dtype == torch.uint8 else x.to(dtype)


def equal_images(n: int, channels: int = 3, side: int = 12) -> Tensor:
    return images(1, channels, side).repeat(n, 1, 1, 1)


def ramps(n: int, side: int) -> Tensor:
    """Images whose first channel is the column and whose second is the row, in pixels over side − 1; the third is white."""
    line = torch.linspace(0, 1, side)
    return torch.stack([line.expand(side, side), line[:, None].expand(side, side), torch.ones(side, side)]).repeat(n, 1, 1, 1)


def changed(view: Tensor, x: Tensor) -> Tensor:
    """Which images changed beyond rounding."""
    return (view - x).abs().amax((1, 2, 3)) > 1e-4


@colour_and_grey
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("crop", [8, 12, 20])
def test_views_are_square_and_stay_within_zero_and_one(crop: int, dtype: torch.dtype, channels: int) -> None:
    torch.manual_seed(0)
    view = ImageViews(channels, crop)(images(30, channels, dtype=dtype))
    assert view.shape == (30, channels, crop, crop)
    assert view.dtype == (torch.float32 if dtype == torch.uint8 else dtype)
    assert view.min() >= 0
    assert view.max() <= 1
    assert view.std() > 0.1


def test_images_need_not_be_square() -> None:
    x = torch.rand(5, 3, 10, 16)
    assert ImageViews(3, 8)(x).shape == (5, 3, 8, 8)


@pytest.mark.parametrize("channels", [2, 4])
def test_other_numbers_of_channels_work(channels: int) -> None:
    torch.manual_seed(0)
    x = images(20, channels)
    view = ImageViews(channels, 12, **OFF | {"jitter_probability": 1.0})(x)
    assert view.shape == x.shape
    assert changed(view, x).all()


@colour_and_grey
@pytest.mark.parametrize("jitter_whole_batch", [False, True])
def test_the_same_seed_draws_the_same_view_and_another_seed_another(channels: int, jitter_whole_batch: bool) -> None:
    draw, x = ImageViews(channels, 8, jitter_whole_batch=jitter_whole_batch), images(channels=channels)

    def view(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return draw(x)

    assert torch.equal(view(3), view(3))
    assert not torch.equal(view(3), view(4))


def test_two_calls_draw_two_views() -> None:
    torch.manual_seed(0)
    draw, x = ImageViews(3, 8), images()
    assert changed(draw(x), draw(x)).all()


STEPS = {"crop": {"crop_scale": (0.2, 0.9)}, "flip": {"flip": 0.5}, "jitter": {"jitter_probability": 1.0}, "grey": {"grey": 0.5}}


@pytest.mark.parametrize("step", STEPS)
def test_equal_images_get_different_views(step: str) -> None:
    torch.manual_seed(0)
    x = equal_images(20)
    view = ImageViews(3, 12, **OFF | STEPS[step])(x)
    assert changed(view, view[:1]).any()


@colour_and_grey
def test_jitter_is_drawn_for_each_image(channels: int) -> None:
    torch.manual_seed(0)
    view = ImageViews(channels, 12, **OFF | {"jitter_probability": 1.0})(equal_images(20, channels))
    assert len({round(image.mean().item(), 5) for image in view}) > 15


@colour_and_grey
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32], ids=str)
def test_with_everything_off_the_image_comes_back(channels: int, dtype: torch.dtype) -> None:
    x = images(channels=channels, dtype=dtype)
    torch.testing.assert_close(ImageViews(channels, 12, **OFF)(x), pixels(x), rtol=0, atol=1e-5)


@colour_and_grey
def test_with_no_strength_jitter_gives_the_image_back(channels: int) -> None:
    x = images(channels=channels)
    view = ImageViews(channels, 12, **OFF | {"jitter_probability": 1.0, "jitter": (0.0, 0.0, 0.0, 0.0)})(x)
    torch.testing.assert_close(view, x, rtol=0, atol=1e-5)


def test_whole_image_at_half_the_side_is_the_image_at_half_the_resolution() -> None:
    view = ImageViews(3, 8, **OFF)(ramps(1, 16))
    torch.testing.assert_close(view, ramps(1, 8), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32], ids=str)
def test_the_input_is_left_as_it_was(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x = images(dtype=dtype)
    before = x.clone()
    for options in ({}, OFF, OFF | {"flip": 1.0}, OFF | {"grey": 1.0}, OFF | {"jitter_probability": 1.0}):
        view = ImageViews(3, 12, **options)(x)
        view.zero_()
        assert torch.equal(x, before), options


def test_views_carry_no_gradient() -> None:
    assert not ImageViews(3, 8)(images().requires_grad_()).requires_grad


# --- crop ---


def crop_sides(view: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Width and height of each crop in pixels of the image, read off the ramps."""
    columns, rows = view[:, 0].flatten(1), view[:, 1].flatten(1)
    return tuple((line.amax(1) - line.amin(1)) * (side - 1) + 1 for line in (columns, rows))  # type: ignore[return-value]


def area_of_crops_that_fit(scale: tuple[float, float]) -> tuple[float, float]:
    """Mean and standard deviation of an even area, times the share of shapes (3:4 to 4:3, even in log) that fit into the image."""
    area = torch.linspace(*scale, 10_001, dtype=torch.float64)
    weight = (-area.log() / math.log(4 / 3)).clamp(max=1)
    mean = (area * weight).sum() / weight.sum()
    return mean.item(), ((area - mean).square() * weight).sum().div(weight.sum()).sqrt().item()


@pytest.mark.parametrize("scale", [(0.2, 1.0), (0.25, 0.5), (0.6, 0.6)], ids=str)
def test_area_of_crops_follows_the_scale(scale: tuple[float, float]) -> None:
    torch.manual_seed(0)
    side = 64
    width, height = crop_sides(ImageViews(3, 32, **OFF | {"crop_scale": scale})(ramps(500, side)), side)
    area = width * height / side**2
    rounding = 0.04
    assert area.min() >= scale[0] - rounding
    assert area.max() <= scale[1] + rounding
    mean, deviation = area_of_crops_that_fit(scale)
    assert area.mean().item() == pytest.approx(mean, abs=0.03)
    assert area.std().item() == pytest.approx(deviation, abs=0.03)


def test_crops_differ_in_shape_and_lie_anywhere() -> None:
    torch.manual_seed(0)
    side = 64
    view = ImageViews(3, 32, **OFF | {"crop_scale": (0.25, 0.25)})(ramps(500, side))
    width, height = crop_sides(view, side)
    assert 0.7 < (width / height).min() < 0.8
    assert 1.25 < (width / height).max() < 1.4
    for channel in (0, 1):
        line = view[:, channel].flatten(1)
        assert line.amin(1).min() < 0.02
        assert line.amax(1).max() > 0.98
        assert line.mean(1).mean().item() == pytest.approx(0.5, abs=0.03)


def test_crops_have_no_border_of_another_colour() -> None:
    torch.manual_seed(0)
    view = ImageViews(3, 24, **OFF | {"crop_scale": (0.2, 1.0)})(ramps(100, 32))
    assert view[:, 2].min() > 0.999


# --- flip ---


def test_flip_always_mirrors_left_and_right_of_every_image() -> None:
    x = images()
    torch.testing.assert_close(ImageViews(3, 12, **OFF | {"flip": 1.0})(x), x.flip(3), rtol=0, atol=1e-5)


def test_flip_happens_as_often_as_asked() -> None:
    torch.manual_seed(0)
    x = equal_images(600)
    assert changed(ImageViews(3, 12, **OFF | {"flip": 0.3})(x), x).float().mean().item() == pytest.approx(0.3, abs=0.06)


# --- grey ---


def test_grey_always_makes_channels_equal_and_keeps_the_picture() -> None:
    x = images()
    view = ImageViews(3, 12, **OFF | {"grey": 1.0})(x)
    torch.testing.assert_close(view, view[:, :1].expand_as(view), rtol=0, atol=1e-6)
    luma = (x * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1)
    torch.testing.assert_close(view[:, 0], luma, rtol=0, atol=2e-3)


def test_grey_comes_last_so_that_jitter_does_not_colour_it_again() -> None:
    torch.manual_seed(0)
    view = ImageViews(3, 12, **OFF | {"grey": 1.0, "jitter_probability": 1.0, "jitter": (0.0, 0.0, 0.8, 0.5)})(images())
    torch.testing.assert_close(view, view[:, :1].expand_as(view), rtol=0, atol=1e-6)


def test_grey_happens_as_often_as_asked() -> None:
    torch.manual_seed(0)
    x = equal_images(600)
    assert changed(ImageViews(3, 12, **OFF | {"grey": 0.2})(x), x).float().mean().item() == pytest.approx(0.2, abs=0.06)


# --- jitter ---


@colour_and_grey
@pytest.mark.parametrize("probability", [0.0, 0.3, 0.8, 1.0])
def test_jitter_happens_to_as_many_images_as_asked(probability: float, channels: int) -> None:
    torch.manual_seed(0)
    x = equal_images(200, channels)
    draw = ImageViews(channels, 12, **OFF | {"jitter_probability": probability})
    # In every batch: one coin per image.
    for _ in range(6):
        share = changed(draw(x), x).float().mean().item()
        assert share == pytest.approx(probability, abs=0.12 if 0 < probability < 1 else 0.01)


@colour_and_grey
def test_brightness_multiplies_within_its_strength(channels: int) -> None:
    torch.manual_seed(0)
    x = torch.full((300, channels, 4, 4), 0.5)
    factor = ImageViews(channels, 4, **OFF | {"jitter_probability": 1.0, "jitter": (0.4, 0.0, 0.0, 0.0)})(x)[:, 0, 0, 0] / 0.5
    assert 0.6 - 1e-5 <= factor.min() < 0.63
    assert 1.37 < factor.max() <= 1.4 + 1e-5


@colour_and_grey
def test_black_stays_black_under_jitter(channels: int) -> None:
    torch.manual_seed(0)
    view = ImageViews(channels, 8, **OFF | {"jitter_probability": 1.0})(torch.zeros(50, channels, 8, 8))
    assert view.max() < 1e-5


@colour_and_grey
def test_contrast_changes_the_spread_and_keeps_the_mean(channels: int) -> None:
    torch.manual_seed(0)
    x = 0.4 + 0.2 * equal_images(100, 1).expand(-1, channels, -1, -1)
    view = ImageViews(channels, 12, **OFF | {"jitter_probability": 1.0, "jitter": (0.0, 0.4, 0.0, 0.0)})(x)
    torch.testing.assert_close(view.mean((1, 2, 3)), x.mean((1, 2, 3)), rtol=0, atol=2e-3)
    ratio = view.flatten(1).std(1) / x.flatten(1).std(1)
    assert 0.6 - 1e-3 <= ratio.min() < 0.7
    assert 1.3 < ratio.max() <= 1.4 + 1e-3


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_without_colour_saturation_and_hue_do_nothing(channels: int) -> None:
    torch.manual_seed(0)
    x = images(20, channels)
    view = ImageViews(channels, 12, **OFF | {"jitter_probability": 1.0, "jitter": (0.0, 0.0, 0.4, 0.1)})(x)
    torch.testing.assert_close(view, x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("jitter", [(0.0, 0.0, 0.5, 0.0), (0.0, 0.0, 0.0, 0.5)], ids=["saturation", "hue"])
def test_saturation_and_hue_change_colours_and_leave_grey(jitter: tuple[float, float, float, float]) -> None:
    torch.manual_seed(0)
    draw = ImageViews(3, 12, **OFF | {"jitter_probability": 1.0, "jitter": jitter})
    colourful, grey = equal_images(20), equal_images(20, channels=1).expand(-1, 3, -1, -1)
    assert changed(draw(colourful), colourful).float().mean() > 0.9
    torch.testing.assert_close(draw(grey), grey, rtol=0, atol=2e-3)


@colour_and_grey
def test_one_coin_for_the_whole_batch_jitters_all_images_or_none(channels: int) -> None:
    torch.manual_seed(0)
    x = equal_images(12, channels)
    draw = ImageViews(channels, 12, **OFF | {"jitter_probability": 0.5}, jitter_whole_batch=True)
    shares = [changed(draw(x), x).float().mean().item() for _ in range(100)]
    assert set(shares) == {0.0, 1.0}
    assert sum(shares) / 100 == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(("probability", "share"), [(0.0, 0.0), (1.0, 1.0)])
def test_the_coin_of_the_batch_may_be_certain(probability: float, share: float) -> None:
    torch.manual_seed(0)
    x = equal_images(12)
    draw = ImageViews(3, 12, **OFF | {"jitter_probability": probability}, jitter_whole_batch=True)
    assert {changed(draw(x), x).float().mean().item() for _ in range(10)} == {share}


@colour_and_grey
def test_one_coin_for_the_whole_batch_still_draws_the_strength_of_each_image(channels: int) -> None:
    torch.manual_seed(0)
    draw = ImageViews(channels, 12, **OFF | {"jitter_probability": 1.0}, jitter_whole_batch=True)
    assert len({round(image.mean().item(), 5) for image in draw(equal_images(20, channels))}) > 15


def test_the_coin_of_the_batch_leaves_flip_and_grey_to_each_image() -> None:
    torch.manual_seed(0)
    x = equal_images(200)
    view = ImageViews(3, 12, **OFF | {"flip": 0.5}, jitter_whole_batch=True)(x)
    assert 0.3 < changed(view, x).float().mean() < 0.7


# --- errors ---


@colour_and_grey
@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"crop_scale": (0.0, 1.0)}, "crop_scale"),
        ({"crop_scale": (0.5, 0.2)}, "crop_scale"),
        ({"crop_scale": (0.2, 1.1)}, "crop_scale"),
        ({"crop_scale": (0.2, float("nan"))}, "crop_scale"),
        ({"flip": -0.1}, "flip"),
        ({"flip": 1.1}, "flip"),
        ({"flip": float("nan")}, "flip"),
        ({"jitter_probability": 1.5}, "jitter_probability"),
        ({"jitter_probability": -0.5}, "jitter_probability"),
        ({"grey": 2.0}, "grey"),
        ({"grey": -1.0}, "grey"),
        ({"jitter": (-0.1, 0.0, 0.0, 0.0)}, "jitter"),
        ({"jitter": (0.0, float("nan"), 0.0, 0.0)}, "jitter"),
        ({"jitter": (0.0, 0.0, float("inf"), 0.0)}, "jitter"),
        ({"jitter": (0.0, 0.0, 0.0, 0.6)}, "jitter"),
        ({"crop": 0}, "crop"),
        ({"crop": -3}, "crop"),
    ],
    ids=str,
)
def test_a_value_out_of_range_is_an_input_error_that_names_it(options: dict[str, Any], name: str, channels: int) -> None:
    with pytest.raises(InputError, match=name) as error:
        ImageViews(**{"channels": channels, "crop": 8} | options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("strength", [1.0, 1.5])
@colour_and_grey
def test_strong_jitter_works_whatever_the_channels(strength: float, channels: int) -> None:
    torch.manual_seed(0)
    view = ImageViews(channels, 8, jitter=(strength, strength, strength, 0.5), jitter_probability=1.0)(images(channels=channels))
    assert view.isfinite().all()
    assert view.min() >= 0
    assert view.max() <= 1


# --- pixels ---


def test_pixels_scales_uint8_to_zero_and_one() -> None:
    x = torch.tensor([[0, 51, 255]], dtype=torch.uint8)
    torch.testing.assert_close(pixels(x), torch.tensor([[0.0, 0.2, 1.0]]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_pixels_passes_floating_point_through(dtype: torch.dtype) -> None:
    x = torch.tensor([[0.0, 0.2, 255.0]], dtype=dtype)
    assert pixels(x) is x

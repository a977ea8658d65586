from __future__ import annotations

import pytest
import torch

from sepclr.types import InputError
from sepclr.views import VolumeViews

OFF = {"flip": 0.0, "shift": 0.0, "rotation": 0.0, "blur": 0.0, "gamma": 0.0, "noise": 0.0, "cutout": 0.0}


def volumes(n: int = 6) -> torch.Tensor:
    return torch.rand(n, 1, 12, 10, 8, generator=torch.Generator().manual_seed(0))


def seeded(views: VolumeViews, x: torch.Tensor, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return views(x)


def test_with_everything_off_a_view_is_the_volume():
    assert torch.equal(VolumeViews(**OFF)(volumes()), volumes())


def test_views_follow_torchs_seed_and_differ_between_volumes():
    x = volumes(1).expand(6, -1, -1, -1, -1)
    views = VolumeViews(cutout=0.5)
    assert torch.equal(seeded(views, x), seeded(views, x))
    assert not torch.equal(seeded(views, x), seeded(views, x, 1))
    assert len(torch.unique(seeded(views, x).flatten(1), dim=0)) == 6


@pytest.mark.parametrize("kind", [torch.float16, torch.uint8, torch.float32])
def test_views_are_float32_whatever_the_volumes_are(kind: torch.dtype):
    x = (volumes() * 255).to(kind) if kind == torch.uint8 else volumes().to(kind)
    view = VolumeViews()(x)
    assert view.dtype == torch.float32
    assert view.shape == x.shape
    assert type(view) is torch.Tensor
    assert view.isfinite().all()


def test_flip_exchanges_left_and_right():
    assert torch.equal(VolumeViews(**OFF | {"flip": 1.0})(volumes()), volumes().flip(2))


def test_shift_moves_by_at_most_so_many_voxels():
    x = torch.zeros(40, 1, 15, 15, 15)
    x[:, :, 7, 7, 7] = 1
    moved = VolumeViews(**OFF | {"shift": 3.0})(x)
    reached = moved.sum((0, 1)).nonzero()
    assert reached.min() >= 7 - 4
    assert reached.max() <= 7 + 4
    assert reached.float().std() > 1


def test_blur_smooths_gamma_bends_and_noise_adds_in_about_half_of_the_volumes():
    x = volumes(60)
    rough = (x[:, :, 1:] - x[:, :, :-1]).square().mean((1, 2, 3, 4))
    blurred = VolumeViews(**OFF | {"blur": 1.5})(x)
    assert ((blurred[:, :, 1:] - blurred[:, :, :-1]).square().mean((1, 2, 3, 4)) <= rough + 1e-6).all()
    for name, strength in (("blur", 1.5), ("gamma", 0.5), ("noise", 0.1)):
        changed = (VolumeViews(**OFF | {name: strength})(x) - x).abs().amax((1, 2, 3, 4)) > 1e-4
        assert 0.25 < changed.float().mean() < 0.75, name
    bent = VolumeViews(**OFF | {"gamma": 0.5})(x)
    assert (bent.flatten(1).argsort(1) == x.flatten(1).argsort(1)).float().mean() > 0.95  # order is kept


def test_cutout_blanks_a_box_of_a_third_of_each_side():
    cut = VolumeViews(**OFF | {"cutout": 1.0})(volumes() + 0.1)
    assert ((cut == 0).sum((1, 2, 3, 4)) == 4 * 3 * 3).all()


def test_views_can_be_drawn_under_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        assert VolumeViews()(volumes()).dtype == torch.float32


@pytest.mark.parametrize(
    ("name", "value"),
    [("flip", 1.5), ("cutout", -0.1), ("shift", -1.0), ("rotation", float("nan")), ("blur", float("inf")), ("noise", -0.1)],
)
def test_a_value_outside_its_range_is_named(name: str, value: float):
    with pytest.raises(InputError, match=f"{name}: "):
        VolumeViews(**{name: value})

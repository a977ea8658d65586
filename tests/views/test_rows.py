"""Views of rows: how many features change, into what, and how much noise there is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sepclr.types import InputError
from sepclr.views import RowViews

torch.set_num_threads(1)


def numbered(n: int = 400, features: int = 5) -> Tensor:
    """Rows of distinct numbers: column j holds 1000 j … 1000 j + n − 1."""
    return torch.arange(n)[:, None] + 1000.0 * torch.arange(features)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_shape_and_precision_stay(dtype: torch.dtype) -> None:
    x = torch.rand(6, 3, dtype=dtype)
    view = RowViews()(x)
    assert view.shape == x.shape
    assert view.dtype == dtype
    assert view.isfinite().all()


def test_without_corruption_and_noise_the_rows_come_back() -> None:
    x = numbered()
    assert torch.equal(RowViews(corruption=0.0, noise=0.0)(x), x)


@pytest.mark.parametrize("corruption", [0.1, 0.3, 0.9])
def test_as_many_features_change_as_asked(corruption: float) -> None:
    torch.manual_seed(0)
    x = numbered()
    share = (RowViews(corruption, noise=0.0)(x) != x).float()
    assert share.mean().item() == pytest.approx(corruption, abs=0.04)
    assert share.mean(0).tolist() == pytest.approx([corruption] * 5, abs=0.08)
    # Each feature is drawn apart: that all five of a row change is rarer than that one does.
    assert share.prod(1).mean().item() == pytest.approx(corruption**5, abs=0.08)


def test_a_corrupted_feature_takes_a_value_of_its_own_column() -> None:
    torch.manual_seed(0)
    x = numbered()
    view = RowViews(corruption=0.9, noise=0.0)(x)
    for column in range(x.shape[1]):
        assert set(view[:, column].tolist()) <= set(x[:, column].tolist())


def test_donors_are_drawn_over_the_whole_batch_and_for_each_feature_apart() -> None:
    torch.manual_seed(0)
    x = numbered()
    view = RowViews(corruption=0.9, noise=0.0)(x)
    donors = view - 1000.0 * torch.arange(x.shape[1])
    assert donors.mean().item() == pytest.approx(199.5, abs=15)
    both = (view[:, 0] != x[:, 0]) & (view[:, 1] != x[:, 1])
    assert (donors[both, 0] == donors[both, 1]).float().mean() < 0.05


@pytest.mark.parametrize("noise", [0.1, 2.0])
def test_noise_has_the_standard_deviation_asked_for_and_mean_zero(noise: float) -> None:
    torch.manual_seed(0)
    x = torch.full((2000, 4), 5.0)
    added = RowViews(corruption=0.3, noise=noise)(x) - x
    assert added.std().item() == pytest.approx(noise, rel=0.05)
    assert added.mean().item() == pytest.approx(0.0, abs=0.05 * noise)
    assert len(added.unique()) > 1000


def test_the_same_seed_draws_the_same_view_and_another_seed_another() -> None:
    def view(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return RowViews()(numbered())

    assert torch.equal(view(3), view(3))
    assert not torch.equal(view(3), view(4))


def test_equal_rows_get_different_noise() -> None:
    torch.manual_seed(0)
    view = RowViews(corruption=0.0, noise=0.1)(torch.ones(2, 3))
    assert not torch.equal(view[0], view[1])


def test_the_input_is_left_as_it_was_and_views_carry_no_gradient() -> None:
    x = numbered().requires_grad_()
    before = x.detach().clone()
    view = RowViews()(x)
    view.zero_()
    assert torch.equal(x, before)
    assert not view.requires_grad


def test_one_row_alone_only_gets_noise() -> None:
    x = torch.rand(1, 4)
    assert torch.equal(RowViews(corruption=0.9, noise=0.0)(x), x)


@pytest.mark.parametrize("corruption", [-0.1, 1.0, 1.5, float("nan")])
def test_corruption_out_of_range_is_an_input_error_that_names_it(corruption: float) -> None:
    with pytest.raises(InputError, match=f"corruption: {corruption}"):
        RowViews(corruption=corruption)


@pytest.mark.parametrize("noise", [-0.1, float("nan"), float("inf")])
def test_noise_out_of_range_is_an_input_error_that_names_it(noise: float) -> None:
    with pytest.raises(InputError, match=f"noise: {noise}"):
        RowViews(noise=noise)

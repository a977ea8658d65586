from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sepclr.probes import baselines, frechet, removal
from sepclr.probes.removal import change_of_background
from sepclr.types import InputError

SHAPES = [(5, 1, 16, 16), (3, 3, 12, 14), (2, 1, 12, 13, 12)]


def pair(shape: tuple[int, ...], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Targets with a bright square or cube, and the same without it."""
    truth = 0.5 * torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    x = truth.clone()
    x[(..., *[slice(3, 8)] * (len(shape) - 2))] += 0.4
    return x, truth


class Brightness:
    """Judges by the mean: bright images are targets, and the attribute is whether the left half is brighter."""

    name = "side"

    def group(self, x: torch.Tensor) -> np.ndarray:
        return x.flatten(1).mean(1).numpy() > 0.5

    def attribute(self, x: torch.Tensor) -> np.ndarray:
        left, right = x.flatten(2).mean(1).chunk(2, 1)
        return np.where((left.mean(1) > right.mean(1)).numpy(), "left", "right")

    def features(self, x: torch.Tensor) -> np.ndarray:
        return x.flatten(1)[:, :3].numpy()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_true_image_is_best_and_the_target_itself_leaves_the_pattern(shape):
    x, truth = pair(shape)
    true, itself = removal({"truth": truth, "target itself": x}, x, truth)
    assert [true["name"], itself["name"]] == ["truth", "target itself"]
    assert (true["inside"], true["outside"], true["psnr"]) == (0, 0, np.inf)
    assert true["ssim"] == pytest.approx(1)
    assert itself["inside"] == pytest.approx(1)
    assert itself["outside"] == 0
    assert itself["ssim"] < 0.99
    assert "background" not in true


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("error", [0.1, 0.01])
def test_a_known_error_has_the_closed_form(shape, error):
    x, truth = pair(shape)
    (row,) = removal({"off": truth + error}, x, truth)
    assert row["psnr"] == pytest.approx(-20 * np.log10(error), abs=1e-3)
    assert row["inside"] == pytest.approx(error / 0.4, rel=1e-3)
    assert row["outside"] == pytest.approx(error, rel=1e-3)


def test_psnr_is_a_mean_over_samples():
    x, truth = pair((2, 1, 16, 16))
    (row,) = removal({"off": truth + torch.tensor([0.1, 0.01])[:, None, None, None]}, x, truth)
    assert row["psnr"] == pytest.approx(30, abs=1e-3)


@given(st.floats(0, 1), st.integers(0, 100))
def test_removing_a_part_of_the_pattern_leaves_the_rest(share, seed):
    x, truth = pair((3, 1, 12, 12), seed)
    (row,) = removal({"part": truth + share * (x - truth)}, x, truth)
    assert row["inside"] == pytest.approx(share, abs=1e-5)
    assert row["outside"] == pytest.approx(0, abs=1e-6)
    assert row["ssim"] <= 1 + 1e-6


def test_many_samples_are_compared_in_parts(monkeypatch):
    x, truth = pair((7, 1, 16, 16))
    made = {"half": (x + truth) / 2}
    whole = removal(made, x, truth)
    # The package has a function of the same name as its module.
    monkeypatch.setattr(import_module("sepclr.probes.removal"), "AT_ONCE", 600)
    (again,) = removal(made, x, truth)
    assert again == pytest.approx(whole[0])


def test_the_change_of_background_is_relative_to_that_of_targets():
    x, truth = pair((3, 1, 12, 12))
    of_targets = {"reconstruction": x, "without_salient": truth}
    nothing, half = ({"reconstruction": truth, "without_salient": truth + part * (x - truth)} for part in (0.0, 0.5))
    assert change_of_background(nothing, of_targets) == 0
    assert change_of_background(half, of_targets) == pytest.approx(0.5)
    assert change_of_background(of_targets, of_targets) == 1
    assert change_of_background(half, nothing) is None


def test_bytes_and_arrays_are_scaled():
    x, truth = pair((3, 1, 16, 16))
    as_bytes = [(255 * each).round().to(torch.uint8).numpy() for each in (x, truth)]
    (row,) = removal({"target itself": x.numpy()}, *as_bytes)
    assert row["inside"] == pytest.approx(1, abs=0.01)


def test_a_judge_adds_background_attributes_and_distance():
    x, truth = pair((6, 1, 16, 16))
    made = {"truth": truth, "white": torch.ones_like(x)}
    values = Brightness().attribute(truth)
    true, white = removal(made, x, truth, Brightness(), {"side": values})
    assert (true["background"], true["kept"]) == (1, {"side": 1})
    assert true["frechet"] == pytest.approx(0, abs=1e-6)
    assert (white["background"], white["kept"]) == (0, {"side": np.mean(values == "right")})
    assert white["frechet"] > 0.1
    assert removal(made, x, truth, Brightness())[0]["kept"] == {}


def test_frechet_of_shifted_and_of_scaled_features():
    features = np.random.default_rng(0).normal(size=(500, 4))
    assert frechet(features, features + 3) == pytest.approx(4 * 9)
    # For the same directions, the covariance part is the squared difference of standard deviations.
    expected = (features.var(0, ddof=1)).sum() + (features.mean(0) ** 2).sum()
    assert frechet(features, 2 * features) == pytest.approx(expected)


def test_frechet_matches_the_square_root_of_the_matrix():
    from scipy.linalg import sqrtm

    draw = np.random.default_rng(0)
    one, two = draw.normal(size=(50, 5)), draw.normal(size=(60, 5)) @ draw.normal(size=(5, 5))
    a, b = np.cov(one.T), np.cov(two.T)
    expected = ((one.mean(0) - two.mean(0)) ** 2).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert frechet(one, two) == pytest.approx(expected)
    assert frechet(two, one) == pytest.approx(expected)


def test_frechet_of_collinear_features_is_finite():
    draw = np.random.default_rng(0)
    one = np.repeat(draw.normal(size=(5, 1)), 8, 1)
    assert frechet(one, one) == pytest.approx(0, abs=1e-6)
    assert frechet(one, one + 1) == pytest.approx(8, abs=1e-6)
    with pytest.raises(InputError, match="two samples"):
        frechet(one[:1], one)


X, TRUTH = pair((3, 1, 16, 16))


@pytest.mark.parametrize(
    ("made", "x", "truth", "message"),
    [
        (TRUTH[:2], X, TRUTH, r"made 'it': shape \(2, 1, 16, 16\), but x has \(3, 1, 16, 16\)"),
        (TRUTH, X, TRUTH[..., 1:], r"truth: shape \(3, 1, 16, 15\)"),
        (TRUTH + 0.6, X, TRUTH, "made 'it': values range"),
        (TRUTH - 2e-6 - TRUTH.min(), X, TRUTH, "made 'it': values range"),
        (TRUTH * torch.nan, X, TRUTH, "made 'it': values range .*without NaN"),
        (TRUTH, X * 2, TRUTH, "x: values range"),
        (TRUTH, X, TRUTH.int(), "truth: values of type"),
        (TRUTH, TRUTH, TRUTH, "nowhere; give targets with a visible pattern"),
        (TRUTH[:, 0], X[:, 0], TRUTH[:, 0], "x: shape .*2-D or 3-D"),
        (TRUTH[:0], X[:0], TRUTH[:0], "x: shape"),
        (TRUTH[..., :5], X[..., :5], TRUTH[..., :5], "at least 6"),
    ],
)
def test_bad_images_are_named(made, x, truth, message):
    with pytest.raises(InputError, match=message):
        removal({"it": made}, x, truth)


def test_rounding_beyond_the_range_is_accepted():
    assert removal({"it": TRUTH - TRUTH.min() - 5e-7}, X, TRUTH)


def test_bad_attributes_are_named():
    with pytest.raises(InputError, match="'mark' given, but the judge was trained for 'side'"):
        removal({"it": TRUTH}, X, TRUTH, Brightness(), {"mark": np.zeros(3)})
    with pytest.raises(InputError, match="'side': 2 values for 3 samples"):
        removal({"it": TRUTH}, X, TRUTH, Brightness(), {"side": np.zeros(2)})


def test_baselines_are_the_target_the_mean_and_the_nearest_in_c():
    background = torch.stack([torch.full((1, 8, 8), value) for value in (0.0, 0.25, 0.5, 1.0)])
    x = torch.rand(3, 1, 8, 8)
    codes = np.array([[0.0, 0], [3, 0], [0, 3], [9, 9]])
    made = baselines(x, background, np.array([[0.1, 2.9], [8, 8], [2.8, 0]]), codes)
    assert torch.equal(made["target itself"], x)
    assert torch.equal(made["mean background"], torch.full_like(x, 0.4375))
    assert made["nearest background"][:, 0, 0, 0].tolist() == [0.5, 1, 0.25]
    assert all(each.shape == x.shape for each in made.values())


def test_baselines_take_bytes():
    background = torch.randint(256, (5, 3, 8, 8), dtype=torch.uint8)
    codes = torch.randn(5, 4)
    made = baselines(background, background, codes, codes)
    assert torch.equal(made["nearest background"], background / 255)


CODES = np.zeros((3, 2))


@pytest.mark.parametrize(
    ("background", "of_x", "of_background", "message"),
    [
        (X[..., 1:], CODES, CODES, "train_background: samples have shape"),
        (X, CODES[:2], CODES, "codes_c_of_x: shape"),
        (X, CODES, CODES[:, :1], r"codes_c_of_background: shape \(3, 1\) does not fit; .* here \(3, 2\)"),
        (X, CODES, CODES * np.nan, "codes_c_of_background: sample 0 contains NaN"),
    ],
)
def test_bad_baselines_are_named(background: Any, of_x: Any, of_background: Any, message: str):
    with pytest.raises(InputError, match=message):
        baselines(X, background, of_x, of_background)

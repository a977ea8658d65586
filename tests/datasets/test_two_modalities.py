"""Pairs of modalities, pixel by pixel as a loop, and what they share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sepclr.datasets import DATA_SETS, cifar10, mnist, two_modalities
from sepclr.datasets.two_modalities import DIMMED, SIDE, DigitAndPhotograph, Pairs
from sepclr.types import InputError

SAMPLES = 60


@pytest.fixture(scope="module")
def pairs(publishers: Path) -> dict[str, Pairs]:
    return {weak: two_modalities.digit_and_photograph(publishers, weak=weak, samples=SAMPLES) for weak in ("digit", "photograph")}


@pytest.fixture(scope="module")
def quadrants(publishers: Path) -> Pairs:
    return two_modalities.quadrants(publishers, samples=SAMPLES)


def test_sizes_and_types(pairs: dict[str, Pairs], quadrants: Pairs):
    for made in (*pairs.values(), quadrants):
        for cohort, n in ((made.train, SAMPLES), (made.test, 10_000)):
            for x in (cohort.x, cohort.extra["weak"]):
                assert (tuple(x.shape), x.dtype) == ((n, 3, 32, 32), torch.uint8)
            assert cohort.is_target.all()


@pytest.mark.parametrize("at", [0, 7, SAMPLES - 1])
def test_each_pixel_is_the_mean_of_a_digit_and_a_photograph(pairs: dict[str, Pairs], publishers: Path, at: int):
    digits, photos = mnist.read(publishers), cifar10.read(publishers)
    parts = {
        "train": (digits.train_images[at], digits.train_labels[at], photos.train_images[at], photos.train_labels[at]),
        "test": (digits.test_images[at], digits.test_labels[at], photos.test_images[at], photos.test_labels[at]),
    }
    for name, (ink, digit, photo, label) in parts.items():
        by_weak = {weak: getattr(made, name) for weak, made in pairs.items()}
        for cohort in by_weak.values():
            assert (cohort.attributes["digit"][at], cohort.attributes["object"][at]) == (digit, label)
        for channel, row, column in np.ndindex(3, 32, 32):
            inside = 2 <= row < 30 and 2 <= column < 30
            drawn, seen = (int(ink[row - 2, column - 2]) if inside else 0), int(photo[channel, row, column])
            here = at, channel, row, column
            assert by_weak["digit"].x[here] == by_weak["photograph"].x[here] == (seen + drawn) // 2
            assert by_weak["digit"].extra["weak"][here] == drawn
            assert by_weak["photograph"].extra["weak"][here] == seen // 2


def test_a_digit_in_a_quadrant_inverts_a_dimmed_photograph_where_there_is_ink():
    draw = np.random.default_rng(0)
    photos = draw.integers(256, size=(40, 3, 32, 32)).astype(np.uint8)
    ink = draw.integers(256, size=(40, 28, 28)).astype(np.uint8)
    made, where = two_modalities._in_quadrants(photos, ink, np.random.default_rng(1))
    assert set(where) == {0, 1, 2, 3}
    for at in (0, 13, 39):
        top, left = {0: (0, 0), 1: (0, 16), 2: (16, 0), 3: (16, 16)}[where[at]]
        for channel, row, column in np.ndindex(3, 32, 32):
            dim, share = DIMMED * int(photos[at, channel, row, column]), 0.0
            if top <= row < top + SIDE and left <= column < left + SIDE:
                for y in (0, 1):
                    for x in (0, 1):
                        i, j = 2 * (row - top) + y - 2, 2 * (column - left) + x - 2
                        share += int(ink[at, i, j]) / 255 / 4 if 0 <= i < 28 and 0 <= j < 28 else 0.0
            expected = (1 - share) * dim + share * (255 - dim)
            assert abs(int(made[at, channel, row, column]) - expected) <= 1, (at, channel, row, column)  # cut to whole numbers


def test_quadrants_share_the_digit_alone(publishers: Path, monkeypatch: pytest.MonkeyPatch):
    digits = mnist.read(publishers)
    calls = []
    inside = two_modalities._in_quadrants

    def noting(photos, ink, draw):
        made, where = inside(photos, ink, draw)
        calls.append((photos, ink, where))
        return made, where

    monkeypatch.setattr(two_modalities, "_in_quadrants", noting)
    made = two_modalities.quadrants(publishers, samples=600)
    for (weak, strong), cohort, images, labels in zip(
        (calls[:2], calls[2:]),
        made,
        (digits.train_images[:600], digits.test_images),
        (digits.train_labels[:600], digits.test_labels),
        strict=True,
    ):
        assert np.array_equal(cohort.attributes["digit"], labels)
        assert np.array_equal(strong[1], images)
        for digit in range(10):  # the weak modality has the same images of a digit, in another order
            of = labels == digit
            assert sorted(image.tobytes() for image in weak[1][of]) == sorted(image.tobytes() for image in images[of])
        assert not np.array_equal(weak[1], images)
        assert np.array_equal(cohort.attributes["quadrant"], strong[2])
        assert abs((weak[2] == strong[2]).mean() - 0.25) < 4 * (0.25 * 0.75 / len(labels)) ** 0.5
        assert np.bincount(strong[2]).min() > 0.2 * len(labels)
        assert (weak[0] == strong[0]).mean() < 0.5  # photographs of their own


def test_the_seed_decides_the_composition(quadrants: Pairs, publishers: Path):
    again, other = (two_modalities.quadrants(publishers, samples=SAMPLES, seed=seed) for seed in (0, 1))
    assert torch.equal(again.train.x, quadrants.train.x)
    assert torch.equal(again.test.extra["weak"], quadrants.test.extra["weak"])
    assert not torch.equal(other.train.x, quadrants.train.x)


@pytest.mark.parametrize(("weak", "common", "salient"), [("digit", "digit", "object"), ("photograph", "object", "digit")])
def test_the_weak_modality_decides_which_attribute_is_common(publishers: Path, weak: str, common: str, salient: str):
    data_set = DATA_SETS["digit-and-photograph"]
    source = data_set.load(DigitAndPhotograph("digit-and-photograph", weak=weak), publishers, False)
    assert (source.common_attributes, source.salient_attributes) == ((common,), (salient,))
    assert set(source.tests) == {"strict"}


@pytest.mark.parametrize("make", [two_modalities.digit_and_photograph, two_modalities.quadrants])
def test_a_missing_folder_is_one_line(tmp_path: Path, make):
    with pytest.raises(InputError) as error:
        make(tmp_path / "nowhere")
    assert "\n" not in str(error.value)

"""The pairs of domains, pixel by pixel as a loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from sepclr.datasets import DATA_SETS, cifar10, domains, mnist
from sepclr.datasets.domains import Domains


@pytest.fixture(scope="module")
def photographs(publishers: Path) -> Domains:
    return domains.mnist_to_photographs(publishers, samples=40)


def test_sizes_types_and_labels(photographs: Domains):
    for each, half in ((photographs.train, 40), (photographs.test, 10_000)):
        assert each.x.shape == (2 * half, 3, 32, 32)
        assert each.x.dtype == torch.uint8
        digit, is_target = torch.from_numpy(each.attributes["digit"]), each.is_target
        assert is_target.tolist() == [False] * half + [True] * half
        assert torch.equal(each.extra["label"], torch.where(is_target, -1, digit))
        assert torch.equal(each.extra["target_label"], torch.where(is_target, digit, -1))
        assert (digit >= 0).all()


@pytest.mark.parametrize("at", [0, 7, 39])
def test_each_pixel_is_the_difference_of_a_digit_and_a_photograph(photographs: Domains, publishers: Path, at: int):
    digits, photos = mnist.read(publishers), cifar10.read(publishers)
    for cohort, ink, labels, seen in (
        (photographs.train, digits.train_images[40 + at], digits.train_labels[40 + at], photos.train_images[at]),
        (photographs.test, digits.test_images[at], digits.test_labels[at], photos.test_images[at]),
    ):
        sample = len(cohort) // 2 + at
        for channel, row, column in np.ndindex(3, 32, 32):
            inside = 2 <= row < 30 and 2 <= column < 30
            expected = abs(int(seen[channel, row, column]) - (int(ink[row - 2, column - 2]) if inside else 0))
            assert cohort.x[sample, channel, row, column] == expected
        assert cohort.attributes["digit"][sample] == labels
    assert torch.equal(photographs.train.x[at, 0, 2:30, 2:30], torch.from_numpy(digits.train_images[at]))
    assert photographs.train.x[at].float().std(0).max() == 0


def test_digits_are_enlarged_and_split_without_overlap(publishers: Path):
    made, small = domains.mnist_to_digits(publishers, samples=20), load_digits()
    train, test = (each.x[each.is_target] for each in made)
    assert (len(train), len(test), tuple(train.shape[1:])) == (1198, 599, (1, 32, 32))
    all_of_them = {image.tobytes() for image in domains.enlarged(small.images / 16)}
    parts = [{image.numpy().tobytes() for image in part} for part in (train, test)]
    assert parts[0] | parts[1] == all_of_them
    assert sum(len(part) for part in parts) == len(all_of_them)
    # The mean of each 7 × 7 block of pixels follows the 8 × 8 image.
    middle = domains.enlarged(small.images[:50] / 16)[:, 2:30, 2:30].reshape(50, 4, 7, 4, 7).mean((2, 4))
    coarse = small.images[:50].reshape(50, 4, 2, 4, 2).mean((2, 4))
    assert np.corrcoef(middle.ravel(), coarse.ravel())[0, 1] > 0.98


@pytest.mark.parametrize("name", ["mnist-to-photographs", "mnist-to-digits"])
def test_both_domains_are_probed_for_the_digit(publishers: Path, name: str):
    source = DATA_SETS[name].load(DATA_SETS[name].options, publishers, False)
    assert source.everyone
    assert (source.common_attributes, source.salient_attributes) == (("digit",), ())
    assert set(source.tests) == {"strict"}

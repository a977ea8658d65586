"""The construction of digits on CIFAR-10, pixel by pixel as a loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sepclr.data import Cohort
from sepclr.datasets import DATA_SETS, cifar10, digits_on_cifar, mnist
from sepclr.datasets.cifar10 import Photographs
from sepclr.datasets.digits_on_cifar import DigitsOnCifar
from sepclr.datasets.mnist import Digits
from sepclr.parts import Data
from sepclr.types import InputError


@pytest.fixture(scope="module")
def made_up(publishers: Path) -> tuple[DigitsOnCifar, Photographs, Digits]:
    """Digits on CIFAR-10 from made-up files, and what is in those."""
    return digits_on_cifar.load(publishers), cifar10.read(publishers), mnist.read(publishers)


def expected(photo: np.ndarray, digit: np.ndarray | None) -> np.ndarray:
    """One sample in floating point, in 0..1, as a loop."""
    image = np.empty((3, 32, 32))
    for channel, row, column in np.ndindex(3, 32, 32):
        inside = digit is not None and 2 <= row < 30 and 2 <= column < 30
        ink = digit[row - 2, column - 2] if digit is not None and inside else 0
        image[channel, row, column] = (0.5 * photo[channel, row, column] + 0.5 * ink) / 255
    return image


def check(data: DigitsOnCifar, photos: Photographs, digits: Digits, name: str, at: int, pair: int) -> None:
    """Compare sample ``at`` with the loop on photograph and digit ``pair``."""
    cohort: Cohort = getattr(data, name)
    target = at >= len(cohort) // 2
    images, objects = photos[:2] if name == "train" else photos[2:]
    ink, numbers = digits[:2] if name == "train" else digits[2:]
    difference = expected(images[pair], ink[pair] if target else None) - cohort.x[at].numpy() / 255
    assert difference.min() > -1e-12
    assert difference.max() < 1 / 510 + 1e-12
    assert bool(cohort.is_target[at]) == target
    assert cohort.attributes["object"][at] == objects[pair]
    assert cohort.attributes["digit"][at] == (numbers[pair] if target else -1)


@pytest.mark.parametrize(("name", "half"), [("train", 25_000), ("published", 500), ("strict", 10_000)])
def test_shapes_types_and_groups(made_up: tuple[DigitsOnCifar, Photographs, Digits], name: str, half: int) -> None:
    cohort: Cohort = getattr(made_up[0], name)
    n = 2 * half
    assert cohort.x.shape == (n, 3, 32, 32)
    assert str(cohort.x.dtype) == "torch.uint8"
    assert cohort.is_target.tolist() == [False] * half + [True] * half
    assert {key: (values.shape, values.dtype) for key, values in cohort.attributes.items()} == {
        "object": ((n,), np.int64),
        "digit": ((n,), np.int64),
    }
    assert (cohort.attributes["digit"] == -1).tolist() == (~cohort.is_target).tolist()
    assert set(cohort.targets.attributes["digit"]) == set(range(10))


PLACES = [
    ("train", 0, 0),
    ("train", 24_999, 24_999),
    ("train", 25_000, 25_000),
    ("train", 49_999, 49_999),
    ("published", 499, 499),
    ("published", 500, 500),
    ("published", 999, 999),
    ("strict", 0, 0),
    ("strict", 9_999, 9_999),
    ("strict", 10_000, 0),
    ("strict", 19_999, 9_999),
]


@pytest.mark.parametrize(("name", "at", "pair"), PLACES)
def test_samples_are_the_authors(made_up: tuple[DigitsOnCifar, Photographs, Digits], name: str, at: int, pair: int) -> None:
    check(*made_up, name, at, pair)


@pytest.mark.slow
def test_real_samples_are_the_authors(real: Path) -> None:
    data, photos, digits = digits_on_cifar.load(real), cifar10.read(real), mnist.read(real)
    for name, at, pair in PLACES:
        check(data, photos, digits, name, at, pair)
    # Known of the real files: the first photographs are a frog and a truck, the first test digits 7, 2 and 1.
    assert [digits_on_cifar.CLASSES[label] for label in data.train.attributes["object"][:2]] == ["frog", "truck"]
    assert data.strict.targets.attributes["digit"][:3].tolist() == [7, 2, 1]
    assert np.bincount(data.strict.attributes["object"]).tolist() == [2000] * 10


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data_batch_1 is missing; .*--root, or add --download"):
        digits_on_cifar.load(tmp_path / "nowhere")


def test_without_digits_every_sample_is_its_photograph(made_up: tuple[DigitsOnCifar, Photographs, Digits]) -> None:
    data, photos, digits = made_up
    clean = digits_on_cifar.without_digits(data.strict)
    x, is_target = data.strict.x, data.strict.is_target
    assert clean.shape == x.shape
    assert clean.dtype == x.dtype
    assert torch.equal(clean[~is_target], x[~is_target])
    assert np.array_equal(clean[is_target].numpy(), photos.test_images // 2)
    # Means are rounded down: ink of 1 may change nothing.
    ink = np.pad(digits.test_images, ((0, 0), (2, 2), (2, 2)))[:, None]
    changed = (clean != x)[is_target].numpy()
    assert not (changed & (ink == 0)).any()
    assert changed[np.broadcast_to(ink >= 2, changed.shape)].all()


def test_the_source_has_the_photographs(publishers: Path) -> None:
    source = DATA_SETS["digits-on-cifar"].load(Data("digits-on-cifar"), publishers, False)
    assert set(source.tests) == {"strict", "published"}
    assert torch.equal(source.without()[:10_000], source.tests["strict"].x[:10_000])
    assert torch.equal(source.without()[10_000:], source.tests["strict"].x[:10_000])

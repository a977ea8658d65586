"""Coloured MNIST and corrupted CIFAR-10: how strong the bias is, and what a sample looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sepclr.datasets import DATA_SETS, cifar10, coloured_mnist, corrupted_cifar10, mnist
from sepclr.datasets.coloured_mnist import COLOURS, Biased
from sepclr.datasets.corrupted_cifar10 import CORRUPTIONS, corrupt
from sepclr.types import InputError

SETS = [(coloured_mnist, "digit", "colour", (3, 28, 28)), (corrupted_cifar10, "object", "corruption", (3, 32, 32))]


@pytest.mark.parametrize(("module", "common", "salient", "shape"), SETS, ids=["coloured", "corrupted"])
def test_the_bias_is_as_strong_as_asked_in_training_and_absent_elsewhere(
    publishers: Path, module: Any, common: str, salient: str, shape: tuple[int, ...]
):
    made = module.load(publishers, alignment=0.9, samples=1000)
    assert made.train.x.shape == (1000, *shape)
    assert (len(made.probes), len(made.test)) == (6000, 10_000)
    for cohort in made:
        assert str(cohort.x.dtype) == "torch.uint8"
        assert cohort.is_target.all()
        assert cohort.extra["label"].tolist() == cohort.attributes[common].tolist()
        assert cohort.extra["bias"].tolist() == cohort.attributes[salient].tolist()
    agree = [(cohort.attributes[common] == cohort.attributes[salient]).mean() for cohort in made]
    assert agree[0] == 0.9
    assert agree[1:] == pytest.approx([0.1, 0.1], abs=0.02)
    again, other = module.load(publishers, alignment=0.9, samples=1000), module.load(publishers, alignment=0.9, samples=1000, seed=1)
    assert again.train.x.equal(made.train.x)
    assert not other.train.x.equal(made.train.x)


def test_a_pixel_has_the_colour_of_its_label_times_the_ink(publishers: Path):
    test = coloured_mnist.load(publishers, samples=100).test
    ink = mnist.read(publishers).test_images / 255
    expected = np.asarray(COLOURS)[test.attributes["colour"]][:, :, None, None] * ink[:, None]
    assert np.abs(test.x.numpy() / 255 - expected).max() < 0.03  # five times the spread, and rounding


def test_every_corruption_changes_photographs_in_its_own_way_and_keeps_them_recognisable(publishers: Path):
    draw = np.random.default_rng(0)
    coarse = draw.integers(40, 216, size=(20, 3, 8, 8)).astype(np.uint8)
    photos = np.repeat(np.repeat(coarse, 4, 2), 4, 3)  # patches of four pixels
    photos[:, :, ::5] //= 2
    made = [corrupt(photos, index, seed=3) for index in range(len(CORRUPTIONS))]
    for index, images in enumerate(made):
        assert images.dtype == np.uint8
        assert images.shape == photos.shape
        assert (images != photos).mean() > 0.05
        likeness = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(images, photos, strict=True)]
        assert min(likeness) > 0.6, CORRUPTIONS[index]
        assert np.array_equal(images, corrupt(photos, index, seed=3))
        assert all(not np.array_equal(images, other) for other in made[:index])
    noise = [CORRUPTIONS.index(name) for name in ("gaussian noise", "salt and pepper")]
    assert all(not np.array_equal(made[index], corrupt(photos, index, seed=4)) for index in noise)


def test_a_corruption_is_the_same_whatever_the_number_at_a_time(monkeypatch: pytest.MonkeyPatch):
    photos = np.random.default_rng(0).integers(256, size=(10, 3, 32, 32)).astype(np.uint8)
    whole = corrupt(photos, CORRUPTIONS.index("contrast"), 0)
    monkeypatch.setattr(corrupted_cifar10, "AT_ONCE", 3)
    assert np.array_equal(whole, corrupt(photos, CORRUPTIONS.index("contrast"), 0))


@pytest.mark.parametrize("name", ["coloured-mnist", "corrupted-cifar10"])
def test_a_source_has_unbiased_samples_for_probes(publishers: Path, name: str):
    source = DATA_SETS[name].load(Biased(name, alignment=0.98), publishers, False)
    assert source.probes is not None
    assert len(source.train) == 12_000
    assert (source.train.extra["label"] == source.train.extra["bias"]).float().mean().item() == pytest.approx(0.98)
    assert set(source.tests) == {"strict"}


def test_an_alignment_that_is_no_share_is_named():
    with pytest.raises(InputError, match=r"alignment: 1\.5 is not a probability"):
        Biased("coloured-mnist", alignment=1.5)


def test_a_missing_folder_is_one_line(tmp_path: Path):
    with pytest.raises(InputError, match=r"is missing; .*--root, or add --download"):
        corrupted_cifar10.load(tmp_path / "nowhere")


@pytest.mark.slow
def test_real_photographs_stay_recognisable(real: Path):
    photos = cifar10.read(real).test_images[:200]
    for index, name in enumerate(CORRUPTIONS):
        made = corrupt(photos, index, seed=0)
        likeness = np.median([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(made, photos, strict=True)])
        assert likeness > 0.7, name

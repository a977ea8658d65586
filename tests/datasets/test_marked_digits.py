from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate
from sklearn.datasets import load_digits

from sepclr.datasets import DATA_SETS, marked_digits
from sepclr.parts import Data


@pytest.fixture(scope="module")
def data() -> marked_digits.MarkedDigits:
    return marked_digits.load(train_samples=2000, test_samples=1000)


def test_half_of_the_samples_are_target(data):
    for cohort, n in ((data.train, 2000), (data.test, 1000)):
        assert cohort.x.shape == (n, 1, 32, 32)
        assert cohort.x.dtype == torch.uint8
        assert cohort.is_target.sum() == n // 2


def test_only_targets_have_a_mark_and_every_class_is_there(data):
    for cohort in data:
        is_target = cohort.is_target.numpy()
        assert (cohort.attributes["mark"][~is_target] == -1).all()
        assert set(cohort.attributes["mark"][is_target]) == set(range(10))
        for group in (is_target, ~is_target):
            assert set(cohort.attributes["digit"][group]) == set(range(10))


def test_only_marks_are_brighter_than_digits(data):
    brightest = data.train.x.flatten(1).max(1).values
    assert (brightest[data.train.is_target] > 250).all()
    assert (brightest[~data.train.is_target] <= round(255 * marked_digits.DIGIT_BRIGHTNESS)).all()


def test_the_mark_of_the_label_is_drawn_and_fits_best(data):
    drawn = marked_digits.marks() / 255
    targets = data.test.targets
    pattern = [(mark - mark.mean()) / np.linalg.norm(mark - mark.mean()) for mark in drawn]
    right = 0
    for image, label in zip(targets.x[:100, 0].numpy() / 255.0, targets.attributes["mark"][:100], strict=True):
        bright = (image > 0.75).astype(float)
        right += int(np.argmax([correlate(bright, each, mode="constant").max() for each in pattern]) == label)
    assert right >= 95


def test_train_and_test_share_no_digit(monkeypatch):
    digits = load_digits()
    seen: list[set[bytes]] = []
    compose = marked_digits._compose

    def note(images, labels, n, draw):
        seen.append({image.tobytes() for image in images})
        return compose(images, labels, n, draw)

    monkeypatch.setattr(marked_digits, "_compose", note)
    marked_digits.load(train_samples=10, test_samples=10)
    assert not seen[0] & seen[1]
    assert len(seen[0]) + len(seen[1]) == len(digits.images)


def test_the_seed_decides(data):
    again = marked_digits.load(train_samples=2000, test_samples=1000)
    other = marked_digits.load(train_samples=2000, test_samples=1000, seed=1)
    assert torch.equal(again.train.x, data.train.x)
    assert not torch.equal(other.train.x, data.train.x)


def test_marks_are_ten_different_drawings():
    drawn = marked_digits.marks()
    assert drawn.shape == (10, marked_digits.MARK, marked_digits.MARK)
    assert len({mark.tobytes() for mark in drawn}) == 10
    assert all(mark.max() == 255 and (mark == 0).any() for mark in drawn)


def test_samples_are_those_of_earlier_versions(data):
    # Recorded before the images without marks were composed along with the samples.
    pixels = b"".join(cohort.x.numpy().tobytes() for cohort in data)
    assert hashlib.sha256(pixels).hexdigest() == "a3d48b23ed3e7a895241e053f4e0f6fb0e2d47515efe28e63abda5a2a3c12e76"


def test_without_marks_background_is_itself_and_targets_differ_only_where_the_mark_is(data):
    clean = marked_digits.without_marks(train_samples=2000, test_samples=1000)
    x, is_target = data.test.x, data.test.is_target
    assert clean.shape == x.shape
    assert clean.dtype == x.dtype
    assert torch.equal(clean[~is_target], x[~is_target])
    assert clean.max() <= round(255 * marked_digits.DIGIT_BRIGHTNESS)
    drawn, side = marked_digits.marks(), marked_digits.SIDE - marked_digits.MARK + 1
    for sample, bare, label in list(zip(x[:, 0].numpy(), clean[:, 0].numpy(), data.test.attributes["mark"], strict=True))[500:540]:
        changed, stroke = sample != bare, drawn[label] > 0
        assert changed.any()
        windows = np.lib.stride_tricks.sliding_window_view(changed, stroke.shape)
        # Some place of the drawing covers every changed pixel.
        assert max((windows[at] & stroke).sum() for at in np.ndindex(side, side)) == changed.sum()


def test_the_source_has_the_images_without_marks():
    source = DATA_SETS["marked-digits"].load(Data("marked-digits"), None, False)
    strict = source.tests["strict"]
    assert torch.equal(source.without()[~strict.is_target], strict.x[~strict.is_target])
    assert (source.without()[strict.is_target] != strict.x[strict.is_target]).flatten(1).any(1).all()

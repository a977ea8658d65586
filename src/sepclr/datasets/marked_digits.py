"""Marked digits: a small data set with two ten-class attributes, made from digits that ship with scikit-learn.

Background is a handwritten digit near the middle of a 32 × 32 grey image; target is another one with one of ten drawn marks on top.
Both groups share the digit, and only the target has the mark. The digits are the test set of Optical Recognition of Handwritten
Digits (Alpaydin & Kaynak 1998, UCI), 8 × 8 pixels, as in ``sklearn.datasets.load_digits``. Train and test share no digit image.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sepclr.datasets.base import DataSet
from sepclr.parts import Data, Encoder, ImageAugmentation, Profile, Settings

if TYPE_CHECKING:  # the command line imports this module, and these libraries take seconds to load
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from sepclr.data import Cohort

SIDE = 32
DIGIT = 24
DIGIT_SHIFT = 2
DIGIT_BRIGHTNESS = 0.7
MARK = 15
MARK_SHIFT = 4
STROKE = 2.2
MARKS = ("ring", "plus", "cross", "square", "disc", "pillars", "triangle", "frame", "bars", "tee")
"""Names of the marks, in the order of their labels."""


class MarkedDigits(NamedTuple):
    """Training and test samples, uint8 images of shape (n, 1, 32, 32), attributes ``digit`` and ``mark`` (-1 for background)."""

    train: Cohort
    test: Cohort


def load(*, train_samples: int = 8000, test_samples: int = 4000, seed: int = 0) -> MarkedDigits:
    """Compose the data set; half of the samples are background, half target.

    Args:
        train_samples: images composed from two thirds of the 1,797 digits.
        test_samples: images composed from the others.
        seed: random seed of the split and of the composition.

    Returns:
        The two cohorts.
    """
    (train, _), (test, _) = _both(train_samples, test_samples, seed)
    return MarkedDigits(train, test)


def without_marks(*, train_samples: int = 8000, test_samples: int = 4000, seed: int = 0) -> Tensor:
    """Compose the test images of ``load`` with the same arguments, without marks.

    Args:
        train_samples: number of training samples; they are drawn first, so the test images depend on it.
        test_samples: number of test samples.
        seed: random seed of the split and of the composition.

    Returns:
        uint8 images, shape (test_samples, 1, 32, 32); those of background are the samples themselves.
    """
    return _both(train_samples, test_samples, seed)[1][1]


def _both(train_samples: int, test_samples: int, seed: int) -> tuple[tuple[Cohort, Tensor], tuple[Cohort, Tensor]]:
    """Compose the training and the test samples, each with the same images without marks."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = [Image.fromarray(np.uint8(np.round(image * (255 / 16)))) for image in digits.images]
    large = np.stack([np.asarray(image.resize((DIGIT, DIGIT), Image.Resampling.BICUBIC)) for image in images])
    train, test = train_test_split(np.arange(len(large)), test_size=1 / 3, stratify=digits.target, random_state=seed)
    draw = np.random.default_rng(seed)
    of_train = _compose(large[train], digits.target[train], train_samples, draw)
    return of_train, _compose(large[test], digits.target[test], test_samples, draw)


def marks() -> NDArray[np.uint8]:
    """Draw the ten marks, shape (10, MARK, MARK), 0 outside and 255 on the stroke.

    Each is computed from the distance of a pixel to the middle of a stroke, in a square from -1 to 1. All cover about as many pixels.
    """
    import numpy as np

    y, x = np.mgrid[-1 : 1 : MARK * 1j, -1 : 1 : MARK * 1j]
    radius, reach = np.hypot(x, y), np.maximum(np.abs(x), np.abs(y))

    def stroke(distance: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.clip((STROKE / MARK - np.abs(distance)) * MARK / 2 + 0.5, 0, 1)

    slope = np.abs(x) - 0.45 * (y + 1)
    drawings = {
        "ring": stroke(radius - 0.8),
        "plus": np.maximum(stroke(x), stroke(y)),
        "cross": np.maximum(stroke((x - y) / np.sqrt(2)), stroke((x + y) / np.sqrt(2))),
        "square": (reach < 0.7).astype(float),
        "disc": (radius < 0.75).astype(float),
        "pillars": stroke(np.abs(x) - 0.5),
        "triangle": np.maximum(stroke(slope), stroke(y - 0.8) * (np.abs(x) <= 0.95)),
        "frame": stroke(reach - 0.8),
        "bars": stroke(np.abs(y) - 0.5),
        "tee": np.maximum(stroke(y + 0.8), stroke(x)),
    }
    return np.stack([np.uint8(np.round(255 * drawings[name])) for name in MARKS])


def _compose(images: NDArray[np.uint8], labels: NDArray[np.int64], n: int, draw: np.random.Generator) -> tuple[Cohort, Tensor]:
    import numpy as np
    import torch

    from sepclr.data import Cohort

    is_target = np.arange(n) >= n // 2
    chosen = draw.integers(len(images), size=n)
    mark = np.where(is_target, draw.integers(len(MARKS), size=n), -1)
    digit_at = (SIDE - DIGIT) // 2 + draw.integers(-DIGIT_SHIFT, DIGIT_SHIFT + 1, size=(n, 2))
    mark_at = (SIDE - MARK) // 2 + draw.integers(-MARK_SHIFT, MARK_SHIFT + 1, size=(n, 2))
    drawn = marks() / 255
    x = np.zeros((n, SIDE, SIDE))
    for i in range(n):
        row, column = digit_at[i]
        x[i, row : row + DIGIT, column : column + DIGIT] = DIGIT_BRIGHTNESS * images[chosen[i]]
    without = _grey(x)
    for i in np.flatnonzero(is_target).tolist():
        row, column = mark_at[i]
        under = x[i, row : row + MARK, column : column + MARK]
        under += drawn[mark[i]] * (255 - under)
    return Cohort(_grey(x), torch.from_numpy(is_target), {"digit": labels[chosen], "mark": mark}), without


def _grey(x: NDArray[np.float64]) -> Tensor:
    import numpy as np
    import torch

    return torch.from_numpy(np.uint8(np.round(x)))[:, None]


def _load(data: Data, root: Path | None, download: bool) -> Any:
    from sepclr.datasets.source import declared

    train, test = load()
    return declared(DATA_SET, train, without=partial(without_marks, train_samples=len(train), test_samples=len(test)), strict=test)


CPU = Profile(
    encoder=Encoder(kind="cnn4", width=16, stem_stride=2),
    views=ImageAugmentation(crop=28, crop_scale=0.6, crop_ratio=1.1, flip=0.0, jitter=(0.4, 0.0, 0.0, 0.0), jitter_probability=1.0),
    training=Settings(max_epochs=15, batch_size=128, learning_rate=2e-3),
    options={
        "decorrelation": {},  # no options; both codes have the same length
        "sepclr": {"salient_dim": 16, "weight_salient": 3.0, "weight_information_less": 3.0},
        "pca": {"salient_dim": 16},
        "contrastive-pca": {"salient_dim": 16},
    },
)
"""The demo.

Command: sepclr demo
Hardware: two cores; two runs, at most 6 CPU-minutes, even without AVX-512 or bfloat16.
Result: results/marked-digits.jsonl.
"""

DATA_SET = DataSet(
    options=Data("marked-digits"),
    title="Marked digits",
    lead="Background is a handwritten digit. Target is a digit with one of ten marks on top: both groups share the digit, "
    "only the target has the mark.",
    about="marked digits, the data set of the demo, made from scikit-learn's digits",
    load=_load,
    common=("digit",),
    salient=("mark",),
    class_names={"mark": MARKS},
    profiles={"cpu": CPU},
)

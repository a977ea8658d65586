"""Pairs of modalities: digits and photographs, and digits in quadrants.

``digit-and-photograph``: the strong modality is the target of digits on CIFAR-10, the mean of a photograph and a digit; the weak one is the
digit alone, so that both share the digit and only the strong one has the object, or the photograph alone at half intensity, and then the
other way round.

``quadrants``, after PolyMNIST-Quadrant: each modality shows an image of the same digit, 16 pixels wide, in one of four quadrants of a
photograph of its own, dimmed to 0.3 of its intensity, which is inverted where there is ink. Both share the digit; the quadrant is each
modality's own.

From CIFAR-10 (Krizhevsky 2009) and MNIST (LeCun, Cortes, Burges).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sepclr.datasets.base import DataSet
from sepclr.datasets.digits_on_cifar import CLASSES
from sepclr.parts import Data, Encoder, ImageAugmentation, Profile, Settings

if TYPE_CHECKING:  # the command line imports this module, and these libraries take seconds to load
    import numpy as np
    from numpy.typing import NDArray

    from sepclr.data import Cohort
    from sepclr.datasets.cifar10 import Photographs
    from sepclr.datasets.mnist import Digits

SAMPLES = 10_000
QUADRANTS = ("upper left", "upper right", "lower left", "lower right")
DIMMED = 0.3
"""Intensity of the photographs behind digits in quadrants; small encoders do not find the digits in brighter ones."""
SIDE = 16
"""Side of a digit in a quadrant, in pixels."""


class Pairs(NamedTuple):
    """Training and test samples of the strong modality; ``extra`` holds the ``weak`` one.

    Samples are uint8, shape (n, 3, 32, 32), all of them targets. Attributes are int64, shape (n,).
    """

    train: Cohort
    test: Cohort


@dataclass(frozen=True)
class DigitAndPhotograph(Data):
    """Digits and photographs.

    Attributes:
        weak: what the weak modality shows, ``digit`` or ``photograph``.
    """

    weak: Literal["digit", "photograph"] = "digit"


def digit_and_photograph(root: Path, *, weak: str = "digit", samples: int = SAMPLES, download: bool = False) -> Pairs:
    """Load digits and photographs, with the attributes ``digit`` and ``object``.

    Args:
        root: the folder that contains ``cifar-10-batches-py`` and ``MNIST/raw``.
        weak: what the weak modality shows, ``digit`` or ``photograph``.
        samples: number of training samples.
        download: whether to fetch missing or damaged files into ``root``.

    Raises:
        InputError: a file that is missing or damaged, or cannot be fetched.
    """
    import numpy as np

    photos, digits = _read(root, download)

    def cohort(images: NDArray[np.uint8], objects: NDArray[np.int64], ink: NDArray[np.uint8], labels: NDArray[np.int64]) -> Cohort:
        padded = np.pad(ink, ((0, 0), (2, 2), (2, 2)))[:, None]
        strong = ((images.astype(np.uint16) + padded) // 2).astype(np.uint8)
        alone = np.repeat(padded, 3, 1) if weak == "digit" else images // 2
        return _cohort(strong, alone, {"digit": labels, "object": objects})

    some = slice(samples)
    train = photos.train_images[some], photos.train_labels[some], digits.train_images[some], digits.train_labels[some]
    return Pairs(cohort(*train), cohort(photos.test_images, photos.test_labels, digits.test_images, digits.test_labels))


def quadrants(root: Path, *, samples: int = SAMPLES, seed: int = 0, download: bool = False) -> Pairs:
    """Load digits in quadrants, with the attributes ``digit``, and ``quadrant`` of the strong modality.

    Args:
        root: the folder that contains ``cifar-10-batches-py`` and ``MNIST/raw``.
        samples: number of training samples.
        seed: random seed of the composition.
        download: whether to fetch missing or damaged files into ``root``.

    Raises:
        InputError: a file that is missing or damaged, or cannot be fetched.
    """
    import numpy as np

    (photos, digits), draw = _read(root, download), np.random.default_rng(seed)

    def cohort(images: NDArray[np.uint8], ink: NDArray[np.uint8], labels: NDArray[np.int64]) -> Cohort:
        other = np.arange(len(labels))
        for digit in range(10):  # another image of the same digit
            own = np.flatnonzero(labels == digit)
            other[own] = draw.permutation(own)
        weak, _ = _in_quadrants(draw.permutation(images), ink[other], draw)
        strong, where = _in_quadrants(draw.permutation(images), ink, draw)
        return _cohort(strong, weak, {"digit": labels, "quadrant": where})

    some = slice(samples)
    train = cohort(photos.train_images[some], digits.train_images[some], digits.train_labels[some])
    return Pairs(train, cohort(photos.test_images, digits.test_images, digits.test_labels))


def _in_quadrants(
    photos: NDArray[np.uint8], ink: NDArray[np.uint8], draw: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Put a digit into a random quadrant of each photograph; returns the images and the quadrants."""
    import numpy as np

    padded = np.pad(ink, ((0, 0), (2, 2), (2, 2)))
    small = padded.reshape(len(ink), SIDE, 2, SIDE, 2).mean((2, 4))[:, None] / 255
    where, x = draw.integers(len(QUADRANTS), size=len(ink)), np.float32(DIMMED) * photos
    for quadrant in range(len(QUADRANTS)):
        row, column = SIDE * (quadrant // 2), SIDE * (quadrant % 2)
        here = where == quadrant
        part = x[here, :, row : row + SIDE, column : column + SIDE]
        x[here, :, row : row + SIDE, column : column + SIDE] = (1 - small[here]) * part + small[here] * (255 - part)
    return x.astype(np.uint8), where


def _cohort(strong: NDArray[np.uint8], weak: NDArray[np.uint8], attributes: dict[str, NDArray[np.int64]]) -> Cohort:
    import torch

    from sepclr.data import Cohort

    everyone = torch.ones(len(strong), dtype=torch.bool)
    return Cohort(torch.from_numpy(strong), everyone, attributes, extra={"weak": torch.from_numpy(weak)})


def _read(root: Path, download: bool) -> tuple[Photographs, Digits]:
    from sepclr.datasets import publishers

    return publishers.photographs(root, download=download), publishers.digits(root, download=download)


def _load_pairs(data: Data, root: Path | None, download: bool) -> Any:
    from dataclasses import replace

    from sepclr.datasets.source import declared

    assert root is not None  # check_root
    assert isinstance(data, DigitAndPhotograph)
    pairs = digit_and_photograph(root, weak=data.weak, download=download)
    source = declared(DIGIT_AND_PHOTOGRAPH, pairs.train, strict=pairs.test)
    if data.weak == "digit":
        return source
    return replace(source, common_attributes=source.salient_attributes, salient_attributes=source.common_attributes)


def _load_quadrants(data: Data, root: Path | None, download: bool) -> Any:
    from sepclr.datasets.source import declared

    assert root is not None  # check_root
    pairs = quadrants(root, download=download)
    return declared(QUADRANT_DIGITS, pairs.train, strict=pairs.test)


def _profile(views: ImageAugmentation, epochs: int, **options: Any) -> Profile:
    encoder = Encoder(kind="cnn3", width=32, stem_stride=2)
    training = Settings(max_epochs=epochs, batch_size=128, learning_rate=3e-3)
    return Profile(encoder=encoder, views=views, training=training, options={"modalities": options})


PAIRS_CPU = _profile(ImageAugmentation(), 4)
"""Minutes on a CPU: two stages of four epochs.

Command: sepclr benchmark digit-and-photograph --root DIR
Hardware: one core per row.
Result: results/digit-and-photograph.jsonl.
"""

QUADRANTS_CPU = _profile(ImageAugmentation(crop_scale=0.75, crop_ratio=1.0, flip=0.0), 6, stages="together", moves="both")
"""One stage of six epochs, because a weak encoder on its own would learn the photographs. Crops hold at least three quarters of the area
and are not flipped: the quadrant must survive.

Command: sepclr benchmark quadrants --root DIR
Hardware: one core per row.
Result: results/quadrants.jsonl.
"""

FILES = "CIFAR-10 and MNIST (cifar-10-batches-py and MNIST/raw)"

DIGIT_AND_PHOTOGRAPH = DataSet(
    options=DigitAndPhotograph("digit-and-photograph"),
    title="Digit and photograph",
    lead="The strong modality is a photograph with a digit on top. The weak one shows only the digit, or only the photograph.",
    about="photographs with a digit on top, and the digit or the photograph alone",
    load=_load_pairs,
    common=("digit",),
    salient=("object",),
    class_names={"object": CLASSES},
    files=FILES,
    download=True,
    profiles={"cpu": PAIRS_CPU},
    task="modalities",
)
QUADRANT_DIGITS = DataSet(
    options=Data("quadrants"),
    title="Digits in quadrants",
    lead="Each modality shows an image of the same digit in one of four quadrants of a photograph of its own. "
    "Both share the digit; the quadrant is each modality's own.",
    about="two images of the same digit, each in a quadrant of a photograph of its own",
    load=_load_quadrants,
    common=("digit",),
    salient=("quadrant",),
    class_names={"quadrant": QUADRANTS},
    files=FILES,
    download=True,
    profiles={"cpu": QUADRANTS_CPU},
    task="modalities",
)

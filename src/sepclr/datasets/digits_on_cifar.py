"""Digits on CIFAR-10: photographs that both groups share, with a handwritten digit on top of the target's.

The data set of SepCLR (Louiset, Duchesnay, Grigis and Gori, ICLR 2024), built as its authors did from CIFAR-10 (Krizhevsky 2009)
and MNIST (LeCun, Cortes, Burges): photograph i is paired with digit i. Background is the photograph at half intensity; target is the
mean of the photograph and the digit, padded from 28 to 32 pixels by 2 zeros on each side and the same on the three channels.

The authors compute in floating point. Here pixels stay uint8, so that all samples fit on a device, and means are rounded down, by
at most 1/510 of the full intensity.
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

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""Name of each value of the attribute ``object``, as in ``batches.meta``."""


class DigitsOnCifar(NamedTuple):
    """Digits on CIFAR-10.

    Samples are uint8, shape (n, 3, 32, 32), background first. Attributes are int64, shape (n,): ``object``, the index into
    ``CLASSES``, and ``digit``, 0..9 for targets and -1 for background.

    Attributes:
        train: the first 50,000 training pairs, 25,000 as background and 25,000 as target.
        published: the test set of the paper, the first 1,000 test pairs, 500 as background and 500 as target.
        strict: all 10,000 test photographs as background, then all 10,000 test pairs, with the same photographs, as target.
    """

    train: Cohort
    published: Cohort
    strict: Cohort


def load(root: Path, *, download: bool = False) -> DigitsOnCifar:
    """Load digits on CIFAR-10.

    Args:
        root: the folder that contains ``cifar-10-batches-py`` and ``MNIST/raw`` in their publishers' layouts.
        download: whether to fetch missing or damaged files into ``root``.

    Raises:
        InputError: a file that is missing or damaged, or cannot be fetched.
    """
    from sepclr.datasets import publishers

    photos, digits = publishers.photographs(root, download=download), publishers.digits(root, download=download)
    train = photos.train_images, photos.train_labels, digits.train_images[:50_000], digits.train_labels[:50_000]
    test = photos.test_images, photos.test_labels, digits.test_images, digits.test_labels
    return DigitsOnCifar(
        train=_cohort(*train, slice(25_000), slice(25_000, None)),
        published=_cohort(*test, slice(500), slice(500, 1000)),
        strict=_cohort(*test, slice(None), slice(None)),
    )


def without_digits(strict: Cohort) -> Tensor:
    """Return the samples of ``DigitsOnCifar.strict`` without digits: for both groups, the photographs at half intensity.

    Args:
        strict: the cohort; its targets show the same photographs as its background, in the same order.

    Returns:
        uint8 images, shape (20000, 3, 32, 32).
    """
    return strict.x[~strict.is_target].repeat(2, 1, 1, 1)


def _cohort(
    photos: NDArray[np.uint8],
    objects: NDArray[np.int64],
    images: NDArray[np.uint8],
    digits: NDArray[np.int64],
    background: slice,
    target: slice,
) -> Cohort:
    import numpy as np
    import torch

    from sepclr.data import Cohort

    ink = np.pad(images[target], ((0, 0), (2, 2), (2, 2)))[:, None]
    with_digit = (photos[target].astype(np.uint16) + ink) // 2  # the sum of two uint8 needs nine bits
    x = np.concatenate([photos[background] // 2, with_digit.astype(np.uint8)])
    n_background = len(objects[background])
    return Cohort(
        torch.from_numpy(x),
        torch.arange(len(x)) >= n_background,
        {
            "object": np.concatenate([objects[background], objects[target]]),
            "digit": np.concatenate([np.full(n_background, -1, dtype=np.int64), digits[target]]),
        },
    )


def _load(data: Data, root: Path | None, download: bool) -> Any:
    from sepclr.datasets.source import declared

    assert root is not None  # check_root
    photographs = load(root, download=download)
    without = partial(without_digits, photographs.strict)
    return declared(DATA_SET, photographs.train, without=without, strict=photographs.strict, published=photographs.published)


PAPER = Profile(
    encoder=Encoder(kind="resnet18"),
    views=ImageAugmentation(),
    training=Settings(max_epochs=250, batch_size=512, learning_rate=3e-4, schedule="constant"),
    small=False,
)
"""The settings that the authors released: two ResNet-18s, 250 epochs of batch 512.

Command: sepclr benchmark digits-on-cifar --root DIR --profile paper
Hardware: one GPU; days on a CPU.
Result: none yet.
Source: SepCLR (arXiv 2402.11928), Table 1 and the authors' release. Jitter is decided per image here, per batch in theirs.
"""

CPU = Profile(
    encoder=Encoder(kind="cnn3", width=32, stem_stride=2),
    views=ImageAugmentation(),
    training=Settings(max_epochs=4, batch_size=128, learning_rate=3e-3),
)
"""Minutes on a CPU: two networks of three plain convolutions, four epochs.

Command: sepclr benchmark digits-on-cifar --root DIR
Hardware: one core per row, at most 8 CPU-minutes, even without AVX-512 or bfloat16.
Result: results/digits-on-cifar-cpu.jsonl.
"""

DATA_SET = DataSet(
    options=Data("digits-on-cifar"),
    title="Digits on CIFAR-10",
    lead="Background is a photograph of CIFAR-10. Target is one with an MNIST digit on top: both groups share the object, "
    "only the target has the digit.",
    about="digits on CIFAR-10 photographs, in their publishers' layouts",
    load=_load,
    common=("object",),
    salient=("digit",),
    class_names={"object": CLASSES},
    columns={"digit": "digits", "object": "objects"},
    files="CIFAR-10 and MNIST (cifar-10-batches-py and MNIST/raw)",
    download=True,
    profiles={"cpu": CPU, "paper": PAPER},
)

"""Pairs of domains with the same classes: MNIST digits without background, and the same ten digits from elsewhere.

``mnist-to-photographs``, after MNIST-M of Ganin et al., Domain-adversarial training of neural networks, JMLR 2016 (arXiv 1505.07818): the
target is the absolute difference of a digit and a photograph, channel by channel. MNIST-M takes crops of BSDS500; here it is a whole
photograph of CIFAR-10 (Krizhevsky 2009), which has the size of a padded digit, so numbers published for MNIST-M are for other data.

``mnist-to-digits``: the target is the 1,797 digits of 8 × 8 pixels of scikit-learn (Alpaydin and Kaynak 1998), enlarged to 28 × 28.

The source domain is background and has labels. Both have the attribute ``digit``, for evaluation; methods train on ``extra``, where
``label`` is −1 in the target domain, and ``target_label``, which only an upper bound reads, is −1 in the source domain.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sepclr.datasets.base import DataSet
from sepclr.parts import Data, Encoder, ImageAugmentation, Profile, Settings

if TYPE_CHECKING:  # the command line imports this module, and these libraries take seconds to load
    import numpy as np
    from numpy.typing import NDArray

    from sepclr.data import Cohort

    Domain = tuple[NDArray[np.uint8], NDArray[np.int64]]

SAMPLES = 10_000
"""Training samples of the source domain, and of photographs."""
SIDE, PAD = 28, 2


class Domains(NamedTuple):
    """Training and test samples of both domains, source first.

    Samples are uint8, shape (n, channels, 32, 32). The attribute ``digit`` and the entries of ``extra`` are int64, shape (n,).
    """

    train: Cohort
    test: Cohort


def mnist_to_photographs(root: Path, *, samples: int = SAMPLES, download: bool = False) -> Domains:
    """Load MNIST digits, and other ones on photographs; colour images, the digits grey.

    Test samples are the 10,000 test digits as they are, and the same on the 10,000 test photographs.

    Args:
        root: the folder that contains ``cifar-10-batches-py`` and ``MNIST/raw``.
        samples: number of training samples of each domain; those of the target are the digits after those of the source.
        download: whether to fetch missing or damaged files into ``root``.

    Raises:
        InputError: a file that is missing or damaged, or cannot be fetched.
    """
    from sepclr.datasets import publishers

    photos, digits = publishers.photographs(root, download=download), publishers.digits(root, download=download)
    source, target = slice(samples), slice(samples, 2 * samples)
    other = on_photographs(digits.train_images[target], photos.train_images[:samples]), digits.train_labels[target]
    train = _cohort((_grey(digits.train_images[source], 3), digits.train_labels[source]), other)
    tests = on_photographs(digits.test_images, photos.test_images), digits.test_labels
    return Domains(train, _cohort((_grey(digits.test_images, 3), digits.test_labels), tests))


def mnist_to_digits(root: Path, *, samples: int = SAMPLES, seed: int = 0, download: bool = False) -> Domains:
    """Load MNIST digits and those of scikit-learn; grey images.

    Two thirds of scikit-learn's digits are for training. Test samples are the others, and MNIST's 10,000 test digits.

    Args:
        root: the folder that contains ``MNIST/raw``.
        samples: number of training samples of the source domain.
        seed: random seed of the split.
        download: whether to fetch missing or damaged files into ``root``.

    Raises:
        InputError: a file that is missing or damaged, or cannot be fetched.
    """
    import numpy as np
    from sklearn.datasets import load_digits

    from sepclr.datasets import publishers

    digits, small = publishers.digits(root, download=download), load_digits()
    images, labels = enlarged(small.images / 16)[:, None], small.target.astype(np.int64)
    order = np.random.default_rng(seed).permutation(len(labels))
    train, test = order[: 2 * len(order) // 3], order[2 * len(order) // 3 :]
    return Domains(
        _cohort((_grey(digits.train_images[:samples], 1), digits.train_labels[:samples]), (images[train], labels[train])),
        _cohort((_grey(digits.test_images, 1), digits.test_labels), (images[test], labels[test])),
    )


def on_photographs(ink: NDArray[np.uint8], photos: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return |digit − photograph| in every channel, digits of shape (n, 28, 28), photographs of (n, 3, 32, 32)."""
    import numpy as np

    difference: NDArray[np.int16] = photos.astype(np.int16) - _grey(ink, 1)
    return np.abs(difference).astype(np.uint8)


def enlarged(images: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Enlarge images in 0..1, shape (n, h, w), to 28 × 28 pixels by bicubic interpolation, and pad them to 32 × 32."""
    import numpy as np
    import torch
    from torch.nn.functional import interpolate

    large = interpolate(torch.from_numpy(images)[:, None], (SIDE, SIDE), mode="bicubic", align_corners=False).clamp(0, 1)
    return _padded(np.round(255 * large[:, 0].numpy()).astype(np.uint8))


def _padded(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import numpy as np

    return np.pad(ink, ((0, 0), (PAD, PAD), (PAD, PAD)))


def _grey(ink: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    import numpy as np

    return np.repeat(_padded(ink)[:, None], channels, 1)


def _cohort(source: Domain, target: Domain) -> Cohort:
    import numpy as np
    import torch

    from sepclr.data import Cohort

    x, digit = np.concatenate([source[0], target[0]]), np.concatenate([source[1], target[1]])
    is_target = np.arange(len(digit)) >= len(source[1])
    extra = {"label": np.where(is_target, -1, digit), "target_label": np.where(is_target, digit, -1)}
    known = {name: torch.from_numpy(values) for name, values in extra.items()}
    return Cohort(torch.from_numpy(x), torch.from_numpy(is_target), {"digit": digit}, extra=known)


def _load_photographs(data: Data, root: Path | None, download: bool) -> Any:
    from sepclr.datasets.source import declared

    assert root is not None  # check_root
    domains = mnist_to_photographs(root, download=download)
    return declared(PHOTOGRAPHS, domains.train, everyone=True, strict=domains.test)


def _load_digits(data: Data, root: Path | None, download: bool) -> Any:
    from sepclr.datasets.source import declared

    assert root is not None  # check_root
    domains = mnist_to_digits(root, download=download)
    return declared(DIGITS, domains.train, everyone=True, strict=domains.test)


CPU = Profile(
    encoder=Encoder(kind="cnn4", width=16, stem_stride=2),
    views=ImageAugmentation(
        crop=28, crop_scale=0.6, crop_ratio=1.1, flip=0.0, jitter=(0.4, 0.8, 0.0, 0.0), jitter_probability=1.0, grey=0.0
    ),
    training=Settings(max_epochs=6, batch_size=128, learning_rate=3e-3),
)
"""Under a minute on a CPU: plain convolutions, six epochs, the same views for all methods: crops, brightness and strong contrast.

Command: sepclr benchmark mnist-to-photographs --root DIR
Hardware: one core per row.
Result: results/mnist-to-photographs.jsonl and results/mnist-to-digits.jsonl.
"""

PHOTOGRAPHS = DataSet(
    options=Data("mnist-to-photographs"),
    title="MNIST to photographs",
    lead="The source domain is MNIST digits, with labels. The target domain is the absolute difference of digits and photographs.",
    about="MNIST digits with labels, and digits on photographs without",
    load=_load_photographs,
    common=("digit",),
    files="CIFAR-10 and MNIST (cifar-10-batches-py and MNIST/raw)",
    download=True,
    profiles={"cpu": CPU},
    task="domains",
)
DIGITS = DataSet(
    options=Data("mnist-to-digits"),
    title="MNIST to scikit-learn's digits",
    lead="The source domain is MNIST digits, with labels. The target domain is scikit-learn's digits of 8 × 8 pixels, enlarged.",
    about="MNIST digits with labels, and scikit-learn's digits without",
    load=_load_digits,
    common=("digit",),
    files="MNIST (MNIST/raw)",
    download=True,
    profiles={"cpu": CPU},
    task="domains",
)

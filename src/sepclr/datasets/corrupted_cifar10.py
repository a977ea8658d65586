"""Corrupted CIFAR-10: photographs whose corruption nearly gives the object away, for debiasing with a known bias.

Each class has one of ten corruptions, such as noise or blur. In training, a share ``alignment`` of the photographs has the corruption of
its class, the others one of the other nine; where probes are fitted and scored, the corruption is independent of the class. After Nam et
al., Learning from failure, NeurIPS 2020 (arXiv 2007.02561), who use corruptions of Hendrycks & Dietterich and 50,000 photographs. The
corruptions here are our own, moderate and made with kornia: scores cannot be compared with theirs. From CIFAR-10 (Krizhevsky 2009).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sepclr.datasets.base import DataSet
from sepclr.datasets.coloured_mnist import Biased, biases
from sepclr.datasets.digits_on_cifar import CLASSES
from sepclr.parts import Data, Encoder, ImageAugmentation, Profile, Settings

if TYPE_CHECKING:  # the command line imports this module, and these libraries take seconds to load
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from sepclr.data import Cohort

SAMPLES = 12_000
PROBES = 6_000
AT_ONCE = 2_000
"""Photographs corrupted at a time, to bound the memory."""
CORRUPTIONS = (
    "gaussian noise",
    "salt and pepper",
    "gaussian blur",
    "motion blur",
    "brightness",
    "contrast",
    "saturation",
    "jpeg",
    "posterise",
    "pixelate",
)
"""Names of the corruptions, in the order of their labels and of the classes that they belong to."""


class CorruptedCifar10(NamedTuple):
    """Corrupted CIFAR-10.

    Samples are uint8, shape (n, 3, 32, 32), all of them targets. Attributes are ``object`` and ``corruption``, both int64, shape (n,), and
    also the ``label`` and ``bias`` that methods train on.

    Attributes:
        train: biased training samples.
        probes: unbiased samples from other photographs of CIFAR-10's training set.
        test: unbiased samples from CIFAR-10's test set.
    """

    train: Cohort
    probes: Cohort
    test: Cohort


def load(root: Path, *, alignment: float = 0.995, samples: int = SAMPLES, seed: int = 0, download: bool = False) -> CorruptedCifar10:
    """Load corrupted CIFAR-10.

    Args:
        root: the folder that contains ``cifar-10-batches-py``.
        alignment: share of training samples whose corruption is that of their class.
        samples: number of training samples.
        seed: random seed of the choice of photographs and of their corruptions.
        download: whether to fetch missing or damaged files into ``root``.

    Raises:
        InputError: a file that is missing or damaged, or cannot be fetched.
    """
    import numpy as np

    from sepclr.datasets import publishers

    photos, draw = publishers.photographs(root, download=download), np.random.default_rng(seed)
    order = draw.permutation(len(photos.train_labels))
    train, probes = order[:samples], order[samples : samples + PROBES]
    return CorruptedCifar10(
        _cohort(photos.train_images[train], photos.train_labels[train], alignment, draw),
        _cohort(photos.train_images[probes], photos.train_labels[probes], None, draw),
        _cohort(photos.test_images, photos.test_labels, None, draw),
    )


def corrupt(images: NDArray[np.uint8], corruption: int, seed: int) -> NDArray[np.uint8]:
    """Corrupt photographs.

    Args:
        images: uint8, shape (n, 3, 32, 32).
        corruption: index of one of ``CORRUPTIONS``.
        seed: random seed of noise; torch's global generator is left unchanged.

    Returns:
        uint8, shape (n, 3, 32, 32).
    """
    import numpy as np
    import torch

    made = np.empty_like(images)
    draw = torch.Generator().manual_seed(seed)
    for begin in range(0, len(images), AT_ONCE):
        part = slice(begin, begin + AT_ONCE)
        x: Tensor = _corrupted(torch.from_numpy(images[part]).float() / 255, CORRUPTIONS[corruption], draw)
        made[part] = (x.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    return made


def _corrupted(x: Tensor, corruption: str, draw: Any) -> Any:
    """Corrupt photographs in 0..1, shape (n, 3, 32, 32), in strengths that leave the object recognisable."""
    import torch
    from kornia import enhance, filters
    from torch.nn.functional import avg_pool2d, interpolate

    match corruption:
        case "gaussian noise":
            return x + 0.1 * torch.randn(x.shape, generator=draw)
        case "salt and pepper":  # the same pixels in all channels
            chance = torch.rand(len(x), 1, *x.shape[2:], generator=draw)
            return torch.where(chance < 0.04, 0.0, torch.where(chance > 0.96, 1.0, x))
        case "gaussian blur":
            return filters.gaussian_blur2d(x, (5, 5), (1.0, 1.0))
        case "motion blur":
            return filters.motion_blur(x, 5, 45.0, 0.0)
        case "brightness":
            return enhance.adjust_brightness(x, 0.25)
        case "contrast":
            return enhance.adjust_contrast_with_mean_subtraction(x, 0.4)
        case "saturation":
            return enhance.adjust_saturation(x, 2.5)
        case "jpeg":
            return enhance.jpeg_codec_differentiable(x, torch.tensor([12.0]))
        case "posterise":
            return enhance.posterize(x, 2)
        case _:  # pixelate
            return interpolate(avg_pool2d(x, 2), scale_factor=2)


def _cohort(images: NDArray[np.uint8], labels: NDArray[np.int64], alignment: float | None, draw: np.random.Generator) -> Cohort:
    import numpy as np
    import torch

    from sepclr.data import Cohort

    bias, seed = biases(labels, alignment, draw), int(draw.integers(2**31))
    x = np.empty_like(images)
    for corruption in range(len(CORRUPTIONS)):
        x[bias == corruption] = corrupt(images[bias == corruption], corruption, seed + corruption)
    known = {"label": torch.from_numpy(labels), "bias": torch.from_numpy(bias)}
    return Cohort(torch.from_numpy(x), torch.ones(len(x), dtype=torch.bool), {"object": labels, "corruption": bias}, extra=known)


def _load(data: Data, root: Path | None, download: bool) -> Any:
    from sepclr.datasets.source import declared

    assert root is not None  # check_root
    assert isinstance(data, Biased)
    made = load(root, alignment=data.alignment, download=download)
    return declared(DATA_SET, made.train, probes=made.probes, strict=made.test)


CPU = Profile(
    encoder=Encoder(kind="cnn3", width=16, stem_stride=2),
    views=ImageAugmentation(
        crop=32, crop_scale=0.6, crop_ratio=1.3, flip=0.5, jitter=(0.0, 0.0, 0.0, 0.0), jitter_probability=0.0, grey=0.0
    ),
    training=Settings(max_epochs=6, batch_size=128, learning_rate=6e-3),
)
"""Half a minute on a CPU. Views keep the colours, as for coloured MNIST.

Command: sepclr benchmark corrupted-cifar10 --root DIR
Hardware: one core per row.
Result: results/corrupted-cifar10.jsonl.
"""

DATA_SET = DataSet(
    options=Biased("corrupted-cifar10"),
    title="Corrupted CIFAR-10",
    lead="Photographs, nearly all of them with a corruption that gives the object away. Where they are tested, it says nothing about it.",
    about="photographs whose corruption nearly gives the object away",
    load=_load,
    common=("object",),
    salient=("corruption",),
    class_names={"object": CLASSES, "corruption": CORRUPTIONS},
    files="CIFAR-10 (cifar-10-batches-py)",
    download=True,
    profiles={"cpu": CPU},
    task="debiasing",
)

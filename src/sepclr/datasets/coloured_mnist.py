"""Coloured MNIST: digits whose colour nearly gives the digit away, for debiasing with a known bias.

Each digit has a colour of its own. In training, a share ``alignment`` of the images has the colour of its digit, the others one of the
other nine; where probes are fitted and scored, colour is independent of the digit. As in Nam et al., Learning from failure, NeurIPS 2020
(arXiv 2007.02561), from MNIST (LeCun, Cortes, Burges) and the colours of their program (github.com/alinlab/LfF, ``colors.th``, rounded to
four digits, with their smallest spread). They train on 60,000 images; here it is the number that fits a CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sepclr.datasets.base import DataSet
from sepclr.parts import Data, Encoder, ImageAugmentation, Profile, Settings
from sepclr.ranges import check_probability

if TYPE_CHECKING:  # the command line imports this module, and these libraries take seconds to load
    import numpy as np
    from numpy.typing import NDArray

    from sepclr.data import Cohort

SAMPLES = 12_000
PROBES = 6_000
SPREAD = 0.005
"""Standard deviation of each channel of a colour."""
COLOURS = (
    (0.9837, 0.3125, 0.1686),
    (0.9905, 0.9156, 0.3515),
    (0.6730, 0.4611, 0.5798),
    (0.7833, 0.8316, 0.6013),
    (0.0880, 0.7780, 0.9818),
    (0.3214, 0.9611, 0.4464),
    (0.0246, 0.2357, 0.7587),
    (0.5552, 0.1016, 0.7618),
    (0.2077, 0.3929, 0.0187),
    (0.8337, 0.2024, 0.2669),
)
"""Mean colour of each digit, red, green and blue in 0..1."""


@dataclass(frozen=True)
class Biased(Data):
    """A data set with a bias of known strength.

    Attributes:
        alignment: share of training samples whose bias is that of their class.
    """

    alignment: float = 0.995

    def __post_init__(self) -> None:
        check_probability(alignment=self.alignment)


class ColouredMnist(NamedTuple):
    """Coloured MNIST.

    Samples are uint8, shape (n, 3, 28, 28), all of them targets. Attributes are ``digit`` and ``colour``, the index of the digit whose
    colour it is; both int64, shape (n,), and also the ``label`` and ``bias`` that methods train on.

    Attributes:
        train: biased training samples.
        probes: unbiased samples from other images of MNIST's training set.
        test: unbiased samples from MNIST's test set.
    """

    train: Cohort
    probes: Cohort
    test: Cohort


def load(root: Path, *, alignment: float = 0.995, samples: int = SAMPLES, seed: int = 0, download: bool = False) -> ColouredMnist:
    """Load coloured MNIST.

    Args:
        root: the folder that contains ``MNIST/raw``.
        alignment: share of training samples whose colour is that of their digit.
        samples: number of training samples.
        seed: random seed of the choice of images and of their colours.
        download: whether to fetch missing or damaged files into ``root``.

    Raises:
        InputError: a file that is missing or damaged, or cannot be fetched.
    """
    import numpy as np

    from sepclr.datasets import publishers

    digits, draw = publishers.digits(root, download=download), np.random.default_rng(seed)
    order = draw.permutation(len(digits.train_labels))
    train, probes = order[:samples], order[samples : samples + PROBES]
    return ColouredMnist(
        _cohort(digits.train_images[train], digits.train_labels[train], alignment, draw),
        _cohort(digits.train_images[probes], digits.train_labels[probes], None, draw),
        _cohort(digits.test_images, digits.test_labels, None, draw),
    )


def biases(labels: NDArray[np.int64], alignment: float | None, draw: np.random.Generator, classes: int = 10) -> NDArray[np.int64]:
    """Draw the bias of each sample: that of its class for a share of them, another for the rest; independent of the class if None."""
    import numpy as np

    if alignment is None:
        return np.asarray(draw.integers(classes, size=len(labels)))
    conflicting = np.zeros(len(labels), dtype=bool)
    conflicting[draw.choice(len(labels), len(labels) - round(alignment * len(labels)), replace=False)] = True
    return np.asarray(np.where(conflicting, (labels + draw.integers(1, classes, size=len(labels))) % classes, labels))


def _cohort(images: NDArray[np.uint8], labels: NDArray[np.int64], alignment: float | None, draw: np.random.Generator) -> Cohort:
    import numpy as np
    import torch

    from sepclr.data import Cohort

    bias = biases(labels, alignment, draw)
    colour = np.clip(np.asarray(COLOURS)[bias] + SPREAD * draw.standard_normal((len(bias), 3)), 0, 1)
    x = np.round(images[:, None] * colour[:, :, None, None]).astype(np.uint8)
    known = {"label": torch.from_numpy(labels), "bias": torch.from_numpy(bias)}
    attributes = {"digit": labels, "colour": bias}
    return Cohort(torch.from_numpy(x), torch.ones(len(x), dtype=torch.bool), attributes, extra=known)


def _load(data: Data, root: Path | None, download: bool) -> Any:
    from sepclr.datasets.source import declared

    assert root is not None  # check_root
    assert isinstance(data, Biased)
    made = load(root, alignment=data.alignment, download=download)
    return declared(DATA_SET, made.train, probes=made.probes, strict=made.test)


CPU = Profile(
    encoder=Encoder(kind="cnn3", width=16, stem_stride=2),
    views=ImageAugmentation(
        crop=28, crop_scale=0.7, crop_ratio=1.3, flip=0.0, jitter=(0.0, 0.0, 0.0, 0.0), jitter_probability=0.0, grey=0.0
    ),
    training=Settings(max_epochs=8, batch_size=128, learning_rate=6e-3),
)
"""Seconds on a CPU. Views change the shape of a digit, not its colour, which would be another way to remove the bias.

Command: sepclr benchmark coloured-mnist --root DIR
Hardware: one core per row.
Result: results/coloured-mnist.jsonl.
"""

DATA_SET = DataSet(
    options=Biased("coloured-mnist"),
    title="Coloured MNIST",
    lead="Digits, nearly all of them in a colour that gives the digit away. Where they are tested, the colour says nothing about it.",
    about="digits whose colour nearly gives them away",
    load=_load,
    common=("digit",),
    salient=("colour",),
    files="MNIST (MNIST/raw)",
    download=True,
    profiles={"cpu": CPU},
    task="debiasing",
)

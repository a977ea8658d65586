"""Further data for measuring the objective: clusters in rows, and other patterns over photographs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sepclr.data import Cohort
from sepclr.datasets import cifar10, mnist
from sepclr.datasets.source import Source

TEXTURES = 8
"""Number of kinds: horizontal bars, vertical bars, a checkerboard and rings, each fine and coarse; flips do not change the kind."""

Images = NDArray[np.uint8]
Patterns = Callable[[np.random.Generator, int, bool], tuple[Images, NDArray[np.int64]]]
"""Draws patterns of shape (n, 32, 32) and their kinds, from a generator, n and whether they are for training."""


@dataclass(frozen=True)
class Clusters:
    """Rows: a common centre, for targets plus a salient one, plus unit-variance noise; centres are 3 from their mean on average.

    Attributes:
        features: number of features.
        common: number of common centres.
        salient: number of salient centres; 0 for a salient quantity, uniform along one direction, whose thirds are the classes.
        background: number of background training samples.
        target: number of target training samples.
    """

    features: int = 50
    common: int = 4
    salient: int = 3
    background: int = 1000
    target: int = 1000


CLUSTERS = {
    "50 features": Clusters(),
    "20 features": Clusters(features=20),
    "500 features": Clusters(features=500),
    "2,000 features": Clusters(features=2000),
    "2 common, 5 salient": Clusters(common=2, salient=5),
    "8 common, 2 salient": Clusters(common=8, salient=2),
    "a salient quantity": Clusters(salient=0),
    "ten to one": Clusters(background=2000, target=200),
    "75 targets": Clusters(background=75, target=75),
}
"""All but the first were unseen when the objective was chosen."""


def clusters(setting: Clusters, seed: int) -> tuple[Cohort, Cohort]:
    """Draw training rows, and 1,000 background and 1,000 target rows for testing, all standardised by the training rows."""
    draw = np.random.default_rng(seed)

    def centres(number: int) -> NDArray[np.float64]:
        found = draw.normal(size=(number, setting.features))
        return found * 3 / np.linalg.norm(found - found.mean(0), axis=1).mean()

    common, salient = centres(setting.common), centres(max(setting.salient, 2))

    def rows(background: int, target: int) -> tuple[NDArray[np.float64], NDArray[np.bool_], dict[str, NDArray[np.int64]]]:
        n = background + target
        is_target = np.arange(n) >= background
        of_common = draw.integers(setting.common, size=n)
        if setting.salient:
            of_salient = draw.integers(setting.salient, size=n)
            shown = salient[of_salient]
        else:
            quantity = draw.random(n)
            of_salient = np.floor(3 * quantity).astype(np.int64)
            shown = salient[:1] + (2 * quantity[:, None] - 1) * (salient[1:2] - salient[:1])
        x = common[of_common] + is_target[:, None] * shown + draw.normal(size=(n, setting.features))
        return x, is_target, {"common": of_common, "salient": np.where(is_target, of_salient, -1)}

    train, test = rows(setting.background, setting.target), rows(1000, 1000)
    middle, deviation = train[0].mean(0), train[0].std(0)

    def cohort(x: NDArray[np.float64], is_target: NDArray[np.bool_], attributes: dict[str, NDArray[np.int64]]) -> Cohort:
        return Cohort(torch.from_numpy((x - middle) / deviation).float(), torch.from_numpy(is_target), attributes)

    return cohort(*train), cohort(*test)


def small_digits_on_photographs(root: Path) -> Source:
    """Load CIFAR-10 with MNIST digits at a random place and of a random size, 12 to 24 pixels."""
    digits = mnist.read(root)

    def draw_one(draw: np.random.Generator, digit: Images) -> Images:
        side = int(draw.integers(12, 25))
        top, left = draw.integers(0, 33 - side, size=2)
        canvas = np.zeros((32, 32), np.uint8)
        canvas[top : top + side, left : left + side] = np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BILINEAR))
        return canvas

    def patterns(draw: np.random.Generator, n: int, train: bool) -> tuple[Images, NDArray[np.int64]]:
        images, labels = (digits.train_images, digits.train_labels) if train else (digits.test_images, digits.test_labels)
        chosen = draw.integers(len(images), size=n)
        return np.stack([draw_one(draw, images[i].reshape(28, 28)) for i in chosen]), labels[chosen].astype(np.int64)

    return _over_photographs(root, patterns, "digit")


def textures_on_photographs(root: Path) -> Source:
    """Load CIFAR-10 with textures in a round window: eight kinds, with random place, phase, size and contrast."""

    def patterns(draw: np.random.Generator, n: int, train: bool) -> tuple[Images, NDArray[np.int64]]:
        kind = draw.integers(TEXTURES, size=n)
        phase, size, contrast = draw.uniform(0, 2 * np.pi, (2, n)), draw.uniform(7, 12, n), draw.uniform(0.5, 1, n)
        middle = draw.uniform(10, 22, size=(2, n))
        y, x = np.mgrid[:32, :32]
        images = np.empty((n, 32, 32), np.uint8)
        for i in range(n):
            pace = 2 * np.pi / (4.0 if kind[i] < 4 else 8.0)
            radius = np.hypot(y - middle[0, i], x - middle[1, i])
            lying, standing = np.sin(pace * y + phase[0, i]), np.sin(pace * x + phase[1, i])
            wave = (lying, standing, lying * standing, np.sin(pace * radius + phase[0, i]))[kind[i] % 4]
            images[i] = np.round(255 * contrast[i] * (0.5 + 0.5 * wave) * (radius < size[i]))
        return images, kind

    return _over_photographs(root, patterns, "texture")


def _over_photographs(root: Path, patterns: Patterns, salient: str) -> Source:
    """Compose samples as in digits on CIFAR-10: background at half intensity, targets the mean of a photograph and a pattern."""
    photos, draw = cifar10.read(root), np.random.default_rng(0)

    def cohort(images: Images, objects: NDArray[np.int64], train: bool) -> Cohort:
        n = len(images) // 2
        shown, kind = patterns(draw, n, train)
        pixels = images[: 2 * n].reshape(-1, 3, 32, 32).astype(np.uint16)
        pixels[n:] += shown[:, None]
        is_target = np.arange(2 * n) >= n
        attributes = {"object": objects[: 2 * n].astype(np.int64), salient: np.concatenate([np.full(n, -1), kind])}
        return Cohort(torch.from_numpy((pixels // 2).astype(np.uint8)), torch.from_numpy(is_target), attributes)

    train = cohort(photos.train_images, photos.train_labels, True)
    test = cohort(photos.test_images, photos.test_labels, False)
    return Source("Patterns over photographs", "", train, {"strict": test}, ("object",), (salient,))

"""A judge of counterfactuals: a small supervised classifier of group and of a common attribute, trained on real images."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad
from torch.optim.lr_scheduler import OneCycleLR

from sepclr.data import Batches, Cohort
from sepclr.data.attributes import is_quantity, known
from sepclr.nets import encoder
from sepclr.training import resolve_accelerator
from sepclr.types import InputError
from sepclr.views import pixels

FEATURES = 32
WIDTH = 16
BATCH_SIZE = 128
EPOCHS, STEPS = 15, 2000
LEARNING_RATE = 5e-3
SHIFT = 2
"""Largest random shift of a training batch, in pixels."""

AT_ONCE = 2**20
"""Maximum number of values to judge at once."""


@dataclass(frozen=True, eq=False)
class Judge:
    """A trained judge; it always judges in evaluation mode, so that a verdict does not depend on the rest of the batch.

    Attributes:
        name: name of the attribute that it knows.
        classes: values of the attribute, shape (k,).
        sample_shape: shape of one image.
        network: maps images to features, shape (n, d).
        heads: maps features to logits of background, target and the classes, shape (n, 2 + k).
    """

    name: str
    classes: NDArray[Any]
    sample_shape: tuple[int, ...]
    network: nn.Module = field(repr=False)
    heads: nn.Module = field(repr=False)

    def group(self, x: Shaped[Tensor, "n ..."]) -> Bool[np.ndarray, " n"]:
        """Return whether each image, uint8 or floating point in 0..1, is judged to be a target.

        Raises:
            InputError: images of another shape than those of training.
        """
        return np.asarray(self._logits(x)[:, :2].argmax(1) == 1)

    def attribute(self, x: Shaped[Tensor, "n ..."]) -> Shaped[np.ndarray, " n"]:
        """Return the judged value of the attribute of each image, uint8 or floating point in 0..1.

        Raises:
            InputError: images of another shape than those of training.
        """
        return np.asarray(self.classes[self._logits(x)[:, 2:].argmax(1).numpy()])

    def features(self, x: Shaped[Tensor, "n ..."]) -> Float[np.ndarray, "n d"]:
        """Return the features of each image, uint8 or floating point in 0..1.

        Raises:
            InputError: images of another shape than those of training.
        """
        return self._features(x).numpy()

    def _logits(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            weight: Tensor = next(self.heads.parameters())
            logits: Tensor = self.heads(self._features(x).to(weight.device)).cpu()
        return logits

    def _features(self, x: Tensor) -> Tensor:
        if tuple(x.shape[1:]) != self.sample_shape or not len(x):
            raise InputError(f"x: shape {tuple(x.shape)}, but the judge was trained on {self.sample_shape}; give (n, *{self.sample_shape})")
        self.network.eval()  # here and not only after training: a caller may have switched it
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            parts = torch.split(x, max(1, AT_ONCE // x[0].numel()))
            return torch.cat([self.network(pixels(part.to(device))).cpu() for part in parts])


def train_judge(
    cohort: Cohort, attribute: str, *, seed: int, shared: bool = True, epochs: int | None = None, kind: str = "resnet8"
) -> Judge:
    """Train a judge on real images of both groups.

    Torch's global generator is left unchanged. On a CPU, the same seed and number of threads give the same judge.
    With few samples, more epochs are needed: normalisation must see enough batches. Check a judge on real test samples before use.

    Args:
        cohort: training samples, images or volumes of shape (n, channels, *space).
        attribute: name of an attribute with classes.
        seed: random seed of weights, batches and shifts.
        shared: whether the groups must have classes of it in common, without which a judge cannot read it from either.
        epochs: number of passes over the samples; by default 15, and fewer where these would be more than about 2,000 steps.
        kind: kind of its encoder, as in ``sepclr.nets.encoder``.

    Returns:
        The judge, on a GPU if there is one.

    Raises:
        InputError: an attribute that is missing, a quantity, has missing values, a single class, or no class in common between the groups;
            or too few samples of a group.
    """
    classes, labels = _labels(cohort, attribute, shared)
    steps = len(Batches(cohort, BATCH_SIZE, seed=seed, epoch=0))  # of an epoch; raises InputError
    if epochs is None:
        epochs = min(EPOCHS, math.ceil(STEPS / steps))
    if epochs < 1:
        raise InputError(f"epochs: {epochs}; give at least 1")
    shape = tuple(cohort.x.shape[1:])
    device = resolve_accelerator("auto")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = encoder(kind, shape, FEATURES, width=WIDTH, stem_stride=2).to(device)
        heads = nn.Linear(FEATURES, 2 + len(classes)).to(device)
    judge = Judge(attribute, classes, shape, network, heads)
    _fit(judge, cohort, torch.from_numpy(labels), seed=seed, epochs=epochs)
    network.eval().requires_grad_(False)
    heads.requires_grad_(False)
    return judge


def _labels(cohort: Cohort, name: str, shared: bool) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the classes of an attribute and the index of each sample's class, after checks."""
    if name not in cohort.attributes:
        raise InputError(f"attribute: {name!r} not found in the cohort; attributes are {', '.join(cohort.attributes) or 'none'}")
    values, is_target = cohort.attributes[name], cohort.is_target.cpu().numpy()
    if is_quantity(values):
        raise InputError(f"attribute {name!r}: is a quantity; a judge needs classes, integers or strings")
    if not known(values).all():
        raise InputError(f"attribute {name!r}: has missing values; give a cohort where all samples of both groups have one")
    if shared and not np.isin(values[is_target], values[~is_target]).any():
        raise InputError(f"attribute {name!r}: the groups have no class in common; give an attribute that background has, too")
    classes, labels = np.unique(values, return_inverse=True)
    if len(classes) < 2:
        raise InputError(f"attribute {name!r}: all samples are {values[0]!r}; a judge needs at least two classes")
    return classes, labels.astype(np.int64)


def _fit(judge: Judge, cohort: Cohort, labels: Tensor, *, seed: int, epochs: int) -> None:
    device = next(judge.network.parameters()).device
    parameters = [*judge.network.parameters(), *judge.heads.parameters()]
    optimiser = torch.optim.Adam(parameters)
    steps = len(Batches(cohort, BATCH_SIZE, seed=seed, epoch=0))
    schedule = OneCycleLR(optimiser, LEARNING_RATE, total_steps=epochs * steps)
    draw = torch.Generator().manual_seed(seed)
    judge.network.train()
    for index, x, is_target in _batches(cohort, seed, epochs):
        logits = judge.heads(judge.network(_shifted(pixels(x.to(device)), draw)))
        loss = cross_entropy(logits[:, :2], is_target.long().to(device)) + cross_entropy(logits[:, 2:], labels[index].to(device))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()


def _shifted(x: Tensor, draw: torch.Generator) -> Tensor:
    """Shift a batch by up to SHIFT pixels along each axis; the pixels at the edge are repeated."""
    padded = pad(x, [SHIFT] * 2 * (x.ndim - 2), mode="replicate")
    for axis, begin in enumerate(torch.randint(2 * SHIFT + 1, (x.ndim - 2,), generator=draw).tolist(), start=2):
        padded = padded.narrow(axis, begin, x.shape[axis])
    return padded


def _batches(cohort: Cohort, seed: int, epochs: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield the indices, samples and groups of each batch of all epochs."""
    for epoch in range(epochs):
        batches = Batches(cohort, BATCH_SIZE, seed=seed, epoch=epoch)
        for index in batches.indices():
            batch = batches[index]
            yield torch.from_numpy(index), batch.x, batch.is_target

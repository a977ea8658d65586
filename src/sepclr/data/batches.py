"""Batches drawn from samples on the device: of both groups, of all samples alike, or of combinations of classes equally often."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float64, Int64

from sepclr.data.cohort import Cohort
from sepclr.types import Batch, InputError


class Batches:
    """One epoch of stratified batches.

    Every batch contains background and target in the cohort's proportion, at least two of each, and no sample twice. An epoch passes
    once over the group that fills more batches, usually the larger one; the remainder that does not fill a batch is left out and
    differs between epochs. The other group is repeated, and reshuffled each time all of it has been drawn. With 10,000 background
    samples, 4 targets and batches of 128, an epoch is 79 batches of 126 background samples and 2 targets. With several processes,
    each gets an equal part of every batch, again with both groups.

    With ``evened``, groups do not matter. If it is empty, an epoch passes once over all samples, of which each batch holds different ones.
    If it names classes, such as a label and a bias, samples are drawn with replacement, and each of their combinations is drawn equally
    often; an epoch then has as many draws as there are samples.

    Args:
        cohort: the samples.
        batch_size: samples per batch, over all processes; at most the size of the cohort.
        seed: random seed; the same seed and epoch give the same batches.
        epoch: index of the epoch.
        rank: index of this process.
        world_size: number of processes.
        evened: names of classes in ``cohort.extra`` whose combinations are drawn equally often; None to draw from both groups.

    Raises:
        InputError: a group with fewer than two samples for each process, or a batch size too small for two of each.
    """

    def __init__(
        self,
        cohort: Cohort,
        batch_size: int,
        *,
        seed: int,
        epoch: int,
        rank: int = 0,
        world_size: int = 1,
        evened: Sequence[str] | None = None,
    ) -> None:
        self.cohort, self.seed, self.epoch, self.rank, self.world_size = cohort, seed, epoch, rank, world_size
        self.chances = _evened([cohort.extra[name].cpu().numpy() for name in evened]) if evened else None
        least = 2 * world_size
        if evened is not None:
            n = len(cohort)
            if batch_size < least or n < least:
                raise InputError(f"batch_size: {min(batch_size, n)} sample(s) for {world_size} process(es); give at least {least}")
            self.groups, self.sizes = [np.arange(n)], [min(batch_size, n) // world_size * world_size]
            self.steps = n // self.sizes[0]
            return
        is_target = cohort.is_target.cpu().numpy()
        self.groups = [np.flatnonzero(~is_target), np.flatnonzero(is_target)]
        for name, group in zip(("background", "target"), self.groups, strict=True):
            if len(group) < least:
                raise InputError(f"is_target: {len(group)} {name} sample(s); contrastive analysis needs at least {least} of each group")
        if batch_size < 2 * least:
            raise InputError(f"batch_size: {batch_size} cannot hold {least} samples of each group; give at least {2 * least}")
        n = len(is_target)
        size = min(batch_size, n)
        targets = round(size * len(self.groups[1]) / n)
        targets = min(max(targets, least), size - least)
        # All processes get equal parts; otherwise gathering them would need padding.
        self.sizes = [(size - targets) // world_size * world_size, targets // world_size * world_size]
        self.steps = max(len(group) // part for group, part in zip(self.groups, self.sizes, strict=True))

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Batch]:
        return (self[index] for index in self.indices())

    def __getitem__(self, index: Int64[np.ndarray, " n"]) -> Batch:
        """Return the batch of the samples at ``index``."""
        at = torch.from_numpy(index).to(self.cohort.x.device, non_blocking=True)
        return Batch(self.cohort.x[at], self.cohort.is_target[at], {name: more[at] for name, more in self.cohort.extra.items()})

    def indices(self) -> Iterator[Int64[np.ndarray, " n"]]:
        """Yield the sample indices of each batch of this process."""
        draw = np.random.default_rng([self.seed, self.epoch])
        if self.chances is not None:
            groups = [_drawn(self.chances, self.sizes[0], draw)]
        else:
            groups = [_parts(group, size, draw) for group, size in zip(self.groups, self.sizes, strict=True)]
        for _ in range(self.steps):
            yield np.concatenate([next(parts)[self.rank :: self.world_size] for parts in groups])


def _parts(group: Int64[np.ndarray, " n"], size: int, draw: np.random.Generator) -> Iterator[Int64[np.ndarray, " size"]]:
    """Yield parts of a group without end, reshuffled each time all of it has been drawn; no part holds a sample twice."""
    order = draw.permutation(group)
    while True:
        if len(order) < size:
            again = draw.permutation(group)
            # Complete the rest of the last order with samples of the new one that it does not contain.
            first = np.flatnonzero(~np.isin(again, order))[: size - len(order)]
            order = np.concatenate([order, again[first], np.delete(again, first)])
        yield order[:size]
        order = order[size:]


def _evened(classes: Sequence[Int64[np.ndarray, " n"]]) -> Float64[np.ndarray, " n"]:
    """Return the chance of each sample when all combinations of classes are drawn equally often."""
    _, cell, times = np.unique(np.stack(classes), axis=1, return_inverse=True, return_counts=True)
    chance = 1 / times[cell]
    return np.asarray(chance / chance.sum(), dtype=np.float64)


def _drawn(chances: Float64[np.ndarray, " n"], size: int, draw: np.random.Generator) -> Iterator[Int64[np.ndarray, " size"]]:
    """Yield samples drawn with replacement, without end."""
    while True:
        yield draw.choice(len(chances), size, p=chances)

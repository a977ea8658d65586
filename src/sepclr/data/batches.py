"""Batches drawn from samples on the device: of both groups, of all samples alike, or of combinations of classes equally often."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import numpy as np
import torch
from jaxtyping import Float64, Int64, Shaped

from sepclr.data.cohort import Cohort
from sepclr.types import Batch, InputError


class Batches:
    """One epoch of stratified batches.

    Every batch contains background and target in the cohort's proportion, at least two of each, and no sample twice. An epoch passes
    once over the group that fills more batches, usually the larger one; the remainder that does not fill a batch is left out and
    differs between epochs. The other group is repeated, and reshuffled each time all of it has been drawn. With 10,000 background
    samples, 4 targets and batches of 128, an epoch is 79 batches of 126 background samples and 2 targets. With several processes,
    each gets an equal part of every batch, again with both groups.

    With several target groups, every batch contains each of them, in the cohort's proportion and at least two samples. Where the cohort has
    degrees, targets are drawn with replacement, in proportion to their degree within their group; background is drawn as ever.

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

    chances: list[Float64[np.ndarray, " _"] | None]

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
        least = 2 * world_size
        if evened is not None:
            n = len(cohort)
            if batch_size < least or n < least:
                raise InputError(f"batch_size: {min(batch_size, n)} sample(s) for {world_size} process(es); give at least {least}")
            self.groups, self.sizes = [np.arange(n)], [min(batch_size, n) // world_size * world_size]
            self.chances = [_evened([cohort.extra[name].cpu().numpy() for name in evened]) if evened else None]
            self.steps = n // self.sizes[0]
            return
        self.groups = _groups(cohort, least)
        if batch_size < len(self.groups) * least:
            needed = len(self.groups) * least
            raise InputError(f"batch_size: {batch_size} cannot hold {least} samples of each group; give at least {needed}")
        weights = [None, *([cohort.degrees.cpu().numpy()] * (len(self.groups) - 1) if cohort.degrees is not None else [])]
        self.chances = [None if each is None else _in_proportion(each[group]) for group, each in zip_longest(self.groups, weights)]
        # All processes get equal parts; otherwise gathering them would need padding.
        self.sizes = [part // world_size * world_size for part in _sizes([len(group) for group in self.groups], batch_size, least)]
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
        # Generators share ``draw``, but each draws only when it is asked for its next part.
        groups = [
            _parts(group, size, draw) if chances is None else _drawn(group, chances, size, draw)
            for group, size, chances in zip(self.groups, self.sizes, self.chances, strict=True)
        ]
        for _ in range(self.steps):
            yield np.concatenate([next(parts)[self.rank :: self.world_size] for parts in groups])


def _groups(cohort: Cohort, least: int) -> list[Int64[np.ndarray, " n"]]:
    """Return the samples of background and of each target group.

    Raises:
        InputError: fewer than ``least`` samples in one of them.
    """
    told = cohort.target_groups
    number = max(int(told.max()) + 1, 1)
    names = ["background", *(["target"] if number == 1 else [f"target group {group}" for group in range(number)])]
    groups = [np.flatnonzero(told == group) for group in range(-1, number)]
    for name, group in zip(names, groups, strict=True):
        if len(group) < least:
            raise InputError(f"is_target: {len(group)} {name} sample(s); contrastive analysis needs at least {least} of each group")
    return groups


def _sizes(counts: Sequence[int], batch_size: int, least: int) -> list[int]:
    """Divide a batch over background and target groups in proportion to their numbers of samples, at least ``least`` each."""
    size, of_targets = min(batch_size, sum(counts)), np.array(counts[1:])
    targets = round(size * int(of_targets.sum()) / sum(counts))
    targets = min(max(targets, least * len(of_targets)), size - least)
    shares = targets * of_targets / of_targets.sum()
    parts = np.maximum(shares.astype(int), least)
    while (missing := targets - parts.sum()) != 0:  # at most one step for each group
        step = int(np.sign(missing))
        parts[np.argmax(np.where(parts + step >= least, step * (shares - parts), -np.inf))] += step
    return [size - targets, *parts.tolist()]


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
    return _in_proportion(1 / times[cell])


def _in_proportion(weights: Shaped[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Return chances in proportion to positive weights."""
    return np.asarray(weights.astype(np.float64) / weights.sum(dtype=np.float64))


def _drawn(
    group: Int64[np.ndarray, " n"], chances: Float64[np.ndarray, " n"], size: int, draw: np.random.Generator
) -> Iterator[Int64[np.ndarray, " size"]]:
    """Yield samples of a group drawn with replacement, without end."""
    while True:
        yield group[draw.choice(len(group), size, p=chances)]

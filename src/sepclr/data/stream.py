"""Batches of samples that are read in turn from an iterable, once in each epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import torch
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from sepclr.data.lazy import checked, memberships, standardise
from sepclr.types import Batch, InputError

LEAST = 2
"""Number of samples of each group that every batch must hold for training."""


class Stream:
    """Batches for training. The first pass checks them and, for rows, computes mean and scale; each iteration is an epoch.

    Args:
        batches: yields (x, is_target) anew each time it is iterated: a ``DataLoader``, a list, or an object with ``__iter__``.
        scaled: whether rows are standardised.

    Attributes:
        x: the first two samples, as in batches.
        is_target: groups of all samples in the first pass, shape (n,).
        extra: empty; further classes and modalities need a ``Cohort``.
        scaler: fitted to rows; None for images and volumes, and rows that are not standardised.

    Raises:
        InputError: an iterator, which yields its batches only once, no batches, or a batch that is not (x, is_target), differs from the
            first in shape or type, has NaN, or holds fewer than two samples of either group.
    """

    extra: Mapping[str, Tensor] = MappingProxyType({})

    def __init__(self, batches: Iterable[Any], *, scaled: bool = True) -> None:
        if iter(batches) is batches:
            raise InputError(
                f"X: a {type(batches).__name__} yields its batches only once, and each epoch needs them; "
                "give a DataLoader, a list of batches, or an object whose __iter__ starts anew"
            )
        self.batches, self.scaler, self.steps = batches, None, 0
        members = []
        for x, is_target in read_batches(batches, least=LEAST):
            if not self.steps:
                self.like, self.scaler = x[:2].clone(), StandardScaler() if scaled and x.ndim == 2 else None
            if self.scaler is not None:
                self.scaler.partial_fit(x.numpy())
            members.append(is_target)
            self.steps += 1
        if not self.steps:
            raise InputError("X: there are no batches; give at least one, (x, is_target)")
        self.is_target = torch.cat(members)
        self.x = self._standardised(self.like)

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return self.steps

    def __iter__(self) -> Iterator[Batch]:
        for x, is_target in read_batches(self.batches, self.like, least=LEAST):
            yield Batch(self._standardised(x), is_target)

    def _standardised(self, x: Tensor) -> Tensor:
        return x if self.scaler is None else standardise(x, self.scaler.mean_, self.scaler.scale_)


def read_batches(batches: Iterable[Any], like: Tensor | None = None, *, least: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield checked batches.

    Args:
        batches: yields (x, is_target).
        like: samples whose shape and type all must have; those of the first batch if None.
        least: number of samples of each group that every batch must hold.

    Yields:
        Samples, shape (n, ...), and True for targets, shape (n,).

    Raises:
        InputError: a batch that is not such a pair or holds too few samples; its number is in the message.
    """
    for number, batch in enumerate(batches):
        where = f"X: batch {number}"
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise InputError(f"{where} is a {type(batch).__name__}; give a pair, (x, is_target)")
        x = checked(where, batch[0], like)
        is_target = memberships(where, batch[1], len(x))
        for name, count in (("background", int((~is_target).sum())), ("target", int(is_target.sum()))):
            if count < least:
                raise InputError(
                    f"{where}: {count} {name} sample(s); every batch needs at least {least} of each group, "
                    "so draw batches by group, and omit a smaller last one (drop_last=True)"
                )
        like = x[:2].clone() if like is None else like  # a copy: a view would keep the batch
        yield x, is_target

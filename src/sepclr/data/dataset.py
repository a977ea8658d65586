"""Samples of a PyTorch ``Dataset``, read on access."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Bool, Shaped
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sepclr.data.lazy import checked, memberships
from sepclr.errors import InputError

AT_ONCE = 256
"""Number of items that a pass over all of them reads at once."""


class DatasetSamples:
    """Samples of a map-style ``Dataset``; a ``Lazy``.

    Args:
        dataset: its items are (sample, is_target), or samples alone where groups are not needed.
        index: items to use, shape (n,); all if None.
        first: the first sample, shape (1, ...), if it is known.

    Raises:
        InputError: a dataset without length or items, or a first item that is no sample.
    """

    def __init__(self, dataset: Dataset[Any], index: NDArray[np.intp] | None = None, first: Tensor | None = None) -> None:
        try:
            n = len(cast(Any, dataset))
        except (TypeError, NotImplementedError):
            raise InputError(f"X: {type(dataset).__name__} has no length; define __len__, or give it in a DataLoader") from None
        if n == 0:
            raise InputError("X: the Dataset is empty; give at least two samples of each group")
        self.dataset, self.index = dataset, np.arange(n) if index is None else index
        self.first = checked("X: sample 0", _batch_of_one(dataset[0])) if first is None else first
        self.shape, self.device = torch.Size((len(self.index), *self.first.shape[1:])), torch.device("cpu")

    @property
    def ndim(self) -> int:
        """Number of axes, including the axis of samples."""
        return len(self.shape)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, chosen: slice | Tensor) -> Shaped[Tensor, "n ..."]:
        """Return the samples at a slice, at indices or where a mask is True; raises InputError for one unlike the first."""
        return self._read(chosen)[0]

    def where(self, chosen: NDArray[np.bool_]) -> DatasetSamples:
        """Return the samples where ``chosen``, shape (n,), is True, without reading any."""
        return DatasetSamples(self.dataset, self.index[chosen], self.first)

    def is_target(self, workers: int = 0) -> Bool[Tensor, " n"]:
        """Return the groups of all samples, from the dataset's ``is_target`` or ``targets`` if they fit its items, else from the items.

        Args:
            workers: number of processes that read items.

        Raises:
            InputError: an item that is not (sample, is_target), or other values.
        """
        for name in ("is_target", "targets"):
            values = getattr(self.dataset, name, None)
            try:
                known = None if values is None or callable(values) else memberships(f"X: {name}", values, len(self))
            except InputError:
                continue  # class labels, for example, from which items may derive their group
            # A transformation of targets may change or swap them: look at an item of either group.
            if known is None:
                continue
            first = np.unique(known.numpy(), return_index=True)[1].tolist()
            if all(self._member(row) == known[row] for row in first):
                return known
        return torch.cat([members for _, members in self._pass(workers)])

    def _pass(self, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Read all items in order, with their groups."""
        order = cast(Any, [torch.arange(begin, min(begin + AT_ONCE, len(self))) for begin in range(0, len(self), AT_ONCE)])
        return iter(DataLoader(cast(Any, _Items(self)), batch_size=None, sampler=order, num_workers=workers))

    def _member(self, row: int) -> Tensor:
        return self.items(torch.tensor([row]))[1][0]

    def items(self, chosen: slice | Tensor) -> tuple[Shaped[Tensor, "n ..."], Bool[Tensor, " n"]]:
        """Return samples and their groups; raises InputError for an item that is not (sample, is_target)."""
        x, members = self._read(chosen)
        place = self.index[chosen if isinstance(chosen, slice) else chosen.numpy()]
        if missing := [row for row, member in zip(place.tolist(), members, strict=True) if member is None]:
            raise InputError(f"X: item {missing[0]} of the Dataset is no pair; give (sample, is_target)")
        return x, torch.cat([memberships(f"X: item {row}", [member], 1) for row, member in zip(place.tolist(), members, strict=True)])

    def _read(self, chosen: slice | Tensor) -> tuple[Tensor, list[Any]]:
        place = self.index[chosen if isinstance(chosen, slice) else chosen.cpu().numpy()].tolist()
        items = [self.dataset[row] for row in place]
        x = [checked(f"X: sample {row}", _batch_of_one(item), self.first) for row, item in zip(place, items, strict=True)]
        members = [_plain(item[1]) if isinstance(item, tuple | list) and len(item) > 1 else None for item in items]
        return torch.cat(x) if x else self.first[:0], members


class _Items:
    """Batches of samples and groups, for a ``DataLoader``."""

    def __init__(self, samples: DatasetSamples) -> None:
        self.samples = samples

    def __getitem__(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        return self.samples.items(chosen)


def _batch_of_one(item: Any) -> Any:
    sample = item[0] if isinstance(item, tuple | list) and len(item) > 0 else item
    return sample[None] if isinstance(sample, Tensor | np.ndarray) else sample


def _plain(value: Any) -> Any:
    """Return a scalar tensor or array as a number."""
    return value.item() if isinstance(value, Tensor | np.generic | np.ndarray) and value.ndim == 0 else value

"""Gather the samples of all processes, so that each computes the loss of the whole batch and losses need not handle processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Shaped
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor


def processes() -> int:
    """Return the number of processes of this run."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def is_first() -> bool:
    """Return whether this is the process that writes; also works before the process group is initialised."""
    return int(rank_zero_only.rank) == 0


def part() -> None:
    """Close the process group, once all processes have arrived here."""
    dist.barrier()
    dist.destroy_process_group()


def gathered(value: Shaped[Tensor, "n ..."]) -> Shaped[Tensor, "all_n ..."]:
    """Gather the samples of all processes in the order of their ranks, with gradient; each process has the same number of samples.

    The backward pass sums gradients over processes. If every process computes the same loss and gradients of parameters are averaged (as
    DistributedDataParallel does), the result is exactly the gradient on the whole batch.
    """
    if processes() == 1:
        return value
    joined: Tensor = _Gather.apply(value)  # type: ignore[no-untyped-call]
    return joined


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        parts = [torch.empty_like(value, memory_format=torch.contiguous_format) for _ in range(processes())]
        dist.all_gather(parts, value.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.chunk(processes())[dist.get_rank()]


def on_the_whole(change: Callable[[Tensor], Tensor], value: Shaped[Tensor, "n ..."]) -> Shaped[Tensor, "n ..."]:
    """Apply a function to the values of all processes together, and return the values of this process."""
    with torch.no_grad():
        whole = change(gathered(value))
        return whole.chunk(processes())[dist.get_rank()] if processes() > 1 else whole


def in_order(part: Shaped[Tensor, "n ..."], length: int) -> Shaped[Tensor, "length ..."]:
    """Gather parts of different lengths, as assigned by ``share``, into ``length`` samples in order."""
    if processes() == 1:
        return part
    most = -(-length // processes())
    padded = torch.cat([part, part.new_zeros(most - len(part), *part.shape[1:])])
    return gathered(padded)[:length]


def share(length: int) -> slice:
    """Return the slice of ``length`` samples that belongs to this process; all parts but the last ones are full."""
    most = -(-length // processes())
    rank = dist.get_rank() if processes() > 1 else 0
    return slice(min(rank * most, length), min((rank + 1) * most, length))

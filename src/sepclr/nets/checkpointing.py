"""Activation checkpointing: activations within the blocks of an encoder are recomputed in the backward pass instead of stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


class Checkpointed(nn.Module):
    """A block that stores only its input; gradients are unchanged, and batch normalisation counts each batch once.

    Args:
        block: module that maps a tensor to a tensor.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        if not (self.training and x.requires_grad):
            return self.block(x)  # type: ignore[no-any-return]
        contexts = lambda: (nullcontext(), _statistics_kept(self.block))  # noqa: E731
        return checkpoint(self.block, x, use_reentrant=False, context_fn=contexts)  # type: ignore[no-any-return]


@contextmanager
def _statistics_kept(module: nn.Module) -> Iterator[None]:
    """Normalise by the statistics of the batch, as before, without updating the running statistics again."""
    layers: list[Any] = [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
    kept = [(layer.momentum, layer.num_batches_tracked) for layer in layers]
    for layer in layers:
        layer.momentum, layer.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for layer, (momentum, batches) in zip(layers, kept, strict=True):
            layer.momentum, layer.num_batches_tracked = momentum, batches

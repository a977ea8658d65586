"""The projection between a code and what a contrastive loss sees of it, and the scale of codes."""

from __future__ import annotations

from torch import nn

from sepclr.nets.encoders import Norm
from sepclr.types import InputError


def head(dim: int, hidden: int = 128, *, norm: Norm = "batch") -> nn.Module:
    """Make the head d–128–BN–ReLU–d, from codes (n, dim) to (n, dim); with ``norm="group"`` samples do not see each other."""
    middle = nn.BatchNorm1d(hidden) if norm == "batch" else nn.LayerNorm(hidden)
    return nn.Sequential(nn.Linear(dim, hidden), middle, nn.ReLU(), nn.Linear(hidden, dim))


def standardise(dim: int, *, norm: Norm = "batch") -> nn.Module:
    """Make the layer without parameters that gives codes (n, dim) means of 0 and variances of 1, over the batch or within each sample.

    Raises:
        InputError: a single number, which within a sample has no variance.
    """
    if norm == "batch":
        return nn.BatchNorm1d(dim, affine=False)
    if dim < 2:
        raise InputError(f"norm: {norm!r} standardises a code within each sample, which takes two numbers or more; give norm batch")
    return nn.LayerNorm(dim, elementwise_affine=False)

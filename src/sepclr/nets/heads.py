"""Projection heads between codes and contrastive losses, and standardisation of codes."""

from __future__ import annotations

from torch import nn

from sepclr.nets.encoders import Norm
from sepclr.types import InputError


def head(dim: int, hidden: int = 128, *, norm: Norm = "batch") -> nn.Module:
    """Return the head d–128–BN–ReLU–d, from codes (n, dim) to (n, dim); with ``norm="group"`` samples do not affect each other."""
    middle = nn.BatchNorm1d(hidden) if norm == "batch" else nn.LayerNorm(hidden)
    return nn.Sequential(nn.Linear(dim, hidden), middle, nn.ReLU(), nn.Linear(hidden, dim))


def standardise(dim: int, *, norm: Norm = "batch") -> nn.Module:
    """Return a layer without parameters that gives codes (n, dim) mean 0 and variance 1, over the batch or within each sample.

    Raises:
        InputError: codes of length 1, which have no variance within a sample.
    """
    if norm == "batch":
        return nn.BatchNorm1d(dim, affine=False)
    if dim < 2:
        raise InputError(f"norm: {norm!r} standardises a code within each sample, which needs two dimensions or more; use norm 'batch'")
    return nn.LayerNorm(dim, elementwise_affine=False)

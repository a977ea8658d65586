"""The projection between a code and what a contrastive loss sees of it."""

from __future__ import annotations

from torch import nn

from sepclr.nets.encoders import Norm


def head(dim: int, hidden: int = 128, *, norm: Norm = "batch") -> nn.Module:
    """Make the head d–128–BN–ReLU–d, from codes (n, dim) to (n, dim); with ``norm="group"`` samples do not see each other."""
    middle = nn.BatchNorm1d(hidden) if norm == "batch" else nn.LayerNorm(hidden)
    return nn.Sequential(nn.Linear(dim, hidden), middle, nn.ReLU(), nn.Linear(hidden, dim))

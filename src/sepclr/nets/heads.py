"""The projection between a code and what a contrastive loss sees of it."""

from __future__ import annotations

from torch import nn


def head(dim: int, hidden: int = 128) -> nn.Module:
    """Make the head d–128–BN–ReLU–d, from codes (n, dim) to (n, dim)."""
    return nn.Sequential(nn.Linear(dim, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, dim))

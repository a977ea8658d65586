"""Average of a term over the views of a step."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from sepclr.types import Scalar


def over_views(values: Iterable[Scalar]) -> Scalar:
    """Average a term over views; there must be at least one."""
    return torch.stack([*values]).mean()

"""Selection of the samples that a page shows, and their images."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Shaped
from numpy.typing import NDArray
from torch import Tensor

SHOWN = 600
"""Maximum number of samples on a page."""


def selection(is_target: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return indices of evenly spaced samples of each group, up to three targets per background sample; ``is_target`` has shape (n,)."""
    groups = [np.flatnonzero(~is_target), np.flatnonzero(is_target)]
    wanted = [SHOWN // 4, SHOWN - SHOWN // 4]
    return np.concatenate(
        [group[np.linspace(0, len(group) - 1, min(n, len(group))).astype(int)] for group, n in zip(groups, wanted, strict=True)]
    )


def pictures(x: Shaped[Tensor, "n channels ..."]) -> NDArray[np.uint8]:
    """Return images, or middle slices of volumes seen from below, front up, as uint8 of shape (n, channels, height, width)."""
    images = torch.rot90(x[..., x.shape[-1] // 2], 1, (2, 3)) if x.ndim == 5 else x
    if images.dtype != torch.uint8:
        images = (images.float().clamp(0, 1) * 255).to(torch.uint8)
    return images.numpy()

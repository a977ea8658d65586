"""Selection of the samples that a page shows, and their images."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Shaped
from numpy.typing import NDArray
from torch import Tensor

from sepclr.data import Cohort
from sepclr.training import decode
from sepclr.types import HasDecoder, Method
from sepclr.views import pixels

SHOWN = 600
"""Maximum number of samples on a page."""


def selection(is_target: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return indices of evenly spaced samples of each group, up to three targets per background sample; ``is_target`` has shape (n,)."""
    groups = [np.flatnonzero(~is_target), np.flatnonzero(is_target)]
    wanted = [SHOWN // 4, SHOWN - SHOWN // 4]
    return np.concatenate(
        [group[np.linspace(0, len(group) - 1, min(n, len(group))).astype(int)] for group, n in zip(groups, wanted, strict=True)]
    )


DECODED = 12
"""Number of targets shown decoded."""


def decoded(method: Method, cohort: Cohort) -> dict[str, NDArray[np.float32]]:
    """Decode a few targets if they are grey or colour images or volumes and the method has a decoder, and return them as pictures."""
    if not isinstance(method, HasDecoder) or cohort.x.ndim == 2 or cohort.x.shape[1] not in (1, 3):
        return {}
    x = cohort.x[torch.from_numpy(np.flatnonzero(cohort.is_target.numpy())[:DECODED])]
    made = {"input": pixels(x)} | decode(method, x)
    return {what: pixels(torch.from_numpy(pictures(images))).numpy() for what, images in made.items()}


def shown_images(x: Shaped[Tensor, "n ..."]) -> NDArray[np.uint8] | None:
    """Return samples as ``pictures`` does, or None if they are rows or have other than 1 or 3 channels."""
    return pictures(x) if x.ndim > 2 and x.shape[1] in (1, 3) else None


def pictures(x: Shaped[Tensor, "n channels ..."]) -> NDArray[np.uint8]:
    """Return images, or middle slices of volumes seen from below, front up, as uint8 of shape (n, channels, height, width)."""
    images = torch.rot90(x[..., x.shape[-1] // 2], 1, (2, 3)) if x.ndim == 5 else x
    if images.dtype != torch.uint8:
        images = (images.float().clamp(0, 1) * 255).to(torch.uint8)
    return images.numpy()

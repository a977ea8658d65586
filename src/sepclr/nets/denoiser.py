"""Denoisers of rows, images and volumes, conditioned on a time and a vector.

A denoiser computes the velocity v = x − ε from x_t = (1 − t) ε + t x. Noise has as many dimensions as a sample, and does not pass through a
network that has fewer channels than a patch has values. There the network predicts x̂ instead, and v = (x̂ − x_t) / (1 − t) (Li & He 2025,
arXiv 2511.13720).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Float
from monai.networks.nets import DiffusionModelUNet
from torch import Tensor, nn

GROUPS = 4
"""Number of channel groups that are normalised together. Of a group of a single channel normalisation would remove the condition, which
is added to whole channels; a width of at least 8 leaves two."""

COARSEST = 8
"""Fewest patches along an axis: patches are the larger, and the network the cheaper, the larger the samples are."""

LARGEST_PATCH = 4

NEAREST = 0.05
"""Smallest 1 − t by which a predicted sample is divided in training, where all later times together would outweigh the others."""

TIMES = 1000
"""Factor from times in 0..1 to those of the sinusoidal embedding, which was made for a thousand steps."""

PATTERNS = {
    2: ("n c (h p) (w q) -> n (c p q) h w", "n (c p q) h w -> n c (h p) (w q)"),
    3: ("n c (x p) (y q) (z r) -> n (c p q r) x y z", "n (c p q r) x y z -> n c (x p) (y q) (z r)"),
}
"""From samples to patches and back, by the number of spatial dimensions."""


class Denoiser(nn.Module):
    """A U-Net over patches of an image or volume, or an MLP over rows (MONAI's ``DiffusionModelUNet``, without attention).

    Args:
        sample_shape: (features,) or (channels, *space) of one sample.
        condition_dim: length of the condition.
        width: channels of the first stage, doubled at the next; a multiple of 8. An MLP has eight times as many units.
    """

    def __init__(self, sample_shape: Sequence[int], condition_dim: int, width: int = 32) -> None:
        super().__init__()
        channels, *space = sample_shape
        self.space = len(space)
        self.patch = patch(space) if space else 1
        inside = channels * self.patch ** len(space)
        self.predicts_samples = inside > (width if space else 8 * width)
        embedding = 4 * width
        self.condition = nn.Sequential(nn.Linear(condition_dim, 128), nn.SiLU(), nn.Linear(128, embedding))
        if not space:
            self.time = nn.Linear(2 * width, embedding)
            units = 8 * width
            layers = [nn.Linear(channels + embedding, units), nn.SiLU(), nn.Linear(units, units), nn.SiLU(), nn.Linear(units, channels)]
            self.network: nn.Module = nn.Sequential(*layers)
            return
        stages = 1 + min(2, *(_halvings(side // self.patch) for side in space))
        self.network = DiffusionModelUNet(
            spatial_dims=len(space),
            in_channels=inside,
            out_channels=inside,
            channels=[width * (1 if stage == 0 else 2) for stage in range(stages)],
            attention_levels=[False] * stages,
            num_res_blocks=1,
            num_head_channels=8,
            norm_num_groups=GROUPS,
            num_class_embeds=1,
        )
        self.network.class_embedding = nn.Identity()  # of a class; here the condition is embedded before it comes in

    def forward(
        self, x: Float[Tensor, "n *shape"], time: Float[Tensor, " n"], condition: Float[Tensor, "n d"]
    ) -> Float[Tensor, "n *shape"]:
        """Compute the velocity of noisy samples at times in 0..1."""
        found = self._found(x, time, condition)
        if not self.predicts_samples:
            return found
        left = (1 - time).clamp(min=NEAREST) if self.training else 1 - time
        return (found - x) / beside(left, x)

    def _found(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """Compute what the network predicts."""
        embedded = self.condition(condition)
        if not self.space:
            embedded = embedded + self.time(_sinusoids(TIMES * time, self.time.in_features))
            return self.network(torch.cat([x, embedded], 1))  # type: ignore[no-any-return]
        into, back = PATTERNS[self.space]
        sides = dict(zip("pqr", [self.patch] * self.space, strict=False))
        found = self.network(rearrange(x, into, **sides), TIMES * time, class_labels=embedded)
        whole: Tensor = rearrange(found, back, **sides)
        return whole


def beside(time: Tensor, x: Tensor) -> Tensor:
    """Reshape times (n,) so that they apply to samples (n, ...)."""
    return time.reshape(-1, *[1] * (x.ndim - 1))


def patch(space: Sequence[int]) -> int:
    """Choose the side of a patch: the largest power of two, 4 at most, that divides all sides into at least 8 patches."""
    side = LARGEST_PATCH
    while side > 1 and any(each % side or each // side < COARSEST for each in space):
        side //= 2
    return side


def _halvings(side: int) -> int:
    """Count how often a side can be halved."""
    return (side & -side).bit_length() - 1


def _sinusoids(time: Float[Tensor, " n"], dim: int) -> Float[Tensor, "n dim"]:
    half = dim // 2
    angles = time[:, None] * torch.exp(-math.log(10_000) * torch.arange(half, device=time.device) / half)
    return torch.cat([angles.cos(), angles.sin()], 1)

"""The Gaussian kernel that every entropy here is estimated with, as logarithms."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sepclr.types import Scalar


def full_precision(z: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Widen half-precision codes to float32; leave float32 and float64 as they are."""
    return z.float() if z.dtype in (torch.float16, torch.bfloat16) else z


def log_kernel_pairs(z: Float[Tensor, "n d"], tau: float) -> Float[Tensor, "n n"]:
    """Compute log k_τ(z_i, z_j) = −‖z_i − z_j‖²/2τ of all pairs."""
    z = full_precision(z)
    # Differences instead of a Gram matrix: no cancellation for close codes, and nothing that autocast would run in bfloat16.
    distances = torch.cdist(z, z, compute_mode="donot_use_mm_for_euclid_dist")
    return -distances.square() / (2 * tau)


def log_kernel_matched(a: Float[Tensor, "... d"], b: Float[Tensor, "... d"], tau: float) -> Float[Tensor, "..."]:
    """Compute log k_τ(a_i, b_i) of matching rows."""
    return -(full_precision(a) - full_precision(b)).square().sum(-1) / (2 * tau)


def log_mean_exp(x: Float[Tensor, "*rows n"]) -> Float[Tensor, "*rows"]:
    """Compute the log of the mean of exp(x) over the last axis, which must not be empty."""
    return torch.logsumexp(x, dim=-1) - math.log(x.shape[-1])


def mean_or_zero(x: Float[Tensor, " n"]) -> Scalar:
    """Mean, and 0 (with a gradient of 0) over no sample: a batch may lack one of the groups."""
    return x.sum() / max(len(x), 1)


def hide_background(s: Float[Tensor, "n d"], is_target: Bool[Tensor, " n"]) -> Float[Tensor, "n d"]:
    """s̃: salient codes with background rows set to s′ = 0; target rows keep their gradient."""
    return torch.where(is_target[:, None], s, torch.zeros_like(s))

"""Gaussians given by mean and log-variance: bounded log-variances, and divergence from the prior."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from sepclr.losses.kernel import full_precision

LARGEST_LOG_VARIANCE = 8.0
"""Bound on an encoder's log-variances. The authors' programs have none, so one large output overflows the exponential."""


def bounded(log_variance: Float[Tensor, "n d"], limit: float = LARGEST_LOG_VARIANCE) -> Float[Tensor, "n d"]:
    """Bound log-variances, shape (n, d), smoothly to ±limit."""
    return limit * torch.tanh(log_variance / limit)


def gaussian_kl(mean: Float[Tensor, "n d"], log_variance: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """Compute KL(N(mean, exp(log_variance)) ‖ N(0, I)) for every sample, summed over dimensions.

    Args:
        mean: mean of each sample's Gaussian, shape (n, d).
        log_variance: log-variance of each sample's Gaussian, shape (n, d).

    Returns:
        Divergences in nats, each at least 0, shape (n,).

    Source: Kingma & Welling, Auto-encoding variational Bayes, ICLR 2014 (arXiv 1312.6114), appendix B.

    >>> import torch
    >>> gaussian_kl(torch.tensor([[1.0, 1.0]]), torch.zeros(1, 2))
    tensor([1.])
    """
    mean, log_variance = full_precision(mean), full_precision(log_variance)
    # exp(v) − 1 − v by expm1, since it cancels near 0.
    return (mean.square() + (log_variance.expm1() - log_variance).clamp_min(0)).sum(1) / 2

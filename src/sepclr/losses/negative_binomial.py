"""Negative log-likelihood of counts, such as reads of genes in cells, under a negative binomial."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

LARGEST_LOG_DISPERSION = 20.0
"""Bound on log θ. Beyond, the distribution cannot be told from Poisson, or from a point at 0, and differences of log-gammas cancel."""


def negative_binomial_nll(
    counts: Float[Tensor, "n d"], log_mean: Float[Tensor, "n d"], log_inverse_dispersion: Float[Tensor, " d"]
) -> Float[Tensor, " n"]:
    """Compute −log NB(x; μ, θ) for every sample, summed over features: the variance of a count is μ + μ²/θ.

        log NB(x; μ, θ) = log Γ(x+θ) − log Γ(θ) − log x! + θ log θ/(θ+μ) + x log μ/(θ+μ)

    Computed in float64, since the log-gammas of large counts cancel, and from logarithms, so that no mean is too small.

    Args:
        counts: whole numbers of at least 0, shape (n, d).
        log_mean: log μ of each count, shape (n, d).
        log_inverse_dispersion: log θ of each feature, shape (d,), bounded to ±20 here.

    Returns:
        Negative log-likelihoods in nats, shape (n,), float64 for counts in float64, otherwise float32.

    Source: Lopez, Regier, Cole, Jordan, Yosef, Deep generative modeling for single-cell transcriptomics, Nature Methods 15, 2018
    (10.1038/s41592-018-0229-2), with the mean and the inverse dispersion as in scvi-tools.

    >>> import torch
    >>> negative_binomial_nll(torch.zeros(1, 1), torch.zeros(1, 1), torch.zeros(1)).exp()  # a geometric distribution
    tensor([2.])
    """
    x, mean = counts.double(), log_mean.double()
    theta = log_inverse_dispersion.double().clamp(-LARGEST_LOG_DISPERSION, LARGEST_LOG_DISPERSION)
    at_zero = theta.exp() * softplus(mean - theta)  # −log NB(0)
    coefficient = (x + theta.exp()).lgamma() - theta.exp().lgamma() - (x + 1).lgamma()
    nll = (at_zero + x * softplus(theta - mean) - coefficient).sum(1)
    return nll if counts.dtype == nll.dtype else nll.float()

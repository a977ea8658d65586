"""Information-less term: the salient code of background carries no information, s = s′ = 0."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from sepclr.losses.kernel import Bandwidth, bandwidths, full_precision, log_kernel
from sepclr.types import Scalar


def information_less(s: Float[Tensor, "n d"], is_target: Bool[Tensor, " n"], tau: Bandwidth = 0.5) -> Scalar:
    """Pull the salient codes of background to s′ = 0: 1/N_X Σ_x ‖s_x‖²/2τ, from D_KL(s_x ‖ δ(s′)) = 0.

    Args:
        s: salient codes, shape (n, d).
        is_target: True for target samples, shape (n,).
        tau: kernel bandwidth τ, in squared units of the codes; a tensor averages several kernels, ``"median"`` applies the
            median heuristic to targets.

    Returns:
        The term to minimise, at least 0; 0 without background.

    Source: SepCLR (arXiv 2402.11928), the information-less hypothesis.

    >>> import torch
    >>> information_less(torch.tensor([[1.0, 1.0], [5.0, 5.0]]), torch.tensor([False, True])).item()
    2.0
    """
    # Indexing the background rows would synchronise a GPU.
    taus = bandwidths(s[is_target] if isinstance(tau, str) else s, tau)
    distances = log_kernel(full_precision(s).square().sum(1), taus).masked_fill(is_target, 0)
    return -distances.sum() / (~is_target).sum().clamp(min=1)

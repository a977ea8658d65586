"""k-JEM: maximise the joint entropy H(c, s), so that neither code repeats what the other holds."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from sepclr.losses.kernel import full_precision, log_kernel_pairs, mean_or_zero
from sepclr.types import Scalar


def joint_entropy(c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"], tau: float = 0.5, *, with_self: bool = True) -> Scalar:
    """Estimate −H(c, s) = 1/N Σ_i log 1/N Σ_j k_τ(c_i, c_j) k_τ(s_i, s_j).

    Args:
        c: common codes, shape (n, d_c).
        s: salient codes with background rows set to 0 (``hide_background``), shape (n, d_s).
        tau: kernel bandwidth τ, in squared units of the codes.
        with_self: keep the pairs i = j, as released: the value is then at least −log n, and its gradient vanishes once all codes
            are far apart. Without them it is unbounded.

    Returns:
        The term to minimise, at most 0; 0 where there is no pair.

    Source: SepCLR (arXiv 2402.11928), k-JEM.

    >>> import torch
    >>> c, s = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [1.0]])
    >>> round(joint_entropy(c, s).item(), 4)  # log (1 + exp(-2)) / 2
    -0.5662
    """
    n = len(c)
    if n < 2:
        return full_precision(c[:0]).sum() + full_precision(s[:0]).sum()
    log_k = log_kernel_pairs(c, tau) + log_kernel_pairs(s, tau)
    if not with_self:
        log_k = log_k.masked_fill(torch.eye(n, dtype=torch.bool, device=c.device), -math.inf)
    return mean_or_zero(torch.logsumexp(log_k, 1)) - math.log(n if with_self else n - 1)

"""Conditional uniformity: spread codes among samples that agree in the other code.

Plain uniformity rewards a code for anything that tells samples apart, including the content of the other code. Among samples with similar
s, the content of s tells nothing apart, so c gains nothing from encoding it.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from sepclr.losses.kernel import full_precision, in_blocks, log_kernel, log_kernel_matched, mean_or_zero, without_self, zero_term
from sepclr.ranges import check_at_least, check_positive
from sepclr.types import Scalar


def conditional_uniformity(
    z: Float[Tensor, "n d"],
    given: Float[Tensor, "n e"] | None = None,
    tau: float = 0.5,
    *,
    neighbours: int = 8,
    from_zero: bool = False,
) -> Scalar:
    """Estimate −H(z | given) = 1/N Σ_i log Σ_{j≠i} w_ij k_τ(z_i, z_j), w_ij ∝ exp(−‖g_i − g_j‖²/‖g_i − g_(k)‖²).

    g is ``given``, which gets no gradient. The weights of each sample sum to 1. g_(k) is the k-th nearest neighbour of g_i, so that every
    sample has neighbours in this space. Memory is O(n), including the backward pass.

    Args:
        z: codes, shape (n, d).
        given: codes of the same samples to condition on, shape (n, e). If None, all samples have equal weight.
        tau: kernel bandwidth τ, in squared units of the codes.
        neighbours: k, at most n − 1.
        from_zero: also spread codes away from the information-less vector 0: log ½(Σ_j w_ij k_τ(z_i, z_j) + k_τ(z_i, 0)).

    Returns:
        The term to minimise, at most 0; 0 for fewer than two samples.

    Raises:
        InputError: a bandwidth that is not positive, or ``neighbours`` below 1.

    >>> import torch
    >>> z = torch.tensor([[0.0], [1.0], [3.0]])
    >>> round(conditional_uniformity(z).item(), 4)  # uniformity takes the mean over i before the logarithm
    -2.2293
    """
    check_positive(tau=tau)
    check_at_least(1, neighbours=neighbours)
    n = len(z)
    if n < 2:
        return zero_term(z)
    taus = torch.tensor([tau], dtype=torch.float64, device=z.device)
    block = partial(_log_means, taus=taus, k=min(neighbours, n - 1))
    codes = [full_precision(z), *([] if given is None else [full_precision(given.detach())])]
    spread = in_blocks(block, *codes, n=n, width=n)
    if from_zero:
        to_zero = log_kernel_matched(z, torch.zeros_like(z), taus)
        spread = torch.logaddexp(spread, to_zero) - math.log(2)
    return mean_or_zero(spread)


def _log_means(rows: slice, z: Tensor, given: Tensor | None = None, *, taus: Tensor, k: int) -> Tensor:
    """Compute log Σ_j w_ij k_τ(z_i, z_j) of a block of rows."""
    log_k = log_kernel(_squared_distances(z, rows), taus)
    if given is None:
        return torch.logsumexp(without_self(log_k, rows), 1) - math.log(len(z) - 1)
    return torch.logsumexp(log_k + _log_weights(_squared_distances(given, rows), rows, k), 1)


def _squared_distances(z: Tensor, rows: slice) -> Tensor:
    return torch.cdist(z[rows], z, compute_mode="donot_use_mm_for_euclid_dist").square()


def _log_weights(squared: Tensor, rows: slice, k: int) -> Tensor:
    """Compute log w_ij of a block of rows from squared distances; −∞ for i = j."""
    squared = -without_self(-squared, rows)  # ∞ for i = j
    # If k samples are equal to sample i, only these have weight.
    width = squared.kthvalue(k, 1, keepdim=True).values.clamp(min=torch.finfo(squared.dtype).tiny)
    return torch.log_softmax(-squared / width, 1)

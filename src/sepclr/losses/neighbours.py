"""Conditional uniformity: codes spread among samples that already agree in the other code.

A plain uniformity rewards a code for whatever tells samples apart, the other code's content included. Among samples with like s, what s
holds tells nothing apart, so that c has nothing to gain from it.
"""

from __future__ import annotations

import math

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

    g is ``given``, which gets no gradient; the weights of a sample add up to 1, and g_(k) is its k-th neighbour, so that in this space
    too every sample has neighbours. It takes O(n) memory, backward included.

    Args:
        z: codes, shape (n, d).
        given: codes of the same samples that they are compared by, shape (n, e); all samples weigh the same if not given.
        tau: kernel bandwidth τ, in squared units of the codes.
        neighbours: k; the farthest sample's number where there are fewer.
        from_zero: spread away from the information-less vector, too: log ½(Σ_j w_ij k_τ(z_i, z_j) + k_τ(z_i, 0)).

    Returns:
        The term to minimise, at most 0; 0 where there is no pair.

    Raises:
        InputError: a bandwidth that is not positive, or no neighbour.

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
    k = min(neighbours, n - 1)

    def block(rows: slice, *codes: Tensor) -> Tensor:
        codes_z, *others = codes
        log_k = log_kernel(_squared_distances(codes_z, rows), taus)
        if not others:
            return torch.logsumexp(without_self(log_k, rows), 1) - math.log(n - 1)
        return torch.logsumexp(log_k + _log_weights(_squared_distances(others[0], rows), rows, k), 1)

    codes = [full_precision(z), *([] if given is None else [full_precision(given.detach())])]
    spread = in_blocks(block, *codes, n=n, width=n)
    if from_zero:
        to_zero = log_kernel_matched(z, torch.zeros_like(z), taus)
        spread = torch.logaddexp(spread, to_zero) - math.log(2)
    return mean_or_zero(spread)


def _squared_distances(z: Tensor, rows: slice) -> Tensor:
    return torch.cdist(z[rows], z, compute_mode="donot_use_mm_for_euclid_dist").square()


def _log_weights(squared: Tensor, rows: slice, k: int) -> Tensor:
    """Compute log w_ij of a block of rows from squared distances; −∞ for i = j."""
    squared = -without_self(-squared, rows)  # ∞ for i = j
    # Where k samples are equal only these weigh anything.
    width = squared.kthvalue(k, 1, keepdim=True).values.clamp(min=torch.finfo(squared.dtype).tiny)
    return torch.log_softmax(-squared / width, 1)

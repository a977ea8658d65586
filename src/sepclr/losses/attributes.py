"""Supervised salient attributes: one salient dimension follows one known attribute of the targets."""

from __future__ import annotations

import torch
from jaxtyping import Float, Real, Shaped
from torch import Tensor

from sepclr.losses.kernel import Bandwidth, bandwidths, full_precision, in_blocks, log_kernel, zero_term
from sepclr.types import Scalar


def quantity_alignment(s: Float[Tensor, " n"], attribute: Real[Tensor, " n"], tau: Bandwidth = 0.5) -> Scalar:
    """Pull targets with similar quantities together: mean over p < q of exp(−(a_p − a_q)²/2τ) (s_p − s_q)².

    Combine it with the uniformity of that dimension, ``uniformity(s[:, None])``, which prevents collapse.

    Args:
        s: one salient dimension of the targets, shape (n,).
        attribute: the quantity, integer or floating point, without missing values, shape (n,).
        tau: bandwidth in squared units of the attribute; ``"median"`` uses the median heuristic.

    Returns:
        The term to minimise, in squared units of s, at least 0; 0 for fewer than two samples.

    Source: SepCLR (arXiv 2402.11928), supervised salient attributes (dSprites).

    >>> import torch
    >>> quantity_alignment(torch.tensor([0.0, 2.0]), torch.tensor([5.0, 5.0])).item()
    4.0
    """
    n = len(s)
    if n < 2:
        return zero_term(s[:, None])
    s = full_precision(s)
    a = attribute.detach().to(s.dtype)
    taus = bandwidths(a[:, None], tau)

    def block(rows: slice, s: Tensor) -> Tensor:
        like = log_kernel((a[rows, None] - a).square(), taus).exp().to(s.dtype)
        return (like * (s[rows, None] - s).square()).sum(1)

    return in_blocks(block, s, n=n, width=n).sum() / (n * (n - 1))


def class_alignment(s: Float[Tensor, " n"], attribute: Shaped[Tensor, " n"]) -> Scalar:
    """Pull targets of the same class together: mean over p < q of 1[a_p = a_q] (s_p − s_q)², over all pairs.

    Args:
        s: one salient dimension of the targets, shape (n,).
        attribute: class labels, shape (n,).

    Returns:
        The term to minimise, in squared units of s, at least 0; 0 for fewer than two samples.

    Source: SepCLR (arXiv 2402.11928), supervised salient attributes (dSprites), with the kernel of a discrete attribute.

    >>> import torch
    >>> class_alignment(torch.tensor([0.0, 2.0, 9.0]), torch.tensor([1, 1, 0])).item()  # one of three pairs
    1.3333333730697632
    """
    n = len(s)
    if n < 2:
        return zero_term(s[:, None])
    s = full_precision(s)
    _, which, counts = torch.unique(attribute, return_inverse=True, return_counts=True)
    # Σ over ordered pairs of (s_p − s_q)² within a class is 2 · size · Σ (s_p − mean)², so no pairs are needed.
    means = s.new_zeros(len(counts)).index_add(0, which, s) / counts
    total: Tensor = (counts[which] * (s - means[which]).square()).sum()
    return 2 * total / (n * (n - 1))

"""Alignment: give all views of a sample the same code. The conditional-entropy half of InfoMax."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sepclr.losses.kernel import Bandwidth, bandwidths, hide_background, log_kernel_matched, log_mean_exp, mean_or_zero
from sepclr.types import Scalar


def alignment(
    z: Float[Tensor, "n d"], views: Float[Tensor, "*k n d"], tau: Bandwidth = 0.5, *, is_target: Bool[Tensor, " n"] | None = None
) -> Scalar:
    """Estimate H(z | sample) from further views: −1/N Σ_i log 1/K Σ_k k_τ(z_i, z_i^k).

    With one further view this is 1/N Σ_i ‖z_i − z_i¹‖²/2τ. For an empty batch it is 0.

    Args:
        z: codes of the first view, shape (n, d).
        views: codes of K further views, shape (k, n, d); (n, d) for one.
        tau: kernel bandwidth τ, in squared units of the codes; a tensor averages several kernels, ``"median"`` uses the median heuristic.
        is_target: True for target samples, shape (n,); only these are aligned. If None, all samples are.

    Returns:
        The term to minimise, at least 0.

    Source: SepCLR (arXiv 2402.11928), the alignment terms of the common and of the target-specific InfoMax.

    >>> import torch
    >>> alignment(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])).item()
    1.0
    """
    others = views if views.ndim == 3 else views[None]
    taus = bandwidths(z[is_target] if is_target is not None and isinstance(tau, str) else z, tau)
    if is_target is None:
        return -mean_or_zero(log_mean_exp(log_kernel_matched(z, others, taus).T))
    # A code that is 0 in all views has alignment 0. Indexing the targets would synchronise a GPU.
    z, others = hide_background(z, is_target), torch.stack([hide_background(view, is_target) for view in others])
    return -mean_or_zero(log_mean_exp(log_kernel_matched(z, others, taus).T)) * len(z) / is_target.sum().clamp(min=1)

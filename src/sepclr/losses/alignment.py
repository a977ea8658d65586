"""Alignment: two views of one sample have one code. The conditional-entropy half of InfoMax."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from sepclr.losses.kernel import Bandwidth, bandwidths, log_kernel_matched, log_mean_exp, mean_or_zero
from sepclr.types import Scalar


def alignment(z: Float[Tensor, "n d"], views: Float[Tensor, "*k n d"], tau: Bandwidth = 0.5) -> Scalar:
    """Estimate H(z | sample) from further views: −1/N Σ_i log 1/K Σ_k k_τ(z_i, z_i^k).

    With one further view this is 1/N Σ_i ‖z_i − z_i¹‖²/2τ. Over no sample it is 0.

    Args:
        z: codes of the first view, shape (n, d).
        views: codes of K further views, shape (k, n, d); (n, d) for one.
        tau: kernel bandwidth τ, in squared units of the codes; a tensor averages several kernels, ``"median"`` chooses one.

    Returns:
        The term to minimise, at least 0.

    Source: SepCLR (arXiv 2402.11928), the alignment terms of the common and of the target-specific InfoMax.

    >>> import torch
    >>> alignment(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])).item()
    1.0
    """
    others = views if views.ndim == 3 else views[None]
    return -mean_or_zero(log_mean_exp(log_kernel_matched(z, others, bandwidths(z, tau)).T))

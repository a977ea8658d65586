"""SimCLR's loss: identify the other view of a sample among all views of all samples."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from sepclr.losses.kernel import Bandwidth, bandwidths, log_kernel_matched, log_row_sums, zero_term
from sepclr.types import Scalar


def nt_xent(one: Float[Tensor, "n d"], two: Float[Tensor, "n d"], tau: Bandwidth = 0.5) -> Scalar:
    """Compute the normalised temperature-scaled cross-entropy, −mean log k(z, z⁺) / Σ_{others} k(z, z′) over all 2n views.

    The sum includes the positive pair.

    For codes on the unit sphere, k_τ(a, b) is exp(a·b/τ) up to a factor that cancels, so τ is the temperature.

    Args:
        one: codes of the first views on the unit sphere, shape (n, d).
        two: codes of the second views, shape (n, d).
        tau: temperature.

    Returns:
        The term to minimise, in nats; 0 for an empty batch.

    Source: Chen et al., A simple framework for contrastive learning of visual representations, ICML 2020 (arXiv 2002.05709).

    >>> import torch
    >>> z = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    >>> round(nt_xent(z, z).item(), 4)  # log(1 + 2 exp(−4))
    0.036
    """
    if not len(one):
        return zero_term(one, two)
    views = torch.cat([one, two])
    taus = bandwidths(views, tau)
    return log_row_sums([views], [taus], with_self=False).mean() - log_kernel_matched(one, two, taus).mean()

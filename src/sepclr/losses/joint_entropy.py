"""k-JEM: maximise the joint entropy H(c, s), so that neither code repeats what the other holds."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor

from sepclr.losses.kernel import Bandwidths, bandwidth_pair, log_row_sums, zero_term
from sepclr.types import Scalar


def joint_entropy(c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"], tau: Bandwidths = 0.5, *, with_self: bool = True) -> Scalar:
    """Estimate −H(c, s) = 1/N Σ_i log 1/N Σ_j k_τ(c_i, c_j) k_τ(s_i, s_j).

    Args:
        c: common codes, shape (n, d_c).
        s: salient codes with background rows set to 0 (``hide_background``), shape (n, d_s).
        tau: kernel bandwidth τ, in squared units of the codes, or a pair of them for c and s; a tensor averages several kernels,
            ``"median"`` uses the median heuristic in each space.
        with_self: include the pairs i = j, as released: the value is then at least −log n, and its gradient vanishes once
            all codes are far apart. Without them the value is unbounded.

    Returns:
        The term to minimise, at most 0; 0 for fewer than two samples.

    Source: SepCLR (arXiv 2402.11928), k-JEM.

    >>> import torch
    >>> c, s = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [1.0]])
    >>> round(joint_entropy(c, s).item(), 4)  # log (1 + exp(-2)) / 2
    -0.5662
    """
    n = len(c)
    if n < 2:
        return zero_term(c, s)
    rows = log_row_sums([c, s], bandwidth_pair(c, s, tau), with_self=with_self)
    return rows.mean() - math.log(n if with_self else n - 1)

"""Kernel measures of the dependence between c and s, without a critic."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sepclr.losses.kernel import Bandwidth, bandwidths, full_precision, log_row_sums, nothing
from sepclr.types import Scalar


def kernel_mutual_information(c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"], tau: Bandwidth = 0.5) -> Scalar:
    """Estimate I(c; s) = −Ĥ(c,s) + Ĥ(c) + Ĥ(s) with Ĥ(z) = −1/N Σ_i log 1/N Σ_j k_τ(z_i, z_j), self pairs in (k-MI).

    Args:
        c: common codes, shape (n, d_c).
        s: salient codes with background rows set to 0 (``hide_background``), shape (n, d_s).
        tau: kernel bandwidth τ, in squared units of the codes; a tensor averages several kernels, ``"median"`` chooses one per space.

    Returns:
        The term to minimise, in nats; at most log n, and about 0 for independent codes; 0 where there is no pair.

    Source: SepCLR (arXiv 2402.11928), the kernel estimate of mutual information that k-JEM is compared with.

    >>> import torch
    >>> z = torch.tensor([[0.0], [9.0]])
    >>> round(kernel_mutual_information(z, z).item(), 4)  # log 2: either code tells the other
    0.6931
    """
    n = len(c)
    if n < 2:
        return nothing(c, s)
    joint, common, salient = _log_row_sums(c, s, tau)
    return (joint - common - salient).mean() + math.log(n)


def hsic(c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"], tau: Bandwidth = 0.5) -> Scalar:
    """Estimate the Hilbert-Schmidt independence criterion 1/N² tr(K_c H K_s H), H = I − 1/N.

    It is the squared MMD between the pairs (c_i, s_i) and all pairs (c_i, s_j), with the kernel k_τ(c, c′) k_τ(s, s′).

    Args:
        c: common codes, shape (n, d_c).
        s: salient codes with background rows set to 0 (``hide_background``), shape (n, d_s).
        tau: kernel bandwidth τ, in squared units of the codes; a tensor averages several kernels, ``"median"`` chooses one per space.

    Returns:
        The term to minimise, at least 0, and 0 only for independent codes; 0 where there is no pair.

    Source: Gretton et al., Measuring statistical dependence with Hilbert-Schmidt norms, ALT 2005.

    >>> import torch
    >>> z = torch.tensor([[0.0], [9.0]])
    >>> round(hsic(z, z).item(), 4)
    0.25
    """
    n = len(c)
    if n < 2:
        return nothing(c, s)
    joint, common, salient = ((rows - math.log(n)).exp() for rows in _log_row_sums(c, s, tau))
    return joint.mean() + common.mean() * salient.mean() - 2 * (common * salient).mean()


def mmd(
    c: Float[Tensor, "n d_c"],
    s: Float[Tensor, "n d_s"],
    tau: Bandwidth = 0.5,
    *,
    permutation: Int[Tensor, " n"] | None = None,
) -> Scalar:
    """Estimate MMD² between (c_i, s_i) and (c_i, s_π(i)) with kernels k_τ on the two codes side by side.

    Args:
        c: common codes, shape (n, d_c).
        s: salient codes with background rows set to 0 (``hide_background``), shape (n, d_s).
        tau: kernel bandwidth τ, in squared units of the codes; a tensor averages several kernels, ``"median"`` chooses one.
        permutation: π, shape (n,); drawn from torch's global generator where not given.

    Returns:
        The term to minimise, at least 0; 0 where there is no pair.

    Source: Gretton et al., A kernel two-sample test, JMLR 2012, as SepCLR (arXiv 2402.11928) compares k-JEM with it. Self pairs are in.

    >>> import torch
    >>> c, s = torch.tensor([[0.0], [9.0]]), torch.tensor([[0.0], [9.0]])
    >>> round(mmd(c, s, permutation=torch.tensor([1, 0])).item(), 4)
    1.0
    """
    n = len(c)
    if n < 2:
        return nothing(c, s)
    c, s = full_precision(c), full_precision(s)
    paired, torn = torch.cat([c, s], 1), torch.cat([c, shuffled(s, permutation)], 1)
    return two_sample_mmd(paired, torn, bandwidths(paired, tau))


def two_sample_mmd(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"], tau: Bandwidth = 0.5, *, with_self: bool = True) -> Scalar:
    """Estimate MMD² between two samples: mean k_τ(a_i, a_j) + mean k_τ(b_i, b_j) − 2 mean k_τ(a_i, b_j).

    Args:
        a: one sample, shape (n, d).
        b: the other, shape (m, d).
        tau: kernel bandwidth τ, in squared units; a tensor averages several kernels, ``"median"`` chooses one by both samples.
        with_self: keep the pairs i = j within a sample. With them the estimate is at least 0 and biased upwards, and narrow kernels
            are least biased where all points are equal; without them it is unbiased, and may be negative.

    Returns:
        The term to minimise; 0 where one of the samples has no pair.

    Source: Gretton et al., A kernel two-sample test, JMLR 2012.

    >>> import torch
    >>> round(two_sample_mmd(torch.zeros(1, 1), torch.ones(1, 1)).item(), 4)  # 2 − 2 exp(−1)
    1.2642
    """
    if min(len(a), len(b)) < (1 if with_self else 2):
        return nothing(a, b)
    a, b = full_precision(a), full_precision(b)
    taus = [bandwidths(torch.cat([a, b]), tau)]

    def within(z: Tensor) -> Tensor:
        return (log_row_sums([z], taus, with_self=with_self) - math.log(len(z) if with_self else len(z) - 1)).exp().mean()

    between = (log_row_sums([a], taus, [b]) - math.log(len(b))).exp().mean()
    return within(a) + within(b) - 2 * between


def shuffled(s: Float[Tensor, "n d"], permutation: Int[Tensor, " n"] | None = None) -> Float[Tensor, "n d"]:
    """Reorder samples so that each s stands beside the c of another: by π, drawn on the CPU where not given."""
    return s[(torch.randperm(len(s)) if permutation is None else permutation).to(s.device)]


def _log_row_sums(c: Tensor, s: Tensor, tau: Bandwidth) -> tuple[Tensor, Tensor, Tensor]:
    taus = bandwidths(c, tau), bandwidths(s, tau)
    return log_row_sums([c, s], taus), log_row_sums([c], taus[:1]), log_row_sums([s], taus[1:])

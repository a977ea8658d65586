"""Uniformity: spread the codes of different samples. A kernel density estimate of −H(z), to be minimised."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sepclr.losses.kernel import Bandwidth, bandwidths, full_precision, hide_background, log_kernel, log_row_sums, zero_term
from sepclr.types import Scalar

Form = Literal["paper", "released"]


def uniformity(z: Float[Tensor, "n d"], tau: Bandwidth = 0.5, *, with_self: bool = False) -> Scalar:
    """Estimate −H(z) = log mean k_τ(z_i, z_j) (Wang & Isola 2020).

    Args:
        z: codes, shape (n, d).
        tau: kernel bandwidth τ, in squared units of the codes; a tensor averages several kernels, ``"median"`` uses the median heuristic.
        with_self: include the pairs i = j (the paper's form, at least −log n) or exclude them (the released form, unbounded).

    Returns:
        The term to minimise, at most 0; 0 for fewer than two samples.

    Source: SepCLR (arXiv 2402.11928), −H(c).

    >>> import torch
    >>> round(uniformity(torch.tensor([[0.0], [1.0], [3.0]])).item(), 4)
    -2.0485
    """
    n = len(z)
    if n < 2:
        return zero_term(z)
    rows = log_row_sums([z], [bandwidths(z, tau)], with_self=with_self)
    return torch.logsumexp(rows, 0) - math.log(n * (n if with_self else n - 1))


def salient_uniformity(s: Float[Tensor, "n d"], is_target: Bool[Tensor, " n"], tau: Bandwidth = 0.5, *, form: Form = "released") -> Scalar:
    """Spread the salient codes of targets away from each other and from the information-less vector s′ = 0.

    ``released`` is the uniformity of s̃, the codes with background rows set to 0, over all rows. ``paper`` is
    log 1/N_Y Σ_i ( exp(−‖s_i‖²/τ) + 1/N_Y Σ_j k_τ(s_i, s_j) ) over targets. The two are different objectives. The released form
    includes pairs of background rows, so it cannot fall below about the log of their share, and s′ repels with bandwidth τ, not τ/2.

    Args:
        s: salient codes, shape (n, d).
        is_target: True for target samples, shape (n,).
        tau: kernel bandwidth τ, in squared units of the codes; a tensor averages several kernels, ``"median"`` uses the median heuristic.
        form: ``released`` or ``paper``.

    Returns:
        The term to minimise; 0 without targets.

    Source: SepCLR (arXiv 2402.11928), the s′-uniformity, and the authors' released form.
    """
    if form == "released":
        return uniformity(hide_background(s, is_target), tau)
    targets = full_precision(s[is_target])
    n = len(targets)
    if n == 0:
        return zero_term(targets)
    taus = bandwidths(targets, tau)
    away_from_zero = log_kernel(targets.square().sum(1), taus / 2)
    apart = log_row_sums([targets], [taus]) - math.log(n)
    return torch.logsumexp(torch.cat([away_from_zero, apart]), 0) - math.log(n)

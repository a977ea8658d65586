"""The Gaussian kernel behind every entropy estimate, in log space."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import pdist
from torch.utils.checkpoint import checkpoint

from sepclr.types import InputError, Scalar

Bandwidth = float | Float[Tensor, "..."] | Literal["median"]
"""Kernel bandwidth τ: a number, a tensor of K numbers whose kernels are averaged, or ``"median"`` for the median heuristic."""

Bandwidths = Bandwidth | tuple[Bandwidth, Bandwidth]
"""Bandwidths of two spaces: one for both (``"median"`` is then resolved in each space), or a pair for c and s."""

PAIRS = 2**22
"""Pairs of samples held in memory at once; larger problems are computed in blocks of rows, and again in the backward pass."""

MEDIAN_SAMPLES = 1000
"""Largest number of samples, evenly spaced, that the median heuristic uses."""


def full_precision(z: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Convert half-precision codes to float32; leave float32 and float64 unchanged."""
    return z.float() if z.dtype in (torch.float16, torch.bfloat16) else z


def bandwidths(z: Float[Tensor, "n d"], tau: Bandwidth) -> Float[Tensor, " k"]:
    """Resolve a bandwidth to K values of τ, without gradient.

    The median heuristic sets 2τ to the median squared distance between distinct codes, or to 1 if there are none.

    Raises:
        InputError: a name other than ``median``, or a number that is not positive.
    """
    z = full_precision(z.detach())
    if isinstance(tau, Tensor):
        taus = tau.detach().flatten()
        if not len(taus) or not (taus.is_cuda or bool((taus > 0).all())):  # this check would synchronise a GPU
            raise InputError(f"tau: {taus.tolist()} are not positive numbers")
        return taus.to(z.device)
    if isinstance(tau, str):
        if tau != "median":
            raise InputError(f"tau: {tau!r} is unknown; give a positive number, a tensor of them, or 'median'")
        some = z[:: max(1, -(-len(z) // MEDIAN_SAMPLES))]
        squared = pdist(some).square()
        different = squared[squared > torch.finfo(squared.dtype).tiny]  # dividing smaller numbers can give 0
        return (different.median() if len(different) else z.new_ones(())).reshape(1) / 2
    if not tau > 0:
        raise InputError(f"tau: {tau} is not positive")
    return torch.tensor([tau], dtype=torch.float64, device=z.device)


def bandwidth_pair(
    c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"], tau: Bandwidths
) -> tuple[Float[Tensor, " k_c"], Float[Tensor, " k_s"]]:
    """Resolve the bandwidths of c and of s, without gradient.

    Raises:
        InputError: as ``bandwidths``.
    """
    tau_c, tau_s = tau if isinstance(tau, tuple) else (tau, tau)
    return bandwidths(c, tau_c), bandwidths(s, tau_s)


def step_bandwidths(
    c: Sequence[Float[Tensor, "n d_c"]],
    s: Sequence[Float[Tensor, "n d_s"]],
    is_target: Bool[Tensor, " n"],
    tau: tuple[Bandwidth, Bandwidth],
) -> tuple[Bandwidth, Bandwidth]:
    """Resolve ``"median"`` once for all views of a step, for s on targets only, so that the objective has one width per space.

    Raises:
        InputError: as ``bandwidths``.
    """
    tau_c, tau_s = tau
    if isinstance(tau_c, str):
        tau_c = bandwidths(torch.cat([*c]), tau_c)
    if isinstance(tau_s, str):
        tau_s = bandwidths(torch.cat([view[is_target] for view in s]), tau_s)
    return tau_c, tau_s


def log_kernel(squared_distances: Float[Tensor, "*shape"], taus: Float[Tensor, " k"]) -> Float[Tensor, "*shape"]:
    """Compute log 1/K Σ_k exp(−‖a − b‖²/2τ_k) from squared distances."""
    scales = (2 * taus).to(squared_distances.dtype)
    if len(taus) == 1:
        return -squared_distances / scales
    return log_mean_exp(-squared_distances[..., None] / scales)


def log_kernel_matched(a: Float[Tensor, "... d"], b: Float[Tensor, "... d"], taus: Float[Tensor, " k"]) -> Float[Tensor, "..."]:
    """Compute log k_τ(a_i, b_i) of matching rows."""
    return log_kernel((full_precision(a) - full_precision(b)).square().sum(-1), taus)


def log_row_sums(
    spaces: Sequence[Float[Tensor, "n _"]],
    taus: Sequence[Float[Tensor, " _"]],
    others: Sequence[Float[Tensor, "m _"]] | None = None,
    *,
    with_self: bool = True,
) -> Float[Tensor, " n"]:
    """Compute log Σ_j Π_spaces k(z_i, z_j) for every sample i, in memory linear in n, including the backward pass.

    Args:
        spaces: codes of the same n samples in one or several spaces.
        taus: bandwidths for each space.
        others: codes of the m samples j; ``spaces`` if None.
        with_self: include j = i.
    """
    spaces = [full_precision(z) for z in spaces]
    others = spaces if others is None else [full_precision(z) for z in others]
    block = partial(_log_sums_of_rows, taus=taus, with_self=with_self)
    return in_blocks(block, *spaces, *others, n=len(spaces[0]), width=len(others[0]))


def _log_sums_of_rows(rows: slice, *codes: Tensor, taus: Sequence[Tensor], with_self: bool) -> Tensor:
    log_k = cast(Any, 0)
    for a, b, tau in zip(codes[: len(taus)], codes[len(taus) :], taus, strict=True):
        # Differences instead of a Gram matrix: no cancellation for close codes, and nothing that autocast would run in bfloat16.
        distances = torch.cdist(a[rows], b, compute_mode="donot_use_mm_for_euclid_dist")
        log_k = log_k + log_kernel(distances.square(), tau)
    return torch.logsumexp(log_k if with_self else without_self(log_k, rows), 1)


def in_blocks(block: Callable[..., Float[Tensor, " rows"]], *codes: Tensor, n: int, width: int) -> Float[Tensor, " n"]:
    """Compute one value per row, block by block, in memory linear in n, including the backward pass.

    Args:
        block: function of a slice of rows and the codes that returns the values of these rows.
        codes: arguments of ``block`` that get a gradient.
        n: number of rows.
        width: numbers that ``block`` holds in memory per row.
    """
    height = max(1, PAIRS // max(width, 1))
    if height >= n:
        return block(slice(0, n), *codes)
    parts = [checkpoint(block, slice(top, min(top + height, n)), *codes, use_reentrant=False) for top in range(0, n, height)]
    return torch.cat(cast(list[Tensor], parts))


def without_self(log_values: Float[Tensor, "rows n"], rows: slice) -> Float[Tensor, "rows n"]:
    """Exclude the pairs of a sample with itself from a block by setting their logarithms to −∞."""
    i = torch.arange(len(log_values), device=log_values.device)
    return log_values.index_put((i, rows.start + i), log_values.new_tensor(-math.inf))


def log_mean_exp(x: Float[Tensor, "*rows n"]) -> Float[Tensor, "*rows"]:
    """Compute the log of the mean of exp(x) over the last axis, which must not be empty."""
    return torch.logsumexp(x, dim=-1) - math.log(x.shape[-1])


def mean_or_zero(x: Float[Tensor, " n"]) -> Scalar:
    """Return the mean, or 0 with zero gradient if x is empty: a batch may lack one of the groups."""
    return x.sum() / max(len(x), 1)


def zero_term(*codes: Float[Tensor, "_ _"]) -> Scalar:
    """Return 0 with zero gradient: the value of a term without pairs of samples."""
    return cast(Tensor, sum(full_precision(z[:0]).sum() for z in codes))


def hide_background(s: Float[Tensor, "n d"], is_target: Bool[Tensor, " n"]) -> Float[Tensor, "n d"]:
    """Return s̃, the salient codes with background rows set to s′ = 0; target rows keep their gradient."""
    return torch.where(is_target[:, None], s, torch.zeros_like(s))

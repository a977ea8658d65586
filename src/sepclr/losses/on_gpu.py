"""The entropies of ``kernel_entropies`` in two Triton kernels, for codes in float32 on a GPU.

Each program processes a block of rows against all columns. Kernels and sums stay in registers; only codes and a few numbers per row
touch memory, so arithmetic is the bottleneck. Every pair is visited from both sides: twice the arithmetic of a triangle, but no atomic
additions, so results are deterministic. Nothing synchronises with the host.

Distances are sums of squared differences and gradients are sums of differences, for accuracy on codes that are close together and far
from 0. An exponent is a pair of float32 numbers, the second holding the rounding error of the first: about the accuracy of float64, which
is 64 times slower on most GPUs. Functions and results are those of ``tiles``, except that S = 1 and its logarithm is in the shift.
"""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from sepclr.losses.kernel import hide_background

BITS = math.log2(math.e)

BLOCK = 32
"""Rows and columns of a tile: distances, both kernels and their factors fit in the registers of a program."""

EXACT = {"enable_fp_fusion": False}
"""Disables fused multiply-add, with which the computed rounding errors of sums would be wrong."""


@triton.jit  # type: ignore[untyped-decorator]
def _distances(
    z: tl.tensor, n: tl.tensor, d: tl.tensor, rows: tl.tensor, columns: tl.tensor, scale: tl.tensor, correction: tl.tensor
) -> tl.tensor:
    """Compute ‖z_i − z_j‖²/2τ in bits as a sum of two numbers; z has one sample per column, and scale² (1 + correction) is log₂e/2τ."""
    total = tl.zeros([rows.shape[0], columns.shape[0]], tl.float32)
    dropped = tl.zeros([rows.shape[0], columns.shape[0]], tl.float32)
    for k in range(d):
        row = tl.load(z + k * n + rows, mask=rows < n, other=0.0)
        column = tl.load(z + k * n + columns, mask=columns < n, other=0.0)
        term = (row[:, None] - column[None, :]) * scale
        term = term * term
        # Knuth's two-sum, exact whichever number is larger.
        raised = total + term
        back = raised - total
        dropped += (total - (raised - back)) + (term - back)
        total = raised
    dropped += total * correction
    raised = total + dropped
    return raised, dropped - (raised - total)


@triton.jit  # type: ignore[untyped-decorator]
def _kernels(origin: tl.tensor, origin_rest: tl.tensor, distance: tl.tensor, distance_rest: tl.tensor, exists: tl.tensor) -> tl.tensor:
    """Compute 2^(origin − distance), each given as a sum of two numbers; 0 where there is no pair."""
    exponent = origin - distance
    back = exponent - origin
    rest = (origin - (exponent - back)) - (distance + back) + (origin_rest - distance_rest)
    whole = exponent + rest
    near = exists & (whole > -200.0)
    # Far away, the remainder may be many bits; here it is small enough for a linear approximation.
    return tl.exp2(tl.where(near, whole, float("-inf"))) * (1 + 0.6931472 * tl.where(near, rest - (whole - exponent), 0.0))


@triton.jit  # type: ignore[untyped-decorator]
def _add_row_sums(
    distance: tl.tensor, rest: tl.tensor, exists: tl.tensor, least: tl.tensor, least_rest: tl.tensor, summed: tl.tensor
) -> tl.tensor:
    """Add 2^(least − distance) of a tile to the sums of its rows, rescaled to the new least distance of each row."""
    here = tl.min(tl.where(exists, distance, float("inf")), 1)
    here_rest = tl.min(tl.where(exists & (distance == here[:, None]), rest, float("inf")), 1)
    closer = (here < least) | ((here == least) & (here_rest < least_rest))
    lower, lower_rest = tl.where(closer, here, least), tl.where(closer, here_rest, least_rest)
    # Rows without any pair so far have none in this tile.
    origin, origin_rest = tl.where(lower < float("inf"), lower, 0.0), tl.where(lower < float("inf"), lower_rest, 0.0)
    kernels = _kernels(origin[:, None], origin_rest[:, None], distance, rest, exists)
    lowered = tl.exp2((origin - least) + tl.where(least < float("inf"), origin_rest - least_rest, 0.0))
    return lower, lower_rest, summed * lowered + tl.sum(kernels, 1)


@triton.jit  # type: ignore[untyped-decorator]
def _entropies(
    c: tl.tensor,
    s: tl.tensor,
    out: tl.tensor,
    n: tl.tensor,
    d_c: tl.tensor,
    d_s: tl.tensor,
    scale_c: tl.tensor,
    scale_s: tl.tensor,
    correction_c: tl.tensor,
    correction_s: tl.tensor,
    block: tl.constexpr,
) -> None:
    """Compute for every row the least distances, the sums of kernels relative to them, and Σ_j exp(a + b), all without j = i."""
    rows = tl.program_id(0) * block + tl.arange(0, block)
    least_c = tl.full([block], float("inf"), tl.float32)
    least_s = tl.full([block], float("inf"), tl.float32)
    least_rest_c = tl.full([block], float("inf"), tl.float32)
    least_rest_s = tl.full([block], float("inf"), tl.float32)
    sum_c = tl.zeros([block], tl.float32)
    sum_s = tl.zeros([block], tl.float32)
    joint = tl.zeros([block], tl.float32)
    for start in range(0, n, block):
        columns = start + tl.arange(0, block)
        exists = (rows < n)[:, None] & (columns < n)[None, :] & (rows[:, None] != columns[None, :])
        distance_c, rest_c = _distances(c, n, d_c, rows, columns, scale_c, correction_c)
        distance_s, rest_s = _distances(s, n, d_s, rows, columns, scale_s, correction_s)
        least_c, least_rest_c, sum_c = _add_row_sums(distance_c, rest_c, exists, least_c, least_rest_c, sum_c)
        least_s, least_rest_s, sum_s = _add_row_sums(distance_s, rest_s, exists, least_s, least_rest_s, sum_s)
        joint += tl.sum(_kernels(-distance_c, -rest_c, distance_s, rest_s, exists), 1)
    tl.store(out + rows, least_c, mask=rows < n)
    tl.store(out + n + rows, least_s, mask=rows < n)
    tl.store(out + 2 * n + rows, least_rest_c, mask=rows < n)
    tl.store(out + 3 * n + rows, least_rest_s, mask=rows < n)
    tl.store(out + 4 * n + rows, sum_c, mask=rows < n)
    tl.store(out + 5 * n + rows, sum_s, mask=rows < n)
    tl.store(out + 6 * n + rows, joint, mask=rows < n)


@triton.jit  # type: ignore[untyped-decorator]
def _gradient(
    z: tl.tensor,
    other: tl.tensor,
    out: tl.tensor,
    scalars: tl.tensor,
    shares: tl.tensor,
    n: tl.tensor,
    d: tl.tensor,
    d_other: tl.tensor,
    scale: tl.tensor,
    scale_other: tl.tensor,
    correction: tl.tensor,
    correction_other: tl.tensor,
    factor: tl.tensor,
    block: tl.constexpr,
    width: tl.constexpr,
) -> None:
    """Compute the gradient of a block of rows of z, factor · Σ_j M_ij (z_j − z_i)."""
    rows = tl.program_id(0) * block + tl.arange(0, block)
    dims = tl.arange(0, width)
    share, origin, origin_rest = tl.load(scalars), tl.load(scalars + 1), tl.load(scalars + 2)
    row_shares = tl.load(shares + rows, mask=rows < n, other=0.0)
    pull = tl.zeros([block, width], tl.float32)
    for start in range(0, n, block):
        columns = start + tl.arange(0, block)
        exists = (rows < n)[:, None] & (columns < n)[None, :] & (rows[:, None] != columns[None, :])
        distance, rest = _distances(z, n, d, rows, columns, scale, correction)
        distance_other, rest_other = _distances(other, n, d_other, rows, columns, scale_other, correction_other)
        joint = _kernels(-distance, -rest, distance_other, rest_other, exists)
        weights = row_shares[:, None] + tl.load(shares + columns, mask=columns < n, other=0.0)[None, :]
        m = share * _kernels(origin, origin_rest, distance, rest, exists) + weights * joint
        for k in range(d):
            row = tl.load(z + k * n + rows, mask=rows < n, other=0.0)
            column = tl.load(z + k * n + columns, mask=columns < n, other=0.0)
            towards = tl.sum(m * (column[None, :] - row[:, None]), 1)
            pull += tl.where(dims[None, :] == k, towards[:, None], 0.0)
    tl.store(out + dims[None, :] * n + rows[:, None], factor * pull, mask=(rows < n)[:, None] & (dims < d)[None, :])


def entropies(c: Tensor, s: Tensor, is_target: Tensor, tau_c: float, tau_s: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the three values and what their gradients need: see ``tiles.entropies``."""
    n = len(c)
    z_c, z_s = c.T.contiguous(), hide_background(s, is_target).T.contiguous()
    out = z_c.new_empty(7, n)
    (scale_c, correction_c), (scale_s, correction_s) = _scale(tau_c), _scale(tau_s)
    with torch.cuda.device_of(c):  # type: ignore[no-untyped-call]
        _entropies[(triton.cdiv(n, BLOCK),)](
            z_c, z_s, out, n, len(z_c), len(z_s), scale_c, scale_s, correction_c, correction_s, BLOCK, **EXACT
        )
    wide = out.double()
    logs = torch.logsumexp(wide[4:6].log() - (wide[:2] + wide[2:4]) / BITS, 1)
    r = 1 + wide[6]
    values = torch.cat([logs - math.log(n * (n - 1)), r.log().mean()[None] - math.log(n)])
    return values.to(c.dtype), r, torch.cat([torch.ones_like(logs), logs * BITS]), c.new_empty(0)


def gradients(
    g: Tensor, c: Tensor, s: Tensor, is_target: Tensor, r: Tensor, sums: Tensor, kept: Tensor, tau_c: float, tau_s: float
) -> tuple[Tensor, Tensor]:
    """Compute the gradients of c and s: see ``tiles.gradients``."""
    n = len(c)
    z_c, z_s = c.T.contiguous(), hide_background(s, is_target).T.contiguous()
    shares = (g[2] / (n * r)).float()
    found = []
    for k, (z, other, tau, tau_other) in enumerate(((z_c, z_s, tau_c, tau_s), (z_s, z_c, tau_s, tau_c))):
        origin = -sums[2 + k]
        scalars = torch.stack([2 * g[k].float(), origin.float(), (origin - origin.float()).float()])
        out = torch.empty_like(z)
        (scale, correction), (scale_other, correction_other) = _scale(tau), _scale(tau_other)
        with torch.cuda.device_of(c):  # type: ignore[no-untyped-call]
            _gradient[(triton.cdiv(n, BLOCK),)](
                z,
                other,
                out,
                scalars,
                shares,
                n,
                len(z),
                len(other),
                scale,
                scale_other,
                correction,
                correction_other,
                1 / tau,
                BLOCK,
                triton.next_power_of_2(len(z)),
                **EXACT,
            )
        found.append(out.T.contiguous())
    return found[0], hide_background(found[1], is_target)


def _scale(tau: float) -> tuple[float, float]:
    """Return √(log₂e/2τ) rounded to float32, as a kernel gets it, and the relative correction of its square."""
    wanted = BITS / (2 * tau)
    scale = float(torch.tensor(math.sqrt(wanted), dtype=torch.float32))
    return scale, wanted / scale**2 - 1

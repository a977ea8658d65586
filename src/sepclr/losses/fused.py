"""Uniformity of c, uniformity of s and k-JEM of one view in one pass over the pairs of samples, in linear memory.

With a_ij = log k_τ(c_i, c_j), b_ij = log k_τ(s_i, s_j) and sums that leave out i = j:

    S_c = Σ_ij exp a_ij,    S_s = Σ_ij exp b_ij,    r_i = 1 + Σ_j exp(a_ij + b_ij)
    common_uniformity = log S_c/N(N−1),    salient_uniformity = log S_s/N(N−1),    joint_entropy = 1/N Σ_i log r_i/N

The self pair's 1 in r_i is added by hand: inside the products it would cost the gradient of spread codes three to four digits.
An upstream gradient (g_c, g_s, g_J) weighs each pair in the gradient of c with
M_ij = 2 g_c exp(a_ij)/S_c + g_J/N exp(a_ij + b_ij) (1/r_i + 1/r_j), and ∂/∂c_i = −1/τ Σ_j M_ij (c_i − c_j); the same for s.
Only r, S_c and S_s are kept for it: tiles of the Gram matrices are computed again.

Salient codes of background are 0: exp b is 1 between two of them and exp(−‖s_i‖²/2τ) between target i and one of them, so that, with
samples sorted by group, only target × target needs a Gram matrix of s.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sepclr.losses.joint_entropy import joint_entropy
from sepclr.losses.kernel import Bandwidth, bandwidths, full_precision, hide_background
from sepclr.losses.uniformity import uniformity
from sepclr.types import Scalar

NARROW = 8.0
"""Largest ‖z‖²/2τ that float32 holds: no exponent lies below −4 · 8 then, and each kernel is right to about 1e-6."""

WIDE = 150.0
"""Largest ‖z‖²/2τ at which no kernel vanishes in float64; beyond it, all are divided by the largest."""


def kernel_entropies(
    c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"], tau: Bandwidth = 0.5, *, is_target: Bool[Tensor, " n"] | None = None
) -> dict[str, Scalar]:
    """Estimate −H(c), −H(s) and −H(c, s) together, in the released form.

    Equal to ``uniformity(c)``, ``uniformity(s)`` and ``joint_entropy(c, s)``, faster and in O(n) memory, backward included. A code
    that is spread too far for float32, and all codes on a GPU, are computed in float64. Under ``torch.compile`` it is one opaque
    operation. Several bandwidths at once go through the three functions.

    Args:
        c: common codes, shape (n, d_c).
        s: salient codes, shape (n, d_s).
        tau: kernel bandwidth τ, in squared units of the codes, or ``"median"``.
        is_target: True for target samples, shape (n,); the other rows of s are taken as 0, which saves time. All targets if not given.

    Returns:
        ``common_uniformity``, ``salient_uniformity`` and ``joint_entropy``, each to be minimised; 0 where there is no pair.

    Raises:
        InputError: a bandwidth that is not positive.
        NotImplementedError: when a second derivative is asked for; the three functions have none either.

    Source: SepCLR (arXiv 2402.11928), and the form that its authors released.

    >>> import torch
    >>> z = torch.tensor([[0.0], [1.0]])
    >>> {name: round(value.item(), 4) for name, value in kernel_entropies(z, z).items()}
    {'common_uniformity': -1.0, 'salient_uniformity': -1.0, 'joint_entropy': -0.5662}
    """
    membership = torch.ones(len(c), dtype=torch.bool, device=c.device) if is_target is None else is_target
    taus = [tau, tau]
    # A plain number costs nothing to resolve, and the operation hides background by itself.
    if len(c) < 2 or not (isinstance(tau, float | int) and tau > 0):
        s = hide_background(s, membership)
        taus = [bandwidths(z, tau) for z in (c, s)]
    if len(c) < 2 or any(isinstance(several, Tensor) and len(several) > 1 for several in taus):
        values = uniformity(c, tau), uniformity(s, tau), joint_entropy(c, s, tau)
    else:
        values = _forward(full_precision(c), full_precision(s), membership, float(taus[0]), float(taus[1]))[0].unbind()
    return dict(zip(("common_uniformity", "salient_uniformity", "joint_entropy"), values, strict=True))


@dataclass(frozen=True)
class _Space:
    """One code, divided by √τ, so that log k(z_i, z_j) = z_i · z_j + half_i + half_j."""

    z: Tensor
    half: Tensor
    """−‖z‖²/2, shape (n,)."""
    shift: Tensor | None
    """Subtracted from every exponent: the largest one, where all kernels might vanish otherwise."""

    def kernels(self, rows: slice, columns: slice, out: Tensor) -> Tensor:
        """Compute exp(log k − shift) of rows against columns."""
        torch.addmm(self.half[columns], self.z[rows], self.z[columns].T, out=out)
        return out.add_(self.shifted(self.half[rows])[:, None]).exp_()

    def shifted(self, exponents: Tensor) -> Tensor:
        """Subtract the shift."""
        return exponents if self.shift is None else exponents - self.shift


@dataclass(frozen=True)
class _Pairs:
    """All pairs of samples, targets first."""

    common: _Space
    salient: _Space  # of the targets alone
    order: Tensor  # where each row comes from, shape (n,)
    alone: Tensor  # exp(log k(s_i, 0) − shift) for every sample i, shape (n,)


@dataclass(frozen=True)
class _Tile:
    """Kernels of rows against columns with a diagonal of 0."""

    rows: slice
    columns: slice
    common: Tensor
    salient: Tensor | None  # None where rows or columns are background
    joint: Tensor  # exp(a + b), not shifted
    spare: Tensor

    @property
    def mirrored(self) -> bool:
        """Whether the tile stands for its mirror image across the diagonal too."""
        return self.rows != self.columns


def _pairs(c: Tensor, s: Tensor, is_target: Tensor, tau_c: float, tau_s: float) -> _Pairs:
    if c.is_cuda:  # counting targets would stop the queue
        order, targets = torch.arange(len(c), device=c.device), len(c)
        c, s = c.clone(), hide_background(s, is_target)
    else:
        order, targets = torch.argsort(is_target.byte(), descending=True, stable=True), int(is_target.sum())
        c, s = c[order], s[order[:targets]]
    background = len(c) - targets
    common = _space(c.sub_(c.mean(0)), tau_c, 0)
    salient = _space(s, tau_s, background)
    # Clamped, for a shift is the largest exponent of the pairs that exist: without background no sample has one with 0.
    alone = salient.shifted(torch.cat([salient.half, salient.half.new_zeros(background)])).clamp_(max=0).exp_()
    return _Pairs(common, salient, order, alone)


def _space(z: Tensor, tau: float, zeros: int) -> _Space:
    """Prepare a code in place, in float64 where float32 does not hold its kernels; ``zeros`` further samples lie at 0."""
    # On a GPU the question would stop the queue, and float64 costs little beside a network.
    if z.is_cuda or not bool((z.square().sum(1) <= 2 * tau * NARROW).all()):
        z = z.double()
    scaled = z.div_(math.sqrt(tau))
    half = scaled.square().sum(1) / -2
    shift = None
    # Two samples at 0 have the kernel 1, which is the largest there can be.
    if zeros < 2 and (z.is_cuda or not bool((half >= -WIDE).all())):
        shift = _largest(_Space(scaled, half, shift), zeros)
    return _Space(scaled, half, shift)


def _largest(space: _Space, zeros: int, side: int = 512) -> Tensor:
    """Find the largest exponent off the diagonal."""
    n = len(space.z)
    found = [space.half.max()] if zeros and n else []
    for top in range(0, n, side):
        for start in range(top, n, side):
            left, right = slice(top, top + side), slice(start, start + side)
            exponents = torch.addmm(space.half[right], space.z[left], space.z[right].T) + space.half[left, None]
            if top == start:
                exponents.fill_diagonal_(-torch.inf)
            if exponents.numel() > 1:
                found.append(exponents.max())
    return torch.stack(found).max()


def _tiles(pairs: _Pairs) -> Iterator[_Tile]:
    """Compute the kernels tile by tile over the upper triangle, each in the buffers of the one before."""
    common, salient = pairs.common, pairs.salient
    n, targets = len(common.z), len(salient.z)
    # Small tiles lose less of the symmetry and of the groups; larger ones less time between them, up to what a cache holds.
    side = min(n, 2048 if common.z.is_cuda else 256 if n <= 1024 else 384)
    blocks = [slice(i, min(i + side, targets)) for i in range(0, targets, side)]
    blocks += [slice(i, min(i + side, n)) for i in range(targets, n, side)]
    buffers = [space.z.new_empty(side, side) for space in (common, salient, common, common)]
    shifts = [space.shift for space in (common, salient) if space.shift is not None]
    for k, rows in enumerate(blocks):
        for columns in blocks[k:]:
            shape = (rows.stop - rows.start, columns.stop - columns.start)
            a, b, joint, spare = (buffer[: shape[0], : shape[1]] for buffer in buffers)
            common.kernels(rows, columns, a)
            both_targets = columns.stop <= targets
            factor = salient.kernels(rows, columns, b) if both_targets else pairs.alone[rows, None]
            torch.mul(a, factor, out=joint)
            for shift in shifts:
                joint.mul_(shift.exp())
            for kernel in (a, b, joint) if rows == columns else ():
                kernel.fill_diagonal_(0)
            yield _Tile(rows, columns, a, b if both_targets else None, joint, spare)


@torch.library.custom_op(
    "sepclr::kernel_entropies",
    mutates_args=(),
    schema="(Tensor c, Tensor s, Tensor is_target, float tau_c, float tau_s) -> (Tensor, Tensor, Tensor)",
)
def _forward(c: Tensor, s: Tensor, is_target: Tensor, tau_c: float, tau_s: float) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the three values, and for the backward pass r and, of shifted kernels, (S_c, S_s)."""
    with torch.autocast(c.device.type, enabled=False):
        pairs = _pairs(c, s, is_target, tau_c, tau_s)
        n, targets = len(c), len(pairs.salient.z)
        background = n - targets
        r = torch.ones(n, dtype=torch.float64, device=c.device)
        alone = pairs.alone.double()
        # Sums of mirrored tiles count twice; those of S_c, then those of S_s, which begin with the pairs that have no tile.
        parts = [[], [2 * background * alone[:targets].sum() + (background - 1) * alone[targets:].sum()]]
        for tile in _tiles(pairs):
            for kernels, part in zip((tile.common, tile.salient), parts, strict=True):
                if kernels is not None:
                    part.extend([kernels.sum()] * (2 if tile.mirrored else 1))
            r[tile.rows].add_(tile.joint.sum(1))
            if tile.mirrored:
                r[tile.columns].add_(tile.joint.sum(0))
        sums = torch.stack([torch.stack(part).double().sum() for part in parts])
        shifts = [0.0 if space.shift is None else space.shift.double() for space in (pairs.common, pairs.salient)]
        uniformities = torch.stack([sums[k].log() - math.log(n * (n - 1)) + shift for k, shift in enumerate(shifts)])
        return torch.cat([uniformities, (r / n).log().mean()[None]]).to(c.dtype), r, sums


@torch.library.custom_op(
    "sepclr::kernel_entropies_backward",
    mutates_args=(),
    schema="(Tensor g, Tensor c, Tensor s, Tensor is_target, Tensor r, Tensor sums, float tau_c, float tau_s) -> (Tensor, Tensor)",
)
def _backward(
    g: Tensor, c: Tensor, s: Tensor, is_target: Tensor, r: Tensor, sums: Tensor, tau_c: float, tau_s: float
) -> tuple[Tensor, Tensor]:
    """Compute the gradients of c and s from what the forward pass kept."""
    with torch.autocast(c.device.type, enabled=False):
        pairs = _pairs(c, s, is_target, tau_c, tau_s)
        pulls = _pulls(pairs, (2 * g[:2] / sums).unbind(), (g[2] / (len(c) * r)).to(pairs.common.z.dtype))
        gradients = []
        for like, space, (rows, columns, mass), tau in zip((c, s), (pairs.common, pairs.salient), pulls, (tau_c, tau_s), strict=True):
            pull = rows.add_(columns.T).sub_(space.z.mul_(mass[:, None])).div_(math.sqrt(tau))
            gradient = torch.zeros_like(like)
            gradient[pairs.order[: len(space.z)]] = pull.to(like.dtype)
            gradients.append(gradient)
        return gradients[0], gradients[1].masked_fill_(~is_target[:, None], 0)


def _pulls(pairs: _Pairs, shares: tuple[Tensor, ...], share_joint: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Compute Σ_j M_ij z_j of rows and (transposed, which is faster) of mirrored columns, and Σ_j M_ij, for both codes."""
    common, salient = pairs.common, pairs.salient
    n, targets = len(common.z), len(salient.z)
    pulls = [(torch.zeros_like(space.z), torch.zeros_like(space.z.T), torch.zeros_like(space.half)) for space in (common, salient)]
    pulls[1][2].add_(shares[1] * (n - targets) * pairs.alone[:targets])
    for tile in _tiles(pairs):
        weight = torch.add(share_joint[tile.rows, None], share_joint[tile.columns], out=tile.spare).mul_(tile.joint)
        _pull(pulls[0], common.z, tile, tile.common.mul_(shares[0]).add_(weight))
        if tile.salient is not None:
            _pull(pulls[1], salient.z, tile, tile.salient.mul_(shares[1]).add_(weight))
        elif tile.rows.stop <= targets:
            pulls[1][2][tile.rows].add_(weight.sum(1))
    return pulls


def _pull(pulls: tuple[Tensor, Tensor, Tensor], z: Tensor, tile: _Tile, m: Tensor) -> None:
    rows, columns, mass = pulls
    rows[tile.rows].addmm_(m, z[tile.columns])
    mass[tile.rows].add_(m.sum(1))
    if tile.mirrored:
        columns[:, tile.columns].addmm_(z[tile.rows].T, m)
        mass[tile.columns].add_(m.sum(0))


@_forward.register_fake
def _(c: Tensor, s: Tensor, is_target: Tensor, tau_c: float, tau_s: float) -> tuple[Tensor, Tensor, Tensor]:
    wide = torch.empty(len(c), dtype=torch.float64, device=c.device)
    return c.new_empty(3), wide, wide.new_empty(2)


@_backward.register_fake
def _(g: Tensor, c: Tensor, s: Tensor, is_target: Tensor, r: Tensor, sums: Tensor, tau_c: float, tau_s: float) -> tuple[Tensor, Tensor]:
    return torch.empty_like(c), torch.empty_like(s)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*inputs[:3], *output[1:])
    ctx.taus = inputs[3:]
    ctx.mark_non_differentiable(*output[1:])


def _differentiate(ctx: Any, g: Tensor, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    return *_backward(g, *ctx.saved_tensors, *ctx.taus), None, None, None


def _refuse(ctx: Any, *_: Tensor) -> None:
    raise NotImplementedError(
        "kernel_entropies has no second derivative, nor have the functions that it stands for; take one by finite differences"
    )


_forward.register_autograd(_differentiate, setup_context=_keep)
_backward.register_autograd(_refuse)

"""The entropies of ``kernel_entropies`` tile by tile over the pairs of samples: what a CPU runs, and a GPU without Triton.

Exponents are in bits, codes multiplied by √(log₂e/τ): 2^x takes a third of the time of e^x and does not slow down where it vanishes.
A sample is a column of its code with −‖z‖²/2 and 1 below, so that one product gives exponents, and one what each sample is pulled
towards together with how strongly.

Salient codes of background are 0: exp b is 1 between two of them and exp(−‖s_i‖²/2τ) between target i and one of them, so that, with
samples sorted by group, only target × target needs a Gram matrix of s.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

NARROW = 8.0
"""Largest ‖z‖²/2τ whose Gram matrix float32 holds: no exponent lies below −4 · 8 then, and each kernel is right to about 1e-6."""

NEAR = 512.0
"""Largest ‖z‖²/2τ at which only the Gram matrix has to be in float64; beyond it, neighbours may differ in the last digits of float32."""

DENSE = 1024
"""Samples up to which the forward pass keeps its kernels for the backward pass; above, they are computed again."""

BITS = math.log2(math.e)


@dataclass(frozen=True)
class _Space:
    """One code, scaled, a sample in each column."""

    left: Tensor  # z, −‖z‖²/2 − shift, 1; shape (d + 2, n)
    right: Tensor  # z, 1, −‖z‖²/2; shape (d + 2, n): left · right = log₂ k − shift
    shift: float  # subtracted from every exponent: the largest one, where all kernels might vanish otherwise
    scale: float  # of z, in units of the code


@dataclass(frozen=True)
class _Pairs:
    """All pairs of samples, targets first, and how they are cut into blocks of one group."""

    common: _Space
    salient: _Space  # of the targets alone
    order: Tensor  # where each row comes from, shape (n,)
    alone: Tensor  # 2^(log₂ k(s_i, 0) − shift) of every sample i, shape (n,), in the precision of the kernels
    scale: float  # of exp(a + b) in the product of the kernels
    sizes: list[int]  # samples in each block
    target_blocks: int

    @property
    def dense(self) -> bool:
        """Whether all kernels are kept."""
        return len(self.alone) <= DENSE

    def tiles(self) -> list[tuple[int, int]]:
        """Name the tiles of the upper triangle by their blocks."""
        return [(i, j) for i in range(len(self.sizes)) for j in range(i, len(self.sizes))]

    def areas(self) -> list[int]:
        """Count the kernels of each tile, those of s after those of c where both blocks are targets."""
        found = []
        for i, j in self.tiles():
            found += [self.sizes[i] * self.sizes[j]] * (2 if j < self.target_blocks else 1)
        return found

    def room(self) -> Tensor:
        """Make room for the kernels of all tiles of a small problem, of one tile of a large one."""
        return self.alone.new_empty(sum(self.areas()) if self.dense else 2 * max(self.areas()))


@dataclass(frozen=True)
class _Tile:
    """Kernels of block i against block j with a diagonal of 0; it stands for its mirror image across the diagonal too."""

    i: int
    j: int
    common: Tensor
    salient: Tensor | None  # None where a block is background
    joint: Tensor  # their product, in a buffer that may be overwritten
    spare: Tensor  # another such buffer


def entropies(c: Tensor, s: Tensor, is_target: Tensor, tau_c: float, tau_s: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the three values and what their gradients need.

    Args:
        c: common codes in float32 or float64, shape (n, d_c).
        s: salient codes, shape (n, d_s); background rows are taken as 0.
        is_target: True for target samples, shape (n,).
        tau_c: bandwidth of c, in squared units of the code.
        tau_s: bandwidth of s.

    Returns:
        The values, shape (3,); r, shape (n,); S_c, S_s and the shifts of their exponents in bits, shape (4,); the kernels of small
        problems, tile after tile.
    """
    pairs = _pairs(c, s, is_target, tau_c, tau_s)
    n, targets = len(c), pairs.salient.left.shape[1]
    r = torch.ones(n, dtype=torch.float64, device=c.device)
    parts = r.split(pairs.sizes)
    # The pairs of S_s that have no tile.
    met = 2 * (n - targets) * pairs.alone[:targets].double().sum() + (n - targets - 1) * pairs.alone[targets:].double().sum()
    totals = [0.0, float(met)]
    kept = pairs.room()
    for tile in _tiles(pairs, kept, filled=False):
        for k, kernels in enumerate((tile.common, tile.salient)):
            if kernels is not None:
                totals[k] += (1 if tile.i == tile.j else 2) * float(kernels.sum())
        parts[tile.i].add_(tile.joint.sum(1), alpha=pairs.scale)
        if tile.i != tile.j:
            parts[tile.j].add_(tile.joint.sum(0), alpha=pairs.scale)
    sums = torch.tensor([*totals, pairs.common.shift, pairs.salient.shift], dtype=torch.float64, device=c.device)
    uniformities = sums[:2].log() - math.log(n * (n - 1)) + sums[2:] / BITS
    values = torch.cat([uniformities, r.log().mean()[None] - math.log(n)]).to(c.dtype)
    return values, r, sums, kept if pairs.dense else kept.new_empty(0)


def gradients(
    g: Tensor, c: Tensor, s: Tensor, is_target: Tensor, r: Tensor, sums: Tensor, kept: Tensor, tau_c: float, tau_s: float
) -> tuple[Tensor, Tensor]:
    """Compute the gradients of c and s from those of the values, shape (3,), and what ``entropies`` gave."""
    pairs = _pairs(c, s, is_target, tau_c, tau_s, sums[2:].tolist())
    n, targets = len(c), pairs.salient.left.shape[1]
    share_c, share_s = (2 * g[:2] / sums[:2]).tolist()
    share_joint = (float(g[2]) * pairs.scale / n / r).to(pairs.alone.dtype)
    shares = share_joint.split(pairs.sizes)
    spaces = (pairs.common, pairs.salient)
    pulled = [space.right[:-1].to(share_joint.dtype) for space in spaces]
    pulls = [torch.zeros_like(z) for z in pulled]
    pulls[1][-1].add_(pairs.alone[:targets], alpha=share_s * (n - targets))
    cuts = [pairs.sizes, pairs.sizes[: pairs.target_blocks]]
    blocks = [list(zip(pull.split(cut, 1), z.split(cut, 1), strict=True)) for pull, z, cut in zip(pulls, pulled, cuts, strict=True)]
    filled = len(kept) > 0
    for tile in _tiles(pairs, kept if filled else pairs.room(), filled):
        weight = torch.add(shares[tile.i][:, None], shares[tile.j], out=tile.spare).mul_(tile.joint)
        if tile.salient is not None:
            _pull(blocks[1], tile, torch.add(weight, tile.salient, alpha=share_s, out=tile.joint))
        elif tile.i < pairs.target_blocks:
            blocks[1][tile.i][0][-1].add_(weight.sum(1))
        _pull(blocks[0], tile, weight.add_(tile.common, alpha=share_c))
    found = []
    for like, space, z, pull in zip((c, s), spaces, pulled, pulls, strict=True):
        towards = pull[:-1].addcmul_(z[:-1], pull[-1], value=-1).mul_(space.scale)
        found.append(torch.zeros_like(like).index_copy_(0, pairs.order[: pull.shape[1]], towards.T.to(like.dtype)))
    return found[0], found[1]


def _pull(blocks: list[tuple[Tensor, Tensor]], tile: _Tile, m: Tensor) -> None:
    """Add Σ_j m_ij z_j and Σ_j m_ij, of a mirrored tile for its columns too."""
    (rows, z_rows), (columns, z_columns) = blocks[tile.i], blocks[tile.j]
    rows.addmm_(z_columns, m.T)
    if tile.i != tile.j:
        columns.addmm_(z_rows, m)


def _pairs(c: Tensor, s: Tensor, is_target: Tensor, tau_c: float, tau_s: float, shifts: Sequence[float | None] = (None, None)) -> _Pairs:
    chosen, others = is_target.nonzero(), (~is_target).nonzero()
    order, targets, background = torch.cat([chosen, others])[:, 0], len(chosen), len(others)
    common, far_c = _space(c.index_select(0, order), tau_c, 0, shifts[0], centre=True)
    salient, far_s = _space(s.index_select(0, order[:targets]), tau_s, background, shifts[1], centre=False)
    precision = c.dtype
    if far_c or far_s:
        precision = torch.float64
        common, salient = (replace(space, left=space.left.double(), right=space.right.double()) for space in (common, salient))
    # Clamped, for a shift is the largest exponent of the pairs that exist: without background no sample has one with 0.
    half = torch.cat([salient.right[-1], salient.right.new_zeros(background)])
    alone = half.sub_(salient.shift).clamp_(max=0).exp2_().to(precision)
    # Small tiles lose less of the symmetry and of the groups; larger ones less time between them, up to what a cache holds.
    side = 256 if len(c) <= DENSE else 384
    cuts = [[min(side, count - start) for start in range(0, count, side)] for count in (targets, background)]
    return _Pairs(common, salient, order, alone, 2.0 ** (common.shift + salient.shift), sum(cuts, []), len(cuts[0]))


def _space(z: Tensor, tau: float, zeros: int, shift: float | None, *, centre: bool) -> tuple[_Space, bool]:
    """Prepare a code; ``zeros`` further samples lie at 0. Also say whether its kernels need float64."""
    scale = math.sqrt(BITS / tau)
    # On a GPU float32 may be shortened to TF32.
    scaled, half = _scaled(z.double() if z.is_cuda else z, scale, centre=centre)
    spread = -float(half.min()) / BITS if len(z) else 0.0
    # Written so that what is not a number counts as far.
    wide, far = not spread <= NARROW, not spread <= NEAR or z.is_cuda
    if wide and scaled.dtype != torch.float64:
        scaled, half = _scaled(z.double(), scale, centre=centre)
    one = torch.ones_like(half)
    space = _Space(torch.cat([scaled, half, one]), torch.cat([scaled, one, half]), 0.0, 1 / (scale * tau))
    # Two samples at 0 have the kernel 1, which is the largest there can be.
    if wide and zeros < 2:
        shift = _largest(space, zeros) if shift is None else shift
        space.left[-2].sub_(shift)
        space = replace(space, shift=shift)
    return space, far


def _scaled(z: Tensor, scale: float, *, centre: bool) -> tuple[Tensor, Tensor]:
    """Scale a code, and compute −‖z‖²/2, samples in columns."""
    scaled = (z - z.mean(0) if centre else z).T * scale
    return scaled, scaled.square().sum(0, keepdim=True).mul_(-0.5)


def _largest(space: _Space, zeros: int, side: int = 512) -> float:
    """Find the largest exponent off the diagonal."""
    n = space.left.shape[1]
    found = [space.right[-1].max()] if zeros and n else []
    for top in range(0, n, side):
        for start in range(top, n, side):
            exponents = torch.mm(space.left[:, top : top + side].T, space.right[:, start : start + side])
            if top == start:
                exponents.fill_diagonal_(-torch.inf)
            found.append(exponents.max())
    return float(torch.stack(found).max())


def _tiles(pairs: _Pairs, store: Tensor, filled: bool) -> Iterator[_Tile]:
    """Go through the tiles, computing their kernels in ``store`` where it is not filled; a large problem has room for one tile only."""
    largest = max(pairs.sizes) ** 2
    spares = store.new_empty(2, largest).unbind()
    gram = store.new_empty(largest, dtype=torch.float64)
    cuts = [pairs.sizes, pairs.sizes[: pairs.target_blocks]]
    spaces = [
        (space.left.split(cut, 1), space.right.split(cut, 1)) for space, cut in zip((pairs.common, pairs.salient), cuts, strict=True)
    ]
    alone = pairs.alone[:, None].split(pairs.sizes)
    kept = iter(store.split(pairs.areas())) if pairs.dense else None
    for i, j in pairs.tiles():
        area = pairs.sizes[i] * pairs.sizes[j]
        kernels = []
        for k, (left, right) in enumerate(spaces if j < pairs.target_blocks else spaces[:1]):
            out = (store[k * area : (k + 1) * area] if kept is None else next(kept)).view(pairs.sizes[i], pairs.sizes[j])
            if not filled:
                _kernels(left[i].T, right[j], out, gram)
                if i == j:
                    out.fill_diagonal_(0)
            kernels.append(out)
        joint, spare = (buffer[:area].view_as(kernels[0]) for buffer in spares)
        torch.mul(kernels[0], kernels[1] if len(kernels) > 1 else alone[i], out=joint)
        yield _Tile(i, j, kernels[0], kernels[1] if len(kernels) > 1 else None, joint, spare)


def _kernels(left: Tensor, right: Tensor, out: Tensor, gram: Tensor) -> None:
    """Compute 2^(left · right), by way of a buffer where the Gram matrix is wider than the kernels."""
    exponents = out if left.dtype == out.dtype else gram[: out.numel()].view_as(out)
    torch.mm(left, right, out=exponents).exp2_()
    if exponents is not out:
        out.copy_(exponents)

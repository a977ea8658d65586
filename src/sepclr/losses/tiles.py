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
    right: Tensor  # z, 1, −‖z‖²/2; shape (d + 2, n)
    pulled: Tensor  # z, 1 in the precision of the kernels; shape (d + 1, n)
    shift: float  # subtracted from every exponent: the largest one, where all kernels might vanish otherwise
    scale: float  # of z, in units of the code

    def kernels(self, rows: slice, columns: slice, out: Tensor, wide: Tensor | None = None) -> Tensor:
        """Compute 2^(log₂ k − shift) of rows against columns, in ``wide`` first where the Gram matrix is wider than the kernels."""
        gram = out if wide is None or self.left.dtype == out.dtype else wide[: out.numel()].view_as(out)
        torch.mm(self.left[:, rows].T, self.right[:, columns], out=gram).exp2_()
        return out if gram is out else out.copy_(gram)


@dataclass(frozen=True)
class _Pairs:
    """All pairs of samples, targets first."""

    common: _Space
    salient: _Space  # of the targets alone
    order: Tensor  # where each row comes from, shape (n,)
    alone: Tensor  # 2^(log₂ k(s_i, 0) − shift) of every sample i, shape (n,)
    scale: float  # of exp(a + b) in the product of the kernels


@dataclass(frozen=True)
class _Tile:
    """Kernels of rows against columns with a diagonal of 0."""

    rows: slice
    columns: slice
    common: Tensor
    salient: Tensor | None  # None where rows or columns are background
    joint: Tensor  # their product, in a buffer that may be overwritten
    spare: Tensor  # another such buffer

    @property
    def mirrored(self) -> bool:
        """Whether the tile stands for its mirror image across the diagonal too."""
        return self.rows != self.columns


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
    background = n - targets
    r = torch.ones(n, dtype=torch.float64, device=c.device)
    # Sums of mirrored tiles count twice; those of S_s begin with the pairs that have no tile.
    met = 2 * background * pairs.alone[:targets].sum() + (background - 1) * pairs.alone[targets:].sum()
    totals = [0.0, float(met)]
    kept = _store(pairs)
    for tile in _tiles(pairs, kept):
        for k, kernels in enumerate((tile.common, tile.salient)):
            if kernels is not None:
                totals[k] += (2 if tile.mirrored else 1) * float(kernels.sum())
        r[tile.rows].add_(tile.joint.sum(1), alpha=pairs.scale)
        if tile.mirrored:
            r[tile.columns].add_(tile.joint.sum(0), alpha=pairs.scale)
    sums = torch.tensor([*totals, pairs.common.shift, pairs.salient.shift], dtype=torch.float64, device=c.device)
    uniformities = sums[:2].log() - math.log(n * (n - 1)) + sums[2:] / BITS
    values = torch.cat([uniformities, (r.log().mean() - math.log(n))[None]]).to(c.dtype)
    return values, r, sums, kept if n <= DENSE else kept.new_empty(0)


def gradients(
    g: Tensor, c: Tensor, s: Tensor, is_target: Tensor, r: Tensor, sums: Tensor, kept: Tensor, tau_c: float, tau_s: float
) -> tuple[Tensor, Tensor]:
    """Compute the gradients of c and s from those of the values, shape (3,), and what ``entropies`` gave."""
    pairs = _pairs(c, s, is_target, tau_c, tau_s, sums[2:].tolist())
    n, targets = len(c), pairs.salient.left.shape[1]
    share_c, share_s = (2 * g[:2] / sums[:2]).tolist()
    share_joint = ((g[2] * pairs.scale / n) / r).to(pairs.alone.dtype)
    pulls = [torch.zeros_like(space.pulled) for space in (pairs.common, pairs.salient)]
    pulls[1][-1].add_(pairs.alone[:targets], alpha=share_s * (n - targets))
    for tile in _tiles(pairs, kept if len(kept) else _store(pairs), filled=len(kept) > 0):
        weight = torch.add(share_joint[tile.rows, None], share_joint[tile.columns], out=tile.spare).mul_(tile.joint)
        if tile.salient is not None:
            _pull(pulls[1], pairs.salient.pulled, tile, torch.add(weight, tile.salient, alpha=share_s, out=tile.joint))
        elif tile.rows.stop <= targets:
            pulls[1][-1, tile.rows].add_(weight.sum(1))
        _pull(pulls[0], pairs.common.pulled, tile, weight.add_(tile.common, alpha=share_c))
    found = []
    for like, space, pull in zip((c, s), (pairs.common, pairs.salient), pulls, strict=True):
        towards = pull[:-1].addcmul_(space.pulled[:-1], pull[-1], value=-1).mul_(space.scale)
        found.append(torch.zeros_like(like).index_copy_(0, pairs.order[: pull.shape[1]], towards.T.to(like.dtype)))
    return found[0], found[1]


def _pull(pull: Tensor, pulled: Tensor, tile: _Tile, m: Tensor) -> None:
    """Add Σ_j m_ij z_j and Σ_j m_ij, of mirrored tiles for columns too."""
    pull[:, tile.rows].addmm_(pulled[:, tile.columns], m.T)
    if tile.mirrored:
        pull[:, tile.columns].addmm_(pulled[:, tile.rows], m)


def _pairs(c: Tensor, s: Tensor, is_target: Tensor, tau_c: float, tau_s: float, shifts: Sequence[float | None] = (None, None)) -> _Pairs:
    order, targets = torch.argsort(is_target.byte(), descending=True, stable=True), int(is_target.sum())
    c, s = c[order], s[order[:targets]]
    background, origin = len(c) - targets, c.mean(0)
    spreads = [float(z.square().sum(1).max()) / (2 * tau) if len(z) else 0.0 for z, tau in ((c - origin, tau_c), (s, tau_s))]
    # Not on a GPU, which may shorten float32 to TF32. Written so that what is not a number counts as far.
    precision = c.dtype if all(spread <= NEAR for spread in spreads) and not c.is_cuda else torch.float64
    wide = [not spread <= NARROW for spread in spreads]
    c, s = (z.double() if far else z.to(precision) for z, far in zip((c, s), wide, strict=True))
    common = _space(c - origin, tau_c, precision)
    salient = _space(s, tau_s, precision)
    if wide[0]:
        common = _shifted(common, 0, shifts[0])
    # Two samples at 0 have the kernel 1, which is the largest there can be.
    if wide[1] and background < 2:
        salient = _shifted(salient, background, shifts[1])
    # Clamped, for a shift is the largest exponent of the pairs that exist: without background no sample has one with 0.
    half = torch.cat([salient.right[-1], salient.right.new_zeros(background)])
    alone = half.sub_(salient.shift).clamp_(max=0).exp2_().to(precision)
    return _Pairs(common, salient, order, alone, 2.0 ** (common.shift + salient.shift))


def _space(z: Tensor, tau: float, precision: torch.dtype) -> _Space:
    """Prepare a code for kernels in the given precision."""
    scaled = z.T * math.sqrt(BITS / tau)
    half = scaled.square().sum(0, keepdim=True).mul_(-0.5)
    one = torch.ones_like(half)
    left, right = torch.cat([scaled, half, one]), torch.cat([scaled, one, half])
    return _Space(left, right, right[:-1].to(precision), 0.0, 1 / math.sqrt(BITS * tau))


def _shifted(space: _Space, zeros: int, shift: float | None) -> _Space:
    """Subtract a shift from every exponent: by default the largest one off the diagonal, with ``zeros`` further samples at 0."""
    if shift is None:
        n, side = space.left.shape[1], 512
        found = [space.right[-1].max()] if zeros and n else []
        for top in range(0, n, side):
            for start in range(top, n, side):
                exponents = torch.mm(space.left[:, top : top + side].T, space.right[:, start : start + side])
                if top == start:
                    exponents.fill_diagonal_(-torch.inf)
                found.append(exponents.max())
        shift = float(torch.stack(found).max())
    space.left[-2].sub_(shift)
    return replace(space, shift=shift)


def _blocks(pairs: _Pairs) -> list[tuple[slice, slice]]:
    """Cut the upper triangle into rows against columns, each of one group."""
    n, targets = len(pairs.alone), pairs.salient.left.shape[1]
    side = _side(n)
    edges = [slice(i, min(i + side, targets)) for i in range(0, targets, side)]
    edges += [slice(i, min(i + side, n)) for i in range(targets, n, side)]
    return [(rows, columns) for k, rows in enumerate(edges) for columns in edges[k:]]


def _side(n: int) -> int:
    # Small tiles lose less of the symmetry and of the groups; larger ones less time between them, up to what a cache holds.
    return min(n, 256 if n <= DENSE else 384)


def _area(rows: slice, columns: slice) -> int:
    return (rows.stop - rows.start) * (columns.stop - columns.start)


def _store(pairs: _Pairs) -> Tensor:
    """Make room for the kernels of all tiles of a small problem, of one tile of a large one."""
    n, targets = len(pairs.alone), pairs.salient.left.shape[1]
    areas = [_area(rows, columns) * (1 + (columns.stop <= targets)) for rows, columns in _blocks(pairs)]
    return pairs.alone.new_empty(sum(areas) if n <= DENSE else max(areas))


def _tiles(pairs: _Pairs, store: Tensor, filled: bool = False) -> Iterator[_Tile]:
    """Go through the tiles, whose kernels are computed into ``store`` where it is not filled yet."""
    n, targets = len(pairs.alone), pairs.salient.left.shape[1]
    spares = store.new_empty(2, _side(n) ** 2)
    wide = store.new_empty(_side(n) ** 2, dtype=torch.float64)
    at = 0
    for rows, columns in _blocks(pairs):
        area = _area(rows, columns)
        spaces = [pairs.common, pairs.salient] if columns.stop <= targets else [pairs.common]
        views = [store[at + k * area : at + (k + 1) * area].view(-1, columns.stop - columns.start) for k in range(len(spaces))]
        at += len(spaces) * area if n <= DENSE else 0
        for space, out in zip(spaces, views, strict=True) if not filled else ():
            space.kernels(rows, columns, out, wide)
            if rows == columns:
                out.fill_diagonal_(0)
        joint, spare = (buffer[:area].view_as(views[0]) for buffer in spares)
        torch.mul(views[0], views[1] if len(views) > 1 else pairs.alone[rows, None], out=joint)
        yield _Tile(rows, columns, views[0], views[1] if len(views) > 1 else None, joint, spare)

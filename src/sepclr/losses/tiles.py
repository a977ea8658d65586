"""The entropies of ``kernel_entropies``, tile by tile over the pairs of samples: for CPUs, GPUs without Triton, and float64.

Exponents are in bits, with codes multiplied by √(log₂e/τ): 2^x takes a third of the time of e^x and does not slow down where it vanishes.
Each sample is a column: its code, then −‖z‖²/2 and 1. One matrix product gives the exponents, and another gives the weighted sum of the
other samples together with the sum of the weights.

Salient codes of background are 0, so exp b is 1 between two of them and exp(−‖s_i‖²/2τ) between target i and one of them. With samples
sorted by group, only target × target needs a Gram matrix of s.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

NARROW = 8.0
"""Largest ‖z‖²/2τ for a Gram matrix in float32: exponents are then at least −4 · 8, and each kernel is accurate to about 1e-6."""

NEAR = 512.0
"""Largest ‖s‖²/2τ at which only the Gram matrix of s must be in float64; above it, neighbours differ only in late digits of float32."""

DENSE = 1024
"""Largest number of samples for which the forward pass keeps its kernels for the backward pass; beyond it, they are recomputed."""

BITS = math.log2(math.e)


@dataclass(frozen=True)
class _Space:
    """One scaled code, one sample per column."""

    left: Tensor  # z, −‖z‖²/2 − shift, 1; shape (d + 2, n)
    right: Tensor  # z, 1, −‖z‖²/2; shape (d + 2, n): left · right = log₂ k − shift
    shift: float  # subtracted from every exponent: the largest one, if all kernels might vanish otherwise
    scale: float  # of z, in units of the code


@dataclass(frozen=True)
class _Pairs:
    """All pairs of samples, targets first, and their division into blocks of one group each."""

    spaces: tuple[_Space, _Space]  # c; s of the targets alone
    order: Tensor  # original index of each row, shape (n,)
    alone: Tensor  # 2^(log₂ k(s_i, 0) − shift) of every target i, shape (targets,), in the precision of the kernels
    scale: float  # exp(a + b) divided by the product of the kernels
    sizes: list[int]  # samples in each block
    target_blocks: int
    dense: bool  # whether all kernels are kept

    def tiles(self) -> list[tuple[int, int]]:
        """List the tiles of the upper triangle by their blocks."""
        return [(i, j) for i in range(len(self.sizes)) for j in range(i, len(self.sizes))]

    def areas(self) -> list[int]:
        """List the number of kernels of each tile, those of s after those of c if both blocks are targets."""
        found = []
        for i, j in self.tiles():
            found += [self.sizes[i] * self.sizes[j]] * (2 if j < self.target_blocks else 1)
        return found

    def room(self) -> Tensor:
        """Allocate memory for the kernels of all tiles of a small problem, or of one tile of a large one."""
        return self.alone.new_empty(sum(self.areas()) if self.dense else 2 * max(self.areas()))


@dataclass(frozen=True)
class _Tile:
    """Kernels of block i against block j with a diagonal of 0; also represents its mirror image, j against i."""

    i: int
    j: int
    kernels: list[Tensor]  # of c; also of s unless a block is background
    joint: Tensor  # k(c_i, c_j) k(s_i, s_j), in a buffer that may be overwritten
    spare: Tensor  # another such buffer


def entropies(c: Tensor, s: Tensor, is_target: Tensor, tau_c: float, tau_s: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the three values and what their gradients need.

    Args:
        c: common codes in float32 or float64, shape (n, d_c).
        s: salient codes, shape (n, d_s); background rows are treated as 0.
        is_target: True for target samples, shape (n,).
        tau_c: bandwidth of c, in squared units of the code.
        tau_s: bandwidth of s.

    Returns:
        The values, shape (3,); r, shape (n,); S_c, S_s and the shifts of their exponents in bits, shape (4,); the kernels of small
        problems, tile by tile.
    """
    pairs = _pairs(c, s, is_target, tau_c, tau_s)
    n, background = len(c), len(c) - len(pairs.alone)
    r = torch.ones(n, dtype=torch.float64, device=c.device)
    parts = r.split_with_sizes(pairs.sizes)
    # S_s starts with the pairs that have no tile.
    sums = [0.0, 2 * background * float(pairs.alone.sum(dtype=torch.float64)) + background * (background - 1)]
    kept = pairs.room()
    for tile in _tiles(pairs, kept, filled=False):
        for k, kernels in enumerate(tile.kernels):
            sums[k] += (1 if tile.i == tile.j else 2) * float(kernels.sum())
        parts[tile.i].add_(tile.joint.sum(1), alpha=pairs.scale)
        if tile.i != tile.j:
            parts[tile.j].add_(tile.joint.sum(0), alpha=pairs.scale)
    shifts = [space.shift for space in pairs.spaces]
    mean_of = math.log(n * (n - 1))
    uniformities = [(math.log(total) if total else -math.inf) - mean_of + shift / BITS for total, shift in zip(sums, shifts, strict=True)]
    values = c.new_tensor([*uniformities, float(r.log().mean()) - math.log(n)])
    return values, r, r.new_tensor(sums + shifts), kept if pairs.dense else c.new_empty(0)


def gradients(
    g: Tensor, c: Tensor, s: Tensor, is_target: Tensor, r: Tensor, sums: Tensor, kept: Tensor, tau_c: float, tau_s: float
) -> tuple[Tensor, Tensor]:
    """Compute the gradients of c and s from those of the values, shape (3,), and the results of ``entropies``."""
    *totals, shift_c, shift_s = sums.tolist()
    pairs = _pairs(c, s, is_target, tau_c, tau_s, (shift_c, shift_s))
    n, background = len(c), len(c) - len(pairs.alone)
    # Only invalid codes have a sum of 0; return NaN for them instead of raising.
    share_c, share_s = (2 * upstream / total if total else math.nan for upstream, total in zip(g[:2].tolist(), totals, strict=True))
    shares = (float(g[2]) * pairs.scale / n / r).to(pairs.alone.dtype).split_with_sizes(pairs.sizes)
    pulled = [space.right[:-1].to(pairs.alone.dtype) for space in pairs.spaces]
    pulls = [torch.zeros_like(z) for z in pulled]
    pulls[1][-1].add_(pairs.alone, alpha=share_s * background)
    blocks = [
        list(zip(pull.split_with_sizes(pairs.sizes[:count], 1), z.split_with_sizes(pairs.sizes[:count], 1), strict=True))
        for pull, z, count in zip(pulls, pulled, (None, pairs.target_blocks), strict=True)
    ]
    filled = len(kept) > 0
    for tile in _tiles(pairs, kept if filled else pairs.room(), filled):
        weight = torch.add(shares[tile.i][:, None], shares[tile.j], out=tile.spare).mul_(tile.joint)
        if len(tile.kernels) > 1:
            _pull(blocks[1], tile, torch.add(weight, tile.kernels[1], alpha=share_s, out=tile.joint))
        elif tile.i < pairs.target_blocks:
            blocks[1][tile.i][0][-1].add_(weight.sum(1))
        _pull(blocks[0], tile, weight.add_(tile.kernels[0], alpha=share_c))
    found = []
    for like, space, z, pull in zip((c, s), pairs.spaces, pulled, pulls, strict=True):
        towards = pull[:-1].addcmul_(z[:-1], pull[-1], value=-1).mul_(space.scale)
        found.append(torch.zeros_like(like).index_copy_(0, pairs.order[: pull.shape[1]], towards.T.to(like.dtype)))
    return found[0], found[1]


def _pull(blocks: list[tuple[Tensor, Tensor]], tile: _Tile, m: Tensor) -> None:
    """Add Σ_j m_ij z_j and Σ_j m_ij for the rows of a tile and, off the diagonal, for its columns."""
    (rows, z_rows), (columns, z_columns) = blocks[tile.i], blocks[tile.j]
    if tile.i == tile.j:
        rows.addmm_(z_rows, m)
    else:
        rows.addmm_(z_columns, m.T)
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
    # Clamped: the shift is the largest exponent of existing pairs, and without background no sample is paired with 0.
    alone = (salient.right[-1] - salient.shift).clamp_(max=0).exp2_().to(precision)
    # Small tiles make better use of symmetry and groups; large ones have less overhead, as long as they fit in a cache.
    side = 256 if len(c) <= DENSE else 384
    cuts = [[min(side, count - start) for start in range(0, count, side)] for count in (targets, background)]
    dense = len(c) <= DENSE and precision == c.dtype
    return _Pairs((common, salient), order, alone, 2.0 ** (common.shift + salient.shift), cuts[0] + cuts[1], len(cuts[0]), dense)


def _space(z: Tensor, tau: float, zeros: int, shift: float | None, *, centre: bool) -> tuple[_Space, bool]:
    """Scale a code, with ``zeros`` further samples at 0, and return whether its kernels need float64."""
    scale = math.sqrt(BITS / tau)
    # On a GPU, float32 products may use TF32.
    scaled, half = _scaled(z.double() if z.is_cuda else z, scale, centre=centre)
    spread = -float(half.min()) / BITS if len(z) else 0.0
    # Negated so that NaN counts as far.
    wide, far = not spread <= NARROW, not spread <= (NARROW if centre else NEAR) or z.is_cuda
    if wide and scaled.dtype != torch.float64:
        scaled, half = _scaled(z.double(), scale, centre=centre)
    one = torch.ones_like(half)
    space = _Space(torch.cat([scaled, half, one]), torch.cat([scaled, one, half]), 0.0, 1 / (scale * tau))
    # Two samples at 0 have a kernel of 1, the largest possible.
    if wide and zeros < 2:
        shift = _largest(space, zeros) if shift is None else shift
        space.left[-2].sub_(shift)
        space = replace(space, shift=shift)
    return space, far


def _scaled(z: Tensor, scale: float, *, centre: bool) -> tuple[Tensor, Tensor]:
    """Scale a code and compute −‖z‖²/2, with samples in columns."""
    scaled = (z - z.mean(0) if centre else z).T * scale
    return scaled, scaled.square().sum(0, keepdim=True).mul_(-0.5)


def _largest(space: _Space, zeros: int, side: int = 512) -> float:
    """Return the largest exponent off the diagonal."""
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
    """Yield the tiles, computing their kernels in ``store`` unless it is filled; a large problem reuses the memory of one tile."""
    largest = max(pairs.sizes) ** 2
    buffers = store.new_empty(2, largest).unbind()
    spares = buffers
    wider = any(space.left.dtype != store.dtype for space in pairs.spaces)
    gram = store.new_empty(largest if wider else 0, dtype=torch.float64)
    blocks = [
        (space.left.split_with_sizes(pairs.sizes[:count], 1), space.right.split_with_sizes(pairs.sizes[:count], 1))
        for space, count in zip(pairs.spaces, (None, pairs.target_blocks), strict=True)
    ]
    alone = pairs.alone[:, None].split_with_sizes(pairs.sizes[: pairs.target_blocks])
    kept = iter(store.split_with_sizes(pairs.areas())) if pairs.dense else None
    for i, j in pairs.tiles():
        shape = pairs.sizes[i], pairs.sizes[j]
        area = shape[0] * shape[1]
        kernels = []
        for k, (left, right) in enumerate(blocks[: 1 + (j < pairs.target_blocks)]):
            out = (store[k * area : (k + 1) * area] if kept is None else next(kept)).view(shape)
            if not filled:
                _kernels(left[i].T, right[j], out, gram)
                if i == j:
                    out.fill_diagonal_(0)
            kernels.append(out)
        if spares[0].shape != shape:
            spares = tuple(buffer[:area].view(shape) for buffer in buffers)
        torch.mul(kernels[0], kernels[1] if len(kernels) > 1 else alone[i] if i < pairs.target_blocks else 1, out=spares[0])
        yield _Tile(i, j, kernels, *spares)


def _kernels(left: Tensor, right: Tensor, out: Tensor, gram: Tensor) -> None:
    """Compute 2^(left · right), via a buffer if the Gram matrix has a higher precision than the kernels."""
    exponents = out if left.dtype == out.dtype else gram[: out.numel()].view_as(out)
    torch.mm(left, right, out=exponents).exp2_()
    if exponents is not out:
        out.copy_(exponents)

"""Uniformity of c, uniformity of s and k-JEM of one view in one pass over the pairs of samples, in linear memory.

With a_ij = log k_τ(c_i, c_j), b_ij = log k_τ(s_i, s_j) and sums that leave out i = j:

    S_c = Σ_ij exp a_ij,    S_s = Σ_ij exp b_ij,    r_i = 1 + Σ_j exp(a_ij + b_ij)
    common_uniformity = log S_c/N(N−1),    salient_uniformity = log S_s/N(N−1),    joint_entropy = 1/N Σ_i log r_i/N

The self pair's 1 in r_i is added by hand: inside the products it would cost the gradient of spread codes three to four digits.
An upstream gradient (g_c, g_s, g_J) weighs each pair in the gradient of c with
M_ij = 2 g_c exp(a_ij)/S_c + g_J/N exp(a_ij + b_ij) (1/r_i + 1/r_j), and ∂/∂c_i = −1/τ Σ_j M_ij (c_i − c_j); the same for s.
Only r, S_c and S_s are kept for it: tiles of the Gram matrices are computed again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sepclr.losses.joint_entropy import joint_entropy
from sepclr.losses.kernel import Bandwidth, bandwidths, full_precision
from sepclr.losses.uniformity import uniformity
from sepclr.types import Scalar

NARROW = 8.0
"""Largest ‖z‖²/2τ of codes (c centred) whose kernels float32 holds: no exponent lies below −32 then, and each is right to about 1e-6."""


def kernel_entropies(c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"], tau: Bandwidth = 0.5) -> dict[str, Scalar]:
    """Estimate −H(c), −H(s) and −H(c, s) together, in the released form.

    Equal to ``uniformity(c)``, ``uniformity(s)`` and ``joint_entropy(c, s)``, several times faster and in O(n) memory, backward
    included. Codes that are spread too far for float32, and all codes on a GPU, are computed in float64. Under ``torch.compile`` it is
    one opaque operation. Several bandwidths at once go through the three functions.

    Args:
        c: common codes, shape (n, d_c).
        s: salient codes with background rows set to 0 (``hide_background``), shape (n, d_s).
        tau: kernel bandwidth τ, in squared units of the codes, or ``"median"``.

    Returns:
        ``common_uniformity``, ``salient_uniformity`` and ``joint_entropy``, each to be minimised; 0 where there is no pair.

    Raises:
        InputError: a bandwidth that is not positive.
        NotImplementedError: when a second derivative is asked for; the three functions have one.

    Source: SepCLR (arXiv 2402.11928), and the form that its authors released.

    >>> import torch
    >>> z = torch.tensor([[0.0], [1.0]])
    >>> {name: round(value.item(), 4) for name, value in kernel_entropies(z, z).items()}
    {'common_uniformity': -1.0, 'salient_uniformity': -1.0, 'joint_entropy': -0.5662}
    """
    tau_c, tau_s = bandwidths(c, tau), bandwidths(s, tau)
    if len(c) < 2 or len(tau_c) > 1:
        return {
            "common_uniformity": uniformity(c, tau_c),
            "salient_uniformity": uniformity(s, tau_s),
            "joint_entropy": joint_entropy(c, s, tau),
        }
    values, *_ = _forward(full_precision(c), full_precision(s), tau_c, tau_s)
    return {"common_uniformity": values[0], "salient_uniformity": values[1], "joint_entropy": values[2]}


@dataclass(frozen=True)
class _Space:
    """One code, divided by √τ, so that a_ij = left_i · right_j."""

    left: Tensor
    """[z, −‖z‖²/2, 1], shape (n, d + 2)."""
    right: Tensor
    """[z, 1, −‖z‖²/2], shape (n, d + 2); without its last column it gives Σ_j M_ij z_j and Σ_j M_ij in one product."""


@dataclass(frozen=True)
class _Tile:
    """Kernels of rows against columns: exp(a − shift), exp(b − shift), exp(a + b), their diagonals set to 0."""

    rows: slice
    columns: slice
    common: Tensor
    salient: Tensor
    joint: Tensor
    spare: Tensor

    @property
    def mirrored(self) -> bool:
        """Whether the tile stands for its mirror image across the diagonal too."""
        return self.rows != self.columns


def _spaces(c: Tensor, s: Tensor, tau_c: Tensor, tau_s: Tensor) -> tuple[_Space, _Space, bool]:
    """Prepare both codes, in float64 where float32 does not hold their kernels."""
    # s is not centred: its rows of background are 0, and pull each other with 0 to the last bit.
    scaled = [(c - c.mean(0)) / tau_c.to(c.dtype).sqrt(), s / tau_s.to(s.dtype).sqrt()]
    # On a GPU the question would stop the queue, and float64 costs little beside a network.
    wide = c.dtype == torch.float64 or c.is_cuda or not all(bool((z.square().sum(1) <= 2 * NARROW).all()) for z in scaled)
    if wide and c.dtype != torch.float64:
        return _spaces(c.double(), s.double(), tau_c, tau_s)
    built = []
    for z in scaled:
        half, one = z.square().sum(1, keepdim=True) / -2, torch.ones_like(z[:, :1])
        built.append(_Space(torch.cat([z, half, one], 1), torch.cat([z, one, half], 1)))
    return built[0], built[1], wide


def _tiles(c: _Space, s: _Space, shift: Tensor | None) -> Iterator[_Tile]:
    """Compute the kernels tile by tile over the upper triangle, each in the buffers of the one before.

    Without ``shift`` (narrow codes) exp(a + b) is the product of the two others. ``shift`` holds the largest a and b off the diagonal.
    """
    n = len(c.left)
    # Two tiles a side at least, or half of the symmetry is lost; more than 512 rows no longer fit into a core's cache.
    side = min(n, 256 if n <= 1024 else 512)
    buffers = [c.left.new_empty(side * side) for _ in range(4)]
    starts = range(0, n, side)
    for top in starts:
        for start in starts[top // side :]:
            rows, columns = slice(top, min(top + side, n)), slice(start, min(start + side, n))
            shape = (rows.stop - top, columns.stop - start)
            a, b, joint, spare = (buffer[: shape[0] * shape[1]].view(shape) for buffer in buffers)
            torch.mm(c.left[rows], c.right[columns].T, out=a)
            torch.mm(s.left[rows], s.right[columns].T, out=b)
            if shift is None:
                torch.mul(a.exp_(), b.exp_(), out=joint)
            else:
                torch.add(a, b, out=joint).exp_()
                a.sub_(shift[0]).exp_()
                b.sub_(shift[1]).exp_()
            if top == start:
                for kernel in (a, b, joint):
                    kernel.fill_diagonal_(0)
            yield _Tile(rows, columns, a, b, joint, spare)


def _largest(c: _Space, s: _Space) -> Tensor:
    """Find the largest a and b off the diagonal, so that the largest kernel of a sum is 1 and none overflows."""
    largest = c.left.new_full((2,), -torch.inf)
    n, side = len(c.left), 512
    for top in range(0, n, side):
        for start in range(top, n, side):
            for k, space in enumerate((c, s)):
                exponents = space.left[top : top + side] @ space.right[start : start + side].T
                if top == start:
                    exponents.fill_diagonal_(-torch.inf)
                if exponents.numel() > 1:
                    largest[k] = torch.maximum(largest[k], exponents.max())
    return largest


@torch.library.custom_op(
    "sepclr::kernel_entropies", mutates_args=(), schema="(Tensor c, Tensor s, Tensor tau_c, Tensor tau_s) -> (Tensor, Tensor, Tensor, Tensor)"
)
def _forward(c: Tensor, s: Tensor, tau_c: Tensor, tau_s: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the three values, r, (S_c, S_s) as sums of shifted kernels, and the shifts."""
    with torch.autocast(c.device.type, enabled=False):
        common, salient, wide = _spaces(c, s, tau_c, tau_s)
        shift = _largest(common, salient) if wide else None
        n = len(c)
        sums, r = common.left.new_zeros(2), common.left.new_ones(n)
        for tile in _tiles(common, salient, shift):
            times = 2 if tile.mirrored else 1
            sums[0] += times * tile.common.sum()
            sums[1] += times * tile.salient.sum()
            r[tile.rows] += tile.joint.sum(1)
            if tile.mirrored:
                r[tile.columns] += tile.joint.sum(0)
        uniformities = sums.log() - torch.tensor(float(n) * (n - 1), dtype=sums.dtype, device=sums.device).log()
        kept = shift if shift is not None else sums.new_zeros(2)
        values = torch.cat([uniformities + kept, (r / n).log().mean()[None]]).to(c.dtype)
        return values, r.double(), sums.double(), kept.double()


@torch.library.custom_op(
    "sepclr::kernel_entropies_backward",
    mutates_args=(),
    schema="(Tensor g, Tensor c, Tensor s, Tensor tau_c, Tensor tau_s, Tensor r, Tensor sums, Tensor shift) -> (Tensor, Tensor)",
)
def _backward(
    g: Tensor, c: Tensor, s: Tensor, tau_c: Tensor, tau_s: Tensor, r: Tensor, sums: Tensor, shift: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute the gradients of c and s from what the forward pass kept."""
    with torch.autocast(c.device.type, enabled=False):
        common, salient, wide = _spaces(c, s, tau_c, tau_s)
        dtype, n = common.left.dtype, len(c)
        alone = (2 * g[:2] / sums).to(dtype)
        joint = (g[2] / (n * r)).to(dtype)
        pulls = [torch.zeros_like(space.right[:, :-1]) for space in (common, salient)]
        for tile in _tiles(common, salient, shift if wide else None):
            weight = torch.add(joint[tile.rows, None], joint[tile.columns], out=tile.spare).mul_(tile.joint)
            for k, (space, kernel) in enumerate(((common, tile.common), (salient, tile.salient))):
                m = kernel.mul_(alone[k]).add_(weight)
                points = space.right[:, :-1]
                pulls[k][tile.rows].addmm_(m, points[tile.columns])
                if tile.mirrored:
                    pulls[k][tile.columns].addmm_(m.T, points[tile.rows])
        gradients = []
        for pull, space, tau in zip(pulls, (common, salient), (tau_c, tau_s), strict=True):
            z, moved, mass = space.right[:, :-2], pull[:, :-1], pull[:, -1:]
            gradients.append(((moved - mass * z) / tau.to(dtype).sqrt()).to(c.dtype))
        return gradients[0], gradients[1]


@_forward.register_fake
def _(c: Tensor, s: Tensor, tau_c: Tensor, tau_s: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    wide = {"dtype": torch.float64, "device": c.device}
    return c.new_empty(3), torch.empty(len(c), **wide), torch.empty(2, **wide), torch.empty(2, **wide)


@_backward.register_fake
def _(
    g: Tensor, c: Tensor, s: Tensor, tau_c: Tensor, tau_s: Tensor, r: Tensor, sums: Tensor, shift: Tensor
) -> tuple[Tensor, Tensor]:
    return torch.empty_like(c), torch.empty_like(s)


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*inputs, *output[1:])
    ctx.mark_non_differentiable(*output[1:])


def _differentiate(ctx: Any, upstream: Tensor, *_: Tensor | None) -> tuple[Tensor, Tensor, None, None]:
    return *_backward(upstream, *ctx.saved_tensors), None, None


def _refuse(ctx: Any, *_: Tensor) -> None:
    raise NotImplementedError(
        "kernel_entropies has no second derivative; use uniformity(c), uniformity(s) and joint_entropy(c, s), which have one"
    )


_forward.register_autograd(_differentiate, setup_context=_keep)
_backward.register_autograd(_refuse)

"""Uniformity of c, uniformity of s and k-JEM of one view in one pass over the pairs of samples, in linear memory.

With a_ij = log k_τ(c_i, c_j), b_ij = log k_τ(s_i, s_j) and sums that exclude i = j:

    S_c = Σ_ij exp a_ij,    S_s = Σ_ij exp b_ij,    r_i = 1 + Σ_j exp(a_ij + b_ij)
    common_uniformity = log S_c/N(N−1),    salient_uniformity = log S_s/N(N−1),    joint_entropy = 1/N Σ_i log r_i/N

The self pair's 1 in r_i is added separately: inside the products it would cost the gradient of spread codes three to four digits.
An upstream gradient (g_c, g_s, g_J) weights each pair in the gradient of c by
M_ij = 2 g_c exp(a_ij)/S_c + g_J/N exp(a_ij + b_ij) (1/r_i + 1/r_j), and ∂/∂c_i = −1/τ Σ_j M_ij (c_i − c_j); the same for s.
For the backward pass, large batches keep only r, S_c and S_s and recompute the kernels tile by tile; small batches keep the kernels too.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sepclr.losses import tiles
from sepclr.losses.joint_entropy import joint_entropy
from sepclr.losses.kernel import Bandwidth, Bandwidths, bandwidth_pair, full_precision, hide_background
from sepclr.losses.uniformity import uniformity
from sepclr.types import Scalar


def kernel_entropies(
    c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"], tau: Bandwidths = 0.5, *, is_target: Bool[Tensor, " n"] | None = None
) -> dict[str, Scalar]:
    """Estimate −H(c), −H(s) and −H(c, s) together, in the released form.

    Equal to ``uniformity(c)``, ``uniformity(s)`` and ``joint_entropy(c, s)``, but faster and in O(n) memory, including the backward pass.
    Gradients are accurate to about 1e-6. On a GPU, float32 and half-precision codes use two Triton kernels. Without Triton, and for
    float64, a GPU runs the CPU's algorithm, which synchronises with the host. Under ``torch.compile`` this is one opaque operation.
    Several bandwidths at once fall back to the three functions.

    Args:
        c: common codes, shape (n, d_c).
        s: salient codes, shape (n, d_s).
        tau: kernel bandwidth τ, in squared units of the codes, or a pair of them for c and s; ``"median"`` uses the median
            heuristic in each space.
        is_target: True for target samples, shape (n,); the other rows of s are treated as 0, which saves time. If None,
            all samples are targets.

    Returns:
        ``common_uniformity``, ``salient_uniformity`` and ``joint_entropy``, each to be minimised; 0 for fewer than two samples.

    Raises:
        InputError: a bandwidth that is not positive.
        NotImplementedError: if a second derivative is requested; the three functions have none either.

    Source: SepCLR (arXiv 2402.11928), and the form that its authors released.

    >>> import torch
    >>> z = torch.tensor([[0.0], [1.0]])
    >>> {name: round(value.item(), 4) for name, value in kernel_entropies(z, z).items()}
    {'common_uniformity': -1.0, 'salient_uniformity': -1.0, 'joint_entropy': -0.5662}
    """
    membership = torch.ones(len(c), dtype=torch.bool, device=c.device) if is_target is None else is_target
    taus: tuple[Bandwidth, Bandwidth] = tau if isinstance(tau, tuple) else (tau, tau)
    # Plain numbers need no resolving, and the operation hides background itself.
    if len(c) < 2 or not all(isinstance(each, float | int) and each > 0 for each in taus):
        s = hide_background(s, membership)
        taus = bandwidth_pair(c, s, tau)
    if len(c) < 2 or any(isinstance(several, Tensor) and len(several) > 1 for several in taus):
        values = uniformity(c, taus[0]), uniformity(s, taus[1]), joint_entropy(c, s, taus)
    else:
        values = _forward(full_precision(c), full_precision(s), membership, float(taus[0]), float(taus[1]))[0].unbind()
    return dict(zip(("common_uniformity", "salient_uniformity", "joint_entropy"), values, strict=True))


def _path(c: Tensor) -> Any:
    """Return the module that implements the operation for these codes."""
    if c.is_cuda and c.dtype == torch.float32 and find_spec("triton"):
        from sepclr.losses import on_gpu  # GPU builds of torch include Triton

        return on_gpu
    return tiles


@torch.library.custom_op(
    "sepclr::kernel_entropies",
    mutates_args=(),
    schema="(Tensor c, Tensor s, Tensor is_target, float tau_c, float tau_s) -> (Tensor, Tensor, Tensor, Tensor)",
)
def _forward(c: Tensor, s: Tensor, is_target: Tensor, tau_c: float, tau_s: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the three values and what the backward pass needs."""
    with torch.autocast(c.device.type, enabled=False):
        found: tuple[Tensor, Tensor, Tensor, Tensor] = _path(c).entropies(c, s, is_target, tau_c, tau_s)
    return found


@torch.library.custom_op(
    "sepclr::kernel_entropies_backward",
    mutates_args=(),
    schema="(Tensor g, Tensor c, Tensor s, Tensor is_target, Tensor r, Tensor sums, Tensor kept, float tau_c, float tau_s)"
    " -> (Tensor, Tensor)",
)
def _backward(
    g: Tensor, c: Tensor, s: Tensor, is_target: Tensor, r: Tensor, sums: Tensor, kept: Tensor, tau_c: float, tau_s: float
) -> tuple[Tensor, Tensor]:
    """Compute the gradients of c and s from the results of the forward pass."""
    with torch.autocast(c.device.type, enabled=False):
        found: tuple[Tensor, Tensor] = _path(c).gradients(g, c, s, is_target, r, sums, kept, tau_c, tau_s)
    return found


@_forward.register_fake
def _(c: Tensor, s: Tensor, is_target: Tensor, tau_c: float, tau_s: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    wide = torch.empty(len(c), dtype=torch.float64, device=c.device)
    # The size of what is kept depends on the number of targets.
    kept = c.new_empty(torch.library.get_ctx().new_dynamic_size())
    return c.new_empty(3), wide, wide.new_empty(4), kept


@_backward.register_fake
def _(
    g: Tensor, c: Tensor, s: Tensor, is_target: Tensor, r: Tensor, sums: Tensor, kept: Tensor, tau_c: float, tau_s: float
) -> tuple[Tensor, Tensor]:
    return torch.empty_like(c), torch.empty_like(s)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*inputs[:3], *output[1:])
    ctx.taus = inputs[3:]
    ctx.mark_non_differentiable(*output[1:])


def _differentiate(ctx: Any, g: Tensor, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    return *_backward(g, *ctx.saved_tensors, *ctx.taus), None, None, None


def _refuse(ctx: Any, *_: Tensor) -> None:
    raise NotImplementedError("kernel_entropies has no second derivative, nor do the functions it replaces; use finite differences")


_forward.register_autograd(_differentiate, setup_context=_keep)
_backward.register_autograd(_refuse)

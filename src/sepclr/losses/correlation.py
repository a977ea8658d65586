"""Canonical correlations: how well two codes predict each other linearly, with moments accumulated over batches.

    D(a, b) = tr(Σ_aa⁻¹ Σ_ab Σ_bb⁻¹ Σ_ba)

is the sum of the squared canonical correlations. For n samples of independent codes it is about d_a d_b / n, not 0: with 64 samples and
32 + 32 dimensions one batch cannot tell dependence from noise. Moments over many batches can.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sepclr.ranges import check_at_least, check_positive
from sepclr.types import InputError, Scalar

CONSTANT = 1e-150
"""Variance up to which a code counts as constant; the square of its inverse is still finite."""

ROUNDING = 16 * torch.finfo(torch.float64).eps
"""Relative error of a mean. Variances that it explains are of constant codes, too."""


class Correlation(NamedTuple):
    """D and its gradient for each sample.

    Attributes:
        value: D, between 0 and the smaller of the two dimensions.
        a: ∂D/∂a, shape (n, d_a).
        b: ∂D/∂b, shape (n, d_b).
    """

    value: Scalar
    a: Float[Tensor, "n d_a"]
    b: Float[Tensor, "n d_b"]


def squared_correlations(a: Float[Tensor, "n d_a"], b: Float[Tensor, "n d_b"], *, ridge: float = 0.01) -> Scalar:
    """Compute D(a, b), the sum of squared canonical correlations of one sample.

    Args:
        a: first code, shape (n, d_a).
        b: second code, shape (n, d_b).
        ridge: added to the variances of each code, as a fraction of their mean; without it D is undefined for a code confined to fewer
            dimensions than it has.

    Returns:
        D, between 0 and the smaller of the two dimensions, in float64; 0 for a constant code or fewer than two samples.

    Source: Hotelling, Relations between two sets of variates, Biometrika 1936.

    >>> import torch
    >>> a = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    >>> round(squared_correlations(a, 5 - 3 * a, ridge=0.0).item(), 4)
    1.0
    """
    z = torch.cat([a, b], 1).double()
    mean = z.sum(0) / max(len(z), 1)
    centred = z - mean
    return _correlate(centred.T @ centred / max(len(z), 1), a.shape[1], ridge, (ROUNDING * mean).square())[0]


class RunningCorrelation(nn.Module):
    """D(a, b) from exponentially weighted moments of all batches so far.

    The moments are float64 buffers, regardless of the module's precision, and are saved in checkpoints.

    Args:
        a_dim: dimension of the first code.
        b_dim: dimension of the second code.
        decay: factor applied to the earlier moments at each new batch, at least 0 and below 1; the moments then represent about
            (1 + decay) / (1 − decay) batches.
        ridge: as in ``squared_correlations``.

    Raises:
        InputError: a dimension below 1, a decay outside its range, or a ridge that is not positive.
    """

    def __init__(self, a_dim: int, b_dim: int, *, decay: float = 0.95, ridge: float = 0.01) -> None:
        super().__init__()
        check_at_least(1, a_dim=a_dim, b_dim=b_dim)
        check_positive(ridge=ridge)
        if not 0 <= decay < 1:
            raise InputError(f"decay: {decay} is not at least 0 and below 1")
        self.a_dim, self.decay, self.ridge = a_dim, decay, ridge
        d = a_dim + b_dim
        self.samples: Tensor
        self.sums: Tensor
        self.products: Tensor
        self.register_buffer("samples", torch.zeros((), dtype=torch.float64))
        self.register_buffer("sums", torch.zeros(d, dtype=torch.float64))
        self.register_buffer("products", torch.zeros(d, d, dtype=torch.float64))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Move the buffers with the module, but keep them in float64."""
        return super()._apply(lambda buffer: buffer.to(fn(buffer.new_empty(0)).device), recurse)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def update(self, a: Float[Tensor, "n d_a"], b: Float[Tensor, "n d_b"]) -> None:
        """Update the moments with a batch, a of shape (n, d_a) and b of shape (n, d_b)."""
        z = torch.cat([a, b], 1).double()
        self.samples.mul_(self.decay).add_(len(z))
        self.sums.mul_(self.decay).add_(z.sum(0))
        self.products.mul_(self.decay).addmm_(z.T, z)

    @torch.no_grad()
    def forward(self, a: Float[Tensor, "n d_a"], b: Float[Tensor, "n d_b"]) -> Correlation:
        """Compute D from the moments, and the gradients of these samples as if the moments were theirs.

        Args:
            a: first code, shape (n, d_a).
            b: second code, shape (n, d_b).

        Returns:
            D and its gradients, in the precision of the codes.
        """
        mean = self.sums / self.samples.clamp(min=1)
        covariance = self.products / self.samples.clamp(min=1) - torch.outer(mean, mean)
        value, towards, within_a, within_b = _correlate(covariance, self.a_dim, self.ridge, ROUNDING * mean.square())
        x, y = (torch.cat([a, b], 1).double() - mean).tensor_split([self.a_dim], 1)
        n = max(len(x), 1)
        # ∂D/∂Σ_ab = 2P, ∂D/∂Σ_aa and ∂D/∂Σ_bb follow from it, and ∂Σ_ab/∂a_i = (b_i − μ_b)/n.
        g_a, g_b = 2 / n * (y @ towards.T - x @ within_a), 2 / n * (x @ towards - y @ within_b)
        return Correlation(value.to(a.dtype), g_a.to(a.dtype), g_b.to(b.dtype))


class CosineFeatures(nn.Module):
    """Append random features φ(z) = cos(Wz + b), in which nonlinear dependence becomes linear, to z.

    Args:
        dim: dimension of a code whose entries have a variance of about 1.
        number: number of features; W and b are drawn from torch's global generator and never trained.

    Raises:
        InputError: a negative number.

    Source: Rahimi & Recht, Random features for large-scale kernel machines, NeurIPS 2007, for a Gaussian kernel of width √dim.
    """

    def __init__(self, dim: int, number: int) -> None:
        super().__init__()
        check_at_least(0, number=number)
        self.frequencies: Tensor
        self.phases: Tensor
        self.register_buffer("frequencies", torch.randn(dim, number) / math.sqrt(dim))
        self.register_buffer("phases", 2 * math.pi * torch.rand(number))

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n more"]:
        """Compute [z, φ(z)], shape (n, dim + number)."""
        return torch.cat([z, torch.cos(z @ self.frequencies.to(z.dtype) + self.phases.to(z.dtype))], 1)


def _correlate(covariance: Tensor, a_dim: int, ridge: float, errors: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute D, ∂D/∂Σ_ab / 2 = P = Σ_aa⁻¹ Σ_ab Σ_bb⁻¹, and −∂D/∂Σ_aa and −∂D/∂Σ_bb, including the ridges' dependence on them.

    Args:
        covariance: of both codes, shape (d_a + d_b, d_a + d_b).
        a_dim: d_a.
        ridge: as in ``squared_correlations``.
        errors: what rounding may add to each variance, shape (d_a + d_b,).
    """
    a, b = slice(a_dim), slice(a_dim, None)
    s_aa, s_ab, s_bb = covariance[a, a], covariance[a, b], covariance[b, b]
    inverse_a, inverse_b = _inverse(s_aa, ridge, errors[a]), _inverse(s_bb, ridge, errors[b])
    towards = inverse_a @ s_ab @ inverse_b
    within_a, within_b = towards @ s_ab.T @ inverse_a, towards.T @ s_ab @ inverse_b
    return (towards * s_ab).sum(), towards, _with_ridge(within_a, ridge), _with_ridge(within_b, ridge)


def _inverse(covariance: Tensor, ridge: float, errors: Tensor) -> Tensor:
    """Invert a covariance with its ridge; a constant code has no correlation, so any inverse will do."""
    size = covariance.diagonal().mean()
    identity = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
    # The ridge ensures that the inverse exists; checking it would synchronise a GPU.
    return cast(
        Tensor, torch.linalg.inv_ex(covariance + torch.where(size > CONSTANT + errors.mean(), ridge * size, 1.0) * identity).inverse
    )


def _with_ridge(within: Tensor, ridge: float) -> Tensor:
    """Add the gradient through the ridge, which is proportional to the mean variance."""
    return within + ridge * within.diagonal().mean() * torch.eye(len(within), dtype=within.dtype, device=within.device)

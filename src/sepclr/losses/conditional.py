"""Upper bounds on mutual information from a conditional density q(s|c): vCLUB, vL1Out, vUB.

The bounds take a Gaussian q, given by its mean and log-variance for every sample; for the true conditional they bound I(c; s).
``VariationalBound`` learns q from the codes. All three are evaluated on the samples that q is fitted to, so each has a gradient in c and s.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from sepclr.losses.gaussian import bounded
from sepclr.losses.kernel import full_precision, in_blocks, mean_or_zero, without_self, zero_term
from sepclr.ranges import check_positive
from sepclr.types import InputError, Scalar

Bound = Literal["vclub", "vl1out", "vub"]
Direction = Literal["sym", "c2s", "s2c"]


def gaussian_log_density(
    z: Float[Tensor, "*#n d"], mean: Float[Tensor, "*#n d"], log_variance: Float[Tensor, "*#n d"]
) -> Float[Tensor, "*n"]:
    """Compute log N(z; mean, exp(log_variance)), summed over dimensions."""
    z, mean, log_variance = full_precision(z), full_precision(mean), full_precision(log_variance)
    return -((z - mean).square() * (-log_variance).exp() + log_variance + math.log(2 * math.pi)).sum(-1) / 2


def vclub(mean: Float[Tensor, "n d"], log_variance: Float[Tensor, "n d"], s: Float[Tensor, "n d"]) -> Scalar:
    """Compute the contrastive log-ratio upper bound: 1/N Σ_i log q(s_i|c_i) − 1/N² Σ_i Σ_j log q(s_j|c_i).

    Args:
        mean: mean of q(·|c_i), shape (n, d).
        log_variance: log-variance of q(·|c_i), shape (n, d).
        s: samples that q models, shape (n, d).

    Returns:
        The bound in nats; 0 for an empty batch.

    Source: Cheng et al., CLUB, ICML 2020 (arXiv 2006.12013).

    >>> import torch
    >>> mean = torch.tensor([[-1.0], [1.0]])
    >>> vclub(mean, torch.zeros(2, 1), mean).item()
    1.0
    """
    mean, log_variance, s = full_precision(mean), full_precision(log_variance), full_precision(s)
    # Averaged over j, the squared error is the variance of s plus the squared error of its mean, so no pairs are needed.
    centre = s.mean(0) if len(s) else s.sum(0)
    spread = (s - centre).square().mean(0) if len(s) else s.sum(0)
    matched = (s - mean).square()
    everyone = spread + (centre - mean).square()
    return mean_or_zero(((everyone - matched) * (-log_variance).exp()).sum(1)) / 2


def vl1out(mean: Float[Tensor, "n d"], log_variance: Float[Tensor, "n d"], s: Float[Tensor, "n d"]) -> Scalar:
    """Compute the leave-one-out upper bound: 1/N Σ_i [log q(s_i|c_i) − log 1/(N−1) Σ_{j≠i} q(s_i|c_j)].

    Args:
        mean: mean of q(·|c_i), shape (n, d).
        log_variance: log-variance of q(·|c_i), shape (n, d).
        s: samples that q models, shape (n, d).

    Returns:
        The bound in nats, at most N/(N−1) times ``vclub``; 0 for fewer than two samples.

    Source: Poole et al., On variational bounds of mutual information, ICML 2019 (arXiv 1905.06922).

    >>> import torch
    >>> mean = torch.tensor([[-1.0], [1.0]])
    >>> vl1out(mean, torch.zeros(2, 1), mean).item()
    2.0
    """
    n, d = s.shape
    if n < 2:
        return zero_term(mean, log_variance, s)
    mean, log_variance, s = full_precision(mean), full_precision(log_variance), full_precision(s)

    def block(rows: slice, mean: Tensor, log_variance: Tensor, s: Tensor) -> Tensor:
        log_q = gaussian_log_density(s[rows, None], mean, log_variance)  # (rows, n): s of rows given c of columns
        return torch.logsumexp(without_self(log_q, rows), 1)

    others = in_blocks(block, mean, log_variance, s, n=n, width=n * d)
    return (gaussian_log_density(s, mean, log_variance) - others).mean() + math.log(n - 1)


def vub(mean: Float[Tensor, "n d"], log_variance: Float[Tensor, "n d"], s: Float[Tensor, "n d"]) -> Scalar:
    """Compute the sampled variational upper bound: 1/N Σ_i [log q(s_i|c_i) − log N(s_i; 0, I)].

    Its expectation under q is KL(q(·|c_i) ‖ N(0, I)). That closed form depends on c alone, so s would get no gradient, nor
    would c with c and s exchanged. The sampled form has a gradient in both.

    Args:
        mean: mean of q(·|c_i), shape (n, d).
        log_variance: log-variance of q(·|c_i), shape (n, d).
        s: samples that q models, shape (n, d).

    Returns:
        The bound in nats; 0 for an empty batch.

    Source: Alemi et al., Deep variational information bottleneck, ICLR 2017 (arXiv 1612.00410), with samples in place of the expectation.

    >>> import torch
    >>> vub(torch.ones(1, 2), torch.zeros(1, 2), torch.ones(1, 2)).item()
    1.0
    """
    prior = gaussian_log_density(s, torch.zeros_like(mean), torch.zeros_like(log_variance))
    return mean_or_zero(gaussian_log_density(s, mean, log_variance) - prior)


BOUNDS: Mapping[str, Callable[[Tensor, Tensor, Tensor], Scalar]] = {"vclub": vclub, "vl1out": vl1out, "vub": vub}


class GaussianConditional(nn.Module):
    """Gaussian q(·|given) whose mean and log-variance are small MLPs, the latter followed by a tanh as in CLUB's own program.

    Args:
        given: dimension of the variable conditioned on.
        of: dimension of the variable that q models.
        hidden: number of hidden units of each MLP.
        log_variance_limit: largest absolute log-variance. If q can be far narrower than the spread of the codes, the bounds'
            gradients exceed those of all other terms by orders of magnitude.

    Source: Cheng et al., CLUB (arXiv 2006.12013), and github.com/Linear95/CLUB.
    """

    def __init__(self, given: int, of: int, hidden: int = 64, log_variance_limit: float = 1.0) -> None:
        super().__init__()
        self.log_variance_limit = log_variance_limit
        self.mean, self.log_variance = (nn.Sequential(nn.Linear(given, hidden), nn.ReLU(), nn.Linear(hidden, of)) for _ in range(2))

    def forward(self, given: Float[Tensor, "n d_given"]) -> tuple[Float[Tensor, "n d_of"], Float[Tensor, "n d_of"]]:
        """Compute the mean and log-variance, each of shape (n, of)."""
        return self.mean(given), bounded(self.log_variance(given), self.log_variance_limit)


class VariationalBound(nn.Module):
    """Upper bound on I(c; s) whose q is trained in alternation with the encoders.

    Args:
        bound: ``vclub``, ``vl1out`` or ``vub``.
        direction: ``c2s`` for q(s|c), ``s2c`` for q(c|s), ``sym`` for the mean of both.
        common_dim: dimension of c.
        salient_dim: dimension of s.
        hidden: number of hidden units.
        log_variance_limit: as in ``GaussianConditional``.

    Raises:
        InputError: unknown bound or direction, or a limit that is not positive.
    """

    def __init__(
        self,
        bound: Bound,
        direction: Direction,
        common_dim: int,
        salient_dim: int,
        hidden: int = 64,
        log_variance_limit: float = 1.0,
    ) -> None:
        super().__init__()
        if bound not in BOUNDS:
            raise InputError(f"bound: {bound!r} is unknown; choose vclub, vl1out or vub")
        if direction not in ("sym", "c2s", "s2c"):
            raise InputError(f"direction: {direction!r} is unknown; choose sym, c2s or s2c")
        check_positive(log_variance_limit=log_variance_limit)
        self.bound = bound
        self.densities = nn.ModuleDict()
        if direction in ("sym", "c2s"):
            self.densities["c2s"] = GaussianConditional(common_dim, salient_dim, hidden, log_variance_limit)
        if direction in ("sym", "s2c"):
            self.densities["s2c"] = GaussianConditional(salient_dim, common_dim, hidden, log_variance_limit)

    def loss(self, c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"]) -> Scalar:
        """Compute the bound, which the encoders minimise; q gets no gradient from it."""

        def bound(q: nn.Module, given: Tensor, of: Tensor) -> Tensor:
            mean, log_variance = functional_call(q, {name: value.detach() for name, value in q.named_parameters()}, (given,))
            return BOUNDS[self.bound](mean, log_variance, of)

        return self._averaged(bound, c, s)

    def critic_loss(self, c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"]) -> Scalar:
        """Compute −1/N Σ log q(s_i|c_i), which q minimises; the encoders get no gradient from it."""

        def unlikelihood(q: nn.Module, given: Tensor, of: Tensor) -> Tensor:
            return -mean_or_zero(gaussian_log_density(of, *q(given)))

        return self._averaged(unlikelihood, c.detach(), s.detach())

    def _averaged(self, term: Callable[[nn.Module, Tensor, Tensor], Tensor], c: Tensor, s: Tensor) -> Scalar:
        dtype = next(self.parameters()).dtype
        c, s = c.to(dtype), s.to(dtype)
        with torch.autocast(c.device.type, enabled=False):
            values = [term(q, *((c, s) if name == "c2s" else (s, c))) for name, q in self.densities.items()]
            return torch.stack(values).mean()

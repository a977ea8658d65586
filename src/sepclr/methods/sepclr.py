"""SepCLR (Louiset, Duchesnay, Grigis, Gori: Separating common from salient patterns with contrastive representation learning, ICLR 2024).

    max  λ_C (I(x;c) + I(y;c)) + λ_S I(y;s)    subject to    D_KL(s_x ‖ δ(s′)) = 0    and    I(c;s) = 0

x is background, y target, c the common and s the salient code, s′ = 0. What is minimised, with two views and the heads' outputs:

    λ_C [A(c) + 2U(c)]  +  λ_S [A(s_y) + 2U(s̃)]  +  β 1/N_X Σ ‖s_x‖²/2τ  +  λ independence(c, s̃)
      common                 salient                  information_less         independence

A is alignment, U uniformity, s̃ is s with background rows set to 0, c is normalised to the unit sphere. Independence is −Ĥ(c, s̃) for
``k-jem``, 0 for ``none``, and one of the other ways that the paper compares it with (``sepclr.losses.independence``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from sepclr import losses
from sepclr.losses import (
    Bandwidth,
    HasCriticLoss,
    alignment,
    bandwidths,
    full_precision,
    hide_background,
    information_less,
    kernel_entropies,
)
from sepclr.types import Batch, Codes, InputError, Outputs, Scalar


@dataclass(frozen=True)
class SepCLRWeights:
    """One multiplier per term. The defaults are those that the authors released for digits on CIFAR-10.

    Adam ignores the scale of a loss and the encoders are separate, so salient = information_less = 1000 beside independence = 10
    only keeps k-JEM's gradient out of the salient encoder: k-JEM then moves c away from s, not s away from c.

    Attributes:
        common: λ_C.
        salient: λ_S.
        information_less: β.
        independence: λ.
    """

    common: float = 1.0
    salient: float = 1000.0
    information_less: float = 1000.0
    independence: float = 10.0


class SepCLR(nn.Module):
    """Two encoders, two heads, four terms.

    Args:
        common: f_θC, from samples (n, ...) to codes (n, d_c).
        salient: f_θS, from samples (n, ...) to codes (n, d_s).
        common_head: from (n, d_c) to what the losses see, normalised here.
        salient_head: from (n, d_s) to what the losses see.
        dims: lengths (d_c, d_s) of what the heads give.
        independence: one of ``sepclr.losses.INDEPENDENCE``.
        critic_steps: steps of the critic, where independence has one, before each step of the encoders.
        weights: one multiplier per term.
        tau: kernel bandwidth τ.

    Raises:
        InputError: unknown independence, no step of the critic, or a bandwidth that is not positive.
    """

    def __init__(
        self,
        common: nn.Module,
        salient: nn.Module,
        common_head: nn.Module,
        salient_head: nn.Module,
        dims: tuple[int, int],
        *,
        independence: str = "k-jem",
        critic_steps: int = 1,
        weights: SepCLRWeights | None = None,
        tau: Bandwidth = 0.5,
    ) -> None:
        super().__init__()
        bandwidths(torch.zeros(1, 1), tau)  # complains
        if critic_steps < 1:
            raise InputError(f"critic_steps: {critic_steps} is not at least 1")
        self.common, self.salient = common, salient
        self.common_head, self.salient_head = common_head, salient_head
        self.independence, self.critic_steps = independence, critic_steps
        self.dependence = losses.independence(independence, *dims, tau)
        self.weights = weights or SepCLRWeights()
        self.tau = tau

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute c, shape (n, d_c), and s, shape (n, d_s): the encoders' outputs, before the heads."""
        return Codes(self.common(x), self.salient(x))

    def project(self, codes: Codes) -> Codes:
        """Map codes to what the losses see: c on the unit sphere, s raw."""
        return Codes(normalize(full_precision(self.common_head(codes.c))), full_precision(self.salient_head(codes.s)))

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Compute the heads of both views, c1 and c2 of shape (n, d_c), s1 and s2 of shape (n, d_s)."""
        # One pass over both views: twice the samples for batch normalisation, half the calls.
        c, s = self.project(self.encode(torch.cat([one.x, two.x])))
        c1, c2 = c.chunk(2)
        s1, s2 = s.chunk(2)
        return {"c1": c1, "c2": c2, "s1": s1, "s2": s2}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted terms ``common``, ``salient``, ``information_less`` and ``independence``."""
        c1, c2, s1, s2 = out["c1"], out["c2"], out["s1"], out["s2"]
        tau = self.tau
        # Where s is 0 in both views there is nothing to align. Picking out the targets would make a GPU wait for their number.
        shown1, shown2 = hide_background(s1, is_target), hide_background(s2, is_target)
        n, targets = len(is_target), is_target.sum().clamp(min=1)
        tau_of_targets = bandwidths(s1[is_target], tau) if isinstance(tau, str) else tau
        one, two = (kernel_entropies(c, s, tau, is_target=is_target) for c, s in ((c1, s1), (c2, s2)))
        return {
            "common": alignment(c1, c2, tau) + one["common_uniformity"] + two["common_uniformity"],
            "salient": alignment(shown1, shown2, tau_of_targets) * n / targets + one["salient_uniformity"] + two["salient_uniformity"],
            "information_less": (information_less(s1, is_target, tau) + information_less(s2, is_target, tau)) / 2,
            "independence": (one["joint_entropy"] + two["joint_entropy"]) / 2
            if self.independence == "k-jem"  # already there
            else self._mean_of_views(self.dependence.loss, out, is_target),
        }

    def critic_parameters(self) -> Sequence[nn.Parameter]:
        """List the parameters of independence's critic; none where it has no critic."""
        return list(self.dependence.parameters())

    def critic_loss(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> Scalar:
        """Compute what independence's critic minimises."""
        if not isinstance(self.dependence, HasCriticLoss):
            raise InputError(f"independence: {self.independence!r} has no critic")
        return self._mean_of_views(self.dependence.critic_loss, out, is_target)

    @staticmethod
    def _mean_of_views(term: Callable[[Tensor, Tensor], Scalar], out: Outputs, is_target: Tensor) -> Scalar:
        views = [term(out[c], hide_background(out[s], is_target)) for c, s in (("c1", "s1"), ("c2", "s2"))]
        return torch.stack(views).mean()

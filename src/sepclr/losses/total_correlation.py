"""Total correlation, estimated with a density-ratio critic."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import softplus

from sepclr.losses.kernel import mean_or_zero
from sepclr.losses.kernel_measures import shuffled
from sepclr.types import Scalar


class TotalCorrelation(nn.Module):
    """Estimate of I(c; s) from a critic D that tells (c_i, s_i) from (c_i, s_π(i)); its logit is the log of their density ratio.

    Args:
        common_dim: dimension of c.
        salient_dim: dimension of s.
        hidden: units of each hidden layer of D. If None, two layers as wide as c and s together, as in the SepVAE authors' programs. If
            empty, D is linear and sees only the means of the codes.

    Source: Kim & Mnih, Disentangling by factorising, ICML 2018 (arXiv 1802.05983); Louiset et al., SepVAE (arXiv 2307.06206) and
    github.com/neurospin-projects/2023_rlouiset_sepvae, which clip the log of the ratio at 0.
    """

    def __init__(self, common_dim: int, salient_dim: int, hidden: Sequence[int] | None = None) -> None:
        super().__init__()
        wide = common_dim + salient_dim
        sizes = [wide, *((wide, wide) if hidden is None else hidden)]
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
        self.critic = nn.Sequential(*layers, nn.Linear(sizes[-1], 1))

    def loss(self, c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"]) -> Scalar:
        """Compute the mean of relu(log D/(1 − D)) over the pairs (c_i, s_i), which the encoders minimise; D gets no gradient from it."""
        return mean_or_zero(self.logits(c, s).relu())

    def logits(self, c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"]) -> Float[Tensor, " n"]:
        """Compute log D/(1 − D) for every pair; D gets no gradient from it."""
        return self._logits({name: value.detach() for name, value in self.critic.named_parameters()}, c, s)

    def critic_loss(self, c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"]) -> Scalar:
        """Compute the cross-entropy of telling true pairs from shuffled ones, which D minimises; the encoders get no gradient from it.

        π is drawn from torch's global generator on the CPU.
        """
        parameters: dict[str, Tensor] = dict(self.critic.named_parameters())
        c, s = c.detach(), s.detach()
        paired, torn = self._logits(parameters, c, s), self._logits(parameters, c, shuffled(s))
        return (mean_or_zero(softplus(-paired)) + mean_or_zero(softplus(torn))) / 2

    def together(self, c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"]) -> Scalar:
        """Compute twice ``critic_loss`` plus the mean logit, with gradients for both encoders and D, as minimised in cVAE's release."""
        parameters: dict[str, Tensor] = dict(self.critic.named_parameters())
        paired, torn = self._logits(parameters, c, s), self._logits(parameters, c, shuffled(s))
        return mean_or_zero(softplus(-paired)) + mean_or_zero(softplus(torn)) + mean_or_zero(paired)

    def _logits(self, parameters: dict[str, Tensor], c: Tensor, s: Tensor) -> Tensor:
        dtype = next(iter(parameters.values())).dtype
        with torch.autocast(c.device.type, enabled=False):
            logits: Tensor = functional_call(self.critic, parameters, (torch.cat([c.to(dtype), s.to(dtype)], 1),))
            return logits[:, 0]

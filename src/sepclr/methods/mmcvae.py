"""MM-cVAE (Weinberger, Beebe-Wang, Lee: Moment matching deep contrastive latent variable models, AISTATS 2022, arXiv 2202.10560).

    min  Σ ‖x − d([c, s])‖² + β_c KL(q(c|x) ‖ N(0, I)) over both groups, with s = 0 for background,
       + β_s KL(q(s|y) ‖ N(0, I)) over targets
       + λ_s MMD²(s_x, 0) + λ_c MMD²(c_x, c_y)

MMD² sums Gaussian kernels exp(−γ‖a − b‖²) with γ = 10⁻⁶ … 10⁶, thirteen of them, self pairs out: with them the narrow kernels would
ask all codes to be equal. The release returns a constant 0, without gradient, where the estimate is negative: ``fidelity="released"``.
Otherwise it keeps its gradient.

The published penalties, 10³ and 10⁴, stand beside errors that are summed over a batch of 512; ours are means over samples, and the
penalties a 512th.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from sepclr.losses import two_sample_mmd
from sepclr.methods.variational import ContrastiveVAE, Fidelity, evidence
from sepclr.types import Outputs, Scalar

GAMMAS = tuple(10.0**k for k in range(-6, 7))
"""Inverse widths of the kernels: γ = 1/2τ."""

RELEASED_BATCH = 512


@dataclass(frozen=True)
class MMcVAEWeights:
    """One multiplier per term.

    Attributes:
        reconstruction: of the squared error, 1.
        common: β_c, as for digits on CIFAR-10 in SepCLR (arXiv 2402.11928).
        salient: β_s, from the same source.
        information_less: λ_s, 10³ in the release beside a sum over 512 samples.
        shared: λ_c, 10⁴ in the release beside a sum over 512 samples.
    """

    reconstruction: float = 1.0
    common: float = 0.5
    salient: float = 0.5
    information_less: float = 1e3 / RELEASED_BATCH
    shared: float = 1e4 / RELEASED_BATCH


class MMcVAE(ContrastiveVAE):
    """Two encoders, a decoder and five terms.

    Args:
        common: q(c|·), from samples (n, ...) to mean and log-variance (n, 2 d_c).
        salient: q(s|·), from samples (n, ...) to (n, 2 d_s).
        decoder: from (n, d_c + d_s) to samples (n, ...).
        fidelity: ``paper`` or ``released``.
        weights: one multiplier per term.

    Raises:
        InputError: unknown fidelity.
    """

    def __init__(
        self,
        common: nn.Module,
        salient: nn.Module,
        decoder: nn.Module,
        *,
        fidelity: Fidelity = "paper",
        weights: MMcVAEWeights | None = None,
    ) -> None:
        super().__init__(common, salient, decoder, fidelity=fidelity)
        self.weights = weights or MMcVAEWeights()

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted terms ``reconstruction``, ``common``, ``salient``, ``information_less`` and ``shared``."""
        background = out["s"][~is_target]
        taus = torch.tensor([1 / (2 * gamma) for gamma in GAMMAS], dtype=torch.float64, device=background.device)
        return evidence(out, is_target) | {
            "information_less": self._distance(background, torch.zeros_like(background), taus),
            "shared": self._distance(out["c"][~is_target], out["c"][is_target], taus),
        }

    def _distance(self, a: Tensor, b: Tensor, taus: Tensor) -> Scalar:
        """Estimate MMD²; ``two_sample_mmd`` averages kernels, the method sums them."""
        distance = len(GAMMAS) * two_sample_mmd(a, b, taus, with_self=False)
        return distance.relu() if self.fidelity == "released" else distance

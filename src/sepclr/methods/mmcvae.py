"""MM-cVAE (Weinberger, Beebe-Wang, Lee: Moment matching deep contrastive latent variable models, AISTATS 2022, arXiv 2202.10560).

    min  Σ ‖x − d([c, s])‖² + β_c KL(q(c|x) ‖ N(0, I)) over both groups, with s = 0 for background,
       + β_s KL(q(s|y) ‖ N(0, I)) over targets
       + λ_s MMD²(s_x, 0) + λ_c MMD²(c_x, c_y)

MMD² sums thirteen Gaussian kernels exp(−γ‖a − b‖²) with γ = 10⁻⁶ … 10⁶, including self pairs, as in the authors' program
(github.com/suinleelab/MM-cVAE). That program returns a constant 0 if rounding makes the estimate negative; here it keeps its gradient.

The authors add the penalties to errors summed over a batch. Here errors are means over samples, and the penalties are divided by that batch
size. The method's authors use λ_c = 10⁴ and λ_s = 10³ at 128 samples, with β_c = β_s = 1. The SepVAE authors, whose rerun of the method
(github.com/neurospin-projects/2023_rlouiset_sepvae, celeba/mm-cvae.py) is behind SepCLR's Table 1, use 10³ and 10² at 512 samples, with
β_c = β_s = 0.5: these are the defaults.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from sepclr.losses import two_sample_mmd
from sepclr.methods.options.mmcvae import MMcVAEOptions, MMcVAEWeights
from sepclr.methods.reconstruction import Counts, Squared, likelihood_of
from sepclr.methods.variational import ContrastiveVAE, evidence
from sepclr.nets import Networks
from sepclr.types import Outputs, Scalar

GAMMAS = tuple(10.0**k for k in range(-6, 7))
"""Inverse widths of the kernels: γ = 1/2τ."""


class MMcVAE(ContrastiveVAE):
    """Two encoders, a decoder and five terms.

    Args:
        common: encoder q(c|·), from samples (n, ...) to mean and log-variance (n, 2 d_c).
        salient: encoder q(s|·), from samples (n, ...) to (n, 2 d_s).
        decoder: from (n, d_c + d_s) to samples (n, ...).
        weights: weight of each term.
        likelihood: what is reconstructed, squared errors or counts; ``Squared()`` if None.
    """

    def __init__(
        self,
        common: nn.Module,
        salient: nn.Module,
        decoder: nn.Module,
        *,
        weights: MMcVAEWeights | None = None,
        likelihood: Squared | Counts | None = None,
    ) -> None:
        super().__init__(common, salient, decoder, likelihood=likelihood)
        self.weights = weights or MMcVAEWeights()

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted terms ``reconstruction``, ``common``, ``salient``, ``information_less`` and ``shared``."""
        background = out["s"][~is_target]
        return evidence(out, is_target) | {
            "information_less": _distance(background, torch.zeros_like(background)),
            "shared": _distance(out["c"][~is_target], out["c"][is_target]),
        }


def _distance(a: Tensor, b: Tensor) -> Scalar:
    """Estimate MMD²; ``two_sample_mmd`` averages kernels, the method sums them."""
    taus = torch.tensor([1 / (2 * gamma) for gamma in GAMMAS], dtype=torch.float64, device=a.device)
    return len(GAMMAS) * two_sample_mmd(a, b, taus)


def make(options: MMcVAEOptions, networks: Networks) -> MMcVAE:
    """Create the method from its options."""
    c, s = options.common_dim, options.salient_dim
    parts = networks.encoder(2 * c), networks.encoder(2 * s), networks.decoder(c + s)
    return MMcVAE(*parts, weights=options.weights, likelihood=likelihood_of(options.reconstruction, networks.sample_shape))

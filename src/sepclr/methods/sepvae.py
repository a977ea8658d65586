"""SepVAE (Louiset, Duchesnay, Grigis, Dufumier, Gori: to separate pathological from healthy patterns, 2023, arXiv 2307.06206).

    min  Σ ‖x − d([c, s])‖² + β_c KL(q(c|x) ‖ N(0, I)) over both groups, with s = 0 for background,
       + β_s KL(q(s|y) ‖ N(0, I)) over targets + β_s α/2 ‖μ_s(x)‖² over background, whose s has the fixed variance 0.1
       + κ Σ relu(log D(c, s)/(1 − D(c, s))) over both groups + γ cross-entropy of telling the groups apart from s

D tells (c_i, s_i) from (c_i, s_π(i)), has two hidden layers as wide as c and s together, and its own optimiser. The classifier has
one hidden layer as wide as s. Constants are those of github.com/neurospin-projects/2023_rlouiset_sepvae, cifar_mnist/sep_vae.py, except γ:
the release weights the classifier by 10⁻¹⁰, so it has no effect (``fidelity="released"``); here γ is 1, as the paper intends.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from sepclr.losses import TotalCorrelation, full_precision
from sepclr.methods.options.base import Discriminator
from sepclr.methods.options.sepvae import METHOD, SepVAEOptions, SepVAEWeights
from sepclr.methods.reconstruction import Counts, Squared, likelihood_of
from sepclr.methods.variational import DISCRIMINATOR, ContrastiveVAE, Fidelity, evidence
from sepclr.nets import Networks
from sepclr.types import Batch, Outputs, Scalar

BACKGROUND_VARIANCE = 0.1
"""Variance of q(s|x) for background; the release calls it sigma_q and uses its logarithm as a log-variance."""


class SepVAE(ContrastiveVAE):
    """Two encoders, a decoder, six terms, a classifier and an adversary.

    Args:
        common: encoder q(c|·), from samples (n, ...) to mean and log-variance (n, 2 d_c).
        salient: encoder q(s|·), from samples (n, ...) to (n, 2 d_s).
        decoder: from (n, d_c + d_s) to samples (n, ...).
        dims: dimensions (d_c, d_s).
        fidelity: ``paper`` or ``released``, which sets the classifier's weight if ``weights`` is None.
        critic: steps of D before each step of the other networks, its learning rate, and the samples that it sees, ``all`` or ``target``.
        weights: weight of each term.
        likelihood: what is reconstructed, squared errors or counts; ``Squared()`` if None.

    Raises:
        InputError: unknown fidelity.
    """

    def __init__(
        self,
        common: nn.Module,
        salient: nn.Module,
        decoder: nn.Module,
        dims: tuple[int, int],
        *,
        fidelity: Fidelity = "paper",
        critic: Discriminator = DISCRIMINATOR,
        weights: SepVAEWeights | None = None,
        likelihood: Squared | Counts | None = None,
    ) -> None:
        super().__init__(
            common,
            salient,
            decoder,
            TotalCorrelation(*dims),
            critic=critic,
            fidelity=fidelity,
            likelihood=likelihood,
        )
        self.classifier = nn.Sequential(nn.Linear(dims[1], dims[1]), nn.ReLU(), nn.Linear(dims[1], 1))
        self.weights = weights or cast(SepVAEOptions, METHOD.asked({"fidelity": fidelity})).weights

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Compute what the terms need from the first view, including the classifier's logits."""
        out = super().outputs(one, two)
        return {**out, "logit": full_precision(self.classifier(out["s"]))[:, 0]}

    def salient_log_variance(self, log_variance: Float[Tensor, "n d_s"], is_target: Bool[Tensor, " n"]) -> Float[Tensor, "n d_s"]:
        """Fix the log-variance of background, so that the classifier cannot read the group from it."""
        return torch.where(is_target[:, None], log_variance, math.log(BACKGROUND_VARIANCE))

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the terms ``reconstruction``, ``common``, ``salient``, ``information_less``, ``independence``, ``classification``."""
        n = max(len(is_target), 1)
        return evidence(out, is_target) | {
            "information_less": out["mean_s"][~is_target].square().sum() / (2 * n),
            "independence": self.total_correlation(out, is_target),
            "classification": binary_cross_entropy_with_logits(out["logit"], is_target.to(out["logit"].dtype), reduction="sum") / n,
        }


def make(options: SepVAEOptions, networks: Networks) -> SepVAE:
    """Create the method from its options."""
    c, s = options.common_dim, options.salient_dim
    parts = networks.encoder(2 * c), networks.encoder(2 * s), networks.decoder(c + s)
    return SepVAE(
        *parts,
        (c, s),
        fidelity=options.fidelity,
        critic=options.critic,
        weights=options.weights,
        likelihood=likelihood_of(options.reconstruction, networks.sample_shape),
    )

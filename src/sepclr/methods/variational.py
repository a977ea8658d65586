"""Base of the variational methods: two Gaussian encoders, a decoder that sees s = 0 for background, reconstruction and swapping.

    q(c|x) = N(μ_c(x), σ_c(x)²),    q(s|x) = N(μ_s(x), σ_s(x)²),    d([c, s]) for targets,    d([c, 0]) for background

Errors, divergences and total correlations are sums over samples (and over pixels and dimensions) divided by the batch size N, so that
weights do not depend on it. If a release sums over the batch, its terms are N times ours. MMD is estimated from the batch.

For digits on CIFAR-10, SepVAE and ConVAE follow github.com/neurospin-projects/2023_rlouiset_sepvae (cifar_mnist/), from which SepCLR's
Table 1 takes its baselines. All methods depart from it as follows. Log-variances are bounded (``losses.gaussian``). The discriminator's
step uses the same samples of c and s as the encoders' step (theirs draws new ones) and breaks pairs by a random permutation (theirs by a
shift of one). Optimisers last for the whole run (theirs are recreated every epoch), so a resumed run equals an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sepclr.losses import TotalCorrelation, full_precision, gaussian_kl, hide_background
from sepclr.losses.gaussian import bounded
from sepclr.methods.options.base import Discriminator
from sepclr.methods.reconstruction import Counts, Squared
from sepclr.types import Batch, Codes, InputError, Outputs, Scalar
from sepclr.views import pixels

DISCRIMINATOR = Discriminator()
"""Discriminator training as by the SepVAE authors."""

Fidelity = Literal["paper", "released"]
"""The paper's intent, or what the authors' program does where that differs."""


class ContrastiveVAE(nn.Module):
    """Base class with encoders, a decoder and, if the method has one, an adversary; methods add their terms.

    Args:
        common: encoder q(c|·), from samples (n, ...) to mean and log-variance side by side, (n, 2 d_c).
        salient: encoder q(s|·), from samples (n, ...) to (n, 2 d_s).
        decoder: d, from (n, d_c + d_s) to samples (n, ...).
        adversary: critic that tells pairs (c_i, s_i) from shuffled ones, trained in alternation.
        critic: steps, learning rate and samples of the adversary, ``all`` with s not set to 0 for background, or ``target``.
        fidelity: ``paper`` or ``released``.
        likelihood: what is reconstructed; ``Squared()`` if None.

    Raises:
        InputError: unknown fidelity.
    """

    def __init__(
        self,
        common: nn.Module,
        salient: nn.Module,
        decoder: nn.Module,
        adversary: TotalCorrelation | None = None,
        *,
        critic: Discriminator = DISCRIMINATOR,
        fidelity: Fidelity = "paper",
        likelihood: Squared | Counts | None = None,
    ) -> None:
        super().__init__()
        if fidelity not in ("paper", "released"):
            raise InputError(f"fidelity: {fidelity!r} is unknown; choose paper or released")
        self.common, self.salient, self.decoder = common, salient, decoder
        self.likelihood = likelihood or Squared()
        self.adversary, self.adversary_over, self.fidelity = adversary, critic.over, fidelity
        self.critic_steps, self.critic_learning_rate = critic.steps, critic.learning_rate

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Compute what the terms need from the first view: means and log-variances, samples c and s, and each sample's error."""
        x = pixels(one.x)
        seen = self.likelihood.seen(x)
        (mean_c, log_variance_c), (mean_s, log_variance_s) = _gaussian(self.common(seen)), _gaussian(self.salient(seen))
        log_variance_s = self.salient_log_variance(log_variance_s, one.is_target)
        c, s = _sample(mean_c, log_variance_c), _sample(mean_s, log_variance_s)
        decoded = self.decode(Codes(c, hide_background(s, one.is_target)))
        return {
            "mean_c": mean_c,
            "log_variance_c": log_variance_c,
            "mean_s": mean_s,
            "log_variance_s": log_variance_s,
            "c": c,
            "s": s,
            "error": self.likelihood.error(decoded, x),
        }

    def salient_log_variance(self, log_variance: Float[Tensor, "n d_s"], is_target: Bool[Tensor, " n"]) -> Float[Tensor, "n d_s"]:
        """Return the log-variance of s: the encoder's output, for both groups."""
        return log_variance

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute the means of q(c|x), shape (n, d_c), and q(s|x), shape (n, d_s)."""
        seen = self.likelihood.seen(x)
        return Codes(_gaussian(self.common(seen))[0], _gaussian(self.salient(seen))[0])

    def decode(self, codes: Codes) -> Float[Tensor, "n ..."]:
        """Compute samples (n, ...) from codes; for counts the logits of each gene's share."""
        samples: Tensor = self.decoder(torch.cat(codes, 1))
        return samples

    def reconstruct(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Reconstruct targets from their codes; counts as expected counts, here and below."""
        return self.likelihood.samples(self.decode(self.encode(x)), x)

    def without_salient(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Reconstruct targets as if they were background: s = 0."""
        codes = self.encode(x)
        return self.likelihood.samples(self.decode(Codes(codes.c, torch.zeros_like(codes.s))), x)

    def swap(self, x: Float[Tensor, "n ..."], donor: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Decode targets with the salient patterns of others: c of x, s of its donor."""
        return self.likelihood.samples(self.decode(Codes(self.encode(x).c, self.encode(donor).s)), x)

    def add_salient(self, x: Float[Tensor, "n ..."], donor: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Decode background with the salient patterns of targets, its donors: c of x, s of its donor."""
        return self.swap(x, donor)

    def critic_parameters(self) -> Sequence[nn.Parameter]:
        """Return the adversary's parameters; empty if the method has no adversary."""
        return [] if self.adversary is None else list(self.adversary.parameters())

    def critic_loss(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> Scalar:
        """Compute the adversary's loss.

        Raises:
            InputError: a method without an adversary.
        """
        if self.adversary is None:
            raise InputError(f"{type(self).__name__} has no adversary")
        return self.adversary.critic_loss(*self.adversary_sees(out, is_target))

    def adversary_sees(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> tuple[Float[Tensor, "m d_c"], Float[Tensor, "m d_s"]]:
        """Select the samples that the adversary sees: all, or targets only."""
        seen = torch.ones_like(is_target) if self.adversary_over == "all" else is_target
        return out["c"][seen], out["s"][seen]

    def total_correlation(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> Scalar:
        """Compute 1/N Σ relu(log D/(1 − D)) over the samples that the adversary sees, with N the size of the whole batch."""
        assert self.adversary is not None
        c, s = self.adversary_sees(out, is_target)
        return self.adversary.loss(c, s) * len(c) / max(len(is_target), 1)


def evidence(out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
    """Compute the terms of every variational method: ``reconstruction``, KL of c as ``common``, KL of s of targets as ``salient``."""
    n = max(len(is_target), 1)
    return {
        "reconstruction": out["error"].sum() / n,
        "common": gaussian_kl(out["mean_c"], out["log_variance_c"]).sum() / n,
        "salient": gaussian_kl(out["mean_s"][is_target], out["log_variance_s"][is_target]).sum() / n,
    }


def _gaussian(output: Tensor) -> tuple[Tensor, Tensor]:
    """Split an encoder's output into mean and log-variance, the latter bounded to ±8."""
    mean, log_variance = full_precision(output).chunk(2, 1)
    return mean, bounded(log_variance)


def _sample(mean: Tensor, log_variance: Tensor) -> Tensor:
    return mean + torch.randn_like(mean) * (log_variance / 2).exp()

"""What the variational methods share: two Gaussian encoders, one decoder that sees s = 0 for background, and what decoding is good for.

    q(c|x) = N(μ_c(x), σ_c(x)²),    q(s|x) = N(μ_s(x), σ_s(x)²),    d([c, s]) for targets,    d([c, 0]) for background

Errors, divergences and total correlations are sums over samples (and over pixels and dimensions) divided by the size N of the batch, so
that weights do not depend on it; where a release sums over the batch, those terms are ours times N. MMD is an estimate from the batch.

For digits on CIFAR-10, SepVAE and ConVAE follow github.com/neurospin-projects/2023_rlouiset_sepvae (cifar_mnist/), from which SepCLR's
Table 1 takes its baselines. Departures that all have in common: log-variances are bounded (``losses.gaussian``); the discriminator's step
looks at the same samples of c and s as the encoders' (theirs draws anew) and breaks pairs by a random permutation (theirs by a shift of
one); optimisers live for the whole run (theirs are made anew every epoch), so that a resumed run equals an uninterrupted one.
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
from sepclr.types import Batch, Codes, InputError, Outputs, Scalar
from sepclr.views import pixels

DISCRIMINATOR = Discriminator()
"""As the SepVAE authors train theirs."""

Fidelity = Literal["paper", "released"]
"""The paper's intent, or what the authors' program does where that differs."""


class ContrastiveVAE(nn.Module):
    """Encoders, decoder and, where the method has one, the adversary; the methods add their terms.

    Args:
        common: q(c|·), from samples (n, ...) to mean and log-variance side by side, (n, 2 d_c).
        salient: q(s|·), from samples (n, ...) to (n, 2 d_s).
        decoder: d, from (n, d_c + d_s) to samples (n, ...).
        adversary: tells pairs (c_i, s_i) from shuffled ones; it learns in turns.
        critic: its steps, its step size and the samples that it looks at, ``all`` with s not set to 0, or ``target``.
        fidelity: ``paper`` or ``released``.

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
    ) -> None:
        super().__init__()
        if fidelity not in ("paper", "released"):
            raise InputError(f"fidelity: {fidelity!r} is unknown; choose paper or released")
        self.common, self.salient, self.decoder = common, salient, decoder
        self.adversary, self.adversary_over, self.fidelity = adversary, critic.over, fidelity
        self.critic_steps, self.critic_learning_rate = critic.steps, critic.learning_rate

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Compute what the terms need of the first view: means and log-variances, samples c and s, and each sample's squared error."""
        x = pixels(one.x)
        (mean_c, log_variance_c), (mean_s, log_variance_s) = _gaussian(self.common(x)), _gaussian(self.salient(x))
        log_variance_s = self.salient_log_variance(log_variance_s, one.is_target)
        c, s = _sample(mean_c, log_variance_c), _sample(mean_s, log_variance_s)
        error = full_precision(self.decode(Codes(c, hide_background(s, one.is_target)))) - full_precision(x)
        return {
            "mean_c": mean_c,
            "log_variance_c": log_variance_c,
            "mean_s": mean_s,
            "log_variance_s": log_variance_s,
            "c": c,
            "s": s,
            "error": error.square().flatten(1).sum(1),
        }

    def salient_log_variance(self, log_variance: Float[Tensor, "n d_s"], is_target: Bool[Tensor, " n"]) -> Float[Tensor, "n d_s"]:
        """Choose the log-variance of s: what the encoder says, for both groups."""
        return log_variance

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute the means of q(c|x), shape (n, d_c), and q(s|x), shape (n, d_s)."""
        return Codes(_gaussian(self.common(x))[0], _gaussian(self.salient(x))[0])

    def decode(self, codes: Codes) -> Float[Tensor, "n ..."]:
        """Compute samples (n, ...) from codes."""
        samples: Tensor = self.decoder(torch.cat(codes, 1))
        return samples

    def reconstruct(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Compute what codes keep of targets."""
        return self.decode(self.encode(x))

    def without_salient(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Compute targets as if they were background: s = 0."""
        codes = self.encode(x)
        return self.decode(Codes(codes.c, torch.zeros_like(codes.s)))

    def swap(self, x: Float[Tensor, "n ..."], donor: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Compute targets with the salient patterns of others: c of x, s of its donor."""
        return self.decode(Codes(self.encode(x).c, self.encode(donor).s))

    def critic_parameters(self) -> Sequence[nn.Parameter]:
        """List the adversary's parameters; none where the method has no adversary."""
        return [] if self.adversary is None else list(self.adversary.parameters())

    def critic_loss(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> Scalar:
        """Compute what the adversary minimises.

        Raises:
            InputError: a method without an adversary.
        """
        if self.adversary is None:
            raise InputError(f"{type(self).__name__} has no adversary")
        return self.adversary.critic_loss(*self.adversary_sees(out, is_target))

    def adversary_sees(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> tuple[Float[Tensor, "m d_c"], Float[Tensor, "m d_s"]]:
        """Pick the samples that the adversary looks at: of all, or of targets alone."""
        seen = torch.ones_like(is_target) if self.adversary_over == "all" else is_target
        return out["c"][seen], out["s"][seen]

    def total_correlation(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> Scalar:
        """Compute 1/N Σ relu(log D/(1 − D)) over the samples that the adversary looks at, N counting the whole batch."""
        assert self.adversary is not None
        c, s = self.adversary_sees(out, is_target)
        return self.adversary.loss(c, s) * len(c) / max(len(is_target), 1)


def evidence(out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
    """Compute the terms of every variational method: ``reconstruction``, KL of c as ``common``, KL of targets' s as ``salient``."""
    n = max(len(is_target), 1)
    return {
        "reconstruction": out["error"].sum() / n,
        "common": gaussian_kl(out["mean_c"], out["log_variance_c"]).sum() / n,
        "salient": gaussian_kl(out["mean_s"][is_target], out["log_variance_s"][is_target]).sum() / n,
    }


def _gaussian(output: Tensor) -> tuple[Tensor, Tensor]:
    """Split what an encoder gives into mean and log-variance, the latter within ±8."""
    mean, log_variance = full_precision(output).chunk(2, 1)
    return mean, bounded(log_variance)


def _sample(mean: Tensor, log_variance: Tensor) -> Tensor:
    return mean + torch.randn_like(mean) * (log_variance / 2).exp()

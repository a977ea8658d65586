"""cVAE (Abid & Zou: Contrastive variational autoencoder enhances salient features, 2019, arXiv 1902.04601).

    min  Σ ‖x − d([c, s])‖² + β_c KL(q(c|x) ‖ N(0, I)) over both groups, with s = 0 for background,
       + β_s KL(q(s|y) ‖ N(0, I)) + γ TC(c, s) over targets

TC is the mean log-odds of a discriminator that tells (c_i, s_i) from (c_i, s_π(i)).

The release differs from that in two ways, both to be had by ``fidelity="released"``: its discriminator is a single linear unit, which
cannot see dependence beyond the means, and one optimiser minimises the discriminator's loss and the log-odds together over all
parameters, so that neither side plays against the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor, nn

from sepclr.losses import TotalCorrelation
from sepclr.methods.variational import ContrastiveVAE, Fidelity, evidence
from sepclr.types import Outputs, Scalar


@dataclass(frozen=True)
class CVAEWeights:
    """One multiplier per term.

    Attributes:
        reconstruction: of the squared error, 1.
        common: β_c, as for digits on CIFAR-10 in SepCLR (arXiv 2402.11928).
        salient: β_s, from the same source.
        independence: γ, 1 in the release.
    """

    reconstruction: float = 1.0
    common: float = 0.5
    salient: float = 0.5
    independence: float = 1.0


class CVAE(ContrastiveVAE):
    """Two encoders, a decoder, four terms and an adversary.

    Args:
        common: q(c|·), from samples (n, ...) to mean and log-variance (n, 2 d_c).
        salient: q(s|·), from samples (n, ...) to (n, 2 d_s).
        decoder: from (n, d_c + d_s) to samples (n, ...).
        dims: lengths (d_c, d_s).
        fidelity: ``paper`` or ``released``.
        critic_steps: steps of the adversary before each step of the others.
        weights: one multiplier per term.

    Raises:
        InputError: unknown fidelity, or no step of the adversary.
    """

    def __init__(
        self,
        common: nn.Module,
        salient: nn.Module,
        decoder: nn.Module,
        dims: tuple[int, int],
        *,
        fidelity: Fidelity = "paper",
        critic_steps: int = 1,
        weights: CVAEWeights | None = None,
    ) -> None:
        hidden = () if fidelity == "released" else (64, 64)
        super().__init__(common, salient, decoder, TotalCorrelation(*dims, hidden), critic_steps, fidelity)
        self.weights = weights or CVAEWeights()

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted terms ``reconstruction``, ``common``, ``salient`` and ``independence``."""
        assert self.adversary is not None
        dependence = self.adversary.together if self.fidelity == "released" else self.adversary.loss
        return evidence(out, is_target) | {"independence": dependence(out["c"][is_target], out["s"][is_target])}

    def critic_parameters(self) -> list[nn.Parameter]:
        """List the adversary's parameters; none as released, where it has no turn of its own."""
        return [] if self.fidelity == "released" else [*super().critic_parameters()]

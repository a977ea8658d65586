"""ConVAE (Aglinskas, Hartshorne, Anzellotti: neuroanatomical variation within autism, Science 376, 2022, 10.1126/science.abm2461).

    min  Σ ‖x − d([c, s])‖² + β_c KL(q(c|x) ‖ N(0, I)) over both groups, with s = 0 for background,
       + β_s KL(q(s|y) ‖ N(0, I)) + γ TC(c, s) over targets

TC is the mean log-odds of a discriminator that tells (c_i, s_i) from (c_i, s_π(i)), with an optimiser of its own. The release names the
codes the other way round (z for c); otherwise nothing differs.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor, nn

from sepclr.losses import TotalCorrelation
from sepclr.methods.variational import ContrastiveVAE, evidence
from sepclr.types import Outputs, Scalar


@dataclass(frozen=True)
class ConVAEWeights:
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


class ConVAE(ContrastiveVAE):
    """Two encoders, a decoder, four terms and an adversary.

    Args:
        common: q(c|·), from samples (n, ...) to mean and log-variance (n, 2 d_c).
        salient: q(s|·), from samples (n, ...) to (n, 2 d_s).
        decoder: from (n, d_c + d_s) to samples (n, ...).
        dims: lengths (d_c, d_s).
        critic_steps: steps of the adversary before each step of the others.
        weights: one multiplier per term.

    Raises:
        InputError: no step of the adversary.
    """

    def __init__(
        self,
        common: nn.Module,
        salient: nn.Module,
        decoder: nn.Module,
        dims: tuple[int, int],
        *,
        critic_steps: int = 1,
        weights: ConVAEWeights | None = None,
    ) -> None:
        super().__init__(common, salient, decoder, TotalCorrelation(*dims), critic_steps)
        self.weights = weights or ConVAEWeights()

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted terms ``reconstruction``, ``common``, ``salient`` and ``independence``."""
        assert self.adversary is not None
        return evidence(out, is_target) | {"independence": self.adversary.loss(out["c"][is_target], out["s"][is_target])}

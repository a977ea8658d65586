"""cVAE (Abid & Zou: Contrastive variational autoencoder enhances salient features, 2019, arXiv 1902.04601).

    min  Σ ‖x − d([c, s])‖² + β_c KL(q(c|x) ‖ N(0, I)) over both groups, with s = 0 for background,
       + β_s KL(q(s|y) ‖ N(0, I)) + γ log D(c, s)/(1 − D(c, s)) over targets

D tells (c_i, s_i) from (c_i, s_π(i)) among targets. ``fidelity="paper"`` gives D two hidden layers and its own training steps, and
clips the log-odds at 0, as SepVAE and ConVAE do.

``fidelity="released"`` is the authors' program (github.com/abidlabs/contrastive_vae; also in github.com/suinleelab/MM-cVAE, whose
sums over the batch are followed here): D is a single linear unit, which cannot see dependence beyond the means, and one optimiser minimises
D's loss and the log-odds together over all parameters, so there is no adversarial game. The authors break pairs by exchanging the halves of
a batch; here a random permutation does.
"""

from __future__ import annotations

from jaxtyping import Bool
from torch import Tensor, nn

from sepclr.losses import TotalCorrelation
from sepclr.methods.options.base import Discriminator
from sepclr.methods.options.cvae import CVAEOptions, CVAEWeights, TargetsDiscriminator
from sepclr.methods.reconstruction import Counts, Squared, likelihood_of
from sepclr.methods.variational import ContrastiveVAE, Fidelity, evidence
from sepclr.nets import Networks
from sepclr.types import Outputs, Scalar

DISCRIMINATOR = TargetsDiscriminator()


class CVAE(ContrastiveVAE):
    """Two encoders, a decoder, four terms and an adversary.

    Args:
        common: encoder q(c|·), from samples (n, ...) to mean and log-variance (n, 2 d_c).
        salient: encoder q(s|·), from samples (n, ...) to (n, 2 d_s).
        decoder: from (n, d_c + d_s) to samples (n, ...).
        dims: dimensions (d_c, d_s).
        fidelity: ``paper`` or ``released``.
        critic: steps of D before each step of the other networks, and its learning rate; unused as released.
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
        critic: TargetsDiscriminator = DISCRIMINATOR,
        weights: CVAEWeights | None = None,
        likelihood: Squared | Counts | None = None,
    ) -> None:
        super().__init__(
            common,
            salient,
            decoder,
            TotalCorrelation(*dims, () if fidelity == "released" else None),
            critic=Discriminator(critic.steps, critic.learning_rate, "target"),
            fidelity=fidelity,
            likelihood=likelihood,
        )
        self.weights = weights or CVAEWeights()

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted terms ``reconstruction``, ``common``, ``salient`` and ``independence``."""
        if self.fidelity == "paper":
            return evidence(out, is_target) | {"independence": self.total_correlation(out, is_target)}
        assert self.adversary is not None
        c, s = self.adversary_sees(out, is_target)
        together = self.adversary.together(c, s) * len(c) / max(len(is_target), 1)
        return evidence(out, is_target) | {"independence": together}

    def critic_parameters(self) -> list[nn.Parameter]:
        """Return the adversary's parameters; empty as released, where it is trained jointly."""
        return [] if self.fidelity == "released" else [*super().critic_parameters()]


def make(options: CVAEOptions, networks: Networks) -> CVAE:
    """Create the method from its options."""
    c, s = options.common_dim, options.salient_dim
    parts = networks.encoder(2 * c), networks.encoder(2 * s), networks.decoder(c + s)
    return CVAE(
        *parts,
        (c, s),
        fidelity=options.fidelity,
        critic=options.critic or DISCRIMINATOR,
        weights=options.weights,
        likelihood=likelihood_of(options.reconstruction, networks.sample_shape),
    )

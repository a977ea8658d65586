"""ConVAE (Aglinskas, Hartshorne, Anzellotti: neuroanatomical variation within autism, Science 376, 2022, 10.1126/science.abm2461).

    min  Σ ‖x − d([c, s])‖² + β_c KL(q(c|x) ‖ N(0, I)) over both groups, with s = 0 for background,
       + β_s KL(q(s|y) ‖ N(0, I)) over targets + γ Σ relu(log D(c, s)/(1 − D(c, s))) over both groups

D tells (c_i, s_i) from (c_i, s_π(i)), has two hidden layers as wide as c and s together, and its own optimiser.

This follows the program with which the SepVAE authors reran ConVAE (github.com/neurospin-projects/2023_rlouiset_sepvae,
cifar_mnist/con_vae.py), and so the row in SepCLR's Table 1. The program of ConVAE's own authors differs: D is a single sigmoid unit that
sees only targets, its loss and the log-odds are minimised together by one Adam optimiser, and γ is 100. ``CVAE`` with
``fidelity="released"`` has that kind of adversary; ``critic.over="target"`` shows D here only targets.
"""

from __future__ import annotations

from jaxtyping import Bool
from torch import Tensor, nn

from sepclr.losses import TotalCorrelation
from sepclr.methods.options.base import Discriminator
from sepclr.methods.options.convae import ConVAEOptions, ConVAEWeights
from sepclr.methods.reconstruction import Counts, Squared, likelihood_of
from sepclr.methods.variational import DISCRIMINATOR, ContrastiveVAE, evidence
from sepclr.nets import Networks
from sepclr.types import Outputs, Scalar


class ConVAE(ContrastiveVAE):
    """Two encoders, a decoder, four terms and an adversary.

    Args:
        common: encoder q(c|·), from samples (n, ...) to mean and log-variance (n, 2 d_c).
        salient: encoder q(s|·), from samples (n, ...) to (n, 2 d_s).
        decoder: from (n, d_c + d_s) to samples (n, ...).
        dims: dimensions (d_c, d_s).
        critic: steps of D before each step of the other networks, its learning rate, and the samples that it sees, ``all`` or ``target``.
        weights: weight of each term.
        likelihood: what is reconstructed, squared errors or counts; ``Squared()`` if None.
    """

    def __init__(
        self,
        common: nn.Module,
        salient: nn.Module,
        decoder: nn.Module,
        dims: tuple[int, int],
        *,
        critic: Discriminator = DISCRIMINATOR,
        weights: ConVAEWeights | None = None,
        likelihood: Squared | Counts | None = None,
    ) -> None:
        super().__init__(
            common,
            salient,
            decoder,
            TotalCorrelation(*dims),
            critic=critic,
            likelihood=likelihood,
        )
        self.weights = weights or ConVAEWeights()

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted terms ``reconstruction``, ``common``, ``salient`` and ``independence``."""
        return evidence(out, is_target) | {"independence": self.total_correlation(out, is_target)}


def make(options: ConVAEOptions, networks: Networks) -> ConVAE:
    """Create the method from its options."""
    c, s = options.common_dim, options.salient_dim
    parts = networks.encoder(2 * c), networks.encoder(2 * s), networks.decoder(c + s)
    return ConVAE(
        *parts,
        (c, s),
        critic=options.critic,
        weights=options.weights,
        likelihood=likelihood_of(options.reconstruction, networks.sample_shape),
    )

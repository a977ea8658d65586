"""Options of cVAE."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from sepclr.methods.options.base import Alternative, Declaration, Options, Paper, check_critic
from sepclr.methods.options.variational import DIM, usual


@dataclass(frozen=True)
class CVAEWeights:
    """Weight of each term, each 1 in the release.

    Attributes:
        reconstruction: weight of the squared error.
        common: β_c.
        salient: β_s.
        independence: γ.
    """

    reconstruction: float = 1.0
    common: float = 1.0
    salient: float = 1.0
    independence: float = 1.0


@dataclass(frozen=True)
class TargetsDiscriminator:
    """Critic that tells pairs (c, s) of targets from shuffled ones.

    Attributes:
        steps: number of critic steps before each step of the other networks.
        learning_rate: learning rate of the critic.
    """

    steps: int = 1
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        check_critic(self.steps, self.learning_rate)


@dataclass(frozen=True, kw_only=True)
class CVAEOptions(Options):
    """cVAE.

    Attributes:
        fidelity: ``paper`` for the paper's intent, ``released`` for its authors' code where that differs.
        common_dim: dimension of the common code c.
        salient_dim: dimension of the salient code s.
        reconstruction: ``squared``, or ``negative-binomial`` for rows of counts, such as genes of cells, which are not standardised.
        weights: weight of each term.
        critic: the discriminator; None as released, where it is trained jointly with the encoders.
    """

    name: ClassVar[str] = "cvae"

    common_dim: int = DIM
    salient_dim: int = DIM
    fidelity: Literal["paper", "released"] = "paper"
    reconstruction: Literal["squared", "negative-binomial"] = "squared"
    weights: CVAEWeights = field(default_factory=CVAEWeights)
    critic: TargetsDiscriminator | None = field(default_factory=TargetsDiscriminator)


METHOD = Declaration(
    "cvae",
    Paper("Abid, Zou: Contrastive variational autoencoder enhances salient features", 2019, "https://arxiv.org/abs/1902.04601"),
    "sepclr.CVAE",
    (
        Alternative(CVAEOptions(), {"fidelity": ("paper",)}),
        Alternative(CVAEOptions(fidelity="released", critic=None), {"fidelity": ("released",)}),
    ),
    critic=True,
    **usual(),
    strengths=(
        "It has a decoder: it reconstructs samples, removes the salient pattern and swaps it.",
        "With a negative binomial for counts, types of simulated cells are decoded from c and responses from s nearly without error "
        "(docs/own_data.md).",
    ),
    limits=(
        "Its adversary sees targets only, so nothing keeps the group out of c (docs/table1.md).",
        "On simulated cells, part of the response remains in c; on digits over CIFAR-10 most of the digit does.",
        "Its decoder blurs: on marked digits without the mark, few digits are kept (docs/counterfactuals.md).",
        "The released adversary is one linear unit, which cannot see dependence beyond the means.",
    ),
)

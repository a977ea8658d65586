"""Options of cVAE."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from sepclr.methods.options.base import Alternative, Declaration, Options, Paper, check_critic
from sepclr.methods.options.variational import DIM, usual


@dataclass(frozen=True)
class CVAEWeights:
    """One multiplier per term, each 1 in the release.

    Attributes:
        reconstruction: of the squared error.
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
    """A critic that tells pairs (c, s) of targets from shuffled ones.

    Attributes:
        steps: steps of the critic before each step of the others.
        learning_rate: step size of the critic.
    """

    steps: int = 1
    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        check_critic(self.steps, self.learning_rate)


@dataclass(frozen=True, kw_only=True)
class CVAEOptions(Options):
    """cVAE.

    Attributes:
        fidelity: the ``paper``'s intent, or what its authors ``released`` where that differs.
        common_dim: length of the common code c.
        salient_dim: length of the salient code s.
        weights: one multiplier per term.
        critic: the discriminator; as released it has no turns of its own.
    """

    name: ClassVar[str] = "cvae"

    common_dim: int = DIM
    salient_dim: int = DIM
    fidelity: Literal["paper", "released"] = "paper"
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
)

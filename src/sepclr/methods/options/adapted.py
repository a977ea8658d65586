"""Options of domain adaptation with a salient code for the domain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from sepclr.methods.options.base import Alternative, Declaration, Options, Paper
from sepclr.methods.options.domains import LABEL


@dataclass(frozen=True)
class AdaptedWeights:
    """Weight of each term.

    Attributes:
        classification: weight of the cross-entropy of the labels, from c.
        common: weight of the alignment and uniformity of c.
        salient: weight of the alignment and uniformity of s.
        domain: weight of the cross-entropy of the domain, from s.
        independence: λ, weight of k-JEM.
        similarity: μ, weight of MMD² between the common codes of the domains.
    """

    classification: float = 1.0
    common: float = 0.1
    salient: float = 0.1
    domain: float = 1.0
    independence: float = 1.0
    similarity: float = 3.0


@dataclass(frozen=True, kw_only=True)
class AdaptedOptions(Options):
    """A classifier with a code s for what only one domain has.

    Attributes:
        independence: independence term; ``none`` shows what it adds.
        salient_dim: dimension of the salient code s.
        tau: kernel bandwidth τ.
        weights: weight of each term.
    """

    name: ClassVar[str] = "adapted"

    independence: Literal["k-jem", "none"] = "k-jem"
    salient_dim: int = 32
    tau: float = 0.5
    weights: AdaptedWeights = field(default_factory=AdaptedWeights)

    @property
    def label(self) -> str:
        """Return its name and the independence term."""
        return f"{self.name}-{self.independence}"


METHOD = Declaration(
    "adapted",
    Paper(
        "Louiset, Duchesnay, Grigis, Gori: Separating common from salient patterns with contrastive representation learning",
        2024,
        "https://arxiv.org/abs/2402.11928",
    ),
    "sepclr.Adapted",
    (Alternative(AdaptedOptions(), {"independence": ("k-jem", "none")}),),
    task="domains",
    extra=LABEL,
    classes="label",
    strengths=("It has a salient code s for what tells the domains apart; k-JEM takes much of the class out of s (docs/domains.md).",),
    limits=(
        "k-JEM adds nothing to the prediction, which does not use s.",
        "It has two encoders, and takes twice as long as methods without s.",
        "Its weights were chosen with labels of the target domain, which users do not have.",
        "Both domains must have the same classes in similar proportions.",
    ),
)

"""Options of methods for two modalities of the same samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from sepclr.methods.options.base import Alternative, Declaration, Options, Paper

WEAK = {"weak": "other modality of each sample, which has only what both share"}


@dataclass(frozen=True)
class ModalitiesWeights:
    """Weight of each term.

    Attributes:
        common: weight of the alignment of c with w, and of its uniformity.
        salient: weight of the alignment and uniformity of s.
        independence: λ, weight of k-JEM.
    """

    common: float = 1.0
    salient: float = 1.0
    independence: float = 100.0


@dataclass(frozen=True, kw_only=True)
class ModalitiesOptions(Options):
    """What a strong modality adds to a weak one.

    Attributes:
        independence: independence term; ``none`` shows what it adds.
        salient_dim: dimension of the salient code s.
        apart_from: codes that k-JEM keeps s apart from: that of the weak modality, ``w``, the common code, ``c``, or ``both``.
        tau: kernel bandwidth τ.
        weights: weight of each term.
    """

    name: ClassVar[str] = "modalities"

    independence: Literal["k-jem", "none"] = "k-jem"
    salient_dim: int = 32
    apart_from: Literal["w", "c", "both"] = "w"
    tau: float = 0.5
    weights: ModalitiesWeights = field(default_factory=ModalitiesWeights)

    @property
    def label(self) -> str:
        """Return its name and the independence term."""
        return f"{self.name}-{self.independence}"


@dataclass(frozen=True)
class CrossModalWeights:
    """Weight of the only term.

    Attributes:
        common: weight of the contrastive loss.
    """

    common: float = 1.0


@dataclass(frozen=True, kw_only=True)
class CrossModalOptions(Options):
    """SimCLR across modalities.

    Attributes:
        tau: temperature τ.
        weights: weight of each term.
    """

    name: ClassVar[str] = "simclr-modalities"

    tau: float = 0.5
    weights: CrossModalWeights = field(default_factory=CrossModalWeights)


METHOD = Declaration(
    "modalities",
    Paper(
        "Louiset, Duchesnay, Grigis, Gori: Separating common from salient patterns with contrastive representation learning",
        2024,
        "https://arxiv.org/abs/2402.11928",
    ),
    "sepclr.Modalities",
    (Alternative(ModalitiesOptions(), {"independence": ("k-jem", "none")}),),
    task="modalities",
    extra=WEAK,
)
CROSS_MODAL = Declaration(
    "simclr-modalities",
    Paper(
        "Tian, Krishnan, Isola: Contrastive multiview coding",
        2020,
        "https://arxiv.org/abs/1906.05849",
    ),
    "sepclr.CrossModal",
    (Alternative(CrossModalOptions()),),
    task="modalities",
    extra=WEAK,
    separates=False,
)

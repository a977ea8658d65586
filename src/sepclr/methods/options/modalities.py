"""Options of methods for two modalities of the same samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from sepclr.methods.options.base import Alternative, Declaration, Options, Paper
from sepclr.ranges import check_positive

WEAK = {"weak": "other modality of each sample, which has only what both share"}


@dataclass(frozen=True)
class ModalitiesWeights:
    """Weight of each term.

    Attributes:
        common: weight of what makes c the code of the weak modality.
        salient: weight of the alignment and uniformity of s.
        independence: λ, weight of k-JEM.
    """

    common: float = 1.0
    salient: float = 1.0
    independence: float = 10.0


@dataclass(frozen=True, kw_only=True)
class ModalitiesOptions(Options):
    """What a strong modality adds to a weak one.

    Attributes:
        independence: independence term; ``none`` shows what it adds.
        stages: ``weak-first``, which trains w alone and then freezes it, or ``together``, which contrasts w and c.
        salient_dim: dimension of the salient code s.
        apart_from: code that k-JEM keeps s apart from: that of the weak modality, ``w``, or the common code, ``c``.
        moves: codes that k-JEM moves: ``s``, or ``both``, if s is kept apart from c.
        tau: kernel bandwidth τ.
        tau_other: kernel bandwidth of w or c in k-JEM.
        temperature: temperature of the contrast of w and c.
        weights: weight of each term.
    """

    name: ClassVar[str] = "modalities"

    independence: Literal["k-jem", "none"] = "k-jem"
    stages: Literal["weak-first", "together"] = "weak-first"
    salient_dim: int = 32
    apart_from: Literal["w", "c"] = "c"
    moves: Literal["s", "both"] = "s"
    tau: float = 0.5
    tau_other: float = 0.1
    temperature: float = 0.2
    weights: ModalitiesWeights = field(default_factory=ModalitiesWeights)

    def __post_init__(self) -> None:
        Options.__post_init__(self)  # super() does not work in a dataclass that is replaced
        check_positive(tau_other=self.tau_other, temperature=self.temperature)

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
        temperature: temperature of the contrast of w and c.
        weights: weight of each term.
    """

    name: ClassVar[str] = "simclr-modalities"

    temperature: float = 0.2
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
    strengths=(
        "k-JEM takes much of what both modalities share out of s, with digit and photograph either way round (docs/modalities.md).",
        "`transform_other` encodes samples of which only the weak modality is known.",
    ),
    limits=(
        "Every training sample needs both modalities, and only the strong one has an s.",
        "c still holds some of what is private to the strong modality; in quadrants, most of it.",
        "A probe fitted on w is of little use for c: a gap lies between the modalities.",
        "The choice of stages and of what k-JEM moves was made on validation pairs of each data set.",
    ),
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
    strengths=(
        "It has one stage, one term and no salient code to tune.",
        "On quadrants, its c is that of `modalities` trained together without k-JEM (docs/modalities.md).",
    ),
    limits=(
        "It has no s: what only the strong modality has is lost, or remains in c.",
        "With digit and photograph, c holds less of the digit than that of `modalities`.",
    ),
)

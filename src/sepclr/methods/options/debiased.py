"""Options of methods that predict a class from a code without a bias."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from sepclr.methods.options.base import Alternative, Declaration, Options, Paper
from sepclr.ranges import check_positive

LABEL = {"label": "class of each sample, which is predicted"}
BOTH = LABEL | {"bias": "bias of each sample, such as the colour of a digit or the site of a scan, a class"}


@dataclass(frozen=True)
class DebiasedWeights:
    """Weight of each term.

    Attributes:
        classification: weight of the cross-entropy.
        independence: λ, weight of k-JEM or k-MI.
    """

    classification: float = 1.0
    independence: float = 10.0


@dataclass(frozen=True)
class ClassificationWeights:
    """Weight of the only term.

    Attributes:
        classification: weight of the cross-entropy.
    """

    classification: float = 1.0


@dataclass(frozen=True, kw_only=True)
class DebiasedOptions(Options):
    """Batches that hold all pairs of class and bias equally often, and a code independent of the bias.

    Attributes:
        independence: independence term; without one it would be ``balanced-batches``.
        tau: kernel bandwidth τ.
        weights: weight of each term.
    """

    name: ClassVar[str] = "debiased"

    independence: Literal["k-jem", "k-mi"] = "k-jem"
    tau: float = 0.5
    weights: DebiasedWeights = field(default_factory=DebiasedWeights)

    @property
    def label(self) -> str:
        """Return its name and the independence term."""
        return f"{self.name}-{self.independence}"


@dataclass(frozen=True, kw_only=True)
class BalancedOptions(Options):
    """Batches that hold all pairs of class and bias equally often.

    Attributes:
        weights: weight of each term.
    """

    name: ClassVar[str] = "balanced-batches"

    weights: ClassificationWeights = field(default_factory=ClassificationWeights)


@dataclass(frozen=True, kw_only=True)
class PlainOptions(Options):
    """Empirical risk minimisation: the mean cross-entropy, whatever the bias.

    Attributes:
        weights: weight of each term.
    """

    name: ClassVar[str] = "erm"

    weights: ClassificationWeights = field(default_factory=ClassificationWeights)


@dataclass(frozen=True, kw_only=True)
class ReweightingOptions(Options):
    """Samples weighted by the inverse frequency of their pair of class and bias.

    Attributes:
        weights: weight of each term.
    """

    name: ClassVar[str] = "reweighting"

    weights: ClassificationWeights = field(default_factory=ClassificationWeights)


@dataclass(frozen=True, kw_only=True)
class GroupDROOptions(Options):
    """The worst pair of class and bias.

    Attributes:
        step_size: step size of the weights of the pairs.
        weights: weight of each term.
    """

    name: ClassVar[str] = "group-dro"

    step_size: float = 0.01
    weights: ClassificationWeights = field(default_factory=ClassificationWeights)

    def __post_init__(self) -> None:
        Options.__post_init__(self)  # super() does not work in a dataclass that is replaced
        check_positive(step_size=self.step_size)


@dataclass(frozen=True, kw_only=True)
class LogitAdjustmentOptions(Options):
    """Logits offset by the frequency of each class given the bias.

    Attributes:
        weights: weight of each term.
    """

    name: ClassVar[str] = "logit-adjustment"

    weights: ClassificationWeights = field(default_factory=ClassificationWeights)


SAMPLING = Paper(
    "Idrissi, Arjovsky, Pezeshki, Lopez-Paz: Simple data balancing achieves competitive worst-group-accuracy",
    2022,
    "https://arxiv.org/abs/2110.14503",
)
"""Compares balanced batches, weights and the plain mean; subsampling is not here."""

METHOD = Declaration(
    "debiased",
    Paper(
        "Louiset, Duchesnay, Grigis, Gori: Separating common from salient patterns with contrastive representation learning",
        2024,
        "https://arxiv.org/abs/2402.11928",
    ),
    "sepclr.Debiased",
    (Alternative(DebiasedOptions(), {"independence": ("k-jem", "k-mi")}),),
    task="debiasing",
    extra=BOTH,
    classes="label",
)
BALANCED, PLAIN, REWEIGHTING, GROUP_DRO, LOGIT_ADJUSTMENT = (
    Declaration(
        options.name, paper, f"sepclr.{where}", (Alternative(options),), task="debiasing", extra=extra, classes="label", separates=False
    )
    for options, where, paper, extra in (
        (BalancedOptions(), "BalancedBatches", SAMPLING, BOTH),
        (PlainOptions(), "ERM", SAMPLING, LABEL),
        (ReweightingOptions(), "Reweighting", SAMPLING, BOTH),
        (
            GroupDROOptions(),
            "GroupDRO",
            Paper(
                "Sagawa, Koh, Hashimoto, Liang: Distributionally robust neural networks for group shifts",
                2020,
                "https://arxiv.org/abs/1911.08731",
            ),
            BOTH,
        ),
        (
            LogitAdjustmentOptions(),
            "LogitAdjustment",
            Paper(
                "Hong, Yang: Unbiased classification through bias-contrastive and bias-balanced learning",
                2021,
                "https://openreview.net/forum?id=2OqZZAqxnn",
            ),
            BOTH,
        ),
    )
)
METHODS = (METHOD, BALANCED, PLAIN, REWEIGHTING, GROUP_DRO, LOGIT_ADJUSTMENT)

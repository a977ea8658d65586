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
    strengths=(
        "Little of the bias can be read from c: on coloured MNIST less than with any other method (docs/debiasing.md).",
        "With 99.5 % of samples aligned, it predicts better than balanced batches on coloured MNIST.",
    ),
    limits=(
        "The bias of every training sample has to be known.",
        "Where the bias is weaker, balanced batches predict better.",
        "It costs some of the class: probes fitted on unbiased samples read less of it from c than with balanced batches.",
        "The probes are linear, and c is not at chance: another reader may find more of the bias.",
    ),
)
BALANCED = Declaration(
    "balanced-batches",
    SAMPLING,
    "sepclr.BalancedBatches",
    (Alternative(BalancedOptions()),),
    task="debiasing",
    extra=BOTH,
    classes="label",
    separates=False,
    strengths=(
        "It is most of the gain in accuracy over ERM, by the choice of batches alone (docs/debiasing.md).",
        "Its code is the best of those compared for a linear classifier fitted on unbiased samples of coloured MNIST.",
    ),
    limits=(
        "Most of the bias can be read from c where nearly all samples are aligned.",
        "The bias of every training sample has to be known.",
    ),
)
PLAIN = Declaration(
    "erm",
    SAMPLING,
    "sepclr.ERM",
    (Alternative(PlainOptions()),),
    task="debiasing",
    extra=LABEL,
    classes="label",
    separates=False,
    strengths=("It needs no bias, and shows what ignoring it costs.",),
    limits=(
        "It predicts from the bias: on coloured MNIST it is hardly better than chance where the colour says nothing (docs/debiasing.md).",
    ),
)
REWEIGHTING = Declaration(
    "reweighting",
    SAMPLING,
    "sepclr.Reweighting",
    (Alternative(ReweightingOptions()),),
    task="debiasing",
    extra=BOTH,
    classes="label",
    separates=False,
    strengths=("It has the expected gradient of balanced batches, on batches of all samples alike.",),
    limits=(
        "It predicts worse than balanced batches: most batches hold few samples without the bias, with large weights (docs/debiasing.md).",
        "The bias of every training sample has to be known.",
    ),
)
GROUP_DRO = Declaration(
    "group-dro",
    Paper(
        "Sagawa, Koh, Hashimoto, Liang: Distributionally robust neural networks for group shifts",
        2020,
        "https://arxiv.org/abs/1911.08731",
    ),
    "sepclr.GroupDRO",
    (Alternative(GroupDROOptions()),),
    task="debiasing",
    extra=BOTH,
    classes="label",
    separates=False,
    strengths=("It weights the pair of class and bias with the largest loss most, instead of the mean over pairs.",),
    limits=(
        "It does not improve on balanced batches here (docs/debiasing.md).",
        "It is without the weight decay of its authors, which they found to matter.",
        "The bias of every training sample has to be known.",
    ),
)
LOGIT_ADJUSTMENT = Declaration(
    "logit-adjustment",
    Paper(
        "Hong, Yang: Unbiased classification through bias-contrastive and bias-balanced learning",
        2021,
        "https://openreview.net/forum?id=2OqZZAqxnn",
    ),
    "sepclr.LogitAdjustment",
    (Alternative(LogitAdjustmentOptions()),),
    task="debiasing",
    extra=BOTH,
    classes="label",
    separates=False,
    strengths=(
        "It changes neither batches nor weights, only the logits in training.",
        "It predicts better than reweighting, and leaves less of the bias in c than balanced batches (docs/debiasing.md).",
    ),
    limits=(
        "It predicts worse than balanced batches.",
        "The bias of every training sample has to be known.",
    ),
)
METHODS = (METHOD, BALANCED, PLAIN, REWEIGHTING, GROUP_DRO, LOGIT_ADJUSTMENT)

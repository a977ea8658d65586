"""Options of classifiers for a second domain, from labels of the first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from sepclr.methods.options.base import Alternative, Declaration, Options, Paper

LABEL = {"label": "label of each sample of the source domain"}
BOTH_LABELS = LABEL | {"target_label": "label of each sample of the target domain"}
GANIN = Paper(
    "Ganin, Ustinova, Ajakan, Germain, Larochelle, Laviolette, Marchand, Lempitsky: Domain-adversarial training of neural networks",
    2016,
    "https://arxiv.org/abs/1505.07818",
)


@dataclass(frozen=True)
class OneDomainWeights:
    """Weight of the only term.

    Attributes:
        classification: weight of the cross-entropy of the labels.
    """

    classification: float = 1.0


@dataclass(frozen=True, kw_only=True)
class SourceOnlyOptions(Options):
    """A classifier of the source domain.

    Attributes:
        weights: weight of each term.
    """

    name: ClassVar[str] = "source-only"

    weights: OneDomainWeights = field(default_factory=OneDomainWeights)


@dataclass(frozen=True, kw_only=True)
class TargetOnlyOptions(Options):
    """A classifier of the target domain, an upper bound.

    Attributes:
        weights: weight of each term.
    """

    name: ClassVar[str] = "target-only"

    weights: OneDomainWeights = field(default_factory=OneDomainWeights)


@dataclass(frozen=True)
class ConfusionWeights:
    """Weight of each term.

    Attributes:
        classification: weight of the cross-entropy of the labels.
        similarity: μ, weight of MMD² between the domains.
    """

    classification: float = 1.0
    similarity: float = 3.0


@dataclass(frozen=True, kw_only=True)
class ConfusionOptions(Options):
    """A classifier whose codes have the same distribution in both domains, by MMD.

    Attributes:
        tau: kernel bandwidth τ, about which there are kernels of several widths.
        weights: weight of each term.
    """

    name: ClassVar[str] = "domain-mmd"

    tau: float = 0.5
    weights: ConfusionWeights = field(default_factory=ConfusionWeights)


@dataclass(frozen=True)
class AdversarialWeights:
    """Weight of each term.

    Attributes:
        classification: weight of the cross-entropy of the labels.
        domain: weight of the cross-entropy of the domain; the encoder gets its reversed gradient.
    """

    classification: float = 1.0
    domain: float = 1.0


@dataclass(frozen=True, kw_only=True)
class AdversarialOptions(Options):
    """A classifier whose codes do not tell the domains apart, by an adversary.

    Attributes:
        reversal: factor of the reversed gradient, at the end of training.
        weights: weight of each term.
    """

    name: ClassVar[str] = "dann"

    reversal: float = 1.0
    weights: AdversarialWeights = field(default_factory=AdversarialWeights)


@dataclass(frozen=True)
class InformationWeights:
    """Weight of each term.

    Attributes:
        classification: weight of the cross-entropy of the labels.
        information: λ, weight of the information between codes and domain.
    """

    classification: float = 1.0
    information: float = 1.0


@dataclass(frozen=True, kw_only=True)
class InformationOptions(Options):
    """A classifier whose codes have no information about the domain, by a kernel estimate.

    Attributes:
        tau: kernel bandwidth τ.
        weights: weight of each term.
    """

    name: ClassVar[str] = "kernel-information"

    tau: float = 0.1
    weights: InformationWeights = field(default_factory=InformationWeights)


SOURCE_ONLY = Declaration(
    "source-only",
    GANIN,
    "sepclr.SourceOnly",
    (Alternative(SourceOnlyOptions()),),
    task="domains",
    extra=LABEL,
    classes="label",
    separates=False,
    strengths=(
        "It is the lower bound: what labels of the source domain alone predict.",
        "Where it transfers well, adaptation can do harm (docs/domains.md).",
    ),
    limits=("It does not adapt: only batch normalisation sees the target domain.",),
)
TARGET_ONLY = Declaration(
    "target-only",
    GANIN,
    "sepclr.TargetOnly",
    (Alternative(TargetOnlyOptions()),),
    task="domains",
    extra=BOTH_LABELS,
    classes="target_label",
    separates=False,
    strengths=("It is the upper bound: what the same networks predict with labels of the target domain.",),
    limits=("It needs labels of the target domain, and makes no use of the source domain but in batch normalisation.",),
)
CONFUSION = Declaration(
    "domain-mmd",
    Paper(
        "Tzeng, Hoffman, Zhang, Saenko, Darrell: Deep domain confusion: maximizing for domain invariance",
        2014,
        "https://arxiv.org/abs/1412.3474",
    ),
    "sepclr.DomainConfusion",
    (Alternative(ConfusionOptions()),),
    task="domains",
    extra=LABEL,
    classes="label",
    strengths=("It has one term, no adversary, and no second encoder.",),
    limits=(
        "It does not beat source-only training on MNIST to scikit-learn's digits (docs/domains.md).",
        "Its bandwidth and weight were chosen with labels of the target domain, which users do not have.",
        "Both domains must have the same classes in similar proportions.",
    ),
)
ADVERSARIAL = Declaration(
    "dann",
    GANIN,
    "sepclr.DomainAdversarial",
    (Alternative(AdversarialOptions()),),
    task="domains",
    extra=LABEL,
    classes="label",
    strengths=("Its classifier of the domain learns which differences matter, instead of a kernel that is chosen.",),
    limits=(
        "It does harm on MNIST to scikit-learn's digits: source-only training predicts better (docs/domains.md).",
        "Another classifier still reads the domain from c nearly without error.",
        "Both domains must have the same classes in similar proportions.",
    ),
)
INFORMATION = Declaration(
    "kernel-information",
    Paper(
        "Louiset, Duchesnay, Grigis, Gori: Separating common from salient patterns with contrastive representation learning",
        2024,
        "https://arxiv.org/abs/2402.11928",
    ),
    "sepclr.DomainInformation",
    (Alternative(InformationOptions()),),
    task="domains",
    extra=LABEL,
    classes="label",
    strengths=(
        "It predicts better than the MMD, `dann` and source-only training with every seed on MNIST to scikit-learn's digits "
        "(docs/domains.md).",
        "It leaves least of the domain in c on both pairs of domains.",
    ),
    limits=(
        "On MNIST to photographs, no method adapts within two epochs; its lead is within the spread over seeds.",
        "Its weight was chosen with labels of the target domain, which users do not have.",
        "Both domains must have the same classes in similar proportions.",
    ),
)

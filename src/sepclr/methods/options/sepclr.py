"""Options of SepCLR: the decorrelated objective (ours), and the released and published objectives with each independence term."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from sepclr.methods.options.base import Alternative, Declaration, Discriminator, Options, Paper, check_critic
from sepclr.ranges import check_positive

TERMS = Literal[
    "none",
    "k-jem",
    "k-mi",
    "vclub-sym",
    "vclub-c2s",
    "vclub-s2c",
    "vl1out-sym",
    "vl1out-c2s",
    "vl1out-s2c",
    "vub-sym",
    "vub-c2s",
    "vub-s2c",
    "tc",
    "mmd",
    "hsic",
]
"""Independence terms of the released and published objectives."""


@dataclass(frozen=True)
class DecorrelatedWeights:
    """Weight of each term; separation has none.

    Attributes:
        common: λ_C.
        salient: λ_S.
        information_less: β; chosen over 1, 10 and 30 on validation data, see docs/objective.md.
    """

    common: float = 1.0
    salient: float = 1.0
    information_less: float = 4.0


@dataclass(frozen=True)
class SepCLRWeights:
    """Weight of each term. The defaults are those that the authors released for digits on CIFAR-10.

    Adam ignores the scale of a loss and the encoders are separate, so salient = information_less = 1000 next to independence = 10
    only keeps k-JEM's gradient out of the salient encoder: k-JEM then moves c away from s, not s away from c.

    Attributes:
        common: λ_C.
        salient: λ_S.
        information_less: β.
        independence: λ; 100 for ``mmd`` and 1,000 for ``hsic``, since these terms are small (chosen in our own trials).
    """

    common: float = 1.0
    salient: float = 1000.0
    information_less: float = 1000.0
    independence: float = 10.0


@dataclass(frozen=True)
class ConditionalCritic:
    """Critic that models a conditional density q(s|c) or q(c|s).

    Attributes:
        steps: number of critic steps before each step of the other networks.
        learning_rate: learning rate of the critic.
        log_variance: largest absolute log-variance of the density.
    """

    steps: int = 5
    learning_rate: float = 1e-4
    log_variance: float = 1.0

    def __post_init__(self) -> None:
        check_critic(self.steps, self.learning_rate)
        check_positive(critic_log_variance=self.log_variance)


@dataclass(frozen=True, kw_only=True)
class DecorrelatedOptions(Options):
    """SepCLR's decorrelated objective.

    Attributes:
        objective: training objective; ``decorrelated`` is ours.
        independence: independence term; ``decorrelation`` is part of the objective.
        salient_dim: dimension of the salient code s.
        further_views: number of views of a sample besides the first.
        tau: kernel bandwidth τ.
        free_of: attribute with classes, known in both groups, that neither code should hold, such as the scanner.
        weights: weight of each term.
    """

    name: ClassVar[str] = "sepclr"

    objective: Literal["decorrelated"] = "decorrelated"
    independence: Literal["decorrelation"] = "decorrelation"
    salient_dim: int = 32
    further_views: int = 1
    tau: float = 0.5
    free_of: str | None = None
    weights: DecorrelatedWeights = field(default_factory=DecorrelatedWeights)

    @property
    def label(self) -> str:
        """Return the independence term."""
        return self.independence


@dataclass(frozen=True, kw_only=True)
class SepCLROptions(Options):
    """SepCLR's released and published objectives.

    Attributes:
        objective: training objective, ``released`` or ``published``.
        independence: independence term between c and s.
        salient_dim: dimension of the salient code s.
        further_views: number of views of a sample besides the first.
        tau: kernel bandwidth τ, or ``median`` for the median heuristic in each space.
        tau_salient: kernel bandwidth of the salient space, if it differs from τ.
        free_of: attribute with classes, known in both groups, that neither code should hold, such as the scanner.
        weights: weight of each term.
        critic: critic of the independence term, if it has one.
    """

    name: ClassVar[str] = "sepclr"

    objective: Literal["released", "published"] = "released"
    independence: TERMS = "k-jem"
    salient_dim: int = 32
    further_views: int = 1
    tau: float | Literal["median"] = 0.5
    tau_salient: float | Literal["median"] | None = None
    free_of: str | None = None
    weights: SepCLRWeights = field(default_factory=SepCLRWeights)
    critic: ConditionalCritic | Discriminator | None = None

    @property
    def label(self) -> str:
        """Return the independence term."""
        return self.independence


RELEASED = ("released", "published")
DIRECTED = tuple(f"{bound}-{direction}" for bound in ("vclub", "vl1out", "vub") for direction in ("sym", "c2s", "s2c"))


def _with(*terms: TERMS, **options: Any) -> Alternative:
    """Declare the released and published objectives for independence terms that have the same options."""
    return Alternative(SepCLROptions(independence=terms[0], **options), {"objective": RELEASED, "independence": terms})


METHOD = Declaration(
    "sepclr",
    Paper(
        "Louiset, Duchesnay, Grigis, Gori: Separating common from salient patterns with contrastive representation learning",
        2024,
        "https://arxiv.org/abs/2402.11928",
    ),
    "sepclr.SepCLR",
    (
        Alternative(DecorrelatedOptions(), {"objective": ("decorrelated",), "independence": ("decorrelation",)}),
        _with("k-jem", "none", "k-mi"),
        _with(*DIRECTED, critic=ConditionalCritic()),  # type: ignore[arg-type]
        _with("tc", critic=Discriminator()),
        _with("mmd", weights=SepCLRWeights(independence=100.0)),
        _with("hsic", weights=SepCLRWeights(independence=1000.0)),
    ),
    critic=True,
    strengths=(
        "The decorrelated objective has the smallest δ_tot of all methods on digits over CIFAR-10 in four epochs (docs/table1.md).",
        "Separation has no weight to choose: its gradient is a fraction of that of the codes, on any data (docs/objective.md).",
        "`free_of` keeps a known attribute, such as the scanner, out of both codes (docs/mri.md).",
        "The released and the published objective are there by name, with every independence term that the paper compares.",
    ),
    limits=(
        "Separation is incomplete: on marked digits, digits over CIFAR-10 and brains, the group is decoded from c better than by chance.",
        "With 2,000 features, or with 75 targets, it is hardly better than the released objective; contrastive PCA is better with "
        "2,000 features (docs/objective.md).",
        "In brains with a weak pattern, s of the released objective holds more of group and severity (docs/mri.md).",
        "Views must keep what is to be learnt: a crop that loses the pattern loses it for s.",
        "It has no decoder; `FlowDecoder` trains one on its codes (docs/counterfactuals.md).",
    ),
)

"""Options of SimCLR, on all samples or on targets only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from sepclr.methods.options.base import Alternative, Declaration, Options, Paper


@dataclass(frozen=True)
class SimCLRWeights:
    """Weight of the only term.

    Attributes:
        common: weight of the contrastive loss.
    """

    common: float = 1.0


@dataclass(frozen=True, kw_only=True)
class SimCLROptions(Options):
    """SimCLR.

    Attributes:
        tau: temperature τ, or ``median`` for the median heuristic.
        weights: weight of each term.
    """

    name: ClassVar[str] = "simclr"

    tau: float | Literal["median"] = 0.5
    weights: SimCLRWeights = field(default_factory=SimCLRWeights)


@dataclass(frozen=True, kw_only=True)
class SimCLRTargetOptions(Options):
    """SimCLR on targets only.

    Attributes:
        tau: temperature τ, or ``median`` for the median heuristic.
        weights: weight of each term.
    """

    name: ClassVar[str] = "simclr-target"

    tau: float | Literal["median"] = 0.5
    weights: SimCLRWeights = field(default_factory=SimCLRWeights)


METHOD = Declaration(
    "simclr",
    Paper(
        "Chen, Kornblith, Norouzi, Hinton: A simple framework for contrastive learning of visual representations",
        2020,
        "https://arxiv.org/abs/2002.05709",
    ),
    "sepclr.SimCLR",
    (Alternative(SimCLROptions()),),
    epochs={"digits-on-cifar": 6, "marked-digits": 30, "mri": 200},
    separates=False,
    strengths=(
        "It shows what separation costs: it has the views and the networks of SepCLR, and no term that separates.",
        "It needs no salient dimension, weight or critic.",
    ),
    limits=(
        "It separates nothing: s is the constant 0, and c holds the group, the digit and the object on digits over CIFAR-10 "
        "(docs/table1.md).",
    ),
)
OF_TARGETS = replace(
    METHOD,
    name="simclr-target",
    where="sepclr.SimCLRTarget",
    options=(Alternative(SimCLRTargetOptions()),),
    strengths=("Background has no influence on c: a baseline for what targets alone say about themselves.",),
    limits=(
        "It separates nothing: s is the constant 0, and c holds what both groups share together with what only targets have.",
        "It ignores background, which contrastive analysis is about.",
    ),
)

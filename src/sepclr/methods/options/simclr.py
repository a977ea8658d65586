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
)
OF_TARGETS = replace(METHOD, name="simclr-target", where="sepclr.SimCLRTarget", options=(Alternative(SimCLRTargetOptions()),))

"""Options of MM-cVAE."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from sepclr.methods.options.base import Alternative, Declaration, Options, Paper
from sepclr.methods.options.variational import DIM, usual

RELEASED_BATCH = 512


@dataclass(frozen=True)
class MMcVAEWeights:
    """Weight of each term, as in the SepVAE authors' rerun.

    Attributes:
        reconstruction: weight of the squared error, 1.
        common: β_c, 0.5.
        salient: β_s, 0.5.
        information_less: λ_s, 10² for a sum over 512 samples.
        shared: λ_c, 10³ for a sum over 512 samples.
    """

    reconstruction: float = 1.0
    common: float = 0.5
    salient: float = 0.5
    information_less: float = 1e2 / RELEASED_BATCH
    shared: float = 1e3 / RELEASED_BATCH


@dataclass(frozen=True, kw_only=True)
class MMcVAEOptions(Options):
    """MM-cVAE.

    Attributes:
        common_dim: dimension of the common code c.
        salient_dim: dimension of the salient code s.
        reconstruction: ``squared``, or ``negative-binomial`` for rows of counts, such as genes of cells, which are not standardised.
        weights: weight of each term.
    """

    name: ClassVar[str] = "mm-cvae"

    common_dim: int = DIM
    salient_dim: int = DIM
    reconstruction: Literal["squared", "negative-binomial"] = "squared"
    weights: MMcVAEWeights = field(default_factory=MMcVAEWeights)


METHOD = Declaration(
    "mm-cvae",
    Paper("Weinberger, Beebe-Wang, Lee: Moment matching deep contrastive latent variable models", 2022, "https://arxiv.org/abs/2202.10560"),
    "sepclr.MMcVAE",
    (Alternative(MMcVAEOptions()),),
    **usual(),
    strengths=(
        "It has a decoder: it reconstructs samples, removes the salient pattern and swaps it.",
        "It has no critic: a single optimiser, and no training in alternation.",
    ),
    limits=(
        "After four epochs on digits over CIFAR-10, the group is decoded from c nearly without error, although the MMD between the "
        "groups is penalised (docs/table1.md).",
        "The penalties of its authors and of a later rerun differ tenfold; they depend on the size of the batch.",
        "Its decoder blurs: on marked digits without the mark, less than half of the digits are kept (docs/counterfactuals.md).",
    ),
)

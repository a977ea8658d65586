"""Options of ConVAE."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from sepclr.methods.options.base import Alternative, Declaration, Discriminator, Options, Paper
from sepclr.methods.options.variational import DIM, usual


@dataclass(frozen=True)
class ConVAEWeights:
    """Weight of each term, as in cifar_mnist/con_vae.py.

    Attributes:
        reconstruction: weight of the squared error, 1.
        common: β_c, 0.5.
        salient: β_s, 0.5.
        independence: γ, 1.
    """

    reconstruction: float = 1.0
    common: float = 0.5
    salient: float = 0.5
    independence: float = 1.0


@dataclass(frozen=True, kw_only=True)
class ConVAEOptions(Options):
    """ConVAE.

    Attributes:
        common_dim: dimension of the common code c.
        salient_dim: dimension of the salient code s.
        reconstruction: ``squared``, or ``negative-binomial`` for rows of counts, such as genes of cells, which are not standardised.
        weights: weight of each term.
        critic: the discriminator.
    """

    name: ClassVar[str] = "convae"

    common_dim: int = DIM
    salient_dim: int = DIM
    reconstruction: Literal["squared", "negative-binomial"] = "squared"
    weights: ConVAEWeights = field(default_factory=ConVAEWeights)
    critic: Discriminator = field(default_factory=Discriminator)


METHOD = Declaration(
    "convae",
    Paper(
        "Aglinskas, Hartshorne, Anzellotti: Contrastive machine learning reveals the structure of neuroanatomical variation within autism",
        2022,
        "https://doi.org/10.1126/science.abm2461",
    ),
    "sepclr.ConVAE",
    (Alternative(ConVAEOptions()),),
    critic=True,
    **usual(),
    strengths=(
        "It has a decoder: it reconstructs samples, removes the salient pattern and swaps it.",
        "In a hundred epochs on digits over CIFAR-10, its s gains the digit and loses the object: δ_tot is the smallest of the "
        "methods of the paper there (docs/table1.md, one seed).",
    ),
    limits=(
        "It needs long training: after four epochs, fewer digits are decoded from s than from that of untrained encoders.",
        "The group is decoded from c nearly without error, even after a hundred epochs.",
        "Its decoder blurs: on marked digits without the mark, less than half of the digits are kept (docs/counterfactuals.md).",
    ),
)

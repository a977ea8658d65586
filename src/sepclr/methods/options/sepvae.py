"""Options of SepVAE."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from sepclr.methods.options.base import Alternative, Declaration, Discriminator, Options, Paper
from sepclr.methods.options.variational import DIM, usual

RELEASED_CLASSIFICATION = 1e-10
"""Weight of the classifier in the release."""


@dataclass(frozen=True)
class SepVAEWeights:
    """Weight of each term.

    Attributes:
        reconstruction: weight of the squared error, 1.
        common: β_c, 0.5.
        salient: β_s, 0.5.
        information_less: β_s α = 0.5 · 100; half of it multiplies the squared norm.
        independence: κ, 2.
        classification: γ; our choice, since the released value has no effect.
    """

    reconstruction: float = 1.0
    common: float = 0.5
    salient: float = 0.5
    information_less: float = 50.0
    independence: float = 2.0
    classification: float = 1.0


@dataclass(frozen=True, kw_only=True)
class SepVAEOptions(Options):
    """SepVAE.

    Attributes:
        fidelity: ``paper`` for the paper's intent, ``released`` for its authors' code where that differs.
        common_dim: dimension of the common code c.
        salient_dim: dimension of the salient code s.
        reconstruction: ``squared``, or ``negative-binomial`` for rows of counts, such as genes of cells, which are not standardised.
        weights: weight of each term.
        critic: the discriminator.
    """

    name: ClassVar[str] = "sepvae"

    common_dim: int = DIM
    salient_dim: int = DIM
    fidelity: Literal["paper", "released"] = "paper"
    reconstruction: Literal["squared", "negative-binomial"] = "squared"
    weights: SepVAEWeights = field(default_factory=SepVAEWeights)
    critic: Discriminator = field(default_factory=Discriminator)


METHOD = Declaration(
    "sepvae",
    Paper(
        "Louiset, Duchesnay, Grigis, Dufumier, Gori: SepVAE, a contrastive VAE to separate pathological patterns from healthy ones",
        2023,
        "https://arxiv.org/abs/2307.06206",
    ),
    "sepclr.SepVAE",
    (
        Alternative(SepVAEOptions(), {"fidelity": ("paper",)}),
        Alternative(
            SepVAEOptions(fidelity="released", weights=SepVAEWeights(classification=RELEASED_CLASSIFICATION)), {"fidelity": ("released",)}
        ),
    ),
    critic=True,
    **usual(),
    strengths=(
        "It has a decoder: it reconstructs samples, removes the salient pattern and swaps it.",
        "A classifier on s keeps the group in s; of the variational methods, its s holds least of the object on digits over CIFAR-10 "
        "(docs/table1.md, four epochs).",
    ),
    limits=(
        "After a hundred epochs on digits over CIFAR-10, c holds most of the digit: at these sizes, its independence term does not "
        "keep it out.",
        "On simulated cells with a negative binomial, the response is decoded from c, not from s (docs/own_data.md).",
        "In brains with an implanted pattern, group, severity and subtype are decoded from s worse than from principal components of "
        "the voxels (docs/mri.md).",
        "As released, the weight of the classifier is 10⁻¹⁰, which has no effect.",
    ),
)

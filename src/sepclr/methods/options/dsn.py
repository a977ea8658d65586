"""Options of domain separation networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from sepclr.methods.options.base import Alternative, Declaration, Options, Paper
from sepclr.methods.options.domains import LABEL


@dataclass(frozen=True)
class DSNWeights:
    """Weight of each term; the defaults are those of the paper.

    Attributes:
        classification: weight of the cross-entropy of the labels, from c.
        reconstruction: α, weight of the reconstruction of views.
        difference: β, weight of the products of c and the private codes.
        similarity: γ, weight of the cross-entropy of the domain, from c; the encoder gets its reversed gradient.
    """

    classification: float = 1.0
    reconstruction: float = 0.01
    difference: float = 0.075
    similarity: float = 0.25


@dataclass(frozen=True, kw_only=True)
class DSNOptions(Options):
    """Domain separation networks.

    Attributes:
        salient_dim: dimension of the private codes.
        weights: weight of each term.
    """

    name: ClassVar[str] = "dsn"

    salient_dim: int = 32
    weights: DSNWeights = field(default_factory=DSNWeights)


METHOD = Declaration(
    "dsn",
    Paper(
        "Bousmalis, Trigeorgis, Silberman, Krishnan, Erhan: Domain separation networks",
        2016,
        "https://arxiv.org/abs/1608.06019",
    ),
    "sepclr.DSN",
    (Alternative(DSNOptions()),),
    task="domains",
    extra=LABEL,
    classes="label",
    strengths=(
        "Each domain has a private code, and a decoder reconstructs samples in training.",
        "On MNIST to scikit-learn's digits, it predicts better than source-only training in the mean over seeds (docs/domains.md).",
    ),
    limits=(
        "It has three encoders and a decoder, and is the slowest of these methods.",
        "The domain remains in c, and much of the class in the private code.",
        "Its encoders, optimiser and views are this library's, so its rows do not reproduce those of its paper.",
    ),
)

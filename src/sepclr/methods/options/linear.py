"""Options of PCA and contrastive PCA, whose components serve as codes: no networks, no training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from sepclr.methods.options.base import Alternative, Declaration, Options, Paper


@dataclass(frozen=True, kw_only=True)
class PCAOptions(Options):
    """Principal components of all samples, as c and as s.

    Attributes:
        salient_dim: dimension of the salient code s.
    """

    name: ClassVar[str] = "pca"

    salient_dim: int = 32


@dataclass(frozen=True, kw_only=True)
class ContrastivePCAOptions(Options):
    """Principal components of background as c, contrastive principal components of the target as s.

    Attributes:
        salient_dim: dimension of the salient code s.
    """

    name: ClassVar[str] = "contrastive-pca"

    salient_dim: int = 32


LinearOptions: TypeAlias = PCAOptions | ContrastivePCAOptions
"""Options of methods whose codes are a linear map of samples."""


PCA = Declaration(
    "pca",
    Paper("Pearson: On lines and planes of closest fit to systems of points in space", 1901, "https://doi.org/10.1080/14786440109462720"),
    "sklearn.decomposition.PCA",
    (Alternative(PCAOptions()),),
    views=False,
    trained=False,
    separates=False,
)
CONTRASTIVE_PCA = Declaration(
    "contrastive-pca",
    Paper(
        "Abid, Zhang, Bagaria, Zou: Exploring patterns enriched in a dataset with contrastive principal component analysis",
        2018,
        "https://doi.org/10.1038/s41467-018-04608-8",
    ),
    "sepclr.ContrastivePCA",
    (Alternative(ContrastivePCAOptions()),),
    views=False,
    trained=False,
    decoder=True,
)

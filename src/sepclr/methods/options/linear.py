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
    strengths=(
        "It takes seconds and has no settings besides the number of components.",
        "It is a strong baseline: components of voxels hold group, subtype, severity, age and sex of brains at once (docs/mri.md).",
    ),
    limits=(
        "It separates nothing: c and s are the same components.",
        "It is linear: patterns that move within an image spread over many components.",
    ),
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
    strengths=(
        "It is linear algebra, in seconds; on digits over CIFAR-10 in four epochs, no network of the paper has a smaller δ_tot "
        "(docs/table1.md).",
        "It is the best of those compared where features are many: 2,000 features (docs/objective.md).",
        "It can be inverted: `corrected` subtracts its projection, and `loadings_` name the features.",
    ),
    limits=(
        "c is that of a PCA of background: the salient pattern, where background varies along it too, remains in c.",
        "It is linear, and has a contrast α, chosen by clustering unless it is given.",
        "Directions are those of variance: a pattern that only shifts the mean of the target is not found.",
    ),
)

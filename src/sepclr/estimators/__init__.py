"""scikit-learn estimators of the methods."""

from typing import Any

from sepclr.estimators.contrast import Contrast
from sepclr.estimators.contrastive_pca import ContrastivePCA
from sepclr.estimators.decoder import FlowDecoder
from sepclr.estimators.generalised import GeneralisedContrastivePCA
from sepclr.estimators.linear import LinearContrast
from sepclr.estimators.named import named
from sepclr.estimators.probabilistic import ProbabilisticContrastivePCA
from sepclr.estimators.saved import load
from sepclr.methods.options import METHODS

ESTIMATORS: dict[str, type[Contrast] | type[LinearContrast]] = {
    each.__name__: each
    for each in (
        *(named(method) for method in METHODS.values() if method.trained),
        ContrastivePCA,
        GeneralisedContrastivePCA,
        ProbabilisticContrastivePCA,
    )
}
"""All estimators by name."""

__all__ = ["ESTIMATORS", "ContrastivePCA", "FlowDecoder", "GeneralisedContrastivePCA", "ProbabilisticContrastivePCA", "load"]


def __getattr__(name: str) -> Any:
    """Return the estimator of a method by its name."""
    if name not in ESTIMATORS:
        raise AttributeError(f"module 'sepclr.estimators' has no attribute {name!r}")
    return ESTIMATORS[name]

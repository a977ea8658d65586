"""The scikit-learn face of the methods: fit, transform."""

from sepclr.estimators.contrastive_pca import ContrastivePCA
from sepclr.estimators.generalised import GeneralisedContrastivePCA
from sepclr.estimators.probabilistic import ProbabilisticContrastivePCA
from sepclr.estimators.sepclr import SepCLR

__all__ = ["ContrastivePCA", "GeneralisedContrastivePCA", "ProbabilisticContrastivePCA", "SepCLR"]

"""Losses to minimise: entropies, alignment, independence, attributes. Most are pure functions; losses with a critic are modules."""

from sepclr.losses.alignment import alignment
from sepclr.losses.attributes import class_alignment, quantity_alignment
from sepclr.losses.ball import ball
from sepclr.losses.conditional import GaussianConditional, VariationalBound, gaussian_log_density, vclub, vl1out, vub
from sepclr.losses.correlation import Correlation, CosineFeatures, RunningCorrelation, squared_correlations
from sepclr.losses.fused import kernel_entropies
from sepclr.losses.gaussian import gaussian_kl
from sepclr.losses.independence import INDEPENDENCE, Independence, Over
from sepclr.losses.infomax import infomax_entropies
from sepclr.losses.information_less import information_less
from sepclr.losses.joint_entropy import joint_entropy
from sepclr.losses.kernel import Bandwidth, Bandwidths, bandwidths, full_precision, hide_background, step_bandwidths
from sepclr.losses.kernel_measures import hsic, kernel_mutual_information, mmd, two_sample_mmd
from sepclr.losses.negative_binomial import negative_binomial_nll
from sepclr.losses.neighbours import conditional_uniformity
from sepclr.losses.nt_xent import nt_xent
from sepclr.losses.released import released_total
from sepclr.losses.total_correlation import TotalCorrelation
from sepclr.losses.uniformity import salient_uniformity, uniformity

__all__ = [
    "INDEPENDENCE",
    "Bandwidth",
    "Bandwidths",
    "Correlation",
    "CosineFeatures",
    "GaussianConditional",
    "Independence",
    "Over",
    "RunningCorrelation",
    "TotalCorrelation",
    "VariationalBound",
    "alignment",
    "ball",
    "bandwidths",
    "class_alignment",
    "conditional_uniformity",
    "full_precision",
    "gaussian_kl",
    "gaussian_log_density",
    "hide_background",
    "hsic",
    "infomax_entropies",
    "information_less",
    "joint_entropy",
    "kernel_entropies",
    "kernel_mutual_information",
    "mmd",
    "negative_binomial_nll",
    "nt_xent",
    "quantity_alignment",
    "released_total",
    "salient_uniformity",
    "squared_correlations",
    "step_bandwidths",
    "two_sample_mmd",
    "uniformity",
    "vclub",
    "vl1out",
    "vub",
]

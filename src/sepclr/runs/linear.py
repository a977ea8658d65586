"""Linear baselines: principal components of the samples, without networks or training.

``pca``: c and s are the same leading principal components of all training samples, so nothing is separated. ``contrastive-pca``: c holds
the leading principal components of background, s the contrastive components of the target (Abid, Zhang, Bagaria, Zou, Nature
Communications 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch import Tensor, nn

from sepclr.data import Cohort
from sepclr.estimators import ContrastivePCA
from sepclr.methods.options.linear import LinearOptions, PCAOptions
from sepclr.types import Batch, Codes, Outputs, Scalar
from sepclr.views import pixels

Floats = NDArray[np.floating[Any]]

KEPT = 500
"""Number of principal components to which samples are first reduced; up to 501 samples lose nothing."""

LEAST = 1e-6
"""Variance, relative to the largest component's, below which a direction is float32 rounding error."""


@dataclass(frozen=True)
class NoWeights:
    """Weights of a method without loss terms."""


class LinearCodes(nn.Module):
    """Codes that are linear maps of the flattened sample, fitted without gradients.

    Args:
        features: number of values in a sample.
        dims: lengths of c and s.
    """

    def __init__(self, features: int, dims: tuple[int, int]) -> None:
        super().__init__()
        self.weights = NoWeights()
        self.common, self.salient = (nn.Linear(features, dim) for dim in dims)
        self.requires_grad_(False)

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Return no outputs."""
        return {}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Return no terms."""
        return {}

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Project samples onto the components."""
        flat = x.flatten(1)
        return Codes(self.common(flat), self.salient(flat))


def solve(method: LinearCodes, options: LinearOptions, cohort: Cohort, *, seed: int) -> None:
    """Fit the components of a method to training samples, in place.

    Samples, with pixels in 0..1, are first reduced to at most 500 principal components of both groups together; 500 or fewer samples
    keep their whole span (the authors' program for contrastive PCA reduces to 1,000 when there are more features). ``contrastive-pca``
    leaves features unscaled, because pixels share a unit, and selects α automatically: the subspace that holds over the widest range
    of α, see ``sepclr.ContrastivePCA``. If samples vary in fewer directions than a code has components, its last components are 0.

    Args:
        method: method whose weights are set.
        options: options of the method, including the lengths of its codes.
        cohort: the training samples; all are loaded into memory at once, 4 bytes a value.
        seed: random seed for selecting α.
    """
    span, centre, samples = _reduced(cohort)
    is_target = cohort.is_target.numpy()
    dims = options.common_dim, options.salient_dim
    if isinstance(options, PCAOptions):
        maps = [(np.eye(samples.shape[1])[:dim], np.zeros(samples.shape[1])) for dim in dims]
    else:
        background = samples[~is_target]
        common = PCA(min(dims[0], len(background) - 1, samples.shape[1]), svd_solver="full").fit(background)
        # Centred on the means of their groups, samples may vary in one direction less.
        contrast = ContrastivePCA(max(1, min(dims[1], samples.shape[1] - 1)), standardise=False, random_state=seed)
        contrast.fit(samples, is_target)
        maps = [(common.components_, common.mean_), (contrast.components_, contrast.mean_)]
    for code, (directions, mean) in zip((method.common, method.salient), maps, strict=True):
        weight = directions @ span
        bias = -weight @ centre - directions @ mean
        for parameter, values in ((code.weight, weight), (code.bias, bias)):
            parameter.zero_()
            parameter[: len(values)] = torch.from_numpy(values)


def _reduced(cohort: Cohort) -> tuple[Floats, Floats, Floats]:
    """Return principal components of all samples: directions (k, features), mean (features,) and projected samples (n, k)."""
    x = pixels(cohort.x[:]).flatten(1).numpy()
    # With many samples the covariance is the smaller matrix, with many features the samples themselves.
    solver = "covariance_eigh" if len(x) > x.shape[1] else "full"
    found = PCA(min(KEPT, len(x) - 1, x.shape[1]), svd_solver=solver).fit(x)
    directions = found.components_[found.explained_variance_ > LEAST * found.explained_variance_[0]]
    return directions, found.mean_, (x @ directions.T - found.mean_ @ directions.T).astype(np.float64)

"""Simple baselines: principal components of the samples as they are, without networks or training.

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
"""Principal components that samples are reduced to first: the whole span of up to 501 samples."""

LEAST = 1e-6
"""Variance, of the largest component's, below which a direction is rounding error in float32."""


@dataclass(frozen=True)
class NoWeights:
    """Weights of a method without terms."""


class LinearCodes(nn.Module):
    """Codes that are a fixed linear map of the flattened sample; nothing in them is trained.

    Args:
        features: values of a sample.
        dims: lengths of c and s.
    """

    def __init__(self, features: int, dims: tuple[int, int]) -> None:
        super().__init__()
        self.weights = NoWeights()
        self.common, self.salient = (nn.Linear(features, dim) for dim in dims)
        self.requires_grad_(False)

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Return nothing."""
        return {}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Return no terms."""
        return {}

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute the components of samples."""
        flat = x.flatten(1)
        return Codes(self.common(flat), self.salient(flat))


def solve(method: LinearCodes, options: LinearOptions, cohort: Cohort, *, seed: int) -> None:
    """Find the components of a method from training samples, in place.

    Samples, pixels in 0..1, are reduced to at most 500 principal components of both groups together, of 500 or fewer samples the whole
    of their span (the authors' program of contrastive PCA reduces to 1,000 where there are more features). ``contrastive-pca`` leaves
    features unscaled, for pixels share a unit, and chooses α by itself: the subspace that holds over the widest range of α, see
    ``sepclr.ContrastivePCA``. Where samples vary in fewer directions than a code is long, its last components are 0.

    Args:
        method: gets the components.
        options: which method it is, and how long its codes are.
        cohort: the training samples, which are all read at once: 4 bytes a value.
        seed: of the choice of α.
    """
    span, centre, samples = _reduced(cohort)
    is_target = cohort.is_target.numpy()
    dims = options.common_dim, options.salient_dim
    if isinstance(options, PCAOptions):
        maps = [(np.eye(samples.shape[1])[:dim], np.zeros(samples.shape[1])) for dim in dims]
    else:
        background = samples[~is_target]
        common = PCA(min(dims[0], len(background) - 1, samples.shape[1]), svd_solver="full").fit(background)
        # Around the means of their groups samples may vary in one direction less.
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
    """Fit principal components of all samples: directions (k, features), mean (features,), and the samples on them (n, k)."""
    x = pixels(cohort.x[:]).flatten(1).numpy()
    # Of many samples the covariance is the smaller matrix, of many features the samples themselves.
    solver = "covariance_eigh" if len(x) > x.shape[1] else "full"
    found = PCA(min(KEPT, len(x) - 1, x.shape[1]), svd_solver=solver).fit(x)
    directions = found.components_[found.explained_variance_ > LEAST * found.explained_variance_[0]]
    return directions, found.mean_, (x @ directions.T - found.mean_ @ directions.T).astype(np.float64)

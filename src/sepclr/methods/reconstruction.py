"""What variational methods reconstruct: samples by their squared error, or counts by a negative binomial.

Counts follow ContrastiveVI (Weinberger, Lin, Lee: Isolating salient variations of interest in single-cell data with contrastiveVI, Nature
Methods 20, 2023, 10.1038/s41592-023-01955-3; github.com/suinleelab/contrastiveVI, and scvi-tools' ContrastiveVI): encoders see
log(1 + counts), the softmax of the decoder's output gives each gene's share of the library size that was observed, and every gene has an
inverse dispersion, which is learnt. It differs from theirs in that the distribution has no inflation of zeros, in the networks, which are
those of other rows and not told the batch, in how batches are drawn, and in the terms of each method.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sepclr.losses import full_precision, negative_binomial_nll
from sepclr.types import InputError

Reconstruction = Literal["squared", "negative-binomial"]
"""Squared errors of samples, or negative log-likelihood of counts."""


class Squared(nn.Module):
    """Samples as they are, and their squared error."""

    def seen(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Return what encoders see of samples."""
        return x

    def samples(self, decoded: Float[Tensor, "n ..."], x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Return samples from what the decoder computes for x."""
        return decoded

    def error(self, decoded: Float[Tensor, "n ..."], x: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
        """Compute the squared error of each sample, summed over its values."""
        return (full_precision(decoded) - full_precision(x)).square().flatten(1).sum(1)


class Counts(nn.Module):
    """Counts, and their negative log-likelihood.

    Args:
        genes: number of genes.
    """

    def __init__(self, genes: int) -> None:
        super().__init__()
        self.log_inverse_dispersion = nn.Parameter(torch.randn(genes))

    def seen(self, x: Float[Tensor, "n genes"]) -> Float[Tensor, "n genes"]:
        """Return what encoders see of counts, log(1 + x)."""
        return x.log1p()

    def samples(self, decoded: Float[Tensor, "n genes"], x: Float[Tensor, "n genes"]) -> Float[Tensor, "n genes"]:
        """Return expected counts for the library sizes of x."""
        return full_precision(decoded).softmax(1) * full_precision(x).sum(1, keepdim=True)

    def error(self, decoded: Float[Tensor, "n genes"], x: Float[Tensor, "n genes"]) -> Float[Tensor, " n"]:
        """Compute the negative log-likelihood of each sample, in nats, summed over genes."""
        x = full_precision(x)
        library = x.sum(1, keepdim=True).clamp_min(1)  # a sample without counts says nothing about its genes
        return negative_binomial_nll(x, full_precision(decoded).log_softmax(1) + library.log(), self.log_inverse_dispersion)


def likelihood_of(reconstruction: Reconstruction, sample_shape: tuple[int, ...]) -> Squared | Counts:
    """Return the error of a reconstruction, for samples of a shape.

    Raises:
        InputError: counts that are not rows.
    """
    if reconstruction == "squared":
        return Squared()
    if len(sample_shape) != 1:
        raise InputError(f"reconstruction: {reconstruction!r} is for rows of counts, not for samples of shape {sample_shape}; use squared")
    return Counts(sample_shape[0])


def check_counts(x: Tensor) -> None:
    """Check rows of counts.

    Raises:
        InputError: values that are negative, not finite or not whole, or a row without counts.
    """
    wrong = (x < 0) | (x != x.floor()) | ~x.isfinite()
    if wrong.any():
        row, gene = wrong.nonzero()[0].tolist()
        said = f"x: {x[row, gene]:g} in sample {row}, column {gene}, is not a count"
        raise InputError(f"{said}; negative-binomial takes whole numbers from 0, not normalised, or use reconstruction squared")
    if (empty := (x.sum(1) == 0)).any():
        raise InputError(f"x: sample {int(empty.nonzero()[0])} has no counts; leave such samples out")

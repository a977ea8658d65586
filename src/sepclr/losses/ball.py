"""The ball: codes of any length, bounded, and the identity up to a factor near 0."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from sepclr.losses.kernel import full_precision
from sepclr.ranges import check_positive


def ball(u: Float[Tensor, "n d"], radius: float = 2.0) -> Float[Tensor, "n d"]:
    """Map codes into the open ball: r u / √(1 + ‖u‖²).

    A kernel entropy of unbounded codes falls for ever; in a ball it does not, and 0, which the sphere lacks, is there to be the
    information-less vector.

    Args:
        u: codes, shape (n, d).
        radius: r.

    Returns:
        Codes of lengths below r, shape (n, d).

    Raises:
        InputError: a radius that is not positive.

    >>> import torch
    >>> ball(torch.tensor([[3.0, 4.0]]), 2.0).norm().round(decimals=4).item()
    1.9612
    """
    check_positive(radius=radius)
    u = full_precision(u)
    return radius * u / (1 + u.square().sum(1, keepdim=True)).sqrt()

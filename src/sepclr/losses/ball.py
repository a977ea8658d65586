"""Map codes into a ball: bounded, and proportional to the identity near 0."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from sepclr.losses.kernel import full_precision
from sepclr.ranges import check_positive


def ball(u: Float[Tensor, "n d"], radius: float = 2.0) -> Float[Tensor, "n d"]:
    """Map codes into the open ball: r u / √(1 + ‖u‖²).

    The kernel entropy term of unbounded codes decreases without bound; in a ball it is bounded. Unlike the sphere, the ball contains 0,
    the information-less vector.

    Args:
        u: codes, shape (n, d).
        radius: radius r.

    Returns:
        Codes with norm below r, shape (n, d).

    Raises:
        InputError: a radius that is not positive.

    >>> import torch
    >>> ball(torch.tensor([[3.0, 4.0]]), 2.0).norm().round(decimals=4).item()
    1.9612
    """
    check_positive(radius=radius)
    u = full_precision(u)
    return radius * u / (1 + u.square().sum(1, keepdim=True)).sqrt()

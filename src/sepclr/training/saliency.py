"""Saliency: how strongly the codes respond to each feature of a row."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from sepclr.types import Method

AT_ONCE = 500
"""Number of rows whose gradients are computed at once."""


def saliency(method: Method, x: Float[Tensor, "n features"]) -> dict[str, NDArray[np.floating[Any]]]:
    """Compute the mean absolute gradient of each code with respect to each feature, times the standard deviation of the feature.

    The mean is over samples and over the dimensions of the code. For a linear method it is the mean absolute loading times the standard
    deviation. The cost is one backward pass for each dimension of the codes.

    Args:
        method: the method; it runs on the device of its parameters, in evaluation mode, and its mode is restored.
        x: rows as the method takes them, of the type of its parameters.

    Returns:
        Importance by space, ``c`` and ``s``, each of shape (features,); 0 for a constant feature.
    """
    module = cast(nn.Module, method)
    device, training = next(module.parameters()).device, module.training
    sums = {space: np.zeros(x.shape[1]) for space in ("c", "s")}
    module.eval()
    try:
        with torch.enable_grad():
            for begin in range(0, len(x), AT_ONCE):
                part = x[begin : begin + AT_ONCE].to(device).detach().clone().requires_grad_()
                for space, code in method.encode(part)._asdict().items():
                    sums[space] += _gradients(code, part).cpu().numpy()
    finally:
        module.train(training)
    spread = x.double().std(0, correction=0).numpy()
    spread[(x == x[0]).all(0).numpy()] = 0  # rounding can leave a little
    return {space: total / len(x) * spread for space, total in sums.items()}


def _gradients(code: Float[Tensor, "n d"], x: Float[Tensor, "n features"]) -> Float[Tensor, " features"]:
    """Return absolute gradients, summed over samples and averaged over dimensions; 0 for a code that does not depend on x."""
    total = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
    if not code.requires_grad:
        return total
    for one in code.unbind(1):
        (gradient,) = torch.autograd.grad(one.sum(), x, retain_graph=True, allow_unused=True)
        if gradient is not None:
            total += gradient.double().abs().sum(0)
    return total / code.shape[1]

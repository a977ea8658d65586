"""Codes of samples from a trained method."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from sepclr.training.module import by_layout
from sepclr.types import Codes, Method
from sepclr.views import pixels


def encode(method: Method, x: Shaped[Tensor, "n ..."], batch_size: int = 500) -> Codes:
    """Compute the codes of whole samples, without views, in evaluation mode.

    Args:
        method: the method; it computes where its parameters live and is left in the mode in which it came.
        x: samples, shape (n, features) or (n, channels, *space), uint8 or floating point.
        batch_size: samples at a time.

    Returns:
        Codes on the CPU, c of shape (n, d_c) and s of shape (n, d_s).
    """
    module = cast(nn.Module, method)
    device = next(module.parameters()).device
    training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            parts = [method.encode(by_layout(pixels(part.to(device)))) for part in x.split(batch_size)]
            return Codes(torch.cat([part.c for part in parts]).cpu(), torch.cat([part.s for part in parts]).cpu())
    finally:
        module.train(training)

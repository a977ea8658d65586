"""Encode samples with a method, project their codes, and decode them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from sepclr.data import Lazy
from sepclr.methods.options import METHODS
from sepclr.training.gather import in_order, processes, share
from sepclr.training.module import by_layout, layout
from sepclr.types import Codes, HasClassifier, HasDecoder, HasHeads, InputError, Method
from sepclr.views import pixels

AT_ONCE = 2**24
"""Maximum number of values to encode at once, such as 500 images of 3 × 100 × 100 or 8 volumes of 128³."""

MADE_BY = {"reconstruction": "reconstruct", "without_salient": "without_salient", "swapped": "swap", "added": "add_salient"}
OF_TARGETS = ("reconstruction", "without_salient", "swapped")
"""What a method with a decoder computes from a target, and its function for it."""


def encode(method: Method, x: Shaped[Tensor, "n ..."] | Lazy, batch_size: int | None = None) -> Codes:
    """Compute the codes of whole samples, without views, in evaluation mode.

    Several processes share the work, and each returns the codes of all samples, in order.

    Args:
        method: the method; it runs on the device of its parameters, and its mode is restored.
        x: samples, shape (n, features) or (n, channels, *space), uint8 or floating point; they may be
            read on access.
        batch_size: samples at a time; if None, 500, or fewer if these would hold more than 2²⁴ values.

    Returns:
        Codes on the CPU, c of shape (n, d_c) and s of shape (n, d_s).
    """
    images = layout(method)
    batch_size = batch_size or _at_once(x)
    with _evaluating(method) as device:
        # The work is shared only if every process gets samples; without any, the length of codes would be unknown.
        mine = range(len(x))[share(len(x))] if len(x) >= processes() ** 2 else range(len(x))
        parts = []
        for begin in range(mine.start, mine.stop, batch_size):
            part = pixels(x[begin : min(begin + batch_size, mine.stop)].to(device))
            # Estimators encode rows in float64.
            part = part.to(next(cast(nn.Module, method).parameters()).dtype) if part.ndim == 2 else part
            parts.append(method.encode(by_layout(part, images)))
        codes = Codes(torch.cat([part.c for part in parts]), torch.cat([part.s for part in parts]))
        if len(mine) < len(x):
            codes = Codes(in_order(codes.c, len(x)), in_order(codes.s, len(x)))
        return Codes(codes.c.cpu(), codes.s.cpu())


def project(method: HasHeads, codes: Codes) -> Codes:
    """Compute the projections of codes in evaluation mode, c and s of shape (n, d_c) and (n, d_s), on the CPU."""
    with _evaluating(cast(Method, method)) as device:
        heads = method.project(Codes(codes.c.to(device), codes.s.to(device)))
        return Codes(heads.c.cpu(), heads.s.cpu())


def classify(method: HasClassifier, codes: Codes) -> Float[Tensor, "n classes"]:
    """Compute the logits of the classes of codes in evaluation mode, on the CPU."""
    with _evaluating(cast(Method, method)) as device:
        return method.classify(Codes(codes.c.to(device), codes.s.to(device))).cpu()


def decode(
    method: Method,
    x: Shaped[Tensor, "n ..."] | Lazy,
    donor: Shaped[Tensor, "n ..."] | Lazy | None = None,
    *,
    what: Sequence[str] = OF_TARGETS,
) -> dict[str, Float[Tensor, "n ..."]]:
    """Decode samples from the codes of targets, in evaluation mode.

    Args:
        method: a method with a decoder.
        x: targets, or background for ``added``, shape (n, features) or (n, channels, *space), uint8 or floating point.
        donor: targets that provide the salient pattern of ``swapped`` and ``added``, shape as x; if None, the next sample of x.
        what: which of ``reconstruction``; ``without_salient``, the target as if it were background; ``swapped``, the target with the
            pattern of its donor; ``added``, background with the pattern of its donor.

    Returns:
        The decoded samples by name, in the shape of x, on the CPU.

    Raises:
        InputError: if the method has no decoder.
    """
    if not isinstance(method, HasDecoder):
        having = ", ".join(name for name, declared in METHODS.items() if declared.decoder and declared.trained)
        raise InputError(f"{type(method).__name__} has no decoder; methods with one are {having}")
    images, parts = layout(method), dict[str, list[Tensor]]({name: [] for name in what})
    at_once = _at_once(x)
    with _evaluating(method) as device:
        for begin in range(0, len(x), at_once):
            place = torch.arange(begin, min(begin + at_once, len(x)))
            mine, other = (
                by_layout(pixels(samples[index].to(device)), images)
                for samples, index in ((x, place), (x, (place + 1) % len(x)) if donor is None else (donor, place))
            )
            for name in what:
                made = getattr(method, MADE_BY[name])(*((mine, other) if name in ("swapped", "added") else (mine,)))
                parts[name].append(made.cpu())
    return {name: torch.cat(each) for name, each in parts.items()}


def _at_once(x: Tensor | Lazy) -> int:
    """Return the number of samples to encode at once: 500, or fewer if these would hold more than 2²⁴ values."""
    return max(1, min(500, AT_ONCE // max(math.prod(x.shape[1:]), 1)))


@contextmanager
def _evaluating(method: Method) -> Iterator[torch.device]:
    """Switch to evaluation mode without gradients, and back; yields the device of the method."""
    module = cast(nn.Module, method)
    training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            yield next(module.parameters()).device
    finally:
        module.train(training)

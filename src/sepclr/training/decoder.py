"""Training of a decoder on the codes of a trained method."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from sepclr.data import Batches, Cohort, Lazy
from sepclr.methods.flow import Flow
from sepclr.nets.denoiser import Denoiser
from sepclr.parts import DecoderOptions, Settings
from sepclr.training.encode import decode, encode
from sepclr.training.fit import fit, resolve_accelerator
from sepclr.types import Codes, Method
from sepclr.views import pixels

BATCH_SIZE = 128
MEASURED = 128
"""Number of training targets in which the pattern is measured."""

STEPS = 3000
"""Training steps by default, whatever the number of samples."""


def decoder_settings(options: DecoderOptions, cohort: Cohort) -> Settings:
    """Return how a decoder is trained: by default for about 3,000 steps, in float32 on a CPU, where bfloat16 is slower here.

    Raises:
        InputError: a cohort or a batch size that cannot give batches of both groups.
    """
    batch_size = options.batch_size or BATCH_SIZE
    steps = len(Batches(cohort, batch_size, seed=0, epoch=0))  # of an epoch; raises InputError
    epochs = options.max_epochs or math.ceil(STEPS / steps)
    settings = Settings(epochs, batch_size, options.learning_rate, precision=options.precision, accelerator=options.accelerator)
    if settings.precision == "auto" and resolve_accelerator(settings.accelerator) == "cpu":
        settings = replace(settings, precision="32-true")
    return replace(settings, devices="1")


def train_decoder(
    method: Method, cohort: Cohort, options: DecoderOptions, *, folder: Path | None = None, progress: bool | str = False
) -> Flow:
    """Train a decoder for a method, which is left unchanged.

    Args:
        method: a trained method.
        cohort: training samples of both groups.
        options: of the decoder and of its training.
        folder: where metrics and checkpoints go, as for ``fit``.
        progress: as for ``fit``.

    Returns:
        The decoder, in evaluation mode.

    Raises:
        InputError: as for ``fit``.
    """
    precise = next(cast(nn.Module, method).parameters()).dtype  # that of estimators on rows is float64
    x = cohort.x.to(precise) if isinstance(cohort.x, Tensor) and cohort.x.ndim == 2 else cohort.x
    flow = fresh_decoder(method, tuple(cohort.x.shape[1:]), options, encode(method, x), cohort.is_target, span=span_of(cohort.x))
    fit(flow, pixels, cohort, decoder_settings(options, cohort), seed=options.seed, folder=folder, progress=progress)
    if cohort.x.ndim > 2:  # patterns of rows are always added
        flow.to(resolve_accelerator(options.accelerator))  # training leaves it on the CPU
        targets = pixels(cohort.x[cohort.is_target.nonzero()[:MEASURED, 0]])
        flow.measure_pattern(targets, decode(flow, targets, what=("without_salient",))["without_salient"])
    return flow.eval()


def fresh_decoder(
    method: Method,
    shape: tuple[int, ...],
    options: DecoderOptions,
    codes: Codes,
    is_target: Tensor,
    *,
    span: tuple[float, float] = (0.0, 1.0),
) -> Flow:
    """Return a decoder with weights drawn from its seed; torch's global generator is left unchanged.

    Args:
        method: a trained method.
        shape: (features,) or (channels, *space) of one sample.
        options: of the decoder.
        codes: codes of training samples, which are standardised by them.
        is_target: True for target samples, shape (n,).
        span: smallest and largest value of samples.
    """
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        denoiser = Denoiser(shape, codes.c.shape[1] + codes.s.shape[1] + 1, options.width)
    return Flow(method, denoiser, codes, is_target, span=span, steps=options.steps)


def span_of(x: Tensor | Lazy) -> tuple[float, float]:
    """Return the smallest and the largest value of samples: 0 and 1 for pixels, whatever there is for volumes in units of their own."""
    low, high = 0.0, 1.0
    if isinstance(x, Tensor) and (x.dtype == torch.uint8 or x.ndim == 2):
        return low, high
    for row in range(len(x)):  # one at a time: they may be read on access
        one = x[row : row + 1]
        low, high = min(low, float(one.min())), max(high, float(one.max()))
    return low, high

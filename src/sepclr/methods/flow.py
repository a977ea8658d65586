"""A decoder for any trained method: flow matching on its codes, for what a sample would look like without its salient pattern.

    min  E ‖ v(x_t, t, c, s) − (x − ε) ‖²,    x_t = (1 − t) ε + t x,    ε ~ N(0, I)

Times are sigmoid(N(0, 1)), moved towards noise for samples with many values, where a pattern shows through more noise: 1 − t becomes
α (1 − t) / (1 + (α − 1)(1 − t)) with α = √(values / 1024), from 1 to 10; 9 was the best of two tried for volumes of 40 × 48 × 40.

The method is frozen. c is standardised over all samples; s is (s − mean of background) / deviation of targets for targets, and exactly 0
for background. Both codes are dropped together with probability 0.1, which guidance needs (Ho & Salimans 2022, arXiv 2207.12598); it is
not used, because in a trial it cost 2.5 dB.

``without_salient`` integrates dx/dt = v backwards, from a target to noise, with (c, s), and forwards again with (c, 0): the noise keeps
what the codes do not hold. Nothing is drawn, so results depend neither on the order nor on the number of samples.

``add_salient`` and ``swap`` put what is removed from a donor onto another sample (``sepclr.methods.transfer``). Integrating with the s of
the donor would not do: in trials on marked digits it drew the donor's mark in a tenth of the images, as chance would, whether s was scaled
by its distance from background or within targets.

Flow matching: Lipman et al. 2023, arXiv 2210.02747; Liu et al. 2023, arXiv 2209.03003. Times and their shift: Esser et al. 2024, arXiv
2403.03206.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sepclr.methods.transfer import cover, measure
from sepclr.nets.denoiser import beside
from sepclr.ranges import check_at_least
from sepclr.types import Batch, Codes, Method, Outputs, Scalar
from sepclr.views import pixels

DROPPED = 0.1
"""Probability that the codes of a sample are dropped."""

VALUES, FURTHEST = 1024, 10.0
"""Number of values up to which times are not moved, and the largest α."""


@dataclass(frozen=True)
class FlowWeights:
    """The only multiplier.

    Attributes:
        velocity: of the squared error of the velocity.
    """

    velocity: float = 1.0


class Flow(nn.Module):
    """A denoiser on the codes of a frozen method.

    Args:
        method: a trained method; it is copied, and never trained further.
        denoiser: from noisy samples (n, ...), times (n,) and conditions (n, d_c + d_s + 1) to velocities (n, ...).
        codes: codes of training samples, shapes (n, d_c) and (n, d_s), by which codes are standardised.
        is_target: True for target samples, shape (n,).
        span: smallest and largest value of images or volumes, which are mapped to -1..1.
        steps: Euler steps of an integration.

    Raises:
        InputError: no step.
    """

    c_mean: Tensor
    c_scale: Tensor
    s_mean: Tensor
    s_scale: Tensor
    span: Tensor
    covers: Tensor
    visible: Tensor

    def __init__(
        self,
        method: Method,
        denoiser: nn.Module,
        codes: Codes,
        is_target: Bool[Tensor, " n"],
        *,
        span: tuple[float, float] = (0.0, 1.0),
        steps: int = 16,
    ) -> None:
        super().__init__()
        check_at_least(1, steps=steps)
        self.weights = FlowWeights()
        self.frozen = copy.deepcopy(cast(nn.Module, method)).float().requires_grad_(False).eval()
        self.denoiser, self.steps = denoiser, steps
        background, target = codes.s[~is_target], codes.s[is_target]
        for name, value in {
            "c_mean": codes.c.mean(0),
            "c_scale": codes.c.std(0).clamp(min=1e-6),
            "s_mean": background.mean(0),
            "span": torch.tensor(span),
            "covers": torch.tensor(0.0),  # both until ``measure_pattern``
            "visible": torch.tensor(0.0),
            # One scale for all dimensions: a dimension that hardly varies says little, and stays small.
            "s_scale": (target - background.mean(0)).square().mean().sqrt().clamp(min=1e-6),
        }.items():
            self.register_buffer(name, value.float())

    def train(self, mode: bool = True) -> Flow:
        """Switch the denoiser to training mode; the method stays in evaluation mode."""
        super().train(mode)
        self.frozen.eval()
        return self

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute the codes of the method."""
        return cast(Method, self.frozen).encode(x)

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Compute the squared error of the velocity of each sample of the first view, at a random time."""
        x = self._signed(pixels(one.x))
        noise = torch.randn_like(x)
        time = moved(torch.randn(len(x), device=x.device).sigmoid(), x)
        t = beside(time, x)
        kept = torch.rand(len(x), 1, device=x.device) >= DROPPED
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):  # codes as they are when samples are decoded
            condition = self._condition(pixels(one.x), one.is_target)
        condition = torch.cat([condition[:, :-1] * kept, (~kept).float()], 1)
        error = self.denoiser((1 - t) * noise + t * x, time, condition) - (x - noise)
        return {"error": error.float().square().flatten(1).mean(1)}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted term ``velocity``."""
        return {"velocity": out["error"].sum() / max(len(is_target), 1)}

    def reconstruct(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Reconstruct targets: to noise and back with the same codes; what is lost is the error of the integration."""
        condition = self._condition(x, True)
        return self._samples(self._noise(x, condition), condition, x)

    def without_salient(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Return what targets would look like, according to the model, without their salient pattern."""
        return self._samples(self._noise(x, self._condition(x, True)), self._condition(x, False), x)

    def measure_pattern(self, x: Float[Tensor, "n ..."], without: Float[Tensor, "n ..."]) -> None:
        """Measure, after training, how the patterns of images or volumes lie on targets."""
        covers, visible = measure(x, without)
        self.covers.fill_(float(covers))
        self.visible.fill_(visible)

    def add_salient(self, x: Float[Tensor, "n ..."], donor: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Put the salient patterns of targets, the donors, onto background, in the same place."""
        if self.covers:
            return cover(x, donor, self.without_salient(donor), visible=float(self.visible))
        return self._inside(x + self._pattern(donor))

    def swap(self, x: Float[Tensor, "n ..."], donor: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Replace the salient patterns of targets by those of others, the donors."""
        if self.covers:
            return self.add_salient(self.without_salient(x), donor)
        return self._inside(x - self._pattern(x) + self._pattern(donor))

    def _pattern(self, x: Tensor) -> Tensor:
        """Return the pattern that is added to targets: against the reconstruction, because what the decoder blurs is no pattern."""
        return self.reconstruct(x) - self.without_salient(x)

    def _inside(self, x: Tensor) -> Tensor:
        return x if x.ndim == 2 else x.clamp(*self.span.tolist())

    def _condition(self, x: Tensor, is_target: Tensor | bool) -> Tensor:
        """Compute standardised codes, and a 0 that says that they are not dropped; s is 0 where a sample is not, or not to be, a target."""
        codes = self.encode(x)
        c = (codes.c.float() - self.c_mean) / self.c_scale
        s = (codes.s.float() - self.s_mean) / self.s_scale
        member = torch.as_tensor(is_target, device=s.device).reshape(-1, 1).expand(len(s), 1)
        return torch.cat([c, torch.where(member, s, torch.zeros_like(s)), torch.zeros_like(c[:, :1])], 1)

    def _noise(self, x: Tensor, condition: Tensor) -> Tensor:
        return self._integrate(self._signed(x), condition, 1.0, 0.0)

    def _samples(self, noise: Tensor, condition: Tensor, like: Tensor) -> Tensor:
        made = self._integrate(noise, condition, 0.0, 1.0)
        low, high = self.span
        return made if like.ndim == 2 else (low + (high - low) * (made + 1) / 2).clamp(low, high)

    def _signed(self, x: Tensor) -> Tensor:
        """Map values of images to -1..1, about as wide as the noise; rows have the scale that their owner gave them."""
        low, high = self.span
        return x if x.ndim == 2 else 2 * (x - low) / (high - low) - 1

    def _integrate(self, x: Tensor, condition: Tensor, begin: float, end: float) -> Tensor:
        """Integrate dx/dt = v with Euler's method."""
        times = moved(torch.linspace(begin, end, self.steps + 1), x).tolist()
        for now, then in pairwise(times):
            # Both directions evaluate v at the earlier time, so that they nearly cancel.
            time = torch.full((len(x),), min(now, then), device=x.device)
            x = x + (then - now) * self.denoiser(x, time, condition)
        return x


def moved(time: Tensor, x: Tensor) -> Tensor:
    """Move times towards noise, by the number of values of a sample of x."""
    shift = min(max(1.0, math.sqrt(x[0].numel() / VALUES)), FURTHEST)
    left = 1 - time
    return 1 - shift * left / (1 + (shift - 1) * left)

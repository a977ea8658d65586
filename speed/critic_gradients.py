"""Gradient of the bounds with a critic relative to uniformity: the norm of 10 ∂bound/∂c over that of ∂2U(c)/∂c.

The 512 codes of 32 + 32 dimensions are fixed: c is on the unit sphere, s of targets is a noisy function of c with the spread that training
produces, and s of background is 0. ``before``: log-variances within ±8, fitted to all rows with the encoders' learning rate, as in earlier
versions. ``after``: within ±1, fitted to targets only, with learning rate 1e-4. Both take 5,000 steps.
``make bench`` writes results/critic-gradients.jsonl.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from sepclr.losses import Independence, VariationalBound, hide_background, uniformity
from sepclr.runs.folder import made_with

SAMPLES, DIMENSIONS, STEPS = 512, 32, 5000
WEIGHT = 10.0
"""λ of the table."""


def codes() -> tuple[Tensor, Tensor, Tensor]:
    """Draw c, s (0 for background) and group membership."""
    draw = torch.Generator().manual_seed(0)
    c, noise = (torch.randn(SAMPLES, DIMENSIONS, generator=draw) for _ in range(2))
    is_target = torch.arange(SAMPLES) % 2 == 1
    mixed = c @ torch.randn(DIMENSIONS, DIMENSIONS, generator=draw) / DIMENSIONS**0.5
    return normalize(c), hide_background(mixed + noise, is_target), is_target


def ratio(bound: str, direction: str, *, before: bool) -> float:
    """Fit the density and return the ratio of the gradient norms."""
    c, s, is_target = codes()
    torch.manual_seed(0)
    if before:
        critic = VariationalBound(bound, direction, DIMENSIONS, DIMENSIONS, log_variance_limit=8.0)  # type: ignore[arg-type]
        seen = torch.ones_like(is_target)
    else:
        term = Independence(f"{bound}-{direction}", DIMENSIONS, DIMENSIONS)
        assert isinstance(term.critic, VariationalBound)
        critic, seen = term.critic, is_target
    optimiser = torch.optim.Adam(critic.parameters(), 3e-3 if before else 1e-4)
    for _ in range(STEPS):
        optimiser.zero_grad()
        critic.critic_loss(c[seen], s[seen]).backward()
        optimiser.step()
    c.requires_grad_()
    pushes = WEIGHT * critic.loss(c[seen], s[seen]), 2 * uniformity(c)
    sizes = [float(torch.autograd.grad(push, c)[0].norm()) for push in pushes]
    return sizes[0] / sizes[1]


def main() -> None:
    """Measure and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/critic-gradients.jsonl"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    made = made_with()
    rows = []
    for bound in ("vclub", "vl1out", "vub"):
        for direction in ("c2s", "s2c"):
            found = {f"{when}, times 2U(c)": f"{ratio(bound, direction, before=when == 'before'):,.1f}" for when in ("before", "after")}
            rows.append({"cells": {"": f"`{bound}-{direction}`"} | found} | made)
            print(rows[-1]["cells"], flush=True)
    options.out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


if __name__ == "__main__":
    main()

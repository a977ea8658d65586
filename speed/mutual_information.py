"""What each independence term reads from jointly Gaussian codes whose mutual information is known.

c and s have four dimensions each, every pair (c_k, s_k) with correlation ρ, so that I(c; s) = −4/2 log(1 − ρ²). Critics are trained on
codes of the same distribution for a thousand steps and asked about others; their densities are as narrow as they like, which in training
they are not. k-MI and HSIC are not in nats or not unbiased: what counts is that they grow with ρ. MMD compares groups and is left out; of
total correlation, which cuts its log-odds off at 0, the plain mean is shown.
``make bench`` writes results/mutual-information.jsonl.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sepclr.losses import INDEPENDENCE, Independence, TotalCorrelation
from sepclr.runs.folder import made_with

CORRELATIONS = (0.0, 0.5, 0.8, 0.95)
DIMENSIONS = 4


def gaussian(n: int, rho: float, seed: int) -> tuple[Tensor, Tensor]:
    """Draw n pairs (c, s)."""
    draw = torch.Generator().manual_seed(seed)
    c, noise = (torch.randn(n, DIMENSIONS, generator=draw) for _ in range(2))
    return c, rho * c + math.sqrt(1 - rho**2) * noise


def estimate(name: str, rho: float, seed: int, *, n: int = 512, steps: int = 1000) -> float:
    """Estimate once; a critic is asked about codes that it has not seen."""
    torch.manual_seed(seed)
    term = Independence(name, DIMENSIONS, DIMENSIONS, log_variance_limit=8.0)
    everyone = torch.ones(n, dtype=torch.bool)
    if term.critic is not None:
        optimiser = torch.optim.Adam(term.parameters(), 3e-3)
        many = gaussian(64 * n, rho, seed + 1000)
        for step in range(steps):
            part = slice(step % 64 * n, (step % 64 + 1) * n)
            optimiser.zero_grad()
            term.critic_loss(many[0][part], many[1][part], everyone).backward()
            optimiser.step()
    codes = gaussian(n, rho, seed)
    with torch.no_grad():
        if isinstance(term.critic, TotalCorrelation):
            return float(term.critic.logits(*codes).mean())
        return float(term.loss(*codes, everyone, ("median", "median")))


def shown(value: float | np.floating[Any], digits: int) -> str:
    """Round, without a sign before zero."""
    return f"{round(float(value), digits) + 0.0:.{digits}f}"


def main() -> None:
    """Estimate with every term and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("results/mutual-information.jsonl"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    made = made_with()
    truth = {f"ρ = {rho:g}": shown(-DIMENSIONS / 2 * math.log(1 - rho**2), 2) for rho in CORRELATIONS}
    tables = [{"": "true I(c; s)"} | truth]
    for name in INDEPENDENCE[1:]:
        if name == "mmd":
            continue  # compares groups, of which there is one here
        cells = {"": f"`{name}`"}
        for rho in CORRELATIONS:
            found = [estimate(name, rho, seed) for seed in range(options.seeds)]
            digits = 4 if name == "hsic" else 2
            cells[f"ρ = {rho:g}"] = f"{shown(np.mean(found), digits)} ± {shown(np.std(found, ddof=1), digits)}"
        print(cells, flush=True)
        tables.append(cells)
    rows = [{"cells": cells} | made for cells in tables]
    options.output.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


if __name__ == "__main__":
    main()

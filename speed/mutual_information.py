"""Estimate of each independence term on jointly Gaussian codes whose mutual information is known.

c and s have four dimensions each, and every pair (c_k, s_k) has correlation ρ, so I(c; s) = −4/2 log(1 − ρ²). Critics are trained for a
thousand steps on codes of the same distribution and evaluated on unseen ones. Their log-variances may reach ±8, more than the ±1 of
training. k-MI and HSIC are not in nats or are biased: what matters is that they grow with ρ. MMD is left out because it compares groups.
Total correlation clips its log-odds at 0; the table shows their unclipped mean.
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
    """Draw n pairs (c, s) with correlation ρ."""
    draw = torch.Generator().manual_seed(seed)
    c, noise = (torch.randn(n, DIMENSIONS, generator=draw) for _ in range(2))
    return c, rho * c + math.sqrt(1 - rho**2) * noise


def estimate(name: str, rho: float, seed: int, *, n: int = 512, steps: int = 1000) -> float:
    """Return one estimate; a critic is evaluated on codes that it has not seen."""
    torch.manual_seed(seed)
    term = Independence(name, DIMENSIONS, DIMENSIONS, log_variance_limit=8.0)
    is_target = torch.ones(n, dtype=torch.bool)
    if term.critic is not None:
        optimiser = torch.optim.Adam(term.parameters(), 3e-3)
        many = gaussian(64 * n, rho, seed + 1000)
        for step in range(steps):
            part = slice(step % 64 * n, (step % 64 + 1) * n)
            optimiser.zero_grad()
            term.critic_loss(many[0][part], many[1][part], is_target).backward()
            optimiser.step()
    codes = gaussian(n, rho, seed)
    with torch.no_grad():
        if isinstance(term.critic, TotalCorrelation):
            return float(term.critic.logits(*codes).mean())
        return float(term.loss(*codes, is_target, ("median", "median")))


def shown(value: float | np.floating[Any], digits: int) -> str:
    """Format a rounded number, without a minus sign before zero."""
    return f"{round(float(value), digits) + 0.0:.{digits}f}"


def main() -> None:
    """Estimate with every term and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results/mutual-information.jsonl"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    made = made_with()
    truth = {f"ρ = {rho:g}": shown(-DIMENSIONS / 2 * math.log(1 - rho**2), 2) for rho in CORRELATIONS}
    tables = [{"": "true I(c; s)"} | truth]
    for name in INDEPENDENCE[1:]:
        if name == "mmd":
            continue  # compares groups, and there is only one here
        cells = {"": f"`{name}`"}
        for rho in CORRELATIONS:
            found = [estimate(name, rho, seed) for seed in range(options.seeds)]
            digits = 4 if name == "hsic" else 2
            cells[f"ρ = {rho:g}"] = f"{shown(np.mean(found), digits)} ± {shown(np.std(found, ddof=1), digits)}"
        print(cells, flush=True)
        tables.append(cells)
    rows = [{"cells": cells} | made for cells in tables]
    options.out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


if __name__ == "__main__":
    main()

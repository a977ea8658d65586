"""Views of tabular rows: some features take the value of another sample, and all get a little noise."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sepclr.ranges import check_row_views


class RowViews(nn.Module):
    """Draw a random view of each row, for features on comparable scales.

    Args:
        corruption: probability that a feature takes the value of a random sample of the batch (SCARF, arXiv 2106.15147).
        noise: standard deviation of Gaussian noise, in units of the features.

    Raises:
        InputError: a value outside its range.
    """

    def __init__(self, corruption: float = 0.3, noise: float = 0.1) -> None:
        super().__init__()
        check_row_views(corruption, noise)
        self.corruption, self.noise = corruption, noise

    @torch.no_grad()
    def forward(self, x: Float[Tensor, "n features"]) -> Float[Tensor, "n features"]:
        """Draw one view of each row."""
        donors = torch.randint(len(x), x.shape, device=x.device)
        corrupted = torch.rand(x.shape, device=x.device) < self.corruption
        return torch.where(corrupted, x.gather(0, donors), x) + self.noise * torch.randn_like(x)

"""SimCLR (Chen, Kornblith, Norouzi, Hinton, ICML 2020, arXiv 2002.05709): a non-separating baseline.

    min  −mean log k_τ(c, c⁺) / Σ_{others} k_τ(c, c′)

c is normalised to the unit sphere, c⁺ is the code of the other view of the same sample, and the sum runs over all other views, of both
groups or of targets only. There is no salient code: s is the constant 0, which carries no information.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from sepclr.losses import Bandwidth, bandwidths, full_precision, nt_xent
from sepclr.methods.options.simclr import SimCLROptions, SimCLRTargetOptions, SimCLRWeights
from sepclr.nets import Networks
from sepclr.types import Batch, Codes, InputError, Outputs, Scalar


class SimCLR(nn.Module):
    """SimCLR with an encoder, a projection head and one term.

    Args:
        common: encoder from samples (n, ...) to codes (n, d_c).
        common_head: projection head from (n, d_c), whose output is normalised here.
        group: samples in the loss, ``all`` or ``target``; batch normalisation sees both groups in either case.
        weights: weight of the term.
        tau: temperature.

    Raises:
        InputError: unknown group, or a temperature that is not positive.
    """

    def __init__(
        self,
        common: nn.Module,
        common_head: nn.Module,
        *,
        group: Literal["all", "target"] = "all",
        weights: SimCLRWeights | None = None,
        tau: Bandwidth = 0.5,
    ) -> None:
        super().__init__()
        if group not in ("all", "target"):
            raise InputError(f"group: {group!r} is unknown; choose all or target")
        bandwidths(torch.zeros(1, 1), tau)  # raises InputError
        self.common, self.common_head = common, common_head
        self.group, self.tau = group, tau
        self.weights = weights or SimCLRWeights()

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Compute the projections of both views, c1 and c2 of shape (n, d_c)."""
        c1, c2 = self.project(self.encode(torch.cat([one.x, two.x]))).c.chunk(2)
        return {"c1": c1, "c2": c2}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the term ``common``."""
        used = torch.ones_like(is_target) if self.group == "all" else is_target
        return {"common": nt_xent(out["c1"][used], out["c2"][used], self.tau)}

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute c, shape (n, d_c), the encoder's output before the head; s is 0, shape (n, 1)."""
        c = self.common(x)
        return Codes(c, c.new_zeros(c.shape[0], 1))

    def project(self, codes: Codes) -> Codes:
        """Project c onto the unit sphere, as the loss sees it; s stays 0."""
        return Codes(normalize(full_precision(self.common_head(codes.c))), codes.s)


def make(options: SimCLROptions | SimCLRTargetOptions, networks: Networks) -> SimCLR:
    """Create the method from its options."""
    parts = networks.encoder(options.common_dim), networks.head(options.common_dim)
    group: Literal["all", "target"] = "target" if isinstance(options, SimCLRTargetOptions) else "all"
    return SimCLR(*parts, group=group, weights=options.weights, tau=options.tau)

"""The ways to make I(c; s) small, by the names that the paper's tables use."""

from __future__ import annotations

from typing import Protocol, cast, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from sepclr.losses.conditional import Bound, Direction, VariationalBound
from sepclr.losses.dependence import hsic, kernel_mutual_information, mmd
from sepclr.losses.joint_entropy import joint_entropy
from sepclr.losses.kernel import Bandwidth, nothing
from sepclr.losses.total_correlation import TotalCorrelation
from sepclr.types import InputError, Scalar

DIRECTED = tuple(f"{bound}-{direction}" for bound in ("vclub", "vl1out", "vub") for direction in ("sym", "c2s", "s2c"))
STATELESS = {"k-jem": joint_entropy, "k-mi": kernel_mutual_information, "mmd": mmd, "hsic": hsic}
INDEPENDENCE = ("none", "k-jem", "k-mi", *DIRECTED, "tc", "mmd", "hsic")
"""Names of all ways, as ``independence`` takes them."""


@runtime_checkable
class HasCriticLoss(Protocol):
    """A way with a critic."""

    def critic_loss(self, c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"]) -> Scalar:
        """Compute what the critic minimises, without gradient for the codes."""
        ...


class Stateless(nn.Module):
    """A way without a critic: one of the functions ``joint_entropy``, ``kernel_mutual_information``, ``mmd``, ``hsic``, or nothing.

    Args:
        name: ``none``, ``k-jem``, ``k-mi``, ``mmd`` or ``hsic``.
        tau: kernel bandwidth τ.
    """

    def __init__(self, name: str, tau: Bandwidth = 0.5) -> None:
        super().__init__()
        self.name, self.tau = name, tau

    def loss(self, c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"]) -> Scalar:
        """Compute the term, which the encoders minimise."""
        return nothing(c, s) if self.name == "none" else STATELESS[self.name](c, s, self.tau)


Independence = Stateless | VariationalBound | TotalCorrelation


def independence(name: str, common_dim: int, salient_dim: int, tau: Bandwidth = 0.5) -> Independence:
    """Make a way to keep c and s apart.

    Args:
        name: one of ``INDEPENDENCE``: ``none`` 0; ``k-jem`` −Ĥ(c,s); ``k-mi`` −Ĥ(c,s) + Ĥ(c) + Ĥ(s); ``vclub-*``, ``vl1out-*``,
            ``vub-*`` upper bounds with a learnt q(s|c) (``c2s``), q(c|s) (``s2c``) or both (``sym``); ``tc`` the mean logit of a
            density-ratio critic; ``mmd`` MMD² between pairs and shuffled pairs; ``hsic``.
        common_dim: length of c.
        salient_dim: length of s.
        tau: kernel bandwidth τ of the kernel ways.

    Returns:
        A module with ``loss(c, s)``, what the encoders minimise, and ``critic_loss(c, s)`` where it has a critic. Background rows of s
        are to be 0 (``hide_background``).

    Raises:
        InputError: unknown name.

    Source: SepCLR (arXiv 2402.11928), Table 1 and its appendix; ``hsic`` is ours.
    """
    if name in ("none", *STATELESS):
        return Stateless(name, tau)
    if name == "tc":
        return TotalCorrelation(common_dim, salient_dim)
    if name in DIRECTED:
        bound, _, direction = name.partition("-")
        return VariationalBound(cast(Bound, bound), cast(Direction, direction), common_dim, salient_dim)
    raise InputError(f"independence: {name!r} is unknown; choose one of {', '.join(INDEPENDENCE)}")

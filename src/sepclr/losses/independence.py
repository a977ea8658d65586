"""Independence terms, which reduce I(c; s), by their names in the paper's tables."""

from __future__ import annotations

from typing import Literal, cast

from jaxtyping import Bool, Float
from torch import Tensor, nn

from sepclr.losses.conditional import Bound, Direction, VariationalBound
from sepclr.losses.joint_entropy import joint_entropy
from sepclr.losses.kernel import Bandwidth, hide_background, zero_term
from sepclr.losses.kernel_measures import hsic, kernel_mutual_information, mmd
from sepclr.losses.total_correlation import TotalCorrelation
from sepclr.types import InputError, Scalar

DIRECTED = tuple(f"{bound}-{direction}" for bound in ("vclub", "vl1out", "vub") for direction in ("sym", "c2s", "s2c"))
INDEPENDENCE = ("none", "k-jem", "k-mi", *DIRECTED, "tc", "mmd", "hsic")
"""Names of all terms, as ``independence`` takes them."""

Over = Literal["all", "target"]
"""Samples that the critic of the total correlation sees."""


class Independence(nn.Module):
    """Independence term between c and s, on the samples that it is defined for.

    - ``none``: 0.
    - ``k-jem``: −Ĥ(c,s̃); ``k-mi``: −Ĥ(c,s̃) + Ĥ(c) + Ĥ(s̃). s̃ is s with background rows set to 0.
    - ``hsic``: HSIC of c and s̃; ``SepCLR`` uses it with the median bandwidth of each space.
    - ``mmd``: MMD² between the common codes of background and target, with several bandwidths around τ. It affects c only.
    - ``vclub-*``, ``vl1out-*``, ``vub-*``: upper bounds with a learnt q(s|c) (``c2s``), q(c|s) (``s2c``) or both (``sym``), on targets:
      rows of s̃ that are exactly 0 would make q collapse.
    - ``tc``: mean relu(log D/(1 − D)) with a critic D that tells (c_i, s_i) from (c_i, s_π(i)).

    Args:
        name: one of ``INDEPENDENCE``.
        common_dim: dimension of c.
        salient_dim: dimension of s.
        over: samples that ``tc`` sees, ``all`` or ``target``. With ``all``, s of background is not set to 0, as in the SepVAE authors'
            programs, so D also sees whether c encodes the group.
        log_variance_limit: largest absolute log-variance of q.

    Attributes:
        critic: module trained in alternation with the encoders; None if the term has none.

    Raises:
        InputError: unknown name.

    Source: SepCLR (arXiv 2402.11928), Table 1 and its appendix; ``hsic`` is ours.
    """

    def __init__(self, name: str, common_dim: int, salient_dim: int, *, over: Over = "all", log_variance_limit: float = 1.0) -> None:
        super().__init__()
        if name not in INDEPENDENCE:
            raise InputError(f"independence: {name!r} is unknown; choose one of {', '.join(INDEPENDENCE)}")
        self.name, self.over = name, over
        self.critic: VariationalBound | TotalCorrelation | None = None
        if name == "tc":
            self.critic = TotalCorrelation(common_dim, salient_dim)
        elif name in DIRECTED:
            bound, _, direction = name.partition("-")
            self.critic = VariationalBound(
                cast(Bound, bound), cast(Direction, direction), common_dim, salient_dim, log_variance_limit=log_variance_limit
            )

    def loss(
        self, c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"], is_target: Bool[Tensor, " n"], tau: tuple[Bandwidth, Bandwidth]
    ) -> Scalar:
        """Compute the term, which the encoders minimise.

        Args:
            c: common codes, shape (n, d_c).
            s: salient codes of all samples, not set to 0 for background, shape (n, d_s).
            is_target: True for target samples, shape (n,).
            tau: kernel bandwidths of c and s.
        """
        if self.critic is not None:
            return self.critic.loss(*self._seen(c, s, is_target))
        if self.name == "none":
            return zero_term(c, s)
        if self.name == "mmd":
            return mmd(c, is_target, tau[0])
        kernel_term = {"k-jem": joint_entropy, "k-mi": kernel_mutual_information, "hsic": hsic}[self.name]
        return kernel_term(c, hide_background(s, is_target), tau)

    def critic_loss(self, c: Float[Tensor, "n d_c"], s: Float[Tensor, "n d_s"], is_target: Bool[Tensor, " n"]) -> Scalar:
        """Compute the critic's loss, which gives the codes no gradient.

        Raises:
            InputError: a term without a critic.
        """
        if self.critic is None:
            raise InputError(f"independence: {self.name!r} has no critic")
        return self.critic.critic_loss(*self._seen(c, s, is_target))

    def _seen(self, c: Tensor, s: Tensor, is_target: Tensor) -> tuple[Tensor, Tensor]:
        """Select the samples that the critic sees."""
        return (c, s) if self.name == "tc" and self.over == "all" else (c[is_target], s[is_target])

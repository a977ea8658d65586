"""SepCLR (Louiset, Duchesnay, Grigis, Gori: Separating common from salient patterns with contrastive representation learning, ICLR 2024).

    max  λ_C (I(x;c) + I(y;c)) + λ_S I(y;s)    subject to    D_KL(s_x ‖ δ(s′)) = 0    and    I(c;s) = 0

x is background, y target, c the common and s the salient code, s′ = 0. The loss, on the projections of 1 + K views of each sample, is

    λ_C [A(c) + wU(c)]  +  λ_S [A(s_y) + wU(s̃)]  +  β 1/N_X Σ ‖s_x‖²/2τ  +  λ independence(c, s̃)
      common                salient                 information_less        independence

A is the alignment of the first view with the K others, U the uniformity averaged over views, and s̃ is s with background rows set to 0.
c is normalised to the unit sphere. ``objective="released"`` is what the authors' program minimises: w = 2, U without self pairs, and
U(s̃) over all rows. ``objective="published"`` is what the paper prints: w = 1, U(c) with self pairs (eq. 3), and the s′-uniformity of
eq. 7 over targets.
Independence is −Ĥ(c, s̃) for ``k-jem``, 0 for ``none``, or one of the other terms that the paper compares it with
(``sepclr.losses.Independence``).
Where an attribute b is known that neither code should hold, such as the scanner, k-JEM becomes −Ĥ(c, s̃, b), with b as one-hot codes, and
the salient term gets −Ĥ(s_y, b_y): both spread the codes of the samples that share a value of b. This is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

from sepclr.losses import (
    Bandwidth,
    Independence,
    alignment,
    bandwidths,
    full_precision,
    hide_background,
    infomax_entropies,
    information_less,
    joint_entropy,
    step_bandwidths,
)
from sepclr.losses.average import over_views
from sepclr.methods import decorrelated
from sepclr.methods.decorrelated import Decorrelated
from sepclr.methods.options.base import Discriminator
from sepclr.methods.options.sepclr import METHOD, ConditionalCritic, DecorrelatedOptions, SepCLROptions, SepCLRWeights
from sepclr.nets import Networks
from sepclr.ranges import check_at_least
from sepclr.types import Batch, Codes, InputError, Outputs, Scalar

Objective = Literal["released", "published"]

FREE_OF = 3.0
"""Weight of −Ĥ(s_y, b_y) in the salient term, chosen from 1, 3 and 10 on made-up rows."""


class SepCLR(nn.Module):
    """SepCLR with two encoders, two projection heads and four terms.

    Args:
        common: encoder f_θC, from samples (n, ...) to codes (n, d_c).
        salient: encoder f_θS, from samples (n, ...) to codes (n, d_s).
        common_head: projection head from (n, d_c), whose output is normalised here.
        salient_head: projection head from (n, d_s).
        dims: dimensions (d_c, d_s) of the projections.
        objective: ``released`` or ``published``.
        further_views: K, number of views of a sample besides the first.
        independence: one of ``sepclr.losses.INDEPENDENCE``.
        critic: training of the independence term's critic; the term's default if None.
        weights: weight of each term; the default for the independence term if None.
        tau: kernel bandwidth τ, or a pair of them for c and s. ``"median"`` applies the median heuristic per space and step, for s
            on targets only; ``hsic`` always uses it.
        free_of: number of classes of the attribute that neither code should hold, given as ``free_of``, for ``k-jem``; 0 if there is none.

    Raises:
        InputError: unknown objective or independence, ``further_views`` below 1, a critic of the wrong kind or for a term without one,
            or a bandwidth that is not positive.
    """

    def __init__(
        self,
        common: nn.Module,
        salient: nn.Module,
        common_head: nn.Module,
        salient_head: nn.Module,
        dims: tuple[int, int],
        *,
        objective: Objective = "released",
        further_views: int = 1,
        independence: str = "k-jem",
        critic: ConditionalCritic | Discriminator | None = None,
        weights: SepCLRWeights | None = None,
        tau: Bandwidth | tuple[Bandwidth, Bandwidth] = 0.5,
        free_of: int = 0,
    ) -> None:
        super().__init__()
        if free_of and independence != "k-jem":
            raise InputError(f"free_of: needs independence k-jem or decorrelation, not {independence}")
        self.free_of = free_of
        if objective not in get_args(Objective):
            raise InputError(f"objective: {objective!r} is unknown; choose {' or '.join(get_args(Objective))}")
        check_at_least(1, further_views=further_views)
        self.tau = tau if isinstance(tau, tuple) else (tau, tau)
        for each in self.tau:
            bandwidths(torch.zeros(1, 1), each)  # raises InputError
        self.common, self.salient = common, salient
        self.common_head, self.salient_head = common_head, salient_head
        self.objective, self.further_views = objective, further_views
        usual = METHOD.asked({"objective": objective, "independence": independence})
        assert isinstance(usual, SepCLROptions)
        critic = critic or usual.critic
        if type(critic) is not type(usual.critic):
            wanted = f"takes a {type(usual.critic).__name__}" if usual.critic else "has none"
            raise InputError(f"critic: {type(critic).__name__}, but {independence!r} {wanted}")
        over = critic.over if isinstance(critic, Discriminator) else "all"
        limit = critic.log_variance if isinstance(critic, ConditionalCritic) else 1.0
        self.independence = Independence(independence, *dims, over=over, log_variance_limit=limit)
        self.critic_steps, self.critic_learning_rate = (critic.steps, critic.learning_rate) if critic else (1, 1.0)
        self.weights = weights or usual.weights

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute c, shape (n, d_c), and s, shape (n, d_s): the encoders' outputs, before the heads."""
        return Codes(self.common(x), self.salient(x))

    def project(self, codes: Codes) -> Codes:
        """Project codes as the losses see them: c on the unit sphere, s unnormalised."""
        return Codes(normalize(full_precision(self.common_head(codes.c))), full_precision(self.salient_head(codes.s)))

    def outputs(self, *views: Batch) -> Outputs:
        """Compute the projections of each view, c1, c2, … of shape (n, d_c) and s1, s2, … of shape (n, d_s)."""
        # One pass over all views: more samples for batch normalisation, fewer calls.
        c, s = self.project(self.encode(torch.cat([view.x for view in views])))
        parts = zip(c.chunk(len(views)), s.chunk(len(views)), strict=True)
        told = {"free_of": views[0].extra["free_of"]} if self.free_of else {}
        return {f"{space}{number}": z for number, view in enumerate(parts, 1) for space, z in zip("cs", view, strict=True)} | told

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted terms ``common``, ``salient``, ``information_less`` and ``independence``."""
        c, s = self._views(out)
        tau_c, tau_s = tau = step_bandwidths(c, s, is_target, self.tau)
        common_entropy, salient_entropy, joint = infomax_entropies(c, s, is_target, tau, self.objective)
        if self.free_of:
            attribute = one_hot(out["free_of"].clamp(min=0), self.free_of).to(c[0].dtype)
            known = out["free_of"] >= 0
            joint, apart = self._apart_from(
                attribute[known], [view[known] for view in c], [view[known] for view in s], is_target[known], tau
            )
            salient_entropy = salient_entropy + FREE_OF * apart
        return {
            "common": alignment(c[0], torch.stack(c[1:]), tau_c) + common_entropy,
            "salient": alignment(s[0], torch.stack(s[1:]), tau_s, is_target=is_target) + salient_entropy,
            "information_less": over_views(information_less(view, is_target, tau_s) for view in s),
            "independence": joint if self.independence.name == "k-jem" else self._independence(c, s, is_target, tau),
        }

    def _views(self, out: Outputs) -> tuple[list[Tensor], list[Tensor]]:
        """Return the projections c and s of each view."""
        c, s = ([out[f"{space}{number}"] for number in range(1, 2 + self.further_views)] for space in "cs")
        return c, s

    def _independence(self, c: Sequence[Tensor], s: Sequence[Tensor], is_target: Tensor, tau: tuple[Bandwidth, Bandwidth]) -> Scalar:
        """Compute the independence term, averaged over views."""
        # HSIC is insensitive if its kernels are far narrower or wider than the spread of the codes.
        widths = step_bandwidths(c, s, is_target, ("median", "median")) if self.independence.name == "hsic" else tau
        return over_views(self.independence.loss(*view, is_target, widths) for view in zip(c, s, strict=True))

    def _apart_from(
        self, b: Tensor, c: Sequence[Tensor], s: Sequence[Tensor], is_target: Tensor, tau: tuple[Bandwidth, Bandwidth]
    ) -> tuple[Scalar, Scalar]:
        """Compute −Ĥ(c, s̃, b), and −Ĥ(s, b) over targets; a product of Gaussian kernels is the kernel of concatenated codes."""
        views = list(zip(c, s, strict=True))
        joint = [joint_entropy(torch.cat([view_c, b], 1), hide_background(view_s, is_target), tau) for view_c, view_s in views]
        return over_views(joint), over_views(joint_entropy(b[is_target], view[is_target], tau) for view in s)

    def critic_parameters(self) -> Sequence[nn.Parameter]:
        """Return the parameters of the independence term's critic; empty if it has none."""
        return list(self.independence.parameters())

    def critic_loss(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> Scalar:
        """Compute the loss of the independence term's critic.

        Raises:
            InputError: an independence term without a critic.
        """
        return over_views(self.independence.critic_loss(c, s, is_target) for c, s in zip(*self._views(out), strict=True))


def make(options: SepCLROptions | DecorrelatedOptions, networks: Networks) -> SepCLR | Decorrelated:
    """Create the method from its options."""
    if isinstance(options, DecorrelatedOptions):
        return decorrelated.make(options, networks)
    c, s = dims = options.common_dim, options.salient_dim
    return SepCLR(
        networks.encoder(c),
        networks.encoder(s),
        networks.head(c),
        networks.head(s),
        dims,
        objective=options.objective,
        independence=options.independence,
        further_views=options.further_views,
        weights=options.weights,
        tau=(options.tau, options.tau if options.tau_salient is None else options.tau_salient),
        critic=options.critic,
        free_of=networks.classes["free_of"] if options.free_of else 0,
    )

"""SepCLR (Louiset, Duchesnay, Grigis, Gori: Separating common from salient patterns with contrastive representation learning, ICLR 2024).

    max  λ_C (I(x;c) + I(y;c)) + λ_S I(y;s)    subject to    D_KL(s_x ‖ δ(s′)) = 0    and    I(c;s) = 0

x is background, y target, c the common and s the salient code, s′ = 0. What is minimised, on the projections of 1 + K views of a sample:

    λ_C [A(c) + wU(c)]  +  λ_S [A(s_y) + wU(s̃)]  +  β 1/N_X Σ ‖s_x‖²/2τ  +  λ independence(c, s̃)
      common                salient                 information_less        independence

A is alignment of the first view with the K others, U uniformity, a mean over views, s̃ is s with background rows set to 0; c is normalised
to the unit sphere. ``objective="released"`` is what the authors' program minimises: w = 2, U without self pairs, and U(s̃) over all rows.
``objective="published"`` is what the paper prints: w = 1, U(c) with self pairs (eq. 3), and the s′-uniformity of eq. 7 over targets.
Independence is −Ĥ(c, s̃) for ``k-jem``, 0 for ``none``, and one of the other terms that the paper compares it with
(``sepclr.losses.Independence``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from sepclr.losses import (
    Bandwidth,
    Independence,
    Over,
    alignment,
    bandwidths,
    full_precision,
    hide_background,
    information_less,
    kernel_entropies,
    salient_uniformity,
    uniformity,
)
from sepclr.methods import decorrelated
from sepclr.methods.decorrelated import Decorrelated
from sepclr.methods.options.base import Discriminator
from sepclr.methods.options.sepclr import METHOD, ConditionalCritic, DecorrelatedOptions, SepCLROptions, SepCLRWeights
from sepclr.nets import Networks
from sepclr.ranges import check_at_least, check_positive
from sepclr.types import Batch, Codes, InputError, Outputs, Scalar

Objective = Literal["released", "published"]
View = tuple[Tensor, Tensor]
"""Projections c and s of one view of all samples."""


class SepCLR(nn.Module):
    """Two encoders, two projection heads, four terms.

    Args:
        common: f_θC, from samples (n, ...) to codes (n, d_c).
        salient: f_θS, from samples (n, ...) to codes (n, d_s).
        common_head: from (n, d_c) to the projection, normalised here.
        salient_head: from (n, d_s) to the projection.
        dims: lengths (d_c, d_s) of the projections.
        objective: ``released`` or ``published``.
        further_views: K, views of a sample beside the first.
        independence: one of ``sepclr.losses.INDEPENDENCE``.
        adversary_over: samples that the critic of ``tc`` looks at, ``all`` or ``target``.
        critic_steps: steps of the critic, where independence has one, before each step of the encoders; the term's own if None.
        critic_learning_rate: the critic's step size, the term's own if None.
        critic_log_variance: largest size of a log-variance of a conditional density.
        weights: one multiplier per term; the term's own where not given.
        tau: kernel bandwidth τ, or a pair of them for c and s. ``"median"`` chooses one per space and step, that of s by targets;
            ``hsic`` always does.

    Raises:
        InputError: unknown objective or independence, no view, no step of the critic, or a bandwidth, step size or limit that is not
            positive.
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
        adversary_over: Over = "all",
        critic_steps: int | None = None,
        critic_learning_rate: float | None = None,
        critic_log_variance: float = 1.0,
        weights: SepCLRWeights | None = None,
        tau: Bandwidth | tuple[Bandwidth, Bandwidth] = 0.5,
    ) -> None:
        super().__init__()
        if objective not in get_args(Objective):
            raise InputError(f"objective: {objective!r} is unknown; choose {' or '.join(get_args(Objective))}")
        check_at_least(1, further_views=further_views)
        self.tau = tau if isinstance(tau, tuple) else (tau, tau)
        for each in self.tau:
            bandwidths(torch.zeros(1, 1), each)  # raises InputError
        self.common, self.salient = common, salient
        self.common_head, self.salient_head = common_head, salient_head
        self.objective, self.further_views = objective, further_views
        self.independence = Independence(independence, *dims, over=adversary_over, log_variance_limit=critic_log_variance)
        usual = METHOD.asked({"objective": objective, "independence": independence})
        assert isinstance(usual, SepCLROptions)
        steps, learning_rate = (1, 1.0)
        if usual.critic is not None:
            steps, learning_rate = usual.critic.steps, usual.critic.learning_rate
        self.critic_steps = steps if critic_steps is None else critic_steps
        self.critic_learning_rate = learning_rate if critic_learning_rate is None else critic_learning_rate
        check_at_least(1, critic_steps=self.critic_steps)
        check_positive(critic_learning_rate=self.critic_learning_rate)
        self.weights = weights or usual.weights

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute c, shape (n, d_c), and s, shape (n, d_s): the encoders' outputs, before the heads."""
        return Codes(self.common(x), self.salient(x))

    def project(self, codes: Codes) -> Codes:
        """Map codes to what the losses see: c on the unit sphere, s raw."""
        return Codes(normalize(full_precision(self.common_head(codes.c))), full_precision(self.salient_head(codes.s)))

    def outputs(self, *views: Batch) -> Outputs:
        """Compute the projections of each view, c1, c2, … of shape (n, d_c) and s1, s2, … of shape (n, d_s)."""
        # One pass over all views: more samples for batch normalisation, fewer calls.
        c, s = self.project(self.encode(torch.cat([view.x for view in views])))
        parts = zip(c.chunk(len(views)), s.chunk(len(views)), strict=True)
        return {f"{space}{number}": z for number, view in enumerate(parts, 1) for space, z in zip("cs", view, strict=True)}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted terms ``common``, ``salient``, ``information_less`` and ``independence``."""
        views = self._views(out)
        tau_c, tau_s = self._bandwidths(views, is_target, self.tau)
        # HSIC is blind where its kernels are far narrower or wider than the codes are spread.
        widths = self._bandwidths(views, is_target, ("median", "median")) if self.independence.name == "hsic" else (tau_c, tau_s)
        common, salient, joint = (
            torch.stack(each).mean() for each in zip(*(self._entropies(c, s, is_target, (tau_c, tau_s)) for c, s in views), strict=True)
        )
        return {
            "common": alignment(views[0][0], torch.stack([c for c, _ in views[1:]]), tau_c) + common,
            "salient": _alignment_of_targets([s for _, s in views], is_target, tau_s) + salient,
            "information_less": _mean(lambda _, s: information_less(s, is_target, tau_s), views),
            "independence": joint
            if self.independence.name == "k-jem"  # already there
            else _mean(lambda c, s: self.independence.loss(c, s, is_target, widths), views),
        }

    def _views(self, out: Outputs) -> list[View]:
        """List the projections of each view."""
        return [(out[f"c{number}"], out[f"s{number}"]) for number in range(1, 2 + self.further_views)]

    def _bandwidths(self, views: Sequence[View], is_target: Tensor, tau: tuple[Bandwidth, Bandwidth]) -> tuple[Bandwidth, Bandwidth]:
        """Resolve ``"median"`` once for all views of a step, so that one objective has one width per space."""
        tau_c, tau_s = tau
        if isinstance(tau_c, str):
            tau_c = bandwidths(torch.cat([c for c, _ in views]), tau_c)
        if isinstance(tau_s, str):
            tau_s = bandwidths(torch.cat([s[is_target] for _, s in views]), tau_s)
        return tau_c, tau_s

    def _entropies(self, c: Tensor, s: Tensor, is_target: Tensor, tau: tuple[Bandwidth, Bandwidth]) -> tuple[Scalar, Scalar, Scalar]:
        """Compute wU(c), wU(s̃) and k-JEM of one view."""
        found = kernel_entropies(c, s, tau, is_target=is_target)
        if self.objective == "released":
            return 2 * found["common_uniformity"], 2 * found["salient_uniformity"], found["joint_entropy"]
        return uniformity(c, tau[0], with_self=True), salient_uniformity(s, is_target, tau[1], form="paper"), found["joint_entropy"]

    def critic_parameters(self) -> Sequence[nn.Parameter]:
        """List the parameters of independence's critic; none where it has no critic."""
        return list(self.independence.parameters())

    def critic_loss(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> Scalar:
        """Compute what independence's critic minimises.

        Raises:
            InputError: independence without a critic.
        """
        return _mean(lambda c, s: self.independence.critic_loss(c, s, is_target), self._views(out))


def _mean(term: Callable[[Tensor, Tensor], Scalar], views: Sequence[View]) -> Scalar:
    """Average a term over views."""
    return torch.stack([term(c, s) for c, s in views]).mean()


def _alignment_of_targets(s: Sequence[Tensor], is_target: Tensor, tau: Bandwidth) -> Scalar:
    """Align the salient codes of targets."""
    # Where s is 0 in all views alignment is 0. Picking out the targets would make a GPU wait for their number.
    first, *others = (hide_background(view, is_target) for view in s)
    return alignment(first, torch.stack(others), tau) * len(is_target) / is_target.sum().clamp(min=1)


def make(options: SepCLROptions | DecorrelatedOptions, networks: Networks) -> SepCLR | Decorrelated:
    """Make the method of its options."""
    if isinstance(options, DecorrelatedOptions):
        return decorrelated.make(options, networks)
    c, s = dims = options.common_dim, options.salient_dim
    critic: dict[str, Any] = {}
    if options.critic is not None:
        critic = {"critic_steps": options.critic.steps, "critic_learning_rate": options.critic.learning_rate}
    if isinstance(options.critic, ConditionalCritic):
        critic["critic_log_variance"] = options.critic.log_variance
    if isinstance(options.critic, Discriminator):
        critic["adversary_over"] = options.critic.over
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
        **critic,
    )

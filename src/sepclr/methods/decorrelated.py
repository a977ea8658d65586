"""SepCLR with canonical correlations in place of k-JEM: our own objective, not the paper's (arXiv 2402.11928).

    max  λ_C (I(x;c|s) + I(y;c|s)) + λ_S I(y;s|c)    subject to    D_KL(s_x ‖ δ(s′)) = 0    and    c, s and the group uncorrelated

h_c and h_s are the standardised outputs of the encoders; c is the projection of h_c onto the unit sphere, s that of h_s into a ball. The
loss, on 1 + K views of each sample, is

    λ_C [A(c) + 2 U(c | s)]  +  λ_S [A(s_y) + 2 U₀(s_y | c_y)]  +  β 1/N_X Σ ‖s_x‖²/2τ
      common                  salient                         information_less

A is the alignment of the first view with the K others. U(c | s) is the mean over all samples and views of log Σ_j w_ij k_τ(c_i, c_j), where
j runs over the other samples of i's group: targets near i in s, or any background, where s carries no information. U₀ is the same for s
among targets near i in c, and also spreads s away from s′ = 0. So neither code gains from encoding what the other holds, but it loses
nothing either. To penalise that, the objective reduces

    D_c = D(h_c, [h_s, φ(h_s)])      D_s = D(h_s, [h_c, φ(h_c)])      D_g = D(h_c, group)

D is the sum of the squared canonical correlations, over targets except for D_g, with moments over many batches; φ are random cosines. D is
not a term of the loss. Its gradient is added to that of the codes with the factor min(1, D) ‖∇_h L‖/‖∇_h D‖, with ‖∇_h L‖ over targets.
Separation thus has the same weight as everything else at D ≥ 1 and none near 0, for any data and weights: there is nothing to tune.

Where an attribute b is known that neither code should hold, such as the scanner, D(h_c, b) over all samples and D(h_s, b) over targets are
reduced likewise, with √D in place of D in the factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

from sepclr.losses import (
    Correlation,
    CosineFeatures,
    RunningCorrelation,
    alignment,
    ball,
    conditional_uniformity,
    full_precision,
    information_less,
)
from sepclr.methods.options.sepclr import DecorrelatedOptions, DecorrelatedWeights
from sepclr.nets import Networks
from sepclr.ranges import check_at_least, check_positive
from sepclr.types import Batch, Codes, InputError, Outputs, Scalar, Steering

CORRELATIONS = ("c_with_s", "s_with_c", "c_with_group")
"""D_c, D_s and D_g."""


class Decorrelated(nn.Module):
    """Decorrelated SepCLR with two encoders, two projection heads, three terms and three correlations.

    Args:
        common: encoder f_θC, from samples (n, ...) to (n, d_c).
        salient: encoder f_θS, from samples (n, ...) to (n, d_s).
        common_head: projection head from codes (n, d_c), whose output is normalised here.
        salient_head: projection head from codes (n, d_s), whose output is mapped into a ball here.
        standardise: modules without parameters that scale the encoders' outputs to variances of about 1, for h_c and h_s.
        dims: dimensions (d_c, d_s) of the codes.
        further_views: K, number of views of a sample besides the first.
        weights: weight of each term.
        tau: kernel bandwidth τ.
        neighbours: k, the neighbour whose distance sets how local conditional uniformity is; None for U(c) and U₀(s_y), which have no
            condition.
        radius: radius of the ball of s.
        features: number of random cosines φ of each code, in addition to the code itself.
        correlations: correlations whose gradients are added; all are measured.
        free_of: number of classes of the attribute that neither code should hold, given as ``free_of``; 0 if there is none.

    Raises:
        InputError: ``further_views`` or ``neighbours`` below 1, a bandwidth or radius that is not positive, or an unknown correlation.
    """

    def __init__(
        self,
        common: nn.Module,
        salient: nn.Module,
        common_head: nn.Module,
        salient_head: nn.Module,
        standardise: tuple[nn.Module, nn.Module],
        dims: tuple[int, int],
        *,
        further_views: int = 1,
        weights: DecorrelatedWeights | None = None,
        tau: float = 0.5,
        neighbours: int | None = 8,
        radius: float = 2.0,
        features: int = 64,
        correlations: Sequence[str] = CORRELATIONS,
        free_of: int = 0,
    ) -> None:
        super().__init__()
        check_at_least(1, further_views=further_views, neighbours=1 if neighbours is None else neighbours)
        check_positive(tau=tau, radius=radius)
        if unknown := sorted(set(correlations) - set(CORRELATIONS)):
            raise InputError(f"correlations: {', '.join(unknown)} unknown; choose from {', '.join(CORRELATIONS)}")
        c, s = dims
        self.common, self.salient = common, salient
        self.standardise_c, self.standardise_s = standardise
        self.common_head, self.salient_head = common_head, salient_head
        self.further_views, self.tau, self.neighbours, self.radius = further_views, tau, neighbours, radius
        self.correlations = frozenset(correlations)
        self.weights = weights or DecorrelatedWeights()
        self.phi_c, self.phi_s = CosineFeatures(c, features), CosineFeatures(s, features)
        self.c_with_s, self.s_with_c = RunningCorrelation(c, s + features), RunningCorrelation(s, c + features)
        self.c_with_group = RunningCorrelation(c, 1)
        self.free_of = free_of
        if free_of:
            self.c_with_free_of, self.s_with_free_of = RunningCorrelation(c, free_of), RunningCorrelation(s, free_of)

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute h_c, shape (n, d_c), and h_s, shape (n, d_s): the codes, before the heads."""
        return Codes(self.standardise_c(full_precision(self.common(x))), self.standardise_s(full_precision(self.salient(x))))

    def project(self, codes: Codes) -> Codes:
        """Project codes as the losses see them: c on the unit sphere, s in the ball."""
        return Codes(normalize(full_precision(self.common_head(codes.c))), ball(self.salient_head(codes.s), self.radius))

    def outputs(self, *views: Batch) -> Outputs:
        """Compute, for all views, the codes ``h_c`` and ``h_s``, shape (n, views, d), and their projections ``c`` and ``s``."""
        number = len(views)
        # One pass over all views: more samples for batch normalisation, fewer calls.
        codes = self.encode(torch.cat([view.x for view in views]))
        out = {f"h_{space}": _by_sample(h, number) for space, h in zip("cs", codes, strict=True)}
        # Project these tensors, not those that they were made from, or steering would not see the gradient of the projections.
        projections = self.project(Codes(_by_view(out["h_c"]), _by_view(out["h_s"])))
        told = {"free_of": views[0].extra["free_of"]} if self.free_of else {}
        return out | {space: _by_sample(z, number) for space, z in zip("cs", projections, strict=True)} | told

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted terms ``common``, ``salient`` and ``information_less``."""
        c, s = out["c"].unbind(1), out["s"].unbind(1)
        background, target = _rows(~is_target), _rows(is_target)
        spread = [self._spread(*view, background, target) for view in zip(c, s, strict=True)]
        common, salient = (torch.stack(each).mean() for each in zip(*spread, strict=True))
        return {
            "common": alignment(c[0], torch.stack(c[1:]), self.tau) + 2 * common,
            "salient": alignment(s[0][target], torch.stack(s[1:])[:, target], self.tau) + 2 * salient,
            "information_less": torch.stack([information_less(each, is_target, self.tau) for each in s]).mean(),
        }

    def _spread(self, c: Tensor, s: Tensor, background: Tensor, target: Tensor) -> tuple[Scalar, Scalar]:
        """Compute U(c | s) and U₀(s_y | c_y) of one view from the rows of both groups."""
        spread = partial(conditional_uniformity, tau=self.tau, neighbours=self.neighbours or 1)
        c_x, c_y, s_y = c[background], c[target], s[target]
        given_c, given_s = (None, None) if self.neighbours is None else (c_y, s_y)
        common = (len(c_x) * spread(c_x) + len(c_y) * spread(c_y, given_s)) / len(c)
        return common, spread(s_y, given_c, from_zero=True)

    def steering(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> Steering:
        """Update the moments with the codes and return how the gradients of ``h_c`` and ``h_s`` change."""
        number = out["h_c"].shape[1]
        h_c, h_s = (full_precision(_by_view(out[name])) for name in ("h_c", "h_s"))
        group = is_target.repeat(number)[:, None].to(h_c.dtype)
        target = _rows(is_target.repeat(number))
        c, s = h_c[target], h_s[target]
        with_s = _correlated(self.c_with_s, c, self.phi_s(s))
        with_c = _correlated(self.s_with_c, s, self.phi_c(c))
        with_group = _correlated(self.c_with_group, h_c, group)
        found = {  # the code that each moves, D, and its gradient
            "c_with_s": ("h_c", with_s.value, _placed(with_s.a, target, h_c, number)),
            "s_with_c": ("h_s", with_c.value, _placed(with_c.a, target, h_c, number)),
            "c_with_group": ("h_c", with_group.value, _by_sample(with_group.a, number)),
        }
        if self.free_of:
            label = out["free_of"].repeat(number)
            attribute = one_hot(label.clamp(min=0), self.free_of).to(h_c.dtype)
            known = label >= 0
            rows, of_targets = _rows(known), _rows(known & is_target.repeat(number))
            c_free = _correlated(self.c_with_free_of, h_c[rows], attribute[rows])
            s_free = _correlated(self.s_with_free_of, h_s[of_targets], attribute[of_targets])
            found["c_with_free_of"] = "h_c", c_free.value, _placed(c_free.a, rows, h_c, number)
            found["s_with_free_of"] = "h_s", s_free.value, _placed(s_free.a, of_targets, h_c, number)
        pushes: dict[str, list[tuple[Tensor, Tensor]]] = {"h_c": [], "h_s": []}
        for name, (code, value, push) in found.items():
            # A scanner is easily seen and its D at most its number of classes less 1: by D itself, it would be pushed too gently.
            if "free_of" in name:
                pushes[code].append((value.sqrt(), push))
            elif name in self.correlations:
                pushes[code].append((value, push))
        return Steering(
            {code: partial(_steered, those, _rows(is_target)) for code, those in pushes.items()},
            {name: value for name, (_, value, _) in found.items()},
        )


def _correlated(moments: RunningCorrelation, a: Tensor, b: Tensor) -> Correlation:
    """Update the moments with a batch and compute its correlation from them."""
    moments.update(a, b)
    found: Correlation = moments(a, b)
    return found


def _rows(group: Bool[Tensor, " n"]) -> Int64[Tensor, " m"]:
    """Return the rows of a group. This synchronises a GPU once, instead of at each indexing."""
    return group.nonzero().flatten()


def _placed(push: Tensor, rows: Tensor, among: Tensor, number: int) -> Tensor:
    """Place the gradient of some rows among all of them, 0 elsewhere, and split it by sample."""
    return _by_sample(push.new_zeros(len(among), push.shape[1]).index_put((rows,), push), number)


def _steered(pushes: Sequence[tuple[Tensor, Tensor]], target: Tensor, gradient: Tensor) -> Tensor:
    """Add min(1, D) ‖∇L‖/‖∇D‖ ∇D for each D, with ‖∇L‖ over targets: D is weighted by the loss's gradient on targets."""
    size = torch.linalg.vector_norm(gradient[target].float())
    for value, push in pushes:
        share = value.clamp(max=1) * size / torch.linalg.vector_norm(push).clamp(min=torch.finfo(push.dtype).tiny)
        gradient = gradient + (share * push).to(gradient.dtype)
    return gradient


def _by_sample(z: Float[Tensor, "views_n d"], number: int) -> Float[Tensor, "n views d"]:
    """Stack concatenated views along a new dimension."""
    return torch.stack(z.chunk(number), 1)


def _by_view(z: Float[Tensor, "n views d"]) -> Float[Tensor, "views_n d"]:
    """Concatenate stacked views."""
    return z.transpose(0, 1).flatten(0, 1)


def make(options: DecorrelatedOptions, networks: Networks) -> Decorrelated:
    """Create the method from its options."""
    c, s = dims = options.common_dim, options.salient_dim
    parts = networks.encoder(c), networks.encoder(s), networks.head(c), networks.head(s)
    scales = networks.standardise(c), networks.standardise(s)
    how: dict[str, Any] = {"further_views": options.further_views, "weights": options.weights, "tau": options.tau}
    return Decorrelated(*parts, scales, dims, **how, free_of=networks.classes["free_of"] if options.free_of else 0)

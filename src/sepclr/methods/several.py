"""Several target groups with one background: one common code c for all, and a salient code s_k for each group k.

    min  1/K Σ_k  L(c, s_k; background, targets of group k)

L is the objective of any method of contrastive analysis that has a salient code. K copies of the method share the common encoder; all else,
such as the salient encoder, the decoder or the adversary, each has of its own. Encoders see all samples of a batch, but the k-th objective
only those of background and group k: what sets the other groups apart is no concern of s_k. This is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import cast

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from sepclr.types import (
    TARGET_GROUP,
    Batch,
    Codes,
    DataclassInstance,
    HasCounts,
    HasCritic,
    HasHeads,
    HasProgress,
    HasSteering,
    Method,
    Outputs,
    Scalar,
    Steering,
)

OF_COMMON = ("common", "standardise_c", "common_head")
"""Names of the modules that belong to c in methods; copies share those that there are."""

ONCE = OF_COMMON[:2]
"""Those whose output is computed once for all copies. Not the heads: each follows its copy's own code, whose gradient may be steered."""


class _Shared:
    """Modules that several methods share; in the methods, functions stand in their place, so that each parameter has one owner."""

    def __init__(self, modules: nn.ModuleDict) -> None:
        self.modules = modules
        self.kept: dict[str, Tensor] | None = None

    def __call__(self, name: str, x: Tensor) -> Tensor:
        if self.kept is None or name not in ONCE:
            return cast(Tensor, self.modules[name](x))
        if name not in self.kept:
            self.kept[name] = self.modules[name](x)
        return self.kept[name]

    @contextmanager
    def once(self) -> Iterator[None]:
        """Compute each output once, because all methods are given the same samples."""
        self.kept = {}
        try:
            yield
        finally:
            self.kept = None


class SeveralTargets(nn.Module):
    """A method for each target group, all with the common encoder of the first.

    Args:
        methods: one method for each target group, all of one kind, with a salient code.
    """

    def __init__(self, methods: Sequence[Method]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(cast(Sequence[nn.Module], methods))
        first = self.parts[0]
        self.shared = nn.ModuleDict({name: getattr(first, name) for name in OF_COMMON if hasattr(first, name)})
        self._share = _Shared(self.shared)
        for part in self.parts:
            for name in self.shared:
                delattr(part, name)
                setattr(part, name, partial(self._share, name))

    @property
    def methods(self) -> list[Method]:
        """The method of each target group. They are parts of this module; ``pair`` returns one that can be used alone."""
        return [cast(Method, part) for part in self.parts]

    def pair(self, group: int) -> Method:
        """Return the method of one target group as one of its own kind, with the same parameters."""
        alone = copy(self.parts[group])
        alone.__dict__ = {name: value for name, value in alone.__dict__.items() if name not in self.shared}
        alone._modules = {**alone._modules, **self.shared}
        return cast(Method, alone)

    @property
    def weights(self) -> DataclassInstance:
        """One multiplier per term, those of the methods."""
        return self.methods[0].weights

    @property
    def further_views(self) -> int:
        """Number of views of a sample beyond the first."""
        return int(getattr(self.methods[0], "further_views", 1))

    def outputs(self, *views: Batch) -> Outputs:
        """Compute the outputs of each method for all samples, ``NAME_k`` for group k, and copy the target groups."""
        with self._share.once():
            found = [cast(Callable[..., Outputs], method.outputs)(*views) for method in self.methods]
        named = {f"{name}_{group}": value for group, out in enumerate(found) for name, value in out.items()}
        return named | {TARGET_GROUP: views[0].extra[TARGET_GROUP]}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted terms of the methods, averaged over target groups."""
        return _mean([method.terms(*_members(out, is_target, group)[1:]) for group, method in enumerate(self.methods)])

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute c, shape (n, d_c), and the salient codes of all target groups side by side, shape (n, K d_s)."""
        with self._share.once():
            codes = [method.encode(x) for method in self.methods]
        return Codes(codes[0].c, torch.cat([each.s for each in codes], 1))

    @property
    def critic_steps(self) -> int:
        """Number of critic steps before each step of the other parameters."""
        return int(getattr(self.methods[0], "critic_steps", 1))

    @property
    def critic_learning_rate(self) -> float:
        """Step size of the critics."""
        return float(getattr(self.methods[0], "critic_learning_rate", 1.0))

    def critic_parameters(self) -> Sequence[nn.Parameter]:
        """Return the parameters of all critics; empty if the methods have none."""
        return [each for method in self.methods if isinstance(method, HasCritic) for each in method.critic_parameters()]

    def critic_loss(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> Scalar:
        """Compute the mean loss of the critics, each on background and its target group.

        Raises:
            InputError: methods without a critic.
        """
        critics = cast(list[HasCritic], self.methods)
        return torch.stack([each.critic_loss(*_members(out, is_target, group)[1:]) for group, each in enumerate(critics)]).mean()

    def steering(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> Steering:
        """Return how the methods change the gradients of outputs, each on background and its target group; empty if they change none."""
        gradients: dict[str, Callable[[Tensor], Tensor]] = {}
        logged = []
        for group, method in enumerate(self.methods):
            if isinstance(method, HasSteering):
                rows, own, members = _members(out, is_target, group)
                found = method.steering(own, members)
                gradients |= {f"{name}_{group}": partial(_on_rows, change, rows) for name, change in found.gradients.items()}
                logged.append(found.logged)
        return Steering(gradients, _mean(logged) if logged else {})

    def count(self, extra: Mapping[str, Tensor], is_target: Bool[Tensor, " n"]) -> None:
        """Tell each method that asks for it the classes of background and its target group."""
        for group, method in enumerate(self.methods):
            if isinstance(method, HasCounts):
                rows = _rows(extra[TARGET_GROUP], is_target, group)
                method.count({name: more[rows] for name, more in extra.items()}, is_target[rows])

    def advance(self, share: float) -> None:
        """Tell each method that asks for it the share of the steps that are done, 0..1."""
        for method in self.methods:
            if isinstance(method, HasProgress):
                method.advance(share)


class ProjectedTargets(SeveralTargets):
    """Methods whose losses see a projection of the codes."""

    def project(self, codes: Codes) -> Codes:
        """Project c, and the salient codes of all target groups side by side, as ``encode`` returns them."""
        apart = zip(cast(list[HasHeads], self.methods), codes.s.chunk(len(self.parts), 1), strict=True)
        heads = [method.project(Codes(codes.c, s)) for method, s in apart]
        return Codes(heads[0].c, torch.cat([each.s for each in heads], 1))


def several(methods: Sequence[Method]) -> SeveralTargets:
    """Join a method for each target group into one."""
    return (ProjectedTargets if isinstance(methods[0], HasHeads) else SeveralTargets)(methods)


def _rows(target_group: Int64[Tensor, " n"], is_target: Bool[Tensor, " n"], group: int) -> Int64[Tensor, " m"]:
    """Return the rows of background and one target group."""
    return (~is_target | (target_group == group)).nonzero().flatten()


def _members(out: Outputs, is_target: Tensor, group: int) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """Return the rows of background and one target group, their outputs for the method of the group, and which of them are targets."""
    rows, end = _rows(out[TARGET_GROUP], is_target, group), f"_{group}"
    own = {name.removesuffix(end): value[rows] for name, value in out.items() if name.endswith(end)}
    return rows, own, is_target[rows]


def _mean(terms: Sequence[Mapping[str, Scalar]]) -> dict[str, Scalar]:
    return {name: torch.stack([each[name] for each in terms]).mean() for name in terms[0]}


def _on_rows(change: Callable[[Tensor], Tensor], rows: Int64[Tensor, " m"], gradient: Tensor) -> Tensor:
    """Change the gradient of some rows only."""
    return gradient.index_put((rows,), change(gradient[rows]))

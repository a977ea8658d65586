"""Find the step at which a loss term stops being finite, without a synchronisation per step on a GPU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

EVERY = 100
"""Number of steps between two looks, and before the end of an epoch."""


class Finite:
    """The terms of the steps since the last look."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, Mapping[str, Tensor]]] = []

    def note(self, step: int, terms: Mapping[str, Tensor]) -> tuple[str, int] | None:
        """Note the scalar terms of a step, and look at all of them every 100 steps; return as ``look``."""
        self.steps.append((step, {name: term.detach() for name, term in terms.items()}))
        return self.look() if len(self.steps) >= EVERY else None

    def look(self) -> tuple[str, int] | None:
        """Return the first term that is not finite and its step; None if all are."""
        steps, self.steps = self.steps, []
        values = [term for _, terms in steps for term in terms.values()]
        if not values or all_finite([torch.stack(values)]):
            return None
        return next((name, step) for step, terms in steps for name, term in terms.items() if not term.isfinite())


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Return whether all values of tensors on one device are finite; of no tensors, they are."""
    found = [tensor.detach().isfinite().all() for tensor in tensors]
    return not found or bool(torch.stack(found).all())

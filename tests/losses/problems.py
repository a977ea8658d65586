"""Problems for the loss terms: codes and membership, hard ones by name, and the oracles that every term is held against."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

torch.set_num_threads(1)

DTYPES = (torch.float32, torch.float64, torch.bfloat16)

Term = Callable[..., Tensor]


@dataclass(frozen=True)
class Problem:
    """Two views of the codes of n samples, in float64, and which samples are targets."""

    c: Tensor
    c_view: Tensor
    s: Tensor
    s_view: Tensor
    is_target: Tensor


@st.composite
def problems(draw: st.DrawFn, min_samples: int = 1, max_samples: int = 7, reach: float = 1e4) -> Problem:
    """Draw codes with entries in -reach..reach (often with equal rows) and any membership, groups that are empty among them."""
    n = draw(st.integers(min_samples, max_samples))
    d_c, d_s = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    entry = st.floats(-reach, reach, allow_subnormal=False)

    def codes(d: int) -> Tensor:
        return torch.from_numpy(draw(arrays(np.float64, (n, d), elements=entry)))

    is_target = torch.tensor(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    return Problem(codes(d_c), codes(d_c), codes(d_s), codes(d_s), is_target)


bandwidths = st.floats(0.05, 5)
seeds = st.integers(0, 2**16)
precisions = st.sampled_from(DTYPES)


def random_problem(n: int = 6, d_c: int = 3, d_s: int = 2, seed: int = 0, scale: float = 1.0) -> Problem:
    """Normal codes, the odd samples targets."""
    generator = torch.Generator().manual_seed(seed)

    def codes(d: int) -> Tensor:
        return scale * torch.randn(n, d, generator=generator, dtype=torch.float64)

    return Problem(codes(d_c), codes(d_c), codes(d_s), codes(d_s), torch.arange(n) % 2 == 1)


def _with(problem: Problem, membership: Callable[[Tensor], Tensor]) -> Problem:
    return Problem(problem.c, problem.c_view, problem.s, problem.s_view, membership(problem.is_target))


def _far_apart(n: int) -> Problem:
    line = 1e4 * torch.arange(n, dtype=torch.float64)[:, None] * torch.ones(1, 2, dtype=torch.float64)
    return Problem(line, line.flip(0), line, line.flip(0), torch.arange(n) % 2 == 1)


def _equal(n: int) -> Problem:
    one = torch.full((n, 2), 3.0, dtype=torch.float64)
    return Problem(one, one, one, one, torch.arange(n) % 2 == 1)


EDGES = {
    "all codes equal": _equal(5),
    "all codes zero": Problem(*[torch.zeros(5, 2, dtype=torch.float64)] * 4, torch.arange(5) % 2 == 1),
    "codes 1e4 apart": _far_apart(5),
    "targets 1e4 apart, no background": _with(_far_apart(5), torch.ones_like),
    "no target": _with(random_problem(), torch.zeros_like),
    "no background": _with(random_problem(), torch.ones_like),
    "one target": _with(random_problem(1), torch.ones_like),
    "one background": _with(random_problem(1), torch.zeros_like),
    "two targets": _with(random_problem(2), torch.ones_like),
    "two far apart, one of each group": _far_apart(2),
    "two equal, one of each group": _equal(2),
    "nobody": random_problem(0),
}
"""Problems that break careless code, by what is special about them."""


def value_and_gradients(term: Term, *codes: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Value of a term and its gradient with respect to each of its codes."""
    leaves = [z.clone().requires_grad_() for z in codes]
    value = term(*leaves)
    return value.detach(), list(torch.autograd.grad(value, leaves))


def assert_finite(term: Term, *codes: Tensor) -> None:
    """Value and gradients are finite; the value is a scalar in float32, or in float64 for codes in float64."""
    value, gradients = value_and_gradients(term, *codes)
    assert value.shape == ()
    assert value.dtype == (torch.float64 if codes[0].dtype == torch.float64 else torch.float32)
    assert value.isfinite()
    for z, gradient in zip(codes, gradients, strict=True):
        assert gradient.dtype == z.dtype
        assert gradient.isfinite().all()


def assert_half_precision_inputs_lose_nothing(term: Term, *codes: Tensor, atol: float = 1e-5) -> None:
    """The value for bfloat16 codes is float32 and close to the value for the same numbers in float64."""
    halves = [z.bfloat16() for z in codes]
    value = term(*halves)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), term(*[z.double() for z in halves]), rtol=1e-5, atol=atol)


def assert_autocast_changes_nothing(term: Term, *codes: Tensor) -> None:
    """Under autocast to bfloat16 value and gradients are those of float32, to the last bit."""
    singles = [z.float() for z in codes]
    value, gradients = value_and_gradients(term, *singles)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast_value, cast_gradients = value_and_gradients(term, *singles)
    assert cast_value.dtype == torch.float32
    assert torch.equal(cast_value, value)
    for cast_gradient, gradient in zip(cast_gradients, gradients, strict=True):
        assert torch.equal(cast_gradient, gradient)


def assert_gradients_are_right(term: Term, *codes: Tensor) -> None:
    """Gradients are those of finite differences, in float64."""
    assert torch.autograd.gradcheck(term, [z.clone().requires_grad_() for z in codes])


def rotation(d: int, seed: int) -> Tensor:
    """A random orthogonal matrix, shape (d, d)."""
    noise = torch.randn(d, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.linalg.qr(noise).Q


def shift(d: int, seed: int) -> Tensor:
    """A random translation, shape (d,)."""
    return torch.randn(d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def permutation(n: int, seed: int) -> Tensor:
    """A random order of n samples."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def squared_distance(a: Sequence[float], b: Sequence[float]) -> float:
    """‖a − b‖², as a loop."""
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def kernel(a: Sequence[float], b: Sequence[float], tau: float) -> float:
    """k_τ(a, b) = exp(−‖a−b‖²/2τ), design §3."""
    return math.exp(-squared_distance(a, b) / (2 * tau))

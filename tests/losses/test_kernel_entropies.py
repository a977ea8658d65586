"""The fused kernel equals the three plain functions, in values, gradients and safety; what it adds is speed and memory."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from speed.losses import peak_bytes
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.functional import normalize

from sepclr.losses import hide_background, joint_entropy, kernel_entropies, uniformity
from sepclr.losses.fused import _forward
from sepclr.losses.tiles import DENSE
from sepclr.types import InputError

from .problems import (
    DTYPES,
    EDGES,
    Problem,
    assert_autocast_changes_nothing,
    assert_finite,
    assert_gradients_are_right,
    assert_half_precision_inputs_lose_nothing,
    bandwidths,
    kernel,
    permutation,
    problems,
    random_problem,
    rotation,
    seeds,
    shift,
    value_and_gradients,
)

NAMES = ("common_uniformity", "salient_uniformity", "joint_entropy")


def plain(c: Tensor, s: Tensor, tau: float = 0.5) -> dict[str, Tensor]:
    return {"common_uniformity": uniformity(c, tau), "salient_uniformity": uniformity(s, tau), "joint_entropy": joint_entropy(c, s, tau)}


def codes(n: int, spread: float, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """32 + 32 dimensions as in training: c on the unit sphere, s with the given deviation, and who is target."""
    draw = torch.Generator().manual_seed(seed)
    c = normalize(torch.randn(n, 32, generator=draw))
    return c, spread * torch.randn(n, 32, generator=draw), torch.arange(n) % 5 < 2


def weighted(terms: dict[str, Tensor]) -> Tensor:
    """A sum in which each term has a weight of its own."""
    return 2 * terms["common_uniformity"] + 3 * terms["salient_uniformity"] + 10 * terms["joint_entropy"]


def connected(value: Tensor, c: Tensor, s: Tensor) -> Tensor:
    """The same value, with a gradient of 0 for codes that it does not depend on."""
    return value + 0 * c.sum() + 0 * s.sum()


def relative(value: Tensor, expected: Tensor) -> float:
    return float((value.double() - expected).norm() / expected.norm())


def test_equals_the_formulas_as_a_loop() -> None:
    problem = random_problem(7)
    c, s = problem.c.tolist(), hide_background(problem.s, problem.is_target).tolist()
    pairs = [(i, j) for i in range(7) for j in range(7) if i != j]
    expected = {
        "common_uniformity": math.log(sum(kernel(c[i], c[j], 0.5) for i, j in pairs) / len(pairs)),
        "salient_uniformity": math.log(sum(kernel(s[i], s[j], 0.5) for i, j in pairs) / len(pairs)),
        "joint_entropy": sum(math.log(sum(kernel(c[i], c[j], 0.5) * kernel(s[i], s[j], 0.5) for j in range(7)) / 7) for i in range(7)) / 7,
    }
    found = kernel_entropies(problem.c, problem.s, is_target=problem.is_target)
    assert {name: value.item() for name, value in found.items()} == pytest.approx(expected, rel=1e-12)


def test_equal_codes_have_no_entropy_and_far_codes_saturate_it() -> None:
    same = torch.ones(4, 2, dtype=torch.float64)
    assert all(value.item() == pytest.approx(0, abs=1e-12) for value in kernel_entropies(same, same).values())
    apart = 1e4 * torch.arange(4, dtype=torch.float64)[:, None]
    found = kernel_entropies(apart, apart)
    assert found["joint_entropy"].item() == pytest.approx(-math.log(4))
    assert found["common_uniformity"].item() == pytest.approx(-1e8 + math.log(6 / 12), rel=1e-12)


# One tile; a border of one; several tiles of 256; tiles of 512 with a rest.
@pytest.mark.parametrize("n", [2, 3, 255, 257, 700, 1030])
@pytest.mark.parametrize("membership", ["mixed", "all targets", "no target", "one target", "not given"])
@pytest.mark.parametrize("spread", [0.3, 2.0])
def test_values_and_gradients_are_those_of_the_plain_functions(n: int, membership: str, spread: float) -> None:
    c, s, mixed = codes(n, spread)
    c, s = c.double(), s.double()
    is_target = {
        "mixed": mixed,
        "all targets": torch.ones_like(mixed),
        "no target": torch.zeros_like(mixed),
        "one target": torch.arange(n) == n - 1,
        "not given": None,
    }[membership]
    hidden = (lambda s: s) if is_target is None else (lambda s: hide_background(s, is_target))
    for name in NAMES:
        ours = value_and_gradients(
            lambda c, s, name=name: kernel_entropies(c, s, is_target=is_target)[name] + 0 * c.sum() + 0 * s.sum(), c, s
        )
        expected = value_and_gradients(lambda c, s, name=name: connected(plain(c, hidden(s))[name], c, s), c, s)
        torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-14)


@given(problem=problems(min_samples=2, reach=30), tau=bandwidths)
def test_equals_the_plain_functions_for_any_problem(problem: Problem, tau: float) -> None:
    found = kernel_entropies(problem.c, problem.s, tau, is_target=problem.is_target)
    for name, value in plain(problem.c, hide_background(problem.s, problem.is_target), tau).items():
        torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", [512, 1500])
@pytest.mark.parametrize(("spread", "share"), [(0.01, 0.4), (0.3, 0.4), (1.0, 0.4), (2.0, 0.4), (2.0, 1.0), (20.0, 1.0)])
def test_float32_gradients_are_those_of_float64_to_one_in_a_million(n: int, spread: float, share: float) -> None:
    c, s, _ = codes(n, spread)
    is_target = torch.arange(n) < share * n
    _, single = value_and_gradients(lambda c, s: weighted(kernel_entropies(c, s, is_target=is_target)), c, s)
    _, double = value_and_gradients(lambda c, s: weighted(plain(c, hide_background(s, is_target))), c.double(), s.double())
    for ours, expected in zip(single, double, strict=True):
        assert relative(ours, expected) <= 1e-6


@given(problem=problems(min_samples=2, reach=10), seed=seeds)
def test_order_of_samples_does_not_matter(problem: Problem, seed: int) -> None:
    order = permutation(len(problem.c), seed)
    moved = kernel_entropies(problem.c[order], problem.s[order], is_target=problem.is_target[order])
    for name, value in kernel_entropies(problem.c, problem.s, is_target=problem.is_target).items():
        torch.testing.assert_close(moved[name], value, rtol=1e-9, atol=1e-9)


@given(problem=problems(min_samples=2, reach=10), seed=seeds)
def test_an_isometry_of_either_space_does_not_matter(problem: Problem, seed: int) -> None:
    d_c, d_s = problem.c.shape[1], problem.s.shape[1]
    c = problem.c @ rotation(d_c, seed) + shift(d_c, seed)
    s = problem.s @ rotation(d_s, seed + 1) + shift(d_s, seed + 1)
    moved = kernel_entropies(c, s)
    for name, value in kernel_entropies(problem.c, problem.s).items():
        torch.testing.assert_close(moved[name], value, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("edge", EDGES)
def test_is_finite_at_the_edges(edge: str, dtype: torch.dtype) -> None:
    problem = EDGES[edge]
    c, s = problem.c.to(dtype), problem.s.to(dtype)
    assert all(value.isfinite() for value in kernel_entropies(c, s, is_target=problem.is_target).values())
    assert_finite(lambda c, s: weighted(kernel_entropies(c, s, is_target=problem.is_target)), c, s)


@given(problem=problems())
def test_is_finite_for_any_codes(problem: Problem) -> None:
    for dtype in DTYPES:
        assert_finite(lambda c, s: weighted(kernel_entropies(c, s, is_target=problem.is_target)), problem.c.to(dtype), problem.s.to(dtype))


def test_what_is_not_finite_in_background_does_not_matter() -> None:
    problem = random_problem()
    s = torch.where(problem.is_target[:, None], problem.s, torch.nan)
    found = kernel_entropies(problem.c, s, is_target=problem.is_target)
    for name, value in kernel_entropies(problem.c, problem.s, is_target=problem.is_target).items():
        assert torch.equal(found[name], value)


def test_autocast_changes_nothing() -> None:
    problem = random_problem()
    assert_autocast_changes_nothing(lambda c, s: weighted(kernel_entropies(c, s, is_target=problem.is_target)), problem.c, problem.s)


def test_half_precision_inputs_lose_nothing() -> None:
    problem = random_problem()
    assert_half_precision_inputs_lose_nothing(
        lambda c, s: weighted(kernel_entropies(c, s, is_target=problem.is_target)), problem.c, problem.s
    )


@pytest.mark.parametrize("scale", [0.3, 3.0, 30.0])
def test_gradients_are_those_of_finite_differences(scale: float) -> None:
    problem = random_problem(scale=scale)
    assert_gradients_are_right(lambda c, s: tuple(kernel_entropies(c, s, is_target=problem.is_target).values()), problem.c, problem.s)


def test_several_bandwidths_and_the_median_are_those_of_the_plain_functions() -> None:
    problem = random_problem()
    hidden = hide_background(problem.s, problem.is_target)
    for tau in (torch.tensor([0.3, 2.0]), "median"):
        found = kernel_entropies(problem.c, problem.s, tau, is_target=problem.is_target)
        for name, value in plain(problem.c, hidden, tau).items():
            torch.testing.assert_close(found[name], value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("tau", [0.0, -1.0, float("nan")])
def test_a_bandwidth_that_is_not_positive_is_named(tau: float) -> None:
    problem = random_problem()
    with pytest.raises(InputError, match="tau"):
        kernel_entropies(problem.c, problem.s, tau)


def test_a_second_derivative_is_refused_and_not_wrong() -> None:
    problem = random_problem()
    c, s = problem.c.requires_grad_(), problem.s.requires_grad_()
    (gradient,) = torch.autograd.grad(weighted(kernel_entropies(c, s)), c, create_graph=True)
    with pytest.raises(NotImplementedError, match="no second derivative"):
        gradient.sum().backward()


COMPILED = """
import torch
from sepclr.losses import kernel_entropies

draw = torch.Generator().manual_seed(0)
c, s = (torch.randn(64, 4, generator=draw, requires_grad=True) for _ in range(2))
is_target = torch.arange(64) % 2 == 0

def term(c, s):
    return torch.stack([*kernel_entropies(2 * c, s, is_target=is_target).values()]).square().sum()

found = []
for function in (term, torch.compile(term, backend="aot_eager", fullgraph=True)):
    value = function(c, s)
    found.append([value.detach(), *torch.autograd.grad(value, (c, s))])
torch.testing.assert_close(*found)
"""


def test_compiled_it_is_one_graph_with_the_same_numbers() -> None:
    """In a process of its own, where annotations are not checked: a graph cannot hold such checks."""
    ended = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_torch_finds_the_operation_well_formed() -> None:
    c, s, is_target = codes(40, 0.3)
    torch.library.opcheck(_forward, (c.requires_grad_(), s.requires_grad_(), is_target, 0.5, 0.5))


def saved_bytes(term: Callable[[], Tensor]) -> int:
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        term()
    return sum(kept.values())


def test_a_gradient_taken_twice_is_the_same() -> None:
    """The kernels that small problems keep survive the first time."""
    c, s, is_target = codes(300, 0.3)
    c, s = c.requires_grad_(), s.requires_grad_()
    value = weighted(kernel_entropies(c, s, is_target=is_target))
    first, second = (torch.autograd.grad(value, (c, s), retain_graph=True) for _ in range(2))
    assert all(map(torch.equal, first, second))


@pytest.mark.parametrize("n", [300, DENSE + 100])
@pytest.mark.parametrize(("distance_c", "distance_s"), [(1.0, 1.0), (0.0, 15.0), (0.0, 1000.0), (1000.0, 1000.0)])
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_float32_gradients_of_clusters_far_from_0_are_those_of_float64(n: int, distance_c: float, distance_s: float, share: float) -> None:
    """Pairs that matter differ in late digits of their codes."""
    c, s, _ = codes(n, 0.3)
    corner = torch.nn.functional.one_hot(torch.arange(n) % 3, 32)
    c, s, is_target = 0.3 * c + distance_c * corner, s + distance_s * corner, torch.arange(n) < share * n
    _, single = value_and_gradients(lambda c, s: weighted(kernel_entropies(c, s, is_target=is_target)), c, s)
    _, double = value_and_gradients(lambda c, s: weighted(plain(c, hide_background(s, is_target))), c.double(), s.double())
    for ours, expected in zip(single, double, strict=True):
        assert relative(ours, expected) <= 3e-6


def test_what_is_kept_for_the_gradient_is_bounded_for_few_samples_and_grows_linearly_for_many() -> None:
    def kept(n: int) -> int:
        c, s, is_target = codes(n, 0.3)
        c, s = c.requires_grad_(), s.requires_grad_()
        return saved_bytes(lambda: weighted(kernel_entropies(c, s, is_target=is_target)))

    assert kept(DENSE) <= 2 * DENSE**2 * 4
    assert kept(8000) <= 4 * kept(2000) + 10_000
    assert kept(4000) <= 4000 * (2 * 32 * 4 + 40)


@pytest.mark.parametrize("spread", [0.3, 2.0])
def test_memory_at_8192_samples_stays_below_12_megabytes(spread: float) -> None:
    c, s, is_target = codes(8192, spread)
    c, s = c.requires_grad_(), s.requires_grad_()
    assert 1e6 < peak_bytes(lambda: weighted(kernel_entropies(c, s, is_target=is_target)).backward(), "cpu") <= 12e6

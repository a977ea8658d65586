"""The Triton kernels equal the plain functions in float64: on a GPU where there is one, otherwise in Triton's interpreter.

The interpreter has to be chosen before Triton is imported, and Triton cannot compile functions whose annotations are checked. So all cases
are measured in one process of its own, which runs this file.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sepclr.losses import hide_background, joint_entropy, kernel_entropies, uniformity

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TAUS = (0.3, 1.5)
QUIET = "ignore:Conversion of an array with ndim > 0:DeprecationWarning:triton.runtime.interpreter"
"""Of triton 3.6 with numpy 2."""
DTYPES = ("float32", "bfloat16", "float64")
WEIGHTS = torch.tensor([2.0, 3.0, 10.0])

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None,
    reason="Triton is not installed; torch brings it along for GPUs, `pip install triton` otherwise",
)

Case = tuple[Tensor, Tensor, Tensor]
"""Common codes, salient codes, who is target."""


def draw(n: int, d_c: int, d_s: int, spread: float, share: float) -> Case:
    """c on the unit sphere, s with the given deviation, a share of targets."""
    noise = torch.Generator().manual_seed(n)
    c = torch.nn.functional.normalize(torch.randn(n, d_c, generator=noise))
    return c, spread * torch.randn(n, d_s, generator=noise), torch.arange(n) < share * n


def clusters(distance: float) -> Case:
    """Three clusters, far from 0 and from each other, whose samples are near each other."""
    c, s, is_target = draw(36, 3, 2, 0.3, 0.5)
    away = distance * (torch.arange(36)[:, None] % 3)
    return 0.3 * c + away, s + away, is_target


def line(n: int, membership: Tensor) -> Case:
    """Samples 10⁴ apart from each other."""
    z = 1e4 * torch.arange(n)[:, None] * torch.ones(1, 2)
    return z, z.flip(0), membership


CASES: dict[str, Case] = {
    **{f"{n} samples": draw(n, 4, 3, 1.0, 0.5) for n in (2, 3, 31, 32, 33, 70)},
    **{f"spread {spread}, {share:.0%} targets": draw(40, 8, 8, spread, share) for spread in (0.01, 0.3, 2.0, 20.0) for share in (0.5, 1.0)},
    "32 + 32 dimensions": draw(40, 32, 32, 2.0, 0.5),
    "1 + 5 dimensions": draw(40, 1, 5, 1.0, 0.5),
    "no target": draw(40, 4, 3, 1.0, 0.0),
    "one target": draw(40, 4, 3, 1.0, 1 / 40),
    "one background": draw(40, 4, 3, 3.0, 39 / 40),
    "far apart": line(35, torch.arange(35) % 2 == 0),
    "far apart, all targets": line(35, torch.ones(35, dtype=torch.bool)),
    "clusters 30 apart": clusters(30.0),
    "clusters 1000 apart": clusters(1e3),
    "all equal": (torch.full((40, 2), 3.0), torch.full((40, 2), 3.0), torch.arange(40) % 2 == 0),
}


def plain(c: Tensor, s: Tensor, is_target: Tensor) -> Tensor:
    """The three entropies by the plain functions; a bandwidth of its own for each code by way of its scale."""
    c, s = (z / math.sqrt(2 * tau) for z, tau in zip((c, hide_background(s, is_target)), TAUS, strict=True))
    return torch.stack([uniformity(c), uniformity(s), joint_entropy(c, s)])


def ours(c: Tensor, s: Tensor, is_target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Values and gradients by the Triton kernels."""
    from sepclr.losses import on_gpu

    values, *kept = on_gpu.entropies(c, s, is_target, *TAUS)
    return values, *on_gpu.gradients(WEIGHTS.to(c.device), c, s, is_target, *kept, *TAUS)


def error(found: Tensor, expected: Tensor, floor: float) -> float:
    """Relative error of a whole tensor."""
    return float((found.double().cpu() - expected).norm() / expected.norm().clamp(min=floor))


def measure() -> dict[str, list[float]]:
    """Errors of the values and of both gradients in every case."""
    found = {}
    for name, (c, s, is_target) in CASES.items():
        wide = [z.double().requires_grad_() for z in (c, s)]
        values = plain(*wide, is_target)
        gradients = torch.autograd.grad(values @ WEIGHTS.double(), wide)
        results = ours(*(z.to(DEVICE) for z in (c, s, is_target)))
        errors = [error(one, other.detach(), 1.0) for one, other in zip(results[0], values, strict=True)]
        found[name] = [max(errors), *(error(one, other, 1e-30) for one, other in zip(results[1:], gradients, strict=True))]
    if DEVICE == "cuda":
        found |= {dtype: as_on_a_cpu(getattr(torch, dtype)) for dtype in DTYPES}
    return found


def as_on_a_cpu(dtype: torch.dtype) -> list[float]:
    """Errors of ``kernel_entropies`` on a GPU against the same on a CPU."""
    results = []
    for device in ("cuda", "cpu"):
        c, s, is_target = (z.to(device) for z in draw(300, 32, 32, 2.0, 0.4))
        c, s = (z.to(dtype).requires_grad_() for z in (c, s))
        values = torch.stack([*kernel_entropies(c, s, is_target=is_target).values()])
        results.append([values.detach(), *torch.autograd.grad(values.sum(), (c, s))])
    return [error(found, expected.double(), 1e-30) for found, expected in zip(*results, strict=True)]


@pytest.fixture(scope="module")
def errors() -> dict[str, list[float]]:
    where = os.environ | ({} if DEVICE == "cuda" else {"TRITON_INTERPRET": "1"})
    ended = subprocess.run([sys.executable, "-W", "error", "-W", QUIET, __file__], capture_output=True, text=True, check=False, env=where)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize("case", CASES)
def test_values_are_right_to_one_in_a_million(errors: dict[str, list[float]], case: str) -> None:
    assert errors[case][0] <= 1e-6


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_right_to_one_in_a_million(errors: dict[str, list[float]], case: str) -> None:
    # Of half a billion bits, two float32 leave the last place of an exponent open.
    assert max(errors[case][1:]) <= (1e-5 if "far apart" in case else 1e-6)


@pytest.mark.skipif(DEVICE != "cuda", reason="no GPU")
@pytest.mark.parametrize("dtype", DTYPES)
def test_codes_on_a_gpu_get_the_numbers_that_they_get_on_a_cpu(errors: dict[str, list[float]], dtype: str) -> None:
    assert max(errors[dtype]) <= (1e-2 if dtype == "bfloat16" else 1e-6)


COMPILED = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from sepclr.losses import on_gpu

for kernel, pointers, numbers, scales, constants in (
    (on_gpu._entropies, "c s out", "n d_c d_s", "scale_c scale_s correction_c correction_s", {"block": 32}),
    (
        on_gpu._gradient,
        "z other out scalars shares",
        "n d d_other",
        "scale scale_other correction correction_other factor",
        {"block": 32, "width": 32},
    ),
):
    types = {"*fp32": pointers, "i32": numbers, "fp32": scales, "constexpr": " ".join(constants)}
    signature = {name: kind for kind, names in types.items() for name in names.split()}
    source = ASTSource(kernel, {name: signature[name] for name in kernel.arg_names}, constants)
    assert triton.compile(source, target=GPUTarget("cuda", 80, 32), options=on_gpu.EXACT).asm["cubin"]
"""


def test_the_kernels_compile_for_a_gpu_without_one(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", COMPILED],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TRITON_CACHE_DIR": str(tmp_path)},
    )
    assert ended.returncode == 0, ended.stderr


LAUNCHED = """
import torch
from sepclr.losses import on_gpu

options = []


class Recorded:
    def __getitem__(self, grid):
        return lambda *_, **given: options.append(given)


on_gpu._entropies = on_gpu._gradient = Recorded()
z, is_target = torch.zeros(4, 2), torch.ones(4, dtype=torch.bool)
_, r, sums, kept = on_gpu.entropies(z, z, is_target, 0.5, 0.5)
on_gpu.gradients(torch.ones(3), z, z, is_target, r, sums, kept, 0.5, 0.5)
assert options == 3 * [on_gpu.EXACT], options
"""


def test_every_launch_keeps_products_and_sums_apart() -> None:
    ended = subprocess.run([sys.executable, "-W", "error", "-c", LAUNCHED], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(measure()))

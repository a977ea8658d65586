"""Agreement of codes: the formulas as loops, closed forms, invariances, and codes that cannot be compared."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial import procrustes

from sepclr.probes import stability
from sepclr.probes.stability import AT_MOST, Agreement
from sepclr.types import InputError

Codes = NDArray[np.float64]


def pair(n: int = 40, seed: int = 0) -> tuple[Codes, Codes]:
    """Two codes of 4 and 3 dimensions that share a part."""
    draw = np.random.default_rng(seed)
    shared = draw.normal(size=(n, 3))
    return np.hstack([shared, draw.normal(size=(n, 1))]), shared + 0.7 * draw.normal(size=(n, 3))


def by_measure(*codes: Codes, k: int = 5) -> dict[str, Agreement]:
    return {each.measure: each for each in stability(codes, neighbours=k)}


def rotation(d: int, draw: np.random.Generator) -> Codes:
    return np.linalg.qr(draw.normal(size=(d, d))).Q


def test_the_measures_are_their_formulas_as_loops():
    a, b = pair()
    n, k = len(a), 5
    found = by_measure(a, b, k=k)
    _, _, disparity = procrustes(a, np.hstack([b, np.zeros((n, 1))]))
    assert found["procrustes"].score == pytest.approx(1 - disparity)

    def near(codes: Codes, i: int) -> set[int]:
        return set(sorted((j for j in range(n) if j != i), key=lambda j: float(np.linalg.norm(codes[i] - codes[j])))[:k])

    assert found["neighbours"].score == pytest.approx(np.mean([len(near(a, i) & near(b, i)) / k for i in range(n)]))
    assert found["neighbours"].chance == k / (n - 1)

    def hsic(x: Codes, y: Codes) -> float:  # the U-statistic of Song et al. 2012: all quadruples of distinct samples would be the same
        one, two = (codes @ codes.T * (1 - np.eye(n)) for codes in (x, y))
        total = sum(one[i, j] * two[i, j] for i in range(n) for j in range(n))
        pairs = one.sum() * two.sum() / ((n - 1) * (n - 2))
        triples = 2 / (n - 2) * sum(one[i, j] * two[j, q] for i, j, q in itertools.product(range(n), repeat=3))
        return float((total + pairs - triples) / (n * (n - 3)))

    assert found["cka"].score == pytest.approx(hsic(a, b) / np.sqrt(hsic(a, a) * hsic(b, b)))


def test_rotated_and_scaled_codes_agree_and_independent_ones_do_so_by_chance_only():
    draw = np.random.default_rng(0)
    a = draw.normal(size=(400, 6))
    same = by_measure(a, 5 * a @ rotation(6, draw) - 2)
    assert [each.score for each in same.values()] == pytest.approx([1, 1, 1])
    apart = by_measure(a, draw.normal(size=(400, 6)))
    assert [each.score for each in apart.values()] == pytest.approx([each.chance for each in apart.values()], abs=0.02)
    # Half of all variance in common, half not: half of the covariance is left, and a quarter of its square.
    half = by_measure(*(np.hstack([a[:, :3], draw.normal(size=(400, 3))]) for _ in range(2)))
    assert half["procrustes"].score == pytest.approx(0.25, abs=0.06)
    assert half["cka"].score == pytest.approx(0.5, abs=0.06)
    line = np.outer(a[:, 0], [1, -2, 3]) + 1e-3 * a[:, 1:4]
    assert by_measure(a, line)["cka"].dimensions == pytest.approx((6, 1), rel=0.03)


@given(st.integers(0, 10_000), st.integers(12, 60), st.floats(0.01, 100), st.floats(-10, 10))
def test_rotation_scale_shift_and_order_change_nothing(seed: int, n: int, scale: float, shift: float):
    draw = np.random.default_rng(seed)
    a, b = pair(n, seed)
    order = draw.permutation(n)
    before, after = by_measure(a, b), by_measure(scale * (a @ rotation(4, draw))[order] + shift, b[order])
    for measure, each in after.items():
        assert each.score == pytest.approx(before[measure].score, abs=1e-7)
        assert each.score <= 1 + 1e-9


def test_chance_is_the_mean_over_orders_of_the_samples():
    a, b = pair(30)
    draw = np.random.default_rng(1)
    shuffled = [by_measure(a, b[draw.permutation(30)]) for _ in range(300)]
    for measure, each in by_measure(a, b).items():
        assert np.mean([one[measure].score for one in shuffled]) == pytest.approx(each.chance, abs=0.02)
    # The usual estimator of CKA would find agreement here: the fewer samples, the more.
    assert abs(np.mean([one["cka"].score for one in shuffled])) < 0.02


def test_codes_that_do_not_vary_are_named_and_the_others_compared():
    a, b = pair()
    collapsed = np.full((40, 2), 0.1, np.float32).astype(np.float64) + 1e-9 * a[:, :2]
    found = stability([a, collapsed, b, np.where(a > 2, np.nan, a)], names=["seed 3", "seed 4", "seed 5", "seed 6"])
    noted = {(each.first, each.second): each.note for each in found}
    assert noted["seed 3", "seed 5"] == ""
    assert noted["seed 3", "seed 4"] == "seed 4 has the same value for all samples"
    assert noted["seed 4", "seed 6"] == "seed 4 has the same value for all samples; seed 6 has values that are not finite"
    assert all(np.isnan(each.score) == bool(each.note) for each in found)
    assert {each.note for each in stability([a[:3], b[:3]])} == {"code 0 has fewer than four samples; code 1 has fewer than four samples"}


def test_of_many_samples_a_stated_number_is_compared():
    a, b = pair(AT_MOST + 500)
    found = by_measure(a, b, k=10)
    assert {each.samples for each in found.values()} == {AT_MOST}
    assert found["neighbours"].chance == 10 / (AT_MOST - 1)
    assert found == by_measure(a, b, k=10)
    assert by_measure(a[:9], b[:9], k=10)["neighbours"].neighbours == 4  # all 8 others would be in common


@pytest.mark.parametrize(
    ("codes", "how", "says"),
    [
        ([pair()[0]], {}, "1 given"),
        ([*pair(10), pair(11)[0]], {}, "same n samples"),
        ([np.zeros(5), np.zeros(5)], {}, "same n samples"),
        (pair(), {"neighbours": 0}, "at least 1"),
        (pair(), {"names": ["a"]}, "one for each"),
    ],
)
def test_what_cannot_be_compared_is_an_error(codes: list[Codes], how: dict[str, object], says: str):
    with pytest.raises(InputError, match=says):
        stability(codes, **how)

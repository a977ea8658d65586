from __future__ import annotations

import numpy as np
import pytest

from sepclr.probes import confounding

HALF = np.arange(200) >= 100


def test_a_shift_of_a_standard_deviation_is_a_mean_difference_of_one():
    draw = np.random.default_rng(0)
    values = draw.normal(size=200)
    values = values - np.where(HALF, values[HALF].mean(), values[~HALF].mean())
    for members in (HALF, ~HALF):
        values[members] /= values[members].std(ddof=1)
    (found,) = confounding(HALF, {"age": values * 10 + 10.0 * HALF})
    assert found.measure == "standardised mean difference"
    assert found.effect == pytest.approx(1.0)
    assert found.p < 1e-6
    assert found.warns
    assert confounding(~HALF, {"age": values * 10 + 10.0 * HALF})[0].effect == pytest.approx(-1.0)


def test_a_class_that_is_the_group_has_a_v_of_one_and_one_that_is_balanced_has_none():
    same, balanced = np.where(HALF, "b", "a"), np.where(np.arange(200) % 2 == 0, "b", "a")
    alike, unlike = confounding(HALF, {"site": same, "sex": balanced})
    assert alike.measure == "Cramér's V"
    assert alike.effect == pytest.approx(1.0)
    assert alike.warns
    assert unlike.effect == pytest.approx(0.0)
    assert not unlike.warns


def test_what_is_unknown_is_left_out():
    values, names = np.arange(200.0), np.where(HALF, "b", "a")
    values[:50], names[:20] = np.nan, ""
    age, site = confounding(HALF, {"age": values, "site": names})
    assert (age.known, site.known) == (150, 180)
    values[HALF] = np.nan
    assert confounding(HALF, {"age": values}) == []  # of targets nothing is known


def test_chance_alone_rarely_warns():
    draw = np.random.default_rng(1)
    warned = [confounding(HALF, {"age": draw.normal(size=200)})[0].warns for _ in range(300)]
    assert np.mean(warned) < 0.08


@pytest.mark.parametrize("values", [np.full(200, 3.0), np.full(200, "a")])
def test_a_constant_goes_along_with_nothing(values: np.ndarray):
    (found,) = confounding(HALF, {"same": values})
    assert found.effect == 0
    assert not found.warns


def test_quantities_that_the_groups_split_without_spread_are_infinitely_far():
    (found,) = confounding(HALF, {"dose": HALF.astype(float)})
    assert found.effect == np.inf
    assert found.warns

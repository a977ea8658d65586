import numpy as np
import pytest

from sepclr.probes.power import detectable, needed


@pytest.mark.parametrize(("background", "target", "level"), [(60, 60, 0.05), (200, 40, 0.0125)])
def test_a_detectable_accuracy_is_found_as_often_as_the_power_says(background: int, target: int, level: float):
    draw = np.random.default_rng(0)

    def accuracy(each: float) -> np.ndarray:
        return (draw.binomial(background, each, 20_000) / background + draw.binomial(target, each, 20_000) / target) / 2

    threshold = np.quantile(accuracy(0.5), 1 - level)
    assert np.mean(accuracy(detectable(background, target, level=level)) > threshold) == pytest.approx(0.8, abs=0.04)


def test_needed_samples_are_those_that_detect():
    n = needed(0.05, level=0.01)
    assert detectable(n, n, level=0.01) <= 0.55 < detectable(n - 2, n - 2, level=0.01)


def test_too_few_samples_detect_nothing():
    assert detectable(2, 1) == 1

import numpy as np

from sepclr.probes.near_copies import near_copies


def test_a_brighter_copy_in_another_part_is_found_and_nothing_else():
    draw = np.random.default_rng(0)
    x = draw.normal(size=40) + draw.normal(size=(60, 40))  # what all samples share makes no copies
    x[50] = x[3] + 0.02 * draw.normal(size=40)
    x[4] = x[5]
    parts = np.where(np.arange(60) < 30, "background", "target")
    assert near_copies(x, parts) == [(3, 50)]


def test_constant_samples_and_few_features_are_not_compared():
    x = np.ones((6, 20))
    x[0] = np.arange(20)
    assert near_copies(np.random.default_rng(0).normal(size=(10, 3)), np.arange(10)) is None
    assert near_copies(np.hstack([x, x]), np.array(list("aaabbb"))) is not None

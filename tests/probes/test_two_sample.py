import numpy as np
import pytest

from sepclr.probes.two_sample import two_sample

HALVES = np.arange(0, 80, 2), np.arange(1, 80, 2)
GROUPS = np.arange(80) // 2 % 2 == 1


def test_a_difference_is_found_and_scored_on_the_second_half():
    x = np.random.default_rng(0).normal(size=(80, 5))
    x[GROUPS, 2] += 4
    found = two_sample(x, GROUPS, HALVES)
    assert found.accuracy > 0.9
    assert found.p == 0.001
    assert found.n == 40


def test_a_difference_in_the_first_half_alone_is_none():
    x = np.random.default_rng(0).normal(size=(80, 5))
    x[::2][GROUPS[::2], 2] += 4
    assert two_sample(x, GROUPS, HALVES).p > 0.05


def test_alarms_are_false_as_often_as_the_level_says_with_subjects_and_uneven_groups():
    draw = np.random.default_rng(0)
    subjects = np.repeat(np.arange(40), 3)
    halves = np.flatnonzero(subjects % 2 == 0), np.flatnonzero(subjects % 2 == 1)
    p = []
    for seed in range(150):
        x = draw.normal(size=(40, 4))[subjects] + 0.1 * draw.normal(size=(120, 4))  # samples of a subject are nearly the same
        p.append(two_sample(x, draw.permutation(np.arange(40) < 14)[subjects], halves, subjects=subjects, orders=99, seed=seed).p)
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.045)
    assert 0.4 < np.mean(p) < 0.7  # above a half, because few subjects have few accuracies, and ties count against the groups

import numpy as np
import pytest

from sepclr.probes.dimension import contrastive_dimension, reproduced


def factors(n: int, features: int, shared: int, own: int, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Samples with factors that both groups have, and factors that only the target has, plus noise."""
    is_target = np.arange(n) >= n // 2
    loadings = np.linalg.qr(draw.normal(size=(features, shared + own)))[0]
    z = draw.normal(size=(n, shared + own)) * np.linspace(3, 2, shared + own)
    z[~is_target, shared:] = 0
    return z @ loadings.T + 0.5 * draw.normal(size=(n, features)), is_target


@pytest.mark.parametrize(("shared", "own"), [(3, 0), (3, 1), (4, 3), (2, 5)])
@pytest.mark.parametrize("own_units", [False, True])
def test_the_dimension_of_factors_is_found(shared: int, own: int, own_units: bool):
    x, is_target = factors(400, 30, shared, own, np.random.default_rng(shared + own))
    found = contrastive_dimension(x, is_target, own_units=own_units, orders=19)
    assert (found.estimate, found.of_target, found.of_background) == (own, shared + own, shared)
    assert (found.p <= 0.1) == (own > 0)


def test_what_only_background_has_does_not_count():
    x, is_target = factors(400, 30, 3, 2, np.random.default_rng(0))
    found = contrastive_dimension(x, ~is_target, orders=9)
    assert (found.found, found.of_target, found.of_background) == (0, 3, 5)


def test_units_do_not_hide_what_only_the_target_varies_in():
    draw = np.random.default_rng(0)
    x, is_target = draw.normal(size=(300, 8)), np.arange(300) >= 150
    x[is_target, 1] *= 4
    x *= 10.0 ** np.arange(8)
    found = contrastive_dimension(x, is_target, own_units=True, orders=39)
    assert (found.estimate, found.p) == (1, 0.025)


def test_exchanged_groups_have_no_dimension_of_their_own():
    draw = np.random.default_rng(0)
    x, is_target = factors(300, 20, 3, 2, draw)
    found = [contrastive_dimension(x, draw.permutation(is_target), orders=19, seed=seed) for seed in range(15)]
    assert sum(each.p <= 0.05 for each in found) <= 3
    assert np.median([each.estimate for each in found]) == 0


def test_subjects_are_exchanged_whole():
    draw = np.random.default_rng(0)
    subjects = np.repeat(np.arange(6), 60)
    of_subject = draw.normal(size=(6, 12, 1))  # each subject varies along a direction of its own, with the same group
    x = draw.normal(size=(360, 1)) * 3 * of_subject[subjects, :, 0] + 0.3 * draw.normal(size=(360, 12))
    assert contrastive_dimension(x, subjects >= 3, orders=19, seed=1).p <= 0.1
    assert contrastive_dimension(x, subjects >= 3, subjects=subjects, orders=19, seed=1).p > 0.1


def test_what_a_subject_repeats_is_no_dimension():
    draw = np.random.default_rng(0)
    subjects = np.repeat(np.arange(12), 30)
    x = draw.normal(size=(12, 20))[subjects] + 0.1 * draw.normal(size=(360, 20))  # differences between subjects, each in 20 directions
    assert reproduced(x, draw) == 10  # halves of the samples are of the same subjects
    assert reproduced(x, draw, subjects) == 0
    factor = 3 * draw.normal(size=(12, 1))[subjects] * np.eye(20)[0]
    assert reproduced(x + 5 * factor, draw, subjects) == 1


def test_noise_and_too_few_samples_have_no_dimension():
    draw = np.random.default_rng(0)
    assert reproduced(draw.normal(size=(400, 20)), draw) == 0
    assert reproduced(draw.normal(size=(3, 20)), draw) == 0

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepclr.probes.permutation import holm, p_value, permutations


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.floats(-5, 5))
def test_a_p_value_is_a_share_that_is_never_zero(null, observed):
    found = p_value(observed, np.array(null))
    assert found == (1 + sum(each >= observed for each in null)) / (1 + len(null))
    assert 0 < found <= 1


def test_p_values_are_uniform_under_the_null():
    draw = np.random.default_rng(0)
    found = [p_value(draw.normal(), draw.normal(size=99)) for _ in range(2000)]
    assert np.mean(np.array(found) <= 0.05) == pytest.approx(0.05, abs=0.015)


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=8))
def test_holm_as_a_loop(p_values):
    corrected = holm(p_values)
    ranked = sorted(p_values.values())
    for name, p in p_values.items():
        rank = ranked.index(p)
        assert corrected[name] == pytest.approx(max(min(1, q * (len(ranked) - k)) for k, q in enumerate(ranked[: rank + 1])))
        assert corrected[name] >= p


def test_orders_without_subjects_are_permutations():
    labels = np.arange(50)
    order = permutations(None, labels)(np.random.default_rng(0))
    assert sorted(order) == list(labels)
    assert (order != labels).any()


def test_subjects_of_one_label_exchange_it_whole():
    subjects = np.array(["b", "a", "b", "c", "a", "d"])
    labels = np.array([1, 0, 1, 0, 0, 1])
    seen = set()
    for seed in range(50):
        drawn = labels[permutations(subjects, labels)(np.random.default_rng(seed))]
        of_subject = {name: set(drawn[subjects == name]) for name in "abcd"}
        assert all(len(each) == 1 for each in of_subject.values())
        assert sum(each.pop() for each in of_subject.values()) == 2  # two subjects of the four are still labelled 1
        seen.add(tuple(drawn))
    assert len(seen) == 6  # all ways to choose two of four


def test_labels_that_vary_within_subjects_stay_in_them():
    subjects = np.array(list("aabbbabb"))
    labels = np.array([0, 1, 0, 1, 1, 1, 0, 0])
    seen = set()
    for seed in range(200):
        order = permutations(subjects, labels)(np.random.default_rng(seed))
        assert (subjects[order] == subjects).all()
        assert sorted(order) == list(range(8))
        seen.add(tuple(order))
    assert len(seen) > 100

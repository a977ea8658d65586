from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepclr.data import matched
from sepclr.types import InputError

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4)  # NumPy strips NUL


@given(st.lists(NAMES, min_size=1, max_size=30, unique=True), st.randoms(use_true_random=False))
def test_every_sample_finds_its_own(ids, random):
    other = list(ids)
    random.shuffle(other)
    assert np.asarray(other)[matched(ids, other)].tolist() == np.asarray(ids).tolist()


@pytest.mark.parametrize(
    ("ids", "other", "named"),
    [
        (["a", "a", "b"], ["a", "b"], "ids: 'a' more than once"),
        (["a", "b"], ["b", "b", "a"], "other_ids: 'b' more than once"),
        (["a", "b"], ["a"], "other_ids: 'b' missing"),
        ([1], [1, 2], "ids: 2 missing"),
        (list(range(9)), [0], "other_ids: 1, 2, 3, 4, 5 and 3 more missing"),
    ],
)
def test_identifiers_that_do_not_match_are_named(ids, other, named):
    with pytest.raises(InputError, match=named):
        matched(ids, other)

"""Scores of swaps: counts by hand, perfect and useless swaps, and bad input."""

from __future__ import annotations

import numpy as np
import pytest

from sepclr.probes import swap_scores
from sepclr.types import InputError

COMMON, SALIENT = np.array([1, 2, 3, 1]), np.array(["a", "b", "b", "c"])
DONORS = np.array([1, 2, 3, 0])


def test_shares_are_those_counted_by_hand() -> None:
    read_common, read_salient = np.array([1, 3, 3, 9]), np.array(["b", "b", "b", "c"])
    (row,) = swap_scores({"flow": (read_common, read_salient)}, COMMON, SALIENT, DONORS)
    # Donors have common 2, 3, 1, 1 and salient b, b, c, a: the last target has its donor's common value, the second its salient one.
    assert row == {"name": "flow", "donor_salient": 2 / 4, "own_salient": 2 / 3, "own_common": 2 / 4, "donor_common": 1 / 3}


def test_a_perfect_swap_and_none() -> None:
    perfect, none = swap_scores({"perfect": (COMMON, SALIENT[DONORS]), "none": (COMMON, SALIENT)}, COMMON, SALIENT, DONORS)
    assert [perfect[score] for score in ("donor_salient", "own_salient", "own_common", "donor_common")] == [1, 0, 1, 0]
    assert (none["own_salient"], none["own_common"], none["donor_common"]) == (1, 1, 0)


def test_lengths_that_differ_and_donors_that_change_nothing_are_errors() -> None:
    with pytest.raises(InputError, match="lengths \\[3, 4\\]"):
        swap_scores({"flow": (COMMON[:3], SALIENT)}, COMMON, SALIENT, DONORS)
    with pytest.raises(InputError, match="all have the salient values"):
        swap_scores({"flow": (COMMON, SALIENT)}, COMMON, np.array(["a"] * 4), DONORS)
    with pytest.raises(InputError, match="all have the common values"):
        swap_scores({"flow": (COMMON, SALIENT)}, np.ones(4), SALIENT, DONORS)

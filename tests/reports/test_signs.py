"""Signs of failure in the curves of a training."""

from __future__ import annotations

import math

import pytest

from sepclr.reports import signs

WELL = {
    "epoch": 9,
    "loss": -9.0,
    "common": -3.5,
    "salient": -4.0,
    "information_less": 0.02,
    "c_with_s": 0.4,
    "s_with_c": 0.3,
    "c_with_group": 0.02,
}


def test_a_training_that_went_well_shows_none():
    assert signs([WELL]) == []
    assert signs([]) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"common": -0.01}, "All samples have nearly the same common code"),
        ({"salient": 0.0}, "All samples have nearly the same salient code"),
        ({"information_less": 1.2}, "The salient code of background is not close to 0 (information_less 1.20)"),
        ({"c_with_s": 1.5}, "In training, c depends on s (c_with_s 1.50; 0 means uncorrelated)"),
        ({"s_with_c": 2.0}, "In training, s depends on c"),
        ({"c_with_group": 0.4}, "In training, c depends on the group"),
    ],
)
def test_each_sign_is_named_with_what_to_do(change: dict[str, float], named: str):
    (sign,) = signs([WELL, WELL | change])
    assert sign.startswith(named)
    assert "train longer, or" in sign
    assert signs([WELL | change, WELL]) == []  # it is the end that counts


def test_a_loss_that_is_no_number_is_all_that_is_said_and_since_when():
    history = [WELL | {"epoch": 0}, WELL | {"epoch": 1, "loss": math.nan}, WELL | {"epoch": 2, "loss": math.nan, "common": 0.0}]
    assert signs(history) == ["The loss has been nan since epoch 2: use a smaller --learning_rate."]


def test_a_kernel_is_saturated_near_the_largest_entropy_of_a_batch():
    last = {"loss": -9.0, "common": -3.0, "salient": -3.0, "information_less": 0.0}
    assert signs([last | {"independence": -math.log(128)}], batch_size=128) == [
        "The kernel of k-JEM is saturated and no longer has an effect: use a larger --tau."
    ]
    assert signs([last | {"independence": -3.6}], batch_size=128) == []
    assert signs([last | {"independence": -99.0}]) == []


def test_terms_of_variational_methods_have_other_units():
    assert signs([{"loss": 40.0, "reconstruction": 30.0, "common": 4.0, "salient": 3.0, "information_less": 8.0}]) == []
    assert len(signs([{"loss": 40.0, "reconstruction": 30.0, "common": 0.0, "salient": 3.0}])) == 1

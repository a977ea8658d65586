from __future__ import annotations

import csv
from pathlib import Path

import pytest

from sepclr.probes import delta_tot
from sepclr.types import Row

TABLE = Path(__file__).parents[3] / "shared" / "reference" / "table1_digits_on_cifar10.csv"


def rows(**scores: float) -> list[Row]:
    """Rows of both metrics from scores in percent, named attribute_space."""
    return [
        Row(
            attribute=name.split("_")[0],
            space=name.split("_")[1],
            encoder="trained",
            protocol="published",
            metric=metric,
            score=score / 100,
            low=0.0,
            high=1.0,
            chance=0.1 if metric == "balanced_accuracy" else 0.13,
            n_train=1,
            n_test=1,
        )
        for name, score in scores.items()
        for metric in ("balanced_accuracy", "accuracy")
    ]


def test_perfect_separation_is_zero():
    delta = delta_tot(rows(digit_s=100, digit_c=10, object_s=10, object_c=100), common=["object"], salient=["digit"])
    assert delta == pytest.approx({"absolute": 0, "signed": 0})


def test_below_chance_is_rewarded_by_the_signed_form_only():
    delta = delta_tot(rows(digit_s=90, digit_c=10, object_s=8, object_c=100), common=["object"], salient=["digit"])
    assert delta == pytest.approx({"absolute": 12, "signed": 8})


def test_accuracy_is_measured_from_one_over_classes_too():
    delta = delta_tot(rows(digit_s=100, digit_c=20), common=[], salient=["digit"], metric="accuracy")
    assert delta["signed"] == pytest.approx(10)


def test_untrained_encoders_heads_and_other_attributes_do_not_count():
    others = rows(digit_s=50, digit_c=50, group_s=100)
    others[0]["encoder"], others[2]["space"] = "untrained", "c_head"
    assert delta_tot(others[:1] + others[2:3] + others[4:], common=[], salient=["digit"]) == {"absolute": 0, "signed": 0}


@pytest.mark.skipif(not TABLE.exists(), reason="the published Table 1 is not beside this checkout")
def test_published_values_are_the_signed_form():
    wrong = []
    for line in csv.DictReader(TABLE.read_text().splitlines()):
        scores = {
            name: float(line[column])
            for name, column in (
                ("digit_s", "digits_salient"),
                ("digit_c", "digits_common"),
                ("object_s", "objects_salient"),
                ("object_c", "objects_common"),
            )
        }
        if delta_tot(rows(**scores), common=["object"], salient=["digit"])["signed"] != pytest.approx(float(line["delta_tot"]), abs=0.06):
            wrong.append(line["independence"] or line["method"])
    assert wrong == ["mm-cvae"]  # does not add up in the paper either

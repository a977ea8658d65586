"""The picture of scores against time."""

from __future__ import annotations

from typing import Any

import pytest

from sepclr.reports import as_svg, draw_length


def row(independence: str, epochs: int, seed: int, digits: float) -> dict[str, Any]:
    return {
        "method": "sepclr",
        "independence": independence,
        "seed": seed,
        "recipe": {"training": {"max_epochs": epochs}},
        "scores": {"digits_common": digits, "digits_salient": 0.6, "group_common": 0.9, "delta_tot_absolute": 150.0},
        "best_expected": {"digits_common": 0.1, "digits_salient": 1.0, "group_common": 0.5},
        "seconds": 60.0 * epochs,
    }


ROWS = [row("k-jem", 4, 0, 0.3), row("k-jem", 4, 1, 0.4), row("k-jem", 30, 0, 0.2), row("tc", 4, 0, 0.5)]


def test_a_method_of_several_lengths_has_a_point_for_each_and_one_of_a_single_length_is_left_out():
    figure = draw_length(ROWS)
    panels = {axes.get_title(): axes for axes in figure.axes}
    assert list(panels) == ["digits from c", "digits from s", "δ_tot"]
    (container,) = panels["digits from c"].containers
    assert container.get_label() == "k-jem"
    minutes, scores = container.lines[0].get_data()
    assert list(minutes) == [4.0, 30.0]
    assert list(scores) == pytest.approx([35.0, 20.0])
    assert list(panels["δ_tot"].containers[0].lines[0].get_ydata()) == [150.0, 150.0]


def test_the_picture_is_the_same_for_the_same_rows():
    assert as_svg(lambda: draw_length(ROWS)) == as_svg(lambda: draw_length(ROWS))

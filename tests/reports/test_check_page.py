"""The page of a check, for samples of any kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sepclr.reports import CheckPage, write_check_page
from sepclr.types import InputError

IS_TARGET = np.arange(6) >= 5


def written(tmp_path: Path, **given: Any) -> str:
    page = {"title": "cells.h5ad", "problems": [], "is_target": IS_TARGET, "attributes": {}, "confounding": []}
    write_check_page(tmp_path / "check.html", CheckPage(**(page | given)))
    return (tmp_path / "check.html").read_text()


def test_cells_have_facts_and_no_pictures(tmp_path: Path):
    page = written(tmp_path, what="cells", facts=[("Counts", "0 to 90")], warnings=["groups <differ>"], left_out=1)
    assert "5 background cells, 1 target cell; 1 row in neither group is left out." in page
    assert "<dt>Counts</dt><dd>0 to 90</dd>" in page
    assert "groups &lt;differ&gt;" in page
    assert "subject" not in page.split("</style>")[1]
    assert 'role="img"' not in page


def test_one_image_of_one_subject_is_singular(tmp_path: Path):
    assert "5 images of 2 background subjects, 1 image of 1 target subject." in written(tmp_path, subjects=np.array(list("aabbbc")))


def test_photographs_of_any_size_and_colour_stand_beside_each_other(tmp_path: Path):
    draw = np.random.default_rng(0)
    pictures = [draw.integers(0, 255, shape, dtype=np.uint8) for shape in ((9, 7), (3, 5, 8), (1, 6, 6), (4, 4), (3, 9, 9))]
    page = written(tmp_path, pictures=[*pictures, None], names=[f"{k}.png" for k in range(6)], caption="Scaled photographs.")
    assert page.count('role="img"') == 5
    assert 'title="4.png"' in page
    assert "5.png" not in page
    assert "Scaled photographs." in page


def test_lengths_must_agree():
    with pytest.raises(InputError, match="names: 2 values for 6 cells"):
        CheckPage("cells", [], IS_TARGET, {}, [], what="cells", names=["a", "b"])


@pytest.mark.browser
def test_both_groups_are_in_view_at_400_pixels(tmp_path: Path, browser: Any):
    named = {"an_attribute_with_a_name_that_is_long_indeed": np.array(["and_values_as_long_as_its_name_is"] * 6), "age": np.arange(6) / 7}
    written(tmp_path, attributes=named, what="rows", facts=[("Missing", "a" * 90)])
    view = browser.new_page(viewport={"width": 400, "height": 900})
    view.goto((tmp_path / "check.html").as_uri())
    assert view.evaluate("document.documentElement.scrollWidth <= innerWidth")
    boxes = [cell.bounding_box() for cell in view.locator(".plain td").all()]
    assert len(boxes) == 4
    assert all(box["width"] > 0 and box["x"] + box["width"] <= 400 for box in boxes)
    view.close()

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.reports.test_comparison import ROWS

from sepclr.benchmark.pages import fill, picture
from sepclr.types import InputError

ROOT = Path(__file__).parents[2]


def test_only_what_stands_between_markers_is_replaced_and_twice_is_once(tmp_path: Path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"cells": {"samples": 512, "ms": "1.5"}}) + "\n")
    page = "before\n<!-- results: a.jsonl -->\nold\n<!-- end of results -->\nafter\n"
    filled = fill(page, tmp_path)
    assert filled == page.replace("old\n", "| samples | ms |\n| --- | --: |\n| 512 | 1.5 |\n")
    assert fill(filled, tmp_path) == filled


def test_results_that_are_not_there_are_named(tmp_path: Path):
    with pytest.raises(InputError, match="no such results"):
        fill("<!-- results: b.jsonl -->\n<!-- end of results -->", tmp_path)


def test_a_comparison_is_of_all_protocols_or_of_the_one_that_is_named(tmp_path: Path):
    rows = [*ROWS, *(row | {"protocol": "published"} for row in ROWS)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    both, one = (fill(f"<!-- comparison: a.jsonl{protocol} -->\n<!-- end of results -->", tmp_path) for protocol in ("", " published"))
    assert "`strict`" in both
    assert "`published`" in both
    assert "`strict`" not in one
    assert "96.2" in one  # what was published of k-JEM
    assert picture(tmp_path / "a.jsonl").count("<svg") == 1


@pytest.mark.parametrize("name", ["README.md", "docs/losses.md", "docs/methods.md", "docs/mri.md", "docs/table1.md"])
def test_the_numbers_of_a_page_are_those_of_the_results(name: str):
    page = (ROOT / name).read_text()
    assert "<!-- results: " in page or "<!-- methods -->" in page or "<!-- comparison: " in page
    assert fill(page, ROOT / "results") == page


def test_the_picture_of_the_page_is_of_the_results():
    assert (ROOT / "docs" / "table1.svg").read_text() == picture(ROOT / "results" / "digits-on-cifar-cpu.jsonl")

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sepclr.benchmark.pages import fill
from sepclr.reports.tables import markdown
from sepclr.types import InputError

RESULT = {
    "recipe": {},
    "protocol": "strict",
    "method": "sepclr",
    "independence": "k-jem",
    "seed": 0,
    "scores": {"mark_common": 0.18, "mark_salient": 0.711, "delta_tot": 36.9, "delta_tot_absolute": 37.9},
    "untrained": {"mark_common": 0.3, "mark_salient": 0.35},
    "chance": {"mark": 0.1},
    "seconds": 90.0,
}
ROOT = Path(__file__).parents[2]


def test_a_table_has_a_row_per_run_with_untrained_and_chance_below():
    table = markdown([RESULT, RESULT | {"independence": "none"}])
    assert [line.split(" | ")[1] for line in table.splitlines()[2:]] == ["k-jem", "none", "*untrained encoders*", "*chance*"]
    assert "| strict | k-jem | 0 | 18.0 | 71.1 | 37.9 | 1.5 |" in table
    assert table.splitlines()[0] == "| protocol | run | seed | mark from c | mark from s | δ_tot | minutes |"


def test_other_methods_are_named_by_themselves_and_releases_say_so():
    other = RESULT | {"method": "cvae", "independence": ""}
    table = markdown([other, other | {"recipe": {"fidelity": "released"}}])
    assert [line.split(" | ")[1] for line in table.splitlines()[2:4]] == ["cvae", "cvae (released)"]


def test_methods_with_other_networks_have_untrained_rows_of_their_own():
    other = RESULT | {"method": "cvae", "independence": "", "untrained": {"mark_common": 0.5, "mark_salient": 0.6}}
    names = [line.split(" | ")[1] for line in markdown([RESULT, other, RESULT | {"independence": "none"}]).splitlines()[5:]]
    assert names == ["*untrained encoders of k-jem, none*", "*untrained encoders of cvae*", "*chance*"]


def test_only_what_stands_between_markers_is_replaced_and_twice_is_once(tmp_path: Path):
    (tmp_path / "a.jsonl").write_text(json.dumps(RESULT) + "\n")
    page = "before\n<!-- results: a.jsonl -->\nold\n<!-- end of results -->\nafter\n"
    filled = fill(page, tmp_path)
    assert filled.startswith("before\n")
    assert filled.endswith("after\n")
    assert "old" not in filled
    assert markdown([RESULT]) in filled
    assert fill(filled, tmp_path) == filled


def test_results_that_are_not_there_are_named(tmp_path: Path):
    with pytest.raises(InputError, match="no such results"):
        fill("<!-- results: b.jsonl -->\n<!-- end of results -->", tmp_path)


def test_rows_with_cells_are_shown_as_they_are(tmp_path: Path):
    rows = [{"cells": {"samples": 512, "ms": "1.5"}, "commit": "abc"}, {"cells": {"samples": 1024, "ms": ""}, "commit": "abc"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    filled = fill("<!-- results: a.jsonl -->\n<!-- end of results -->", tmp_path)
    assert filled.splitlines()[1:-1] == ["| samples | ms |", "| --- | --: |", "| 512 | 1.5 |", "| 1024 |  |"]


@pytest.mark.parametrize("name", ["README.md", "docs/losses.md", "docs/methods.md"])
def test_the_numbers_of_a_page_are_those_of_the_results(name: str):
    page = (ROOT / name).read_text()
    assert "<!-- results: " in page or "<!-- methods -->" in page
    assert fill(page, ROOT / "results") == page

from __future__ import annotations

from sepclr.reports.tables import markdown, plain

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


def test_a_table_has_a_row_per_run_with_untrained_and_chance_below():
    table = markdown([RESULT, RESULT | {"independence": "none"}])
    assert [line.split(" | ")[1] for line in table.splitlines()[2:]] == ["k-jem", "none", "*untrained encoders*", "*chance*"]
    assert "| strict | k-jem | 0 | 18.0 | 71.1 | 37.9 | 1.5 |" in table
    assert table.splitlines()[0] == "| protocol | run | seed | mark from c | mark from s | δ_tot | minutes |"


def test_other_methods_are_named_by_themselves_and_releases_say_so():
    other = RESULT | {"method": "cvae", "independence": ""}
    table = markdown([other, other | {"recipe": {"method": {"fidelity": "released"}}}])
    assert [line.split(" | ")[1] for line in table.splitlines()[2:4]] == ["cvae", "cvae (released)"]


def test_methods_with_other_networks_have_untrained_rows_of_their_own():
    other = RESULT | {"method": "cvae", "independence": "", "untrained": {"mark_common": 0.5, "mark_salient": 0.6}}
    names = [line.split(" | ")[1] for line in markdown([RESULT, other, RESULT | {"independence": "none"}]).splitlines()[5:]]
    assert names == ["*untrained encoders of k-jem, none*", "*untrained encoders of cvae*", "*chance*"]


def test_rows_that_say_what_to_show_are_shown_as_they_are():
    rows = [{"cells": {"samples": 512, "ms": "1.5"}, "commit": "abc"}, {"cells": {"samples": 1024, "ms": ""}, "commit": "abc"}]
    assert plain(rows).splitlines() == ["| samples | ms |", "| --- | --: |", "| 512 | 1.5 |", "| 1024 |  |"]


def test_an_attribute_that_begins_with_delta_is_shown():
    scores = {"delta9_common": 0.4, **RESULT["scores"]}
    result = RESULT | {"scores": scores, "untrained": RESULT["untrained"] | {"delta9_common": 0.2}, "chance": {"mark": 0.1, "delta9": 0.5}}
    assert "| run | seed | delta9 from c | mark from c |" in markdown([result])
    assert "| *chance* |  | 50.0 | 10.0 |" in markdown([result])


def test_a_run_without_untrained_networks_leaves_none():
    assert "untrained" not in markdown([RESULT | {"method": "pca", "independence": "", "untrained": {}}])

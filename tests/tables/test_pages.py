from __future__ import annotations

import json
from pathlib import Path

import pytest
from speed import certificate, objective_picture
from tests.reports.test_comparison import ROWS, brains
from tests.reports.test_seeds import RESULTS as SEEDS
from tests.reports.test_seeds import rows as row

from sepclr.reports import comparison_markdown
from sepclr.tables.pages import compared, fill, length_picture, picture
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


def test_old_rows_of_removal_are_shown_beside_rows_with_more_scores(tmp_path: Path):
    old = {"name": "flow", "psnr": 23.0, "ssim": 0.8, "inside": 0.25, "outside": 0.02}
    new = old | {"name": "sepvae", "controls": 0.5}
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"scores": row}) + "\n" for row in (old, old, new, old | {"name": "truth"})))
    page = fill("<!-- removal: a.jsonl -->\n<!-- end of results -->", tmp_path).splitlines()
    assert page[1].endswith("| error outside ↓ | change of background ↓ |")
    assert page[3:6] == [
        "| flow | 2 | 23.0 ± 0.0 | 0.800 ± 0.000 | 0.25 ± 0.00 | 0.020 ± 0.000 |  |",
        "| sepvae | 1 | 23.0 | 0.800 | 0.25 | 0.020 | 0.50 |",
        "| truth | 1 | 23.0 | 0.800 | 0.25 | 0.020 |  |",
    ]


def test_agreement_of_seeds_and_their_ensemble_have_a_table_each(tmp_path: Path):
    agreement = [row("c", [0.9, 0.95], [0.6]), row("s", [0.3], [0.2])]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(each) + "\n" for rows in agreement for each in rows))
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(each) + "\n" for each in SEEDS))
    text = fill("".join(f"<!-- {kind} -->\n<!-- end of results -->\n" for kind in ("stability: a.jsonl", "seeds: b.jsonl")), tmp_path)
    assert "| c | CKA | 0.93 (0.90–0.95) | 0.60 | 0.00 |" in text
    assert "| digit from c | 60.0 ± 14.1 | 80.0 | 100.0 |" in text


def test_swaps_are_shown_over_seeds_by_the_names_of_the_attributes(tmp_path: Path):
    scores = {"name": "flow", "donor_salient": 1.0, "own_salient": 0.0, "own_common": 0.8, "donor_common": 0.1}
    rows = [{"attributes": {"common": "digit", "salient": "mark"}, "scores": scores | {"own_common": share}} for share in (0.8, 0.9)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    page = fill("<!-- swap: a.jsonl -->\n<!-- end of results -->", tmp_path).splitlines()
    assert page[1] == "| images | seeds | mark of donor, % ↑ | own mark, % ↓ | own digit, % ↑ | digit of donor, % ↓ |"
    assert page[3] == "| flow | 2 | 100.0 ± 0.0 | 0.0 ± 0.0 | 85.0 ± 7.1 | 10.0 ± 0.0 |"


def test_the_published_table_of_brains_fills_its_place(tmp_path: Path):
    page = fill("<!-- published: table3 -->\n<!-- end of results -->", tmp_path)
    assert page.splitlines()[1].startswith("| published, other data | age MAE from s ↑ | age MAE from c ↓ | sex from s ↓ | sex from c ↑ |")
    assert "| sepvae | 7.98 ± 0.25 | 6.40 ± 0.13 | 72.61 ± 2.19 |" in page
    assert "diagnosis from s ↑ | diagnosis from c ↓ |" in page


def test_numbers_of_other_data_stand_beside_a_study_that_asks_the_same():
    study = brains("sepvae", 0, 0.1)
    (plain,) = compared([study])
    assert plain.published_columns == []
    scores = {name.replace("severity", "SAPS"): value for name, value in study["scores"].items()} | {"group_salient": 0.7}
    renamed = {"scores": scores, "best_expected": scores, "intervals": {}, "untrained": scores}
    chance = {"age": 15.0, "SAPS": 0.2, "sex": 0.5, "group": 0.5}
    (table,) = compared([study | renamed | {"chance": chance, "errors": ["age_common", "age_salient", "SAPS_common", "SAPS_salient"]}])
    (line,) = table.lines
    published = {column: line.cells[column].published for column in table.columns}
    assert published == {
        "SAPS_salient": 2.60, "SAPS_common": 4.79, "age_salient": 7.98, "age_common": 6.40, "sex_salient": 72.61, "sex_common": 74.19,
        "group_salient": 79.15,
    }  # fmt: skip
    assert "| published, other data |" in comparison_markdown([table])


NAMES = ("certificate", "counterfactuals", "losses", "methods", "mri", "objective", "stability", "table1", "which_method")
PAGES = ["README.md", *(f"docs/{name}.md" for name in NAMES)]


@pytest.mark.parametrize("name", PAGES)
def test_the_numbers_of_a_page_are_those_of_the_results(name: str):
    page = (ROOT / name).read_text()
    assert any(f"<!-- {marker}" in page for marker in ("results: ", "methods -->", "comparison: ", "removal: ", "swap: ", "stability: "))
    assert fill(page, ROOT / "results") == page


def test_the_pictures_of_the_page_are_of_the_results():
    short, long = (ROOT / "results" / f"digits-on-cifar-{name}.jsonl" for name in ("cpu", "length"))
    assert (ROOT / "docs" / "table1.svg").read_text() == picture(short)
    assert (ROOT / "docs" / "length.svg").read_text() == length_picture(short, long)
    power = ROOT / "results" / "certificate-power.jsonl"
    assert (ROOT / "docs" / "certificate.svg").read_text() == certificate.picture(power)
    ablation = ROOT / "results" / "objective-ablation.jsonl"
    assert (ROOT / "docs" / "objective.svg").read_text() == objective_picture.picture(ablation)

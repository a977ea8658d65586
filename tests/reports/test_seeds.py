"""What is said of runs that differ in their seed: no more than was measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sepclr.reports import SeedsView, agreement_cells, agreement_sentence, score_cells
from sepclr.reports.page import Page, write_page


def rows(space: str, trained: list[float | None], untrained: list[float], **more: Any) -> list[dict[str, Any]]:
    def row(encoder: str, score: float | None) -> dict[str, Any]:
        note = "seed 1 has the same value for all samples" if score is None else ""
        chance = None if score is None else 0.0
        about = {"space": space, "encoder": encoder, "measure": "cka", "first": "seed 0", "second": "seed 1", "samples": 40}
        return {**about, "score": score, "chance": chance, "dimensions": [3.0, None], "neighbours": None, "note": note, **more}

    return [row("trained", score) for score in trained] + [row("untrained", score) for score in untrained]


@pytest.mark.parametrize(
    ("trained", "untrained", "says"),
    [
        ([0.9, 0.95], [0.6, 0.89], "c (CKA 0.93 against 0.74) agrees more between seeds than untrained encoders do."),
        ([0.3, 0.5], [0.6, 0.7], "c (CKA 0.40 against 0.65) agrees less between seeds than untrained encoders do."),
        (
            [0.5, 0.9],
            [0.6, 0.6],
            "c (CKA 0.70 against 0.60) agrees between seeds about as much as untrained encoders do, in ranges that overlap.",
        ),
        ([0.9], [], "c (CKA 0.90) agrees between seeds."),
        ([None], [0.5], "c could not be compared."),
    ],
)
def test_the_sentence_follows_from_the_ranges(trained: list[float | None], untrained: list[float], says: str):
    assert agreement_sentence(rows("c", trained, untrained)) == says


def test_the_sentence_names_spaces_of_the_same_kind_together():
    found = agreement_sentence(rows("c", [0.2], [0.3]) + rows("s", [0.2], [0.1]) + rows("s_head", [0.5], [0.4]))
    more = "s (CKA 0.20 against 0.10) and s projection (CKA 0.50 against 0.40) agree more between seeds than untrained encoders do"
    assert found == f"{more}; c (CKA 0.20 against 0.30) agrees less between seeds than untrained encoders do."


def test_the_table_has_means_and_ranges_over_pairs_that_could_be_compared():
    assert agreement_cells(rows("s", [0.5, None, 0.7], [0.25])) == [
        {"space": "s", "agreement": "CKA", "between seeds": "0.60 (0.50–0.70)", "untrained encoders": "0.25", "chance": "0.00"}
    ]
    assert agreement_cells(rows("s", [None], []))[0]["chance"] == "–"


RESULTS = [
    {
        "protocol": "strict",
        "scores": {"digit_common": score, "age_salient": 10 * score, "group[a]_salient": 0.9, "delta_tot_absolute": 50.0},
        "best_expected": {"digit_common": 1.0, "age_salient": 0.0, "group[a]_salient": 1.0},
        "errors": ["age_salient"],
        "chance": {"digit": 0.1, "age": 12.0, "group[a]": 0.5},
        **more,
    }
    for score, more in ((0.5, {}), (0.7, {}), (0.8, {"ensemble": [0, 1]}))
]


def test_scores_are_averaged_over_seeds_beside_those_of_the_ensemble():
    assert score_cells(RESULTS)[:2] == [
        {"score": "digit from c", "mean ± sd, 2 runs": "60.0 ± 14.1", "ensemble": "80.0", "best expected": "100.0"},
        {"score": "age from s (error)", "mean ± sd, 2 runs": "6.0 ± 1.4", "ensemble": "8.0", "best expected": "0.0"},
    ]
    assert [row["score"] for row in score_cells(RESULTS, "a")] == ["group from s"]
    folds = score_cells([*RESULTS, *RESULTS])[0]
    assert (folds["mean ± sd, 4 runs"], folds["ensembles"]) == ("60.0 ± 11.5", "80.0 ± 0.0")


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 400])
def test_the_section_fits_its_window(browser: Any, tmp_path: Path, make_page: Callable[..., Page], width: int):
    agreement = rows("c", [0.9, 0.95], [0.6]) + rows("s", [None], [0.3]) + rows("s_head", [0.4], [0.5])
    write_page(tmp_path / "page.html", make_page(seeds=SeedsView(agreement, RESULTS)))
    view = browser.new_page(viewport={"width": width, "height": 900})
    view.goto((tmp_path / "page.html").as_uri())
    text = view.locator("section:has(#again)").inner_text()
    assert "c (CKA 0.93 against 0.60) agrees more between seeds than untrained encoders do; " in text
    assert "; s could not be compared." in text
    assert "c 3.0–3.0, s 3.0–3.0, s projection 3.0–3.0;" in text
    assert "Not compared in s: seed 1 has the same value for all samples." in text
    assert view.locator("table.again").count() == 2
    assert view.evaluate("document.documentElement.scrollWidth <= innerWidth")
    view.close()

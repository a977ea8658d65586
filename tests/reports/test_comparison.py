from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import spearmanr

from sepclr.reports import compare, comparison_markdown, markdown, print_comparison, svg, write_table_page
from sepclr.reports.comparison import title
from sepclr.types import InputError

PUBLISHED = {
    ("cvae", ""): {"digits_salient": 90.0, "digits_common": 23.0, "delta_tot": 23.0},
    ("sepclr", "none"): {"digits_salient": 95.0, "digits_common": 94.0, "delta_tot": 89.0},
    ("sepclr", "k-jem"): {"digits_salient": 96.0, "digits_common": 11.0, "delta_tot": 5.0},
}


def row(method: str, independence: str, salient: float, common: float, seed: int = 0, **more: Any) -> dict[str, Any]:
    scores = {"digits_salient": salient, "digits_common": common, "group_common": 0.9}
    delta = 100 * (1 - salient) + 100 * (common - 0.1)
    return {
        "key": f"{method}{independence}{seed}",
        "profile": "cpu",
        "recipe": {"data": {"name": "digits-on-cifar"}, "method": {"fidelity": "released" if method == "cvae" else "paper"}},
        "protocol": "strict",
        "method": method,
        "independence": independence,
        "seed": seed,
        "scores": scores | {"delta_tot": delta, "delta_tot_absolute": abs(delta)},
        "intervals": {name: [value - 0.02, value + 0.03] for name, value in scores.items()},
        "best_expected": {"digits_common": 0.1, "digits_salient": 1.0},
        "untrained": {"digits_salient": 0.4, "digits_common": 0.3 if method == "sepclr" else 0.35, "group_common": 0.8},
        "chance": {"digits": 0.1, "group": 0.5},
        "seconds": 240.0,
        "commit": "abc",
        "versions": {},
        "machine": {},
    } | more


ROWS = [
    row("sepclr", "k-jem", 0.60, 0.20, seed=0),
    row("sepclr", "k-jem", 0.64, 0.24, seed=1),
    row("simclr", "", 0.10, 0.10),
    row("cvae", "", 0.80, 0.30),
    row("sepclr", "none", 0.70, 0.70),
]


def test_rows_come_in_the_published_order_with_means_and_deviations_over_seeds():
    (table,) = compare(ROWS, PUBLISHED)
    assert [line.name for line in table.lines] == ["cvae (released)", "none", "k-jem", "simclr"]
    assert table.columns == ["digits_salient", "digits_common", "group_common", "delta_tot_absolute", "delta_tot"]
    cell = table.lines[2].cells["digits_salient"]
    assert cell.mean == pytest.approx(62.0)
    assert cell.sd == pytest.approx(2.828, abs=1e-3)
    assert (cell.low, cell.high) == pytest.approx((cell.mean - cell.sd, cell.mean + cell.sd))
    assert cell.published == 96.0
    assert cell.text == "62.0 ± 2.8"
    assert table.lines[2].runs == 2


def test_one_seed_has_the_bootstrap_s_interval_and_no_deviation():
    (table,) = compare(ROWS, PUBLISHED)
    cell = table.lines[0].cells["digits_salient"]
    assert cell.sd is None
    assert (cell.low, cell.high) == pytest.approx((78.0, 83.0))
    assert cell.text == "80.0"
    assert table.lines[0].cells["delta_tot"].low is None


def test_the_best_is_nearest_to_what_is_expected_and_never_a_method_that_separates_nothing():
    (table,) = compare(ROWS, PUBLISHED)
    best = {column: [line.name for line in table.lines if line.cells[column].best] for column in table.columns}
    assert best == {
        "digits_salient": ["cvae (released)"],
        "digits_common": ["k-jem"],
        "group_common": ["cvae (released)", "none", "k-jem"],
        "delta_tot_absolute": ["cvae (released)"],
        "delta_tot": ["cvae (released)"],
    }


def test_each_protocol_is_a_table_and_untrained_networks_share_a_row():
    tables = compare([*ROWS, *(each | {"protocol": "published"} for each in ROWS)], PUBLISHED)
    assert [table.protocol for table in tables] == ["strict", "published"]
    assert tables[0].untrained == {
        "cvae, simclr": {"digits_salient": 40.0, "digits_common": 35.0, "group_common": 80.0},
        "sepclr": {"digits_salient": 40.0, "digits_common": 30.0, "group_common": 80.0},
    }
    assert tables[0].rest["best expected"] == {
        "digits_salient": 100.0,
        "digits_common": 10.0,
        "group_common": 50.0,
        "delta_tot_absolute": 0.0,
        "delta_tot": 0.0,
    }


def test_untrained_encoders_are_averaged_over_all_runs_of_a_method_that_has_some():
    others = {"digits_common": 0.3, "group_common": 0.5}
    rows = [row("sepclr", "k-jem", 0.6, 0.2, seed=seed, untrained=others | {"digits_salient": 0.4 + seed / 2}) for seed in (0, 1)]
    rows.append(row("sepclr", "none", 0.6, 0.2, seed=0, untrained=others | {"digits_salient": 0.5}))
    rows.append(row("pca", "", 0.6, 0.2, untrained={}))
    (table,) = compare(rows, {})
    assert table.untrained == {"sepclr": {"digits_salient": 60.0, "digits_common": 30.0, "group_common": 50.0}}


def test_a_signed_distance_below_0_is_no_better_than_one_above():
    scores = {"digits_salient": 1.0, "digits_common": 0.02, "group_common": 0.5}
    (table,) = compare(
        [
            row("sepclr", "k-mi", 0.99, 0.10),
            row("sepclr", "k-jem", 1.0, 0.02) | {"scores": scores | {"delta_tot": -8.0, "delta_tot_absolute": 8.0}},
        ],
        {},
    )
    assert [line.cells["delta_tot"].best for line in table.lines] == [True, False]


@pytest.mark.parametrize(
    "change", [{"seed": 0}, {"recipe": {"data": {"name": "digits-on-cifar"}, "method": {"fidelity": "paper", "tau": 0.4}}}]
)
def test_rows_that_are_not_one_recipe_with_other_seeds_are_not_averaged(change: dict[str, Any]):
    with pytest.raises(InputError, match="rows of k-jem differ in their recipe, or repeat a seed and fold"):
        compare([row("sepclr", "k-jem", 0.6, 0.2, seed=0), row("sepclr", "k-jem", 0.6, 0.2, seed=1) | change], {})


def test_agreement_is_a_rank_correlation_over_rows_that_have_both():
    (table,) = compare(ROWS, PUBLISHED)
    words = table.agreement()
    assert "over 3 rows" in words
    assert (
        "digits from s -1.00 (p = 0.333), digits from c 1.00 (p = 0.333)" in words
    )  # obtained 80, 70, 62 against 90, 95, 96; 30, 70, 22 against 23, 94, 11
    assert words == table.agreement()
    (few,) = compare(ROWS[:3], PUBLISHED)
    assert few.agreement() == ""


def test_markdown_puts_published_beside_obtained_and_the_best_in_bold():
    text = comparison_markdown(compare(ROWS, PUBLISHED))
    lines = text.splitlines()
    assert lines[0] == (
        "| `strict` | seeds | digits from s ↑ | published | digits from c ↓ | published | group from c ↓ "
        "| δ_tot ↓ | δ_tot signed ↓ | published |"
    )
    assert "| k-jem | 2 | 62.0 ± 2.8 | 96.0 | **22.0 ± 2.8** | 11.0 | **90.0 ± 0.0** | 50.0 ± 0.0 | 50.0 ± 0.0 | 5.0 |" in lines
    assert "| simclr | 1 | 10.0 |  | 10.0 |  | 90.0 | 90.0 | 90.0 |  |" in lines
    assert "| *untrained encoders of sepclr* |  | 40.0 |  | 30.0 |  | 80.0 |  |  |  |" in lines
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1


def test_the_p_value_of_a_correlation_is_that_of_scipy_s_permutations():
    obtained, published = [0.5, 0.6, 0.55, 0.7, 0.9, 0.8, 0.65, 0.4], [50.0, 70.0, 60.0, 55.0, 95.0, 60.0, 80.0, 45.0]
    rows = [row("sepclr", f"way{place}", 0.5, score) for place, score in enumerate(obtained)]
    numbers = {("sepclr", f"way{place}"): {"digits_common": number} for place, number in enumerate(published)}
    (table,) = compare(rows, numbers)
    rho = spearmanr(obtained, published)
    found = re.search(r"digits from c (\S+) \(p = (\S+)\)", table.agreement())
    assert float(found[1]) == round(rho.statistic, 2)
    assert float(found[2]) == pytest.approx(rho.pvalue, abs=0.02)


def test_what_strays_points_down_whatever_a_majority_scores():
    majority = row("cvae", "", 0.8, 0.3, protocol="published", chance={"digits": 0.09, "group": 0.5})
    (table,) = compare([majority], {})
    assert table.heading("digits_common") == "digits from c ↓"
    assert table.heading("digits_salient") == "digits from s ↑"


def test_the_group_is_read_from_both_codes_and_belongs_in_s():
    scores = {"digits_salient": 0.6, "digits_common": 0.2, "group_salient": 0.9, "group_common": 0.7}
    whole = row("sepclr", "k-jem", 0.6, 0.2, scores=scores, untrained=scores, intervals={name: [0.1, 0.9] for name in scores})
    (table,) = compare([whole], {})
    assert [table.heading(column) for column in table.columns[2:]] == ["group from s ↑", "group from c ↓"]
    assert [table.rest["best expected"][column] for column in table.columns[2:]] == [100.0, 50.0]


def test_projections_have_a_table_of_their_own():
    scores = {"digits_salient": 0.33, "digits_common": 0.11, "group_common": 0.6}
    heads = {"scores": scores, "intervals": {name: [0.1, 0.5] for name in scores}, "untrained": scores}
    tables = compare([row("sepclr", "k-jem", 0.6, 0.2, heads=heads), row("cvae", "", 0.8, 0.3)], PUBLISHED)
    assert [(table.of, len(table.lines)) for table in tables] == [("codes", 2), ("projections", 1)]
    text = comparison_markdown(tables)
    assert "| `strict`, projections | seeds | digits from s ↑ | digits from c ↓ | group from c ↓ |" in text
    assert "| k-jem | 1 | **33.0** | **11.0** | **60.0** |" in text
    assert tables[1].untrained == {"sepclr": {name: 100 * score for name, score in scores.items()}}


def test_principal_components_take_no_part_in_what_is_best():
    (table,) = compare([row("pca", "", 1.0, 0.1), row("contrastive-pca", "", 0.6, 0.2), row("cvae", "", 0.5, 0.3)], {})
    assert {line.name: line.cells["digits_salient"].best for line in table.lines} == {
        "pca": False, "contrastive-pca": True, "cvae (released)": False,
    }  # fmt: skip


def test_without_published_numbers_there_are_no_columns_for_them():
    text = comparison_markdown(compare(ROWS, {}))
    assert "published" not in text
    assert "Spearman" not in text


def test_the_picture_is_the_same_for_the_same_rows_and_shows_every_row():
    (table,) = compare(ROWS, PUBLISHED)
    picture = svg(table)
    assert picture == svg(table)
    for word in ("cvae (released)", "k-jem", "digits from s", "ring: published"):
        assert f"<!-- {word}" in picture  # matplotlib draws words as paths and names them in comments
    assert picture != svg(compare(ROWS[1:], PUBLISHED)[0])
    assert "ring: published" not in svg(compare(ROWS, {})[0])


def test_the_page_holds_every_number_once_and_is_one_file(tmp_path: Path):
    tables = compare(ROWS, PUBLISHED)
    write_table_page(tmp_path / "table.html", title="Digits <&>", lead="Lead.", tables=tables, made={"Rows": "a & b"})
    page = (tmp_path / "table.html").read_text()
    assert list(tmp_path.iterdir()) == [tmp_path / "table.html"]
    assert "Digits &lt;&amp;&gt;" in page
    assert "a &amp; b" in page
    for line in tables[0].lines:
        for cell in line.cells.values():
            assert f">{cell.text}<" in page
    assert "<b>22.0 ± 2.8</b>" in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)


def test_the_terminal_shows_every_row_within_80_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_comparison(compare(ROWS, PUBLISHED))
    text = capsys.readouterr().out
    assert "62.0 ± 2.8" in text
    assert "cvae (released)" in text
    assert "Spearman" in text
    assert all(len(line) <= 80 for line in text.splitlines() if "Spearman" not in line)


@pytest.mark.parametrize(
    ("column", "words"),
    [("digits_salient", "digits from s"), ("objects_common", "objects from c"), ("delta_tot", "δ_tot signed")],
)
def test_columns_are_worded(column: str, words: str):
    assert title(column) == words


def brains(method: str, fold: int, severity: float) -> dict[str, Any]:
    scores = {"age_common": 8.0 + fold, "age_salient": 14.0, "severity_salient": severity, "severity_common": 0.21, "sex_common": 0.8}
    scores |= {"sex_salient": 0.5}
    return row(method, "", 0, 0) | {
        "recipe": {"data": {"name": "mri", "study": {"table": "t"}, "fold": fold}},
        "scores": scores,
        "errors": ["age_common", "age_salient", "severity_common", "severity_salient"],
        "intervals": {name: [value, value] for name, value in scores.items()},
        "best_expected": {
            name: {"age_common": 0.0, "age_salient": 15.0, "severity_salient": 0.0, "severity_common": 0.2}.get(
                name, 0.5 + 0.5 * (name == "sex_common")
            )
            for name in scores
        },
        "untrained": dict.fromkeys(scores, 0.5),
        "chance": {"age": 15.0, "severity": 0.2, "sex": 0.5},
    }


def test_errors_stand_in_their_units_with_the_way_that_is_better():
    (table,) = compare([brains("sepvae", 0, 0.1), brains("sepvae", 1, 0.12), brains("convae", 0, 0.15)], {})
    assert table.over == "folds"
    assert [table.heading(column) for column in table.columns] == [
        "age MAE from s ↑", "age MAE from c ↓", "severity MAE from s ↓", "severity MAE from c ↑", "sex from s ↓", "sex from c ↑",
    ]  # fmt: skip
    line = table.lines[0]
    assert line.runs == 2
    assert line.cells["age_common"].text == "8.5 ± 0.7"
    assert line.cells["severity_salient"].text == "0.110 ± 0.014"
    assert line.cells["severity_salient"].best
    assert table.lines[1].cells["sex_common"].text == "80.0"
    assert table.rest["chance"]["age_common"] == 15.0
    assert "best expected" not in table.rest
    assert "| convae | 1 | 14.0 | 8.0 |" in comparison_markdown([table]).replace("**", "")
    assert svg(table).count("<svg") == 1


def test_a_table_that_is_too_wide_is_turned(capsys: pytest.CaptureFixture[str]):
    wide = brains("sepvae", 0, 0.1)
    more = {f"score{k}_salient": 0.5 for k in range(3)}
    wide |= {"scores": wide["scores"] | more, "intervals": wide["intervals"] | {name: [0.4, 0.6] for name in more}}
    wide |= {"best_expected": wide["best_expected"] | dict.fromkeys(more, 1.0), "untrained": wide["untrained"] | more}
    wide |= {"chance": wide["chance"] | {name.removesuffix("_salient"): 0.5 for name in more}}
    print_comparison(compare([wide], {}))
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["age", "MAE", "from", "c", "↓", "8.0", "15.0"] for line in lines)


def test_predictions_of_a_method_have_no_untrained_score():
    row = {
        "recipe": {"data": {"name": "made-up"}},
        "protocol": "strict",
        "method": "erm",
        "independence": "",
        "seed": 0,
        "scores": {"digit_common": 0.8, "digit_predicted": 0.9},
        "intervals": {"digit_common": [0.7, 0.9], "digit_predicted": [0.8, 1.0]},
        "untrained": {"digit_common": 0.3},
        "best_expected": {"digit_common": 1.0, "digit_predicted": 1.0},
        "chance": {"digit": 0.1},
        "seconds": 60.0,
    }
    (table,) = compare([row], {})
    assert table.heading("digit_predicted") == "digit predicted ↑"
    assert table.untrained == {"erm": {"digit_common": 30.0}}
    assert comparison_markdown([table]).count("90.0") == 1
    assert markdown([row | {"scores": row["scores"] | {"delta_tot_absolute": 5.0}}]).count("90.0") == 1


def test_rows_of_debiasing_have_predictions_that_untrained_encoders_lack(tmp_path: Path):
    scores = {"digit_common": 0.8, "colour_common": 0.3, "digit_predicted": 0.7}
    row = {
        "recipe": {"data": {"name": "coloured-mnist"}, "seed": 0},
        "protocol": "strict",
        "method": "erm",
        "independence": "",
        "seed": 0,
        "scores": scores,
        "intervals": {name: [value - 0.1, value + 0.1] for name, value in scores.items()},
        "untrained": {"digit_common": 0.5, "colour_common": 0.9},
        "best_expected": {"digit_common": 1.0, "colour_common": 0.1, "digit_predicted": 1.0},
        "chance": {"digit": 0.1, "colour": 0.1},
        "seconds": 60.0,
    }
    (table,) = compare([row], {})
    assert table.heading("digit_predicted") == "digit predicted ↑"
    assert table.heading("colour_common") == "colour from c ↓"
    text = comparison_markdown([table])
    assert "| *untrained encoders of erm* |  | 90.0 |  | 50.0 |" in text
    assert "70.0" in text
    assert "digit predicted" in svg(table)
    print_comparison([table])
    write_table_page(tmp_path / "table.html", title="Tiny", lead="Noise.", tables=[table], made={})
    assert "digit predicted" in (tmp_path / "table.html").read_text()

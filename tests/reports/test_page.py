"""The page: everything in one file, the numbers of the rows, and input at the edges."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sepclr.probes import Importance
from sepclr.reports.figures import charts, flatten, sheet
from sepclr.reports.neighbours import nearest
from sepclr.reports.page import Page, RunView, write_page
from sepclr.reports.scores import findings, readings
from sepclr.types import InputError, Row

VOID = {"meta", "link", "input", "br", "img"}
MakePage = Callable[..., Page]
MakeRow = Callable[..., Row]


class Balance(HTMLParser):
    """Check that every tag is closed where it should be and no id is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember what is open."""
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Pass over what closes itself."""

    def handle_endtag(self, tag: str) -> None:
        """Close the tag that was opened last."""
        assert self.open.pop() == tag, tag


def html(folder: Path, page: Page) -> str:
    """Write a page, check its form, and return its text."""
    path = folder / "report.html"
    write_page(path, page)
    text = path.read_text(encoding="utf-8")
    balance = Balance()
    balance.feed(text)
    assert not balance.open
    assert len(balance.ids) == len(set(balance.ids))
    assert all(link.startswith(("data:", "#")) for link in balance.links)
    assert not re.search(r"https?:|//cdn|@import", text)
    assert all(match.startswith("data:image/png;base64,") for match in re.findall(r"url\(([^)]*)\)", text))
    assert list(folder.iterdir()) == [path]
    data(text)
    return text


def data(text: str) -> Any:
    """Read the JSON of the page; NaN is refused."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1], parse_constant=refuse)


def verdict(text: str) -> str:
    """Read the verdict without its tags."""
    found = re.search(r'<p class="verdict">(.*?)</p>', text, re.DOTALL)
    assert found
    return " ".join(unescape(re.sub(r"<[^>]*>", "", found[1])).replace("\u202f", " ").split())


def test_the_verdict_has_the_numbers_of_the_main_run(tmp_path: Path, make_page: MakePage) -> None:
    assert verdict(html(tmp_path, make_page())) == (
        "Digit is decoded with 84 % accuracy from c and 22 % from s (chance 10 %); "
        "mark is decoded with 71 % accuracy from s and 18 % from c (chance 10 %)."
    )


def test_text_is_escaped(tmp_path: Path, make_page: MakePage) -> None:
    evil = "</script><script>alert('x')</script><b>"
    page = make_page(title=evil, lead=evil, made={evil: evil}, class_names={"mark": [evil, evil]})
    page = replace(page, runs=[replace(page.runs[0], name=evil)], attributes={**page.attributes, evil: page.attributes["digit"]})
    text = html(tmp_path, page)
    assert "<script>alert" not in text
    assert text.count("<script") == 2
    assert data(text)["attributes"][1]["names"] == [evil, evil]


def test_every_row_stands_in_the_table(tmp_path: Path, make_page: MakePage) -> None:
    page = make_page()
    text = html(tmp_path, page)
    table = text[text.index('<table class="all">') :]
    assert table[: table.index("</table>")].count("<tr>") == 1 + sum(len(run.rows) for run in page.runs)
    assert "71.0\u202f%" in table
    assert "s head" in table
    assert "597" in table


def test_attributes_stand_in_order_and_know_their_space(make_page: MakePage, make_row: MakeRow) -> None:
    runs = [("a", [*make_page().runs[0].rows, make_row("site", "c", 0.3)])]
    shown = readings(runs, ["digit"], ["mark"])
    assert [(r.name, r.expected) for r in shown] == [("digit", "c"), ("mark", "s"), ("group", "s"), ("site", "")]
    assert [line.expected for line in shown[1].lines] == [False, True]
    assert shown[1].ahead == ("ahead by 53 points",)
    bar = shown[1].lines[1].bars[0]
    assert bar is not None
    assert (bar.length, bar.chance_at, bar.low_at, bar.untrained_at) == (71.0, 10.0, 69.0, 25.0)
    assert shown[3].lines[1].bars == (None,)


def test_a_small_error_has_a_long_bar(make_row: MakeRow) -> None:
    def error(space: str, score: float, encoder: str = "trained") -> Row:
        return make_row("age", space, score, encoder=encoder, metric="mae", low=score - 0.5, high=score + 0.5, chance=9.5)

    runs = [("a", [error("c", 4.0), error("s", 9.0), error("c", 8.0, "untrained")])]
    (reading,) = readings(runs, ["age"], [])
    here, there = (line.bars[0] for line in reading.lines)
    assert here is not None
    assert there is not None
    assert here.low_at is not None
    assert here.high_at is not None
    assert here.length > there.length > here.chance_at
    assert here.low_at < here.length < here.high_at
    assert (here.text, here.interval, reading.ahead) == ("4", "3.5–4.5", ("ahead by 5",))
    assert findings(runs, ["age"], [])[0].lower_is_better


def test_balanced_accuracy_under_the_strict_protocol_is_preferred(make_row: MakeRow) -> None:
    rows = [make_row("mark", space, 0.9, metric="accuracy", protocol="published") for space in "cs"]
    assert findings([("a", rows)], [], ["mark"])[0].score == "90\u202f%"
    rows += [make_row("mark", space, 0.8, protocol="published") for space in "cs"]
    rows += [make_row("mark", space, 0.7) for space in "cs"]
    assert findings([("a", rows)], [], ["mark"])[0].score == "70\u202f%"


def test_the_group_is_the_verdict_where_nothing_else_is_known(make_row: MakeRow) -> None:
    of_group = [make_row("group", space, score) for space, score in (("c", 0.6), ("s", 0.9))]
    (found,) = findings([("a", of_group)], [], [])
    assert (found.name, found.space, found.score, found.other_score) == ("group", "s", "90\u202f%", "60\u202f%")
    of_mark = [make_row("mark", space, 0.7) for space in "cs"]
    assert [each.name for each in findings([("a", of_group + of_mark)], [], ["mark"])] == ["mark"]


def test_no_scores_no_history_no_salient_attribute_one_run(tmp_path: Path, make_page: MakePage) -> None:
    page = make_page()
    run = replace(page.runs[0], rows=[], history=[])
    text = html(tmp_path, replace(page, runs=[run], salient_attributes=[], made={}, class_names={}))
    assert verdict(text) == "The codes have not been scored yet."
    assert "No scores yet." in text
    assert "No epochs were logged." in text
    assert "How it was made" not in text


def test_no_untrained_rows_and_scores_that_are_not_numbers(tmp_path: Path, make_page: MakePage, make_row: MakeRow) -> None:
    page = make_page()
    rows = [make_row("digit", "c", float("nan")), make_row("digit", "s", 0.2, low=float("nan"))]
    text = html(tmp_path, replace(page, runs=[replace(page.runs[0], rows=rows)]))
    assert ">untrained" not in text
    assert "with – accuracy from c and 20 % from s" in verdict(text)


def test_histories_of_one_epoch_and_with_holes() -> None:
    nan = float("nan")
    one, holes = [{"epoch": 0, "loss": 2.0}], [{"epoch": e, "loss": v, "gone": nan} for e, v in enumerate([1.0, nan, 3.0, 2.0])]
    (chart,) = charts([("one", one), ("holes", holes), ("none", [])])
    assert (chart.term, chart.low, chart.high, chart.last) == ("loss", "1", "3", "3")
    assert [curve and curve.path for curve in chart.curves] == ["M0.0 50.0h0", "M0.0 100.0h0M66.67 0.0L100.0 50.0", None]


@pytest.mark.parametrize("n", [1, 2, 4])
def test_few_samples(tmp_path: Path, make_page: MakePage, n: int) -> None:
    assert ("Nearest neighbours" in html(tmp_path, make_page(n))) == (n == 4)


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_rows_and_images(tmp_path: Path, make_page: MakePage, channels: int | None) -> None:
    images = None if channels is None else np.zeros((60, channels, 70, 90), np.uint8)
    text = html(tmp_path, make_page(images=images))
    assert ('role="img" aria-label="target, digit' in text) == (channels is not None)


def test_images_keep_their_place_on_the_sheet() -> None:
    import base64
    import io

    from PIL import Image

    images = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.full((5, 3, 4, 6), 10, np.uint8)
    made = sheet(images)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(made.uri.split(",")[1]))))
    assert (made.columns, made.rows, made.width, made.height) == (3, 2, 6, 4)
    assert pixels.shape == (8, 18, 3)
    assert pixels[5, 8].tolist() == [40, 40, 40]


def test_quantities_strings_and_many_classes(tmp_path: Path, make_page: MakePage) -> None:
    page = make_page()
    rng = np.random.default_rng(1)
    age = rng.normal(50, 9, 60)
    age[3] = np.nan
    extra = {"age": age, "site": np.array([f"site {k % 13}" for k in range(60)]), "old": age > 50}
    shown = data(html(tmp_path, replace(page, attributes={**page.attributes, **extra})))["attributes"]
    by_name = {a["name"]: a for a in shown}
    assert by_name["age"]["quantity"]
    assert by_name["age"]["values"][3] is None
    assert by_name["age"]["text"][3] == ""
    assert max(by_name["site"]["values"]) == 10
    assert len(by_name["site"]["names"]) == 13
    assert by_name["old"]["names"] == ["no", "yes"]
    assert by_name["mark"]["text"][0] == ""
    assert by_name["mark"]["text"][1] in ("ring", "cross")


@pytest.mark.parametrize(
    "codes",
    [
        np.zeros((40, 3)),
        np.ones((40, 0)),
        np.arange(40.0)[:, None],
        np.eye(40, 2),
        np.eye(4, 6),
        np.eye(40, 6),
        np.full((3, 2), np.nan),
    ],
    ids=["constant", "no dimension", "one dimension", "two", "few", "duplicates", "nan"],
)
def test_any_codes_lie_in_the_plane(codes: NDArray[np.float64]) -> None:
    plane, how = flatten(codes.astype(np.float32))
    assert plane.shape == (len(codes), 2)
    assert how.endswith(".")
    assert ((plane >= -1e-9) & (plane <= 1 + 1e-9)).all()


def test_nearest_is_the_brute_force_answer() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    for i, found in enumerate(nearest(x, 4)):
        others = sorted((j for j in range(20) if j != i), key=lambda j: float(((x[i] - x[j]) ** 2).sum()))
        assert found.tolist() == others[:4]


def test_neighbours_share_what_their_space_holds(tmp_path: Path, make_page: MakePage) -> None:
    text = html(tmp_path, make_page())
    shares = text[text.index('<table class="shares">') :]
    assert re.findall(r'in-(\w)">(\d+)\u202f%', shares)[:2] == [("c", "100"), ("s", "100")]


def test_wrong_lengths_and_shapes_are_named(make_page: MakePage) -> None:
    page = make_page()
    short = RunView("short", [], [], page.runs[0].c[:3], page.runs[0].s)
    with pytest.raises(InputError, match="code c of run 'short': 3 values for 60"):
        replace(page, runs=[short])
    with pytest.raises(InputError, match="images: shape"):
        replace(page, images=np.zeros((60, 2, 4, 4), np.uint8))
    with pytest.raises(InputError, match="nothing to show"):
        replace(page, runs=[])


def test_samples_of_a_single_group_are_not_called_background_or_target(tmp_path: Path, make_page: MakePage, make_row: MakeRow):
    everyone = np.ones(60, dtype=bool)
    both = html(tmp_path, make_page())
    assert "Background</figcaption>" in both
    assert "30 background and 30 target test samples" in both
    page = make_page(is_target=everyone)
    run = replace(page.runs[0], rows=[*page.runs[0].rows, make_row("digit", "prediction", 0.784)])
    text = html(tmp_path, replace(page, runs=[run]))
    assert "Test samples</figcaption>" in text
    assert "60 test samples, encoded by" in text
    assert "Background</figcaption>" not in text
    assert "hollow points background" not in text
    assert [each["name"] for each in data(text)["attributes"]] == ["digit", "mark"]
    assert "Digit is predicted with 78 % accuracy." in verdict(text)


def test_without_a_salient_code_the_page_has_one_space(tmp_path: Path, make_page: MakePage):
    page = make_page(is_target=np.ones(60, dtype=bool))
    text = html(tmp_path, replace(page, runs=[replace(run, s=np.zeros((60, 1), np.float32)) for run in page.runs]))
    assert 'id="map-c"' in text
    assert 'id="map-s"' not in text
    assert "nearest in s" not in re.sub("<[^>]*>", "", text)
    assert "The two spaces" not in text
    said = "Digit is decoded with 84 % accuracy from c (chance 10 %); mark is decoded with 18 % accuracy from c, where it should be low"
    assert said in verdict(text)
    both = html(tmp_path, page)
    assert 'id="map-s"' in both
    assert "The two spaces" in both


def test_features_are_listed_by_permutation_and_without_it_by_weights(tmp_path: Path, make_page: Callable[..., Page]):
    def importance(name: str, space: str, how: str, value: float) -> Importance:
        return Importance(name=name, space=space, how=how, attribute="", value=value, low=value, high=value)

    weights = [importance(name, space, "weights", value) for space in "cs" for name, value in (("ERK", 0.1), ("<NR1>", 0.4), ("flat", 0))]
    write_page(tmp_path / "page.html", make_page(images=None, features=weights))
    page = (tmp_path / "page.html").read_text()
    assert page.index("&lt;NR1&gt;") < page.index('scope="row">ERK')
    assert "mean absolute loading" in page
    assert "Permutation" not in page
    assert 'scope="row">flat' not in page
    permuted = [importance("ERK", space, "permutation", 0.25) for space in "cs"]
    write_page(tmp_path / "page.html", make_page(images=None, features=weights + permuted))
    page = (tmp_path / "page.html").read_text()
    assert "25.0 %" in page
    assert "1 of the features were permuted, those with the largest weights." in page
    assert "&lt;NR1&gt;" not in page
    write_page(tmp_path / "page.html", make_page())
    assert 'id="features"' not in (tmp_path / "page.html").read_text()

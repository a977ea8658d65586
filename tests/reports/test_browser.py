"""The page in Chromium: silent, no wider than the window, and answering to mouse, keyboard and selector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sepclr.probes import Importance
from sepclr.reports.page import Page, write_page

pytestmark = pytest.mark.browser


ROWS = [
    Importance(name=f"a_protein_with_a_long_name_{j}", space=space, how=how, attribute=attribute, value=j / 20, low=j / 30, high=j / 15)
    for j in range(20)
    for space in "cs"
    for how, attribute in (("permutation", ""), ("weights", ""), ("probe", "group"))
]


@pytest.fixture(params=[1280, 400])
def opened(request: pytest.FixtureRequest, browser: Any, tmp_path: Path, make_page: Callable[..., Page]) -> Iterator[Any]:
    """Open a page at one width; whatever the console says, or a request leaves the file, fails the test."""
    write_page(tmp_path / "report.html", make_page())
    view = browser.new_page(viewport={"width": request.param, "height": 900})
    said: list[str] = []
    view.on("console", lambda message: said.append(message.text))
    view.on("pageerror", lambda error: said.append(str(error)))
    view.on("request", lambda asked: said.extend([asked.url] * (not asked.url.startswith(("file:", "data:")))))
    view.goto((tmp_path / "report.html").as_uri())
    yield view
    assert not said
    view.close()


def test_the_page_fits_its_window(opened: Any) -> None:
    opened.locator("summary").click()
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert opened.locator("#map-c circle[data-index]").count() == 60


def test_a_point_shows_its_image(opened: Any) -> None:
    tip = opened.locator("#tip")
    assert tip.is_hidden()
    opened.locator("#map-s circle[data-index='7']").hover(force=True)
    assert tip.is_visible()
    assert tip.locator(".tile").bounding_box()["height"] > 60
    assert "png" in tip.locator(".tile").evaluate("tile => getComputedStyle(tile).backgroundImage")
    assert "target" in tip.inner_text()
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    rings = [opened.locator(f"#map-{space} .ring").evaluate("ring => ring.style.visibility") for space in "cs"]
    assert rings == ["visible", "visible"]


def test_the_keyboard_goes_from_point_to_point(opened: Any) -> None:
    opened.locator("#map-c circle[tabindex='0']").focus()
    first = opened.locator("#tip").get_attribute("data-index")
    for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"):
        opened.keyboard.press(key)
        if opened.locator("#tip").get_attribute("data-index") != first:
            break
    else:
        pytest.fail("no arrow key moves")
    assert opened.locator("#map-c circle[tabindex='0']").count() == 1
    assert "digit" in opened.evaluate("document.activeElement.getAttribute('aria-label')")
    opened.keyboard.press("Escape")
    assert opened.locator("#tip").is_hidden()


def test_another_attribute_recolours(opened: Any) -> None:
    fills = "points => points.map(point => point.style.fill + point.style.stroke)"
    points = opened.locator("#map-c circle[data-index]")
    before = points.evaluate_all(fills)
    opened.get_by_label("mark", exact=True).check()
    assert points.evaluate_all(fills) != before
    assert opened.locator("#legend").inner_text().split() == ["ring", "cross", "background"]
    opened.locator("#legend button").first.click()
    assert 0 < opened.locator("#map-c circle.off").count() < 60


@pytest.mark.parametrize("width", [1280, 400])
def test_a_page_of_rows_shows_maps_first_and_no_pictures(browser: Any, tmp_path: Path, make_page: Callable[..., Page], width: int) -> None:
    write_page(tmp_path / "rows.html", make_page(images=None, features=ROWS))
    view = browser.new_page(viewport={"width": width, "height": 900})
    view.goto((tmp_path / "rows.html").as_uri())
    assert view.locator("section").first.locator("#map-c circle[data-index]").count() == 60
    assert view.locator(".tile").count() == 0
    rows = view.locator("table.features.line-s tbody tr")
    assert rows.count() == 15
    assert rows.first.locator("th").inner_text().split("\n") == ["a_protein_with_a_long_name_19", "group −0.95"]
    lengths = rows.locator("td:not(.weights) .fill").evaluate_all("fills => fills.map(fill => fill.getBoundingClientRect().width)")
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > 50
    assert view.evaluate("document.documentElement.scrollWidth <= innerWidth")
    view.close()

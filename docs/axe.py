"""Check pages with axe at two widths, light and dark, and their keyboard: run by hand after ``make site``.

npm pack axe-core && tar xzf axe-core-*.tgz package/axe.min.js
python docs/axe.py package/axe.min.js docs/_build/html/index.html runs/NAME/report.html …
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

WIDTHS, SCHEMES = (1280, 400), ("light", "dark")
FOCUSED = """() => {
    const at = document.activeElement, style = getComputedStyle(at), ring = document.querySelector(".ring");
    if (at === document.body) return null;
    return { name: at.tagName + " " + (at.getAttribute("aria-label") || at.textContent).trim().slice(0, 40),
             seen: style.outlineStyle !== "none" || (at.matches("circle") && ring.style.visibility === "visible") };
}"""


def main() -> None:
    """Print what is serious or critical, wider than the window, or has no visible focus; fail if there is anything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("axe", type=Path, help="path of axe.min.js")
    parser.add_argument("pages", type=Path, nargs="+", help="HTML files")
    options = parser.parse_args()
    found: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for page in options.pages:
            for width in WIDTHS:
                for scheme in SCHEMES:
                    found += [f"{page} at {width}, {scheme}: {each}" for each in check(browser, page, options.axe, width, scheme)]
        browser.close()
    print("\n".join(found) or f"{len(options.pages)} pages: nothing serious or critical")
    raise SystemExit(bool(found))


def check(browser: Browser, page: Path, axe: Path, width: int, scheme: Any) -> list[str]:
    """Return the findings of one page at one width in one scheme."""
    view = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    view.goto(page.absolute().as_uri())
    view.add_script_tag(path=axe)
    found = []
    for rule in view.evaluate("axe.run().then(result => result.violations)"):
        if rule["impact"] in ("serious", "critical"):
            nodes = "; ".join(" ".join(map(str, node["target"])) for node in rule["nodes"][:3])
            found.append(f"{rule['impact']} {rule['id']} ({len(rule['nodes'])}): {nodes}")
    if (wide := view.evaluate("document.documentElement.scrollWidth")) > width:
        found.append(f"{wide} pixels wide")
    for _ in range(60):
        view.keyboard.press("Tab")
        focused = view.evaluate(FOCUSED)
        if focused is None:
            break
        if not focused["seen"]:
            found.append(f"no visible focus on {focused['name']}")
    view.close()
    return found


if __name__ == "__main__":
    main()

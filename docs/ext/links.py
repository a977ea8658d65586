"""Check the links between built pages, and their anchors: python -m docs.ext.links docs/_build/html."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """Links, pictures and anchors of a page.

    Attributes:
        targets: addresses that the page refers to.
        anchors: names within the page.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses and the anchor of a tag."""
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.targets.add(value)
            elif name == "id" and value:
                self.anchors.add(value)


def broken(site: Path) -> list[str]:
    """Return a line for each link within the site that leads nowhere."""
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    found = []
    for path, page in pages.items():
        for address in sorted(page.targets):
            url = urlsplit(address)
            if url.scheme or url.netloc:
                continue
            there = (path.parent / unquote(url.path)).resolve() if url.path else path
            if there.is_dir():
                there /= "index.html"
            anchor = unquote(url.fragment)
            if not there.is_file() or (anchor and there in pages and anchor not in pages[there].anchors):
                found.append(f"{path.relative_to(site.resolve())}: {address}")
    return found


if __name__ == "__main__":
    lines = broken(Path(sys.argv[1]))
    print("\n".join(lines) or "All links between pages lead somewhere.")
    raise SystemExit(bool(lines))

"""Write the numbers of ``results/`` into the documentation, between markers, so that none is typed by hand.

Command: python -m sepclr.benchmark.pages results README.md docs/*.md
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from sepclr.benchmark.published import PUBLISHED
from sepclr.methods import catalogue
from sepclr.reports import compare, comparison_markdown, svg
from sepclr.reports.tables import markdown, plain
from sepclr.types import InputError

METHODS = re.compile(r"(<!-- methods -->\n).*?(<!-- end of methods -->)", re.DOTALL)
MARKER = re.compile(
    r"(<!-- (?P<kind>results|comparison): (?P<name>\S+)(?: (?P<protocol>\w+))? -->\n).*?(<!-- end of results -->)", re.DOTALL
)


def fill(text: str, folder: Path) -> str:
    """Replace what stands between the markers of a page by the tables of ``folder``, and by the table of methods.

    ``results`` is a row per run, ``comparison`` a row per method, over seeds and beside published numbers, of one protocol if it is named.

    Raises:
        InputError: a marker that names a file that is not there.
    """

    def table(match: re.Match[str]) -> str:
        path = folder / match["name"]
        if not path.is_file():
            raise InputError(f"{path}: no such results, though the page asks for them")
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        if match["kind"] == "comparison":
            tables = compare(rows, PUBLISHED.get(rows[0]["recipe"]["data"], {}))
            return match[1] + comparison_markdown([each for each in tables if match["protocol"] in (None, each.protocol)]) + match[5]
        return match[1] + (plain if "cells" in rows[0] else markdown)(rows) + match[5]

    return MARKER.sub(table, METHODS.sub(lambda match: match[1] + catalogue.table() + match[2], text))


def picture(results: Path) -> str:
    """Draw the ``strict`` table of results, as SVG."""
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    tables = compare(rows, PUBLISHED.get(rows[0]["recipe"]["data"], {}))
    return svg(next(table for table in tables if table.protocol == "strict"))


if __name__ == "__main__":
    results, *pages = (Path(argument) for argument in sys.argv[1:])
    for page in pages:
        page.write_text(fill(page.read_text(), results))
    Path("docs/table1.svg").write_text(picture(results / "digits-on-cifar-cpu.jsonl"))

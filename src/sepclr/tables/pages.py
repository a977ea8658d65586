"""Write the numbers of ``results/`` into the documentation, between markers, so that none is typed by hand.

Command: python -m sepclr.tables.pages results README.md docs/*.md
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sepclr.methods import advice, catalogue
from sepclr.reports import (
    Comparison,
    agreement_cells,
    as_svg,
    compare,
    comparison_markdown,
    draw_length,
    markdown,
    plain,
    removal_cells,
    score_cells,
    svg,
    swap_cells,
)
from sepclr.tables.published import PUBLISHED, beside_study, table_3
from sepclr.types import InputError

METHODS = re.compile(r"(<!-- methods -->\n).*?(<!-- end of methods -->)", re.DOTALL)
RULES = re.compile(r"(<!-- rules -->\n).*?(<!-- end of rules -->)", re.DOTALL)
MARKER = re.compile(
    r"(<!-- (?P<kind>results|comparison|published|removal|swap|stability|seeds): (?P<name>\S+)(?: (?P<protocol>\w+))? -->\n)"
    r".*?(<!-- end of results -->)",
    re.DOTALL,
)


def fill(text: str, folder: Path) -> str:
    """Replace the text between the markers of a page with tables of ``folder``, tables of methods and the rules for choosing one.

    ``results`` has a row per run. ``comparison`` has a row per method, over seeds and beside published numbers, for one protocol if the
    marker names it. ``published`` is Table 3 of the paper. ``removal`` and ``swap`` have a row per set of images, over seeds.
    ``stability`` has a row per space and measure of agreement between seeds, ``seeds`` one per score, over seeds and of their ensemble.

    Raises:
        InputError: if a marker names a missing file, or a protocol without rows.
    """

    def table(match: re.Match[str]) -> str:
        if match["kind"] == "published":
            return match[1] + plain(table_3()) + match[5]
        path = folder / match["name"]
        if not path.is_file():
            raise InputError(f"{path}: no such results; the page has a marker for them")
        rows = _rows(path)
        if match["kind"] == "comparison":
            tables = [each for each in compared(rows) if match["protocol"] in (None, each.protocol)]
            if not tables:
                raise InputError(f"{path}: no rows of protocol {match['protocol']!r}; the page has a marker for them")
            return match[1] + comparison_markdown(tables) + match[5]
        if match["kind"] in ("removal", "swap"):
            names = dict.fromkeys(row["scores"]["name"] for row in rows)
            scores = [[row["scores"] for row in rows if row["scores"]["name"] == name] for name in names]
            cells = removal_cells(scores) if match["kind"] == "removal" else [swap_cells(each, **rows[0]["attributes"]) for each in scores]
            return match[1] + plain([{"cells": {"images": "", "seeds": "1"} | each} for each in cells]) + match[5]
        if match["kind"] == "stability":
            return match[1] + plain([{"cells": each} for each in agreement_cells(rows)]) + match[5]
        if match["kind"] == "seeds":
            strict = [row for row in rows if row["protocol"] == "strict"]
            return match[1] + plain([{"cells": each} for each in score_cells(strict)]) + match[5]
        return match[1] + (plain if "cells" in rows[0] else markdown)(rows) + match[5]

    text = METHODS.sub(lambda match: f"{match[1]}{catalogue.table()}\n{catalogue.facts()}{match[2]}", text)
    return MARKER.sub(table, RULES.sub(lambda match: match[1] + advice.rules_table() + match[2], text))


def compared(rows: Sequence[Mapping[str, Any]]) -> list[Comparison]:
    """Compare rows of one data set with numbers published for it or, for a study with the same attributes, for other subjects."""
    if (data := rows[0]["recipe"]["data"]["name"]) == "mri":
        return compare(rows, beside_study(rows[0]["scores"]), elsewhere=True)
    return compare(rows, PUBLISHED.get(data, {}))


def picture(results: Path) -> str:
    """Draw the ``strict`` table of results, as SVG."""
    return svg(next(table for table in compared(_rows(results)) if table.protocol == "strict"))


def length_picture(*results: Path) -> str:
    """Draw the ``strict`` scores of runs of several lengths against their training time, as SVG."""
    rows = [row for path in results for row in _rows(path) if row["protocol"] == "strict"]
    return as_svg(lambda: draw_length(rows))


def _rows(results: Path) -> list[Mapping[str, Any]]:
    return [json.loads(line) for line in results.read_text().splitlines()]


if __name__ == "__main__":
    results, *pages = (Path(argument) for argument in sys.argv[1:])
    for page in pages:
        page.write_text(fill(page.read_text(), results))
        if page.name == "table1.md":
            short, long = (results / f"digits-on-cifar-{name}.jsonl" for name in ("cpu", "length"))
            page.with_suffix(".svg").write_text(picture(short))
            page.with_name("length.svg").write_text(length_picture(short, long))

"""The page of a table: obtained and published numbers, as a picture and as figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sepclr.reports.comparison import Comparison
from sepclr.reports.dots import svg
from sepclr.reports.html import write_html

NOTES = {
    "strict": "Balanced accuracy on all test samples, standardised codes, probes that converge.",
    "published": "Accuracy on 500 test targets, as the published numbers were taken: 100 iterations, codes unscaled but for VAEs.",
}


def write_table_page(path: Path, *, title: str, lead: str, tables: Sequence[Comparison], made: Mapping[str, str]) -> None:
    """Write the page.

    Args:
        path: the file to write; its folder must exist.
        title: heading of the page.
        lead: what the data are.
        tables: one for each protocol.
        made: how the numbers were made, shown as it stands.
    """
    shown = [(table, "<svg" + svg(table).partition("<svg")[2]) for table in tables]
    write_html(path, "table.html.j2", title=title, lead=lead, tables=shown, made=made, notes=NOTES)

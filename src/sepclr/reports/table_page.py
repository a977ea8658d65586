"""Page of obtained and published scores, as plots and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sepclr.reports.comparison import Comparison
from sepclr.reports.dots import svg
from sepclr.reports.html import write_html

NOTES = {
    "strict": "Balanced accuracy on all test samples; codes are standardised and probes converge.",
    "published": "Accuracy on 500 test targets, as published: probes stop after 100 iterations, and only codes of VAEs are standardised.",
}


def write_table_page(path: Path, *, title: str, lead: str, tables: Sequence[Comparison], made: Mapping[str, str]) -> None:
    """Write the page as one HTML file.

    Args:
        path: file to write; its folder must exist.
        title: heading of the page.
        lead: description of the data.
        tables: the tables of each protocol.
        made: how the results were obtained, shown unchanged.
    """
    shown = [(table, "<svg" + svg(table).partition("<svg")[2]) for table in tables]
    write_html(path, "table.html.j2", title=title, lead=lead, tables=shown, made=made, notes=NOTES)

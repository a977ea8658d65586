"""Check a study, and summarise it on a page; trains nothing."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

from sepclr.data.cell_study import CellStudy
from sepclr.data.facts import counted
from sepclr.data.image_study import ImageStudy
from sepclr.data.row_study import RowStudy
from sepclr.data.study import Study
from sepclr.imaging.study import BrainStudy
from sepclr.reports import CheckPage, write_check_page
from sepclr.types import InputError

PAGES: dict[type[Study], str] = {BrainStudy: "check_brains", ImageStudy: "check_images", RowStudy: "check_rows", CellStudy: "check_cells"}
"""Module whose ``page_of`` looks into studies of a kind."""


def check_study(study: Study, out: Path, cache: Path | None = None) -> list[str]:
    """Check a study and all of its samples, and write a page with the findings.

    Args:
        study: the study.
        out: HTML file to write.
        cache: folder for prepared samples; the user's cache if None.

    Returns:
        One line for each problem with the samples; empty if there are none.

    Raises:
        InputError: if the study cannot be used, or the page cannot be written.
    """
    if out.is_dir() or not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise InputError(f"out: {out} cannot be written; give --out a file in an existing, writable folder")
    page: CheckPage = import_module(f"sepclr.runs.{PAGES[type(study)]}").page_of(study, cache)
    write_check_page(out, page)
    _print(page)
    return list(page.problems)


def _print(page: CheckPage) -> None:
    targets = int(page.is_target.sum())
    sizes = f"{len(page.is_target) - targets} background and {counted(targets, 'target ' + page.what)}"
    print(f"{sizes}; {counted(page.left_out, page.what)} in neither group")
    for name, text in page.facts:
        print(f"{name}: {text}")
    for each in page.confounding:
        if each.warns:
            print(f"warning: groups differ in {each.attribute} ({each.measure} {each.effect:.2f}, p {each.p:.2g})")
    for warning in page.warnings:
        print(f"warning: {warning}")
    for problem in page.problems:
        print(f"problem: {problem}")

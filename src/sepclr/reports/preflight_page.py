"""What was found before training: a table for the terminal, and a page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from sepclr.data import Cohort
from sepclr.methods.advice import Rule
from sepclr.probes.preflight import Preflight
from sepclr.reports.check_page import CheckPage, write_check_page

WHAT = {2: "rows", 4: "images", 5: "volumes"}
"""Plural of a sample by the number of axes of samples."""


def print_preflight(found: Preflight) -> None:
    """Print the questions with their answers, and the methods that suit the data."""
    console = Console()
    for each in found.findings.values():
        answer = f"[bold red]{escape(each.verdict)}[/]" if each.warns else f"[bold]{escape(each.verdict)}[/]"
        console.print(f"[bold]{escape(each.question)}[/] {answer}")
        console.print(Padding(escape(each.sentence), (0, 0, 1, 2)), highlight=False)
    console.print("[bold]Which method?[/]")
    for rule in found.advice:
        console.print(Padding(escape(f"{_named(rule)}: {rule.reason} (docs/{rule.page})"), (0, 0, 0, 2)), highlight=False)


def write_preflight_page(path: Path, found: Preflight, cohort: Cohort, title: str) -> None:
    """Write a page with what was found in training samples.

    Args:
        path: HTML file to write; its folder must exist.
        found: what was found.
        cohort: the training samples.
        title: heading of the page.
    """
    each, subjects = found.findings, cohort.subjects
    if subjects is not None and len(np.unique(subjects)) == len(subjects):
        subjects = None  # every sample is a subject of its own
    page = CheckPage(
        title=title,
        problems=[],
        is_target=cohort.is_target.numpy(),
        attributes={},
        confounding=[],
        subjects=subjects,
        what=WHAT[cohort.x.ndim],
        verdict=f"Target-specific signal: {each['signal'].verdict}.",
        facts=[(f"{one.question} {one.verdict}", one.sentence) for one in each.values()],
        advice=[(_named(rule), f"{rule.reason} (docs/{rule.page})") for rule in found.advice],
    )
    write_check_page(path, page)


def _named(rule: Rule) -> str:
    return f"{rule.method} {rule.options}".strip()

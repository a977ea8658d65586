"""The certificate on the page and in the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from tests.reports.test_page import html

from sepclr.probes import Certificate, certificate
from sepclr.reports import print_certificate
from sepclr.reports.certificate import key_numbers, rows
from sepclr.reports.page import Page


@pytest.fixture(scope="module")
def made() -> Certificate:
    """Codes in which c holds the group."""
    draw = np.random.default_rng(0)
    is_target = np.arange(160) % 2 == 0
    codes = {"c": draw.normal(size=(160, 2)) + 2 * is_target[:, None], "s": is_target[:, None] * draw.normal(size=(160, 2))}
    attributes = {"digit": draw.integers(3, size=160), "dose <mg>": draw.normal(size=160)}
    return certificate(codes, is_target, attributes, common=("digit",), unwanted=("dose <mg>",), permutations=199)


def test_the_page_opens_with_the_verdict_and_ends_with_every_test(made: Certificate, make_page: Callable[..., Page], tmp_path: Path):
    page = make_page()
    text = html(tmp_path, replace(page, runs=[replace(page.runs[0], certificate=made), page.runs[1]]))
    head, main = text.split("<main>")
    assert all(sentence in unescape(head) for sentence in made.verdict)
    assert "Certificate of separation, k-jem" in head
    assert (
        main.count('class="significant leak"') == sum(test["expected"] == "chance" and test["corrected"] <= 0.05 for test in made.tests) > 0
    )
    assert f"All {len(made.tests)} tests" in main
    assert "dose &lt;mg&gt;" in main
    assert "ertificate" not in re.sub(r"<style>.*?</style>", "", html(tmp_path, page), flags=re.DOTALL)


def test_the_numbers_are_those_of_the_tests(made: Certificate):
    numbers = {name: value for name, value, _ in key_numbers(made)}
    group = [test for test in made.tests if (test["about"], test["space"]) == ("group", "c")]
    assert numbers["group from c"] == f"{100 * max(test['score'] for test in group):.1f}\u202f%"
    assert numbers["norm of s in background"] == "0.00"
    assert numbers["leaks detected"] == str(sum(test["expected"] == "chance" and test["corrected"] <= 0.05 for test in made.tests))
    assert {row["metric"] for row in rows(made)} == {"balanced accuracy", "R²", "HSIC", "distance correlation"}
    alone = replace(made, norm={}, tests=[test for test in made.tests if test["about"] == "dose <mg>"])
    assert [name for name, *_ in key_numbers(alone)] == ["leaks detected"]


def test_the_terminal_shows_the_scores_and_the_verdict(made: Certificate, capsys: pytest.CaptureFixture[str]):
    print_certificate(replace(made, target="A[1]"))
    said = capsys.readouterr().out
    assert "A[1] against background" in said
    best = max((test for test in made.tests if (test["about"], test["space"]) == ("group", "c")), key=lambda test: test["score"])
    assert f"{100 * best['score']:.1f}" in said
    assert said.endswith("\n".join(made.verdict) + "\n")

"""Certificates as the page and the terminal show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sepclr.probes import GROUP, PROBES, Certificate, Tested
from sepclr.probes.verdict import PAIR, detected

THIN = "\u202f%"


@dataclass(frozen=True)
class Line:
    """All tests of one attribute in one space, or of independence.

    Attributes:
        about: what the tests are about.
        space: ``c``, ``s``, or empty.
        expected: ``chance``, ``above chance``, or empty.
        cells: score of each test by its name, and whether it is significant after correction; empty without a test of that name.
        chance: mean of the scores over permutations.
    """

    about: str
    space: str
    expected: str
    cells: dict[str, tuple[str, bool]]
    chance: str


def lines(certificate: Certificate) -> list[Line]:
    """Return a line for each attribute and space, with a cell for each probe, and one for each test of independence."""
    found = []
    for about, space in dict.fromkeys((test["about"], test["space"]) for test in certificate.tests):
        own = [test for test in certificate.tests if (test["about"], test["space"]) == (about, space)]
        groups = [[test] for test in own] if about == PAIR else [own]
        for tests in groups:
            name = f"{PAIR}: {tests[0]['by']}" if about == PAIR else about
            cells = {test["by"]: (score(test), detected(test)) for test in tests}
            chance = sum(test["chance"] for test in tests) / len(tests)
            found.append(Line(name, space, tests[0]["expected"], cells, number(chance, tests[0]["metric"])))
    return found


def score(test: Tested) -> str:
    """Format the score of a test."""
    return number(test["score"], test["metric"])


def number(value: float, metric: str) -> str:
    """Format a balanced accuracy as a percentage, another measure with two significant digits."""
    return f"{100 * value:.1f}{THIN}" if metric == "balanced accuracy" else f"{value:.2g}" if metric == "HSIC" else f"{value:.2f}"


def key_numbers(certificate: Certificate) -> Iterator[tuple[str, str, str]]:
    """Yield the few numbers that decide: a name, the number, and what it compares with."""
    leaks = [test for test in certificate.tests if test["expected"] == "chance"]
    yield "leaks detected", str(sum(map(detected, leaks))), f"of {len(leaks)} tests"
    group = [test for test in leaks if (test["about"], test["space"]) == (GROUP, "c")]
    if group:
        best = max(group, key=lambda test: test["score"])
        yield (
            "group from c",
            score(best),
            f"{best['by']}, the best of {len(group)} probes; {number(best['chance'], best['metric'])} by chance",
        )
    known = [test for test in leaks if test["metric"] == "balanced accuracy"]
    if known:
        least = max(known, key=lambda test: test["visible"] or 1.0)
        size = "none" if least["visible"] is None else f"{100 * least['visible']:.1f} points"
        yield "smallest leak of a class that all probes see", size, f"with a power of 80{THIN}; 5 points take {least['needed']} held out"
    if certificate.norm:
        background, target = (certificate.norm[group] for group in ("background", "target"))
        yield (
            "norm of s in background",
            f"{background[0]:.2f}",
            f"{background[1]:.2f}–{background[2]:.2f}; {target[0]:.2f} in targets, 0 if information-less",
        )


def rows(certificate: Certificate) -> list[dict[str, str]]:
    """Format all tests for the full table."""
    return [
        {
            "about": test["about"],
            "space": test["space"] or "both",
            "by": test["by"],
            "metric": test["metric"],
            "expected": test["expected"] or "–",
            "score": score(test),
            "interval": "–" if test["low"] is None or test["high"] is None else _span(test["low"], test["high"], test["metric"]),
            "chance": number(test["chance"], test["metric"]),
            "p": _p(test["p"]),
            "corrected": "–" if test["corrected"] is None else _p(test["corrected"]),
            "n": f"{test['n_test']}" if test["n_test"] == test["subjects"] else f"{test['n_test']} of {test['subjects']} subjects",
            "visible": "–" if test["visible"] is None else _excess(test["visible"], test["metric"]),
            "needed": "–" if test["needed"] is None else str(test["needed"]),
        }
        for test in certificate.tests
    ]


def view(certificate: Certificate) -> dict[str, Any]:
    """Return what the template shows of a certificate."""
    return {
        "first": certificate.verdict[0],
        "rest": certificate.verdict[1:],
        "numbers": list(key_numbers(certificate)),
        "lines": [line for line in lines(certificate) if set(line.cells) & set(PROBES)],
        "pairs": [line for line in lines(certificate) if not set(line.cells) & set(PROBES)],
        "probes": PROBES,
        "rows": rows(certificate),
        "permutations": certificate.permutations,
        "clean": not any(detected(test) for test in certificate.tests if test["expected"] == "chance"),
    }


def views(certificates: Sequence[tuple[str, Certificate | None]]) -> list[tuple[str, dict[str, Any]]]:
    """Return the name and the view of each run that has a certificate."""
    return [(name, view(certificate)) for name, certificate in certificates if certificate is not None]


def _span(low: float, high: float, metric: str) -> str:
    return f"{number(low, metric).removesuffix(THIN)}–{number(high, metric).removesuffix(THIN)}"


def _excess(value: float, metric: str) -> str:
    return f"{100 * value:.1f} points" if metric == "balanced accuracy" else f"{value:.2f}"


def _p(value: float) -> str:
    return f"{value:.3f}"

"""Tests of a certificate, and what they say in words that claim no more than was tested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypedDict

from sepclr.probes.linear import GROUP
from sepclr.probes.sensitivity import LEAK, POWER

LEVEL = 0.05
"""Level of the tests, after correction for their number."""

PAIR = "c and s"
"""What tests of independence are about."""


class Tested(TypedDict):
    """One test of a certificate."""

    about: str
    """Name of the attribute; ``group``; or ``c and s`` for a test of independence."""
    space: str
    """``c`` or ``s``; empty for a test of independence."""
    by: str
    """Name of the probe, ``HSIC`` or ``distance correlation``."""
    expected: str
    """``chance``, ``above chance``, or empty if nothing is expected."""
    metric: str
    """``balanced accuracy`` or ``R²``; the measure itself for a test of independence."""
    score: float
    low: float | None
    """Lower end of the 95 % bootstrap interval over held-out subjects; None for a test of independence."""
    high: float | None
    chance: float
    """Mean score over permutations."""
    p: float
    """One-sided permutation p-value."""
    corrected: float | None
    """p-value after Holm's correction for all tests with the same expectation; None if nothing is expected."""
    n_train: int
    """Number of samples that the probe was fitted on; 0 for a test of independence."""
    n_test: int
    """Number of held-out samples."""
    subjects: int
    """Number of held-out subjects."""
    visible: float | None
    """Smallest excess of the score over chance that the test detects with a power of 80 %; None if unknown."""
    needed: int | None
    """Number of held-out subjects at which an excess of 5 points is detected with that power; None if unknown."""


def verdict(tests: Sequence[Tested], left_out: Mapping[str, str], differing: Sequence[str], *, of: str) -> list[str]:
    """Return what tests say, one sentence each.

    Args:
        tests: the tests, corrected.
        left_out: attributes that could not be tested, with the reason.
        differing: attributes in which the groups differ.
        of: what is counted, ``subjects`` or ``samples``.
    """
    leaks = [test for test in tests if test["expected"] == "chance"]
    n = max((test["subjects"] for test in leaks), default=0)
    found = [test for test in leaks if detected(test)]
    said = []
    if not leaks:
        said.append("Nothing was tested for leaks: name the attributes that belong in c, in s or in neither.")
    elif found:
        said.append(f"{len(found)} of {len(leaks)} tests found a leak at the {LEVEL:.0%} level, on {n} held-out {of}.".replace("%", " %"))
        said += _leaks(found)
    else:
        said.append(f"No leak was detected at the {LEVEL:.0%} level in {len(leaks)} tests on {n} held-out {of}.".replace("%", " %"))
    said += _presence([test for test in tests if test["expected"] == "above chance"])
    said += _sensitivity(leaks, of)
    if differing:
        said.append(f"The groups differ in {_listed(differing)}: a code that holds this tells them apart by it.")
    said += [f"Not tested: {name} ({why})." for name, why in left_out.items()]
    return said


def detected(test: Tested) -> bool:
    """Return whether a test is significant after correction."""
    return test["corrected"] is not None and test["corrected"] <= LEVEL


def _leaks(found: Sequence[Tested]) -> Iterator[str]:
    """Yield a sentence for each attribute and space, by the test with the smallest p-value, the largest score among equals."""
    for about, space in dict.fromkeys((test["about"], test["space"]) for test in found):
        own = [test for test in found if (test["about"], test["space"]) == (about, space)]
        best = min(own, key=lambda test: (test["corrected"], -test["score"]))
        p = f"corrected p = {best['corrected']:.2g}"
        if about == PAIR:
            yield f"c and s of targets are dependent ({best['by']} {best['score']:.2g}, {best['chance']:.2g} by chance, {p})."
        else:
            yield f"{space} holds {_name(about)} ({best['by']}: {_score(best, 'score')}, {_score(best, 'chance')} by chance, {p})."


def _presence(tests: Sequence[Tested]) -> Iterator[str]:
    """Yield which attributes were detected where they are expected, and which were not."""
    seen = dict.fromkeys((test["about"], test["space"]) for test in tests if detected(test))
    missed = [each for each in dict.fromkeys((test["about"], test["space"]) for test in tests) if each not in seen]
    for words, pairs in (("Detected", seen), ("Not detected", missed)):
        if pairs:
            by_space = ((space, [_name(about) for about, where in pairs if where == space]) for space in "cs")
            yield f"{words} where expected: {'; '.join(f'{_listed(names)} in {space}' for space, names in by_space if names)}."


def _sensitivity(leaks: Sequence[Tested], of: str) -> Iterator[str]:
    """Yield how large a leak the least sensitive test would detect, of classes before quantities."""
    for metric in ("balanced accuracy", "R²"):
        known = [test for test in leaks if test["metric"] == metric and test["needed"] is not None]
        if known:
            least = max(known, key=lambda test: (test["needed"] or 0) / test["subjects"])
            now = "no leak" if least["visible"] is None else f"a leak of {_points(least['visible'], metric)}"
            yield (
                f"The least sensitive test, of {_name(least['about'])} on {least['subjects']} {of}, detects {now} with a power of "
                f"{100 * POWER:.0f} %. For a leak of {_points(LEAK, metric)} it needs {least['needed']} held-out {of}."
            )
            return


def _points(value: float, metric: str) -> str:
    return f"{100 * value:.2g} points of balanced accuracy" if metric == "balanced accuracy" else f"{value:.2g} in R²"


def _score(test: Tested, field: str) -> str:
    value = test["score"] if field == "score" else test["chance"]
    return f"{100 * value:.1f} %" if test["metric"] == "balanced accuracy" else f"R² {value:.2f}"


def _name(about: str) -> str:
    return "the group" if about == GROUP else about


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last

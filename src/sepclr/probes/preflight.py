"""What a look at training samples says before training: findings in words and numbers, from plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.data.facts import counted, group_sizes
from sepclr.data.tables import listed
from sepclr.methods.advice import Rule, Setting, advise
from sepclr.probes.confounding import SMALL, Confounding
from sepclr.probes.dimension import MOST, Dimension
from sepclr.probes.near_copies import ALIKE, FEWEST
from sepclr.probes.permutation import holm
from sepclr.probes.power import detectable, needed
from sepclr.probes.two_sample import TwoSample

LEVEL = 0.05
"""Chance of any false alarm among the tests of one question."""
ENOUGH = 0.2
"""Largest difference from chance, in balanced accuracy, that may go unseen for samples to be enough."""
LEAK = 0.05
"""Difference for which the sentence about power says how many samples would see it."""

DIMENSION = "dimension"
SPACES = {
    "samples": "the samples (ridge classifier)",
    "components": "principal components and their magnitudes",
    "features": "untrained encoders, the ones that fit starts from",
    DIMENSION: "the contrastive dimension",
}
"""What each test of the first question looks at."""


@dataclass(frozen=True)
class Finding:
    """Answer to one question.

    Attributes:
        question: the question.
        verdict: the answer in a few words: for signal ``yes``, ``no signal found with n samples`` or ``not enough samples to say``.
        sentence: the answer in a sentence or two, with what was compared.
        numbers: the numbers behind it.
        warns: whether the answer deserves attention.
    """

    question: str
    verdict: str
    sentence: str
    numbers: Mapping[str, float | int] = field(default_factory=dict)
    warns: bool = False


@dataclass(frozen=True)
class Preflight:
    """What was found before training.

    Attributes:
        findings: by name: ``signal``, ``dimension``, ``groups``, ``confounders``, ``duplicates``, ``power``.
        advice: rules that apply, with the method that each recommends.
    """

    findings: Mapping[str, Finding]
    advice: tuple[Rule, ...]

    @property
    def signal(self) -> bool:
        """Whether the groups differ, in any test, after correction for their number."""
        return self.findings["signal"].verdict == "yes"

    def __str__(self) -> str:
        lines = [f"{each.question} {each.verdict}: {each.sentence}" for each in self.findings.values()]
        return "\n".join([*lines, *(f"{rule.method} {rule.options}".strip() + f": {rule.reason}" for rule in self.advice)])


def signal(
    tests: Mapping[str, TwoSample], dimension: Dimension | None, sizes: tuple[int, int], looked: str, what: str
) -> dict[str, Finding]:
    """Answer whether the groups differ, in how many dimensions, and what could have been seen.

    Args:
        tests: two-sample tests by the name of their features.
        dimension: estimate of the contrastive dimension; None for samples of one value.
        sizes: independent samples (subjects) of background and target in the second half.
        looked: what was looked at.
        what: plural of what an independent sample is called.
    """
    p = {name: test.p for name, test in tests.items()} | ({DIMENSION: dimension.p} if dimension else {})
    corrected = holm(p)
    level, seen = LEVEL / len(p), detectable(*sizes, level=LEVEL / len(p))
    enough = seen - 0.5 <= ENOUGH
    words = [f"{SPACES[name]}: {100 * test.accuracy:.0f} % balanced accuracy, p {_p(corrected[name])}" for name, test in tests.items()]
    words += [f"{SPACES[DIMENSION]}: p {_p(corrected[DIMENSION])}"] if dimension else []
    yes, n = min(corrected.values()) <= LEVEL, counted(sum(sizes), what)
    caution = " A difference is no proof of salient patterns: a confounder makes one, too." if yes else ""
    numbers = {f"{name}_accuracy": test.accuracy for name, test in tests.items()} | {f"{name}_p": each for name, each in corrected.items()}
    found = {
        "signal": Finding(
            "Is there target-specific signal?",
            _verdict(yes, enough, n),
            f"Groups told apart in a held-out half of {looked}, by {'; '.join(words)} (corrected by Holm).{caution}",
            numbers,
            not yes,
        )
    }
    if dimension:
        found[DIMENSION] = _dimension(dimension, corrected[DIMENSION], enough, n)
    points, background, target = 100 * (seen - 0.5), *sizes
    found["power"] = Finding(
        "What could be seen?",
        f"{points:.0f} points",
        f"With {background} background and {counted(target, f'target {what}')} in the held-out half, a linear probe's test sees "
        f"{100 * seen:.0f} % balanced accuracy, {points:.0f} points above chance, with 80 % power at level {level:.3g}; "
        f"{100 * LEAK:.0f} points need {needed(LEAK, level=level)} of each group.",
        {"detectable": seen, "level": level, "needed": needed(LEAK, level=level)},
        not enough,
    )
    return found


def _dimension(found: Dimension, p: float, enough: bool, n: str) -> Finding:
    yes = p <= LEVEL
    low, high = np.percentile(found.exchanged, [2.5, 97.5])
    own = f"So about {found.estimate} are the target's own" if yes else "That is no more than exchanged groups may show"
    return Finding(
        "In how many dimensions?",
        f"about {found.estimate}" if yes else _verdict(False, enough and found.of_target > 0, n),
        f"Halves of the target agree on {_most(found.of_target)} dimensions, of background on {_most(found.of_background)}. "
        f"Of the target's, {found.found} are not among background's; with exchanged groups it is {found.usual:g} "
        f"(95 %: {low:.0f} to {high:.0f}). {own} (p {_p(p)}). "
        "These are linear dimensions of variation: a difference of means is none.",
        {"estimate": found.estimate, "found": found.found, "exchanged": found.usual, "p": p},
    )


def groups(is_target: NDArray[np.bool_], subjects: NDArray[Any] | None, targets: int) -> Finding:
    """Answer whether the groups are balanced, and whether subjects are in both.

    Args:
        is_target: True for targets, shape (n,).
        subjects: subject of each sample, shape (n,); None if every sample is a subject of its own.
        targets: number of target groups.
    """
    share, sentence = float(np.mean(is_target)), group_sizes(is_target)
    both = 0 if subjects is None else len(np.intersect1d(subjects[is_target], subjects[~is_target]))
    if subjects is not None:
        sentence += f"; {counted(len(np.unique(subjects)), 'subjects')}, {both} of them in both groups"
    if targets > 1:
        sentence += f"; {targets} target groups, taken together here"
    uneven = min(share, 1 - share) < 0.2
    verdict = "unequal" if uneven else "balanced"
    return Finding("Are the groups balanced?", verdict, sentence + ".", {"share_of_target": share, "subjects_in_both": both}, uneven)


def confounders(found: Sequence[Confounding]) -> tuple[Finding, tuple[str, ...]]:
    """Answer whether attributes go with the group; also return the names of those that do.

    Args:
        found: association of each attribute with the group.
    """
    corrected = holm({each.attribute: each.p for each in found})
    named = [each for each in found if corrected[each.attribute] <= LEVEL and abs(each.effect) >= SMALL[each.measure]]
    words = [f"{each.attribute} ({each.measure} {each.effect:.2f}, p {_p(corrected[each.attribute])})" for each in found]
    sentence = f"{'; '.join(words)} (corrected by Holm)." if words else "No attribute is known in both groups."
    if named:
        sentence += " A salient code may hold these instead of what the target has: match the groups, or keep them out of the codes."
    verdict = listed([each.attribute for each in named]) if named else "none found" if found else "none known"
    names = tuple(each.attribute for each in named)
    return Finding("Does anything else go with the group?", verdict, sentence, corrected, bool(named)), names


def copies(said: Sequence[str], near: Sequence[tuple[int, int]] | None, looked: str) -> Finding:
    """Answer whether samples occur in both groups, or in training and test.

    Args:
        said: sentences about identical samples.
        near: pairs that are nearly the same; None if that cannot be told.
        looked: what was compared.
    """
    exact = f"{'. '.join(said)}." if said else "No identical samples in different groups or splits."
    if near is None:
        words = f"Near copies were not sought: samples of fewer than {FEWEST} varying values are alike by chance."
    else:
        words = f"{counted(len(near), 'pairs')} correlated {ALIKE:g} or more, {looked}."
    found = bool(said or near)
    numbers = {"divided": float(len(said)), "near": float(len(near or ()))}
    return Finding("Are there duplicates?", "yes" if found else "none found", f"{exact} {words}", numbers, found)


def preflight(answers: Mapping[str, Finding], setting: Setting) -> Preflight:
    """Return the findings in order, with the rules that apply to the data."""
    order = ("signal", DIMENSION, "power", "groups", "confounders", "duplicates")
    return Preflight({name: answers[name] for name in order if name in answers}, advise(setting))


def _verdict(yes: bool, enough: bool, n: str) -> str:
    return "yes" if yes else f"no signal found with {n}" if enough else "not enough samples to say"


def _most(dimension: int) -> str:
    return f"{dimension} or more" if dimension == MOST else str(dimension)


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"

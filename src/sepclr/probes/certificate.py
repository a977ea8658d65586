"""Certificate of separation: what held-out codes were tested for, what was found, and how small a leak would have been seen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.data.attributes import is_quantity, plain
from sepclr.probes.confounding import confounding, once_per_subject
from sepclr.probes.dependence import dependence
from sepclr.probes.halves import halves
from sepclr.probes.linear import GROUP, Probed, interval, questions, resampled
from sepclr.probes.permutation import holm
from sepclr.probes.sensitivity import needed, needed_r2, visible, visible_r2
from sepclr.probes.strengths import PROBES, Question, ask
from sepclr.probes.verdict import LEVEL, PAIR, Tested, verdict
from sepclr.types import InputError

LEAST_ROUNDS = 999
"""Smallest default number of permutations."""

MOST_HELD_OUT = 20_000
"""Maximum number of samples that are held out; of more, as many are drawn at random."""


@dataclass(frozen=True)
class Certificate:
    """What was tested about the separation of c and s, and what was found.

    Attributes:
        verdict: the findings, one sentence each; they claim no more than was tested.
        tests: all tests.
        norm: mean norm of s in held-out ``background`` and ``target`` samples, each with the ends of its 95 % interval; empty without both.
            The information-less vector has norm 0.
        held_out: number of held-out ``background`` and ``target`` samples, and of ``subjects``.
        permutations: number of permutations of each test.
        target: name of the target group, where there are several.
    """

    verdict: Sequence[str]
    tests: Sequence[Tested]
    norm: Mapping[str, Sequence[float]]
    held_out: Mapping[str, int]
    permutations: int
    target: str = ""


def certificate(
    codes: Mapping[str, NDArray[np.floating[Any]]],
    is_target: NDArray[np.bool_],
    attributes: Mapping[str, NDArray[Any]] | None = None,
    *,
    common: Sequence[str] = (),
    salient: Sequence[str] = (),
    unwanted: Sequence[str] = (),
    subjects: NDArray[Any] | None = None,
    everyone: bool = False,
    permutations: int | None = None,
    seed: int = 0,
) -> Certificate:
    """Test the separation of codes: fit probes on one half of the samples, and test their scores on the other.

    Args:
        codes: codes of samples that the encoders were not trained on, ``c`` and, if there is one, ``s``, each of shape (n, d).
        is_target: True for target samples, shape (n,).
        attributes: true values by name, shape (n,); integers or strings are classes, floating point is a quantity. NaN and the empty
            string mark missing values.
        common: names of the attributes expected in c and not in s.
        salient: names of the attributes expected in s and not in c.
        unwanted: names of the attributes expected in neither, such as a confounder.
        subjects: subject of each sample, shape (n,), who are not split; None if every sample is a subject of its own.
        everyone: whether attributes of background samples are known, too.
        permutations: as for ``certify``.
        seed: random seed of the split, the permutations and the intervals.

    Returns:
        The certificate.

    Raises:
        InputError: lengths that differ, codes that are not finite, fewer than four samples of a group, an unknown name of an attribute, or
            one with two roles.
    """
    values = {name: plain(each) for name, each in (attributes or {}).items()}
    for name, each in {**{f"code {space}": code for space, code in codes.items()}, **values, "subjects": subjects}.items():
        if each is not None and len(each) != len(is_target):
            raise InputError(f"{name}: {len(each)} values for {len(is_target)} samples; give one per sample")
    both = bool(is_target.any()) and not is_target.all()
    whole = Probed({space: np.asarray(code) for space, code in codes.items()}, is_target, values, everyone, subjects)
    sides = [_part(whole, half) for half in halves(is_target, subjects, seed, grouped=both)]
    return certify(*sides, common=common, salient=salient, unwanted=unwanted, permutations=permutations, seed=seed)


def certify(
    train: Probed,
    test: Probed,
    *,
    common: Sequence[str] = (),
    salient: Sequence[str] = (),
    unwanted: Sequence[str] = (),
    permutations: int | None = None,
    seed: int = 0,
) -> Certificate:
    """Test the separation of codes: fit probes on training samples, and test their scores on held-out ones.

    Each attribute, and the group, is asked of c and of s by probes of four strengths; c and s of targets are tested for independence by two
    measures. Attributes of everyone are exchanged within groups only, so what a code holds of them beyond the group is tested. Tests whose
    expected result is chance are corrected for their number by Holm's procedure, and so are those whose expected result is above chance.

    Args:
        train: codes to fit probes on; of its spaces only ``c`` and ``s`` are looked at.
        test: held-out codes.
        common: names of the attributes expected in c and not in s.
        salient: names of the attributes expected in s and not in c.
        unwanted: names of the attributes expected in neither, such as a confounder.
        permutations: number of permutations; by default 999, or more where many tests are corrected, so that each could reach the level.
        seed: random seed of the permutations and the intervals.

    Returns:
        The certificate.

    Raises:
        InputError: no code c, codes that are not finite, an unknown name of an attribute, or one with two roles.
    """
    _check(train, test, [*common, *salient, *unwanted])
    if (n := len(test.is_target)) > MOST_HELD_OUT:
        test = _part(test, np.random.default_rng(seed).choice(n, MOST_HELD_OUT, replace=False))
    spaces = [space for space in ("c", "s") if space in train.spaces]
    roles = {space: _roles(space, common, salient, unwanted) for space in spaces}
    asked, left_out = dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_], Question]](), dict[str, str]()
    for name, *rows in questions(train, test):
        found = _question(name, test, *rows)
        if isinstance(found, str):
            left_out[name] = found
        else:
            asked[name] = found
    leaks = len(PROBES) * sum(roles[space].get(name) == "chance" for space in spaces for name in asked)
    paired = "s" in spaces and test.is_target.sum() >= 4
    leaks += 2 * paired
    rounds = permutations or max(LEAST_ROUNDS, round(2 * leaks / LEVEL) - 1)
    tests = [each for name in asked for each in _probe(name, *asked[name], train, test, roles, LEVEL / max(leaks, 1), rounds, seed)]
    if paired:
        tests += _independence(test, rounds, seed)
    tests = _corrected(tests)
    held_out = {"background": int((~test.is_target).sum()), "target": int(test.is_target.sum())}
    held_out["subjects"] = len(test.is_target) if test.subjects is None else len(np.unique(test.subjects))
    once = np.arange(len(test.is_target)) if test.subjects is None else once_per_subject(test.subjects, test.is_target)
    compared = {name: values[once] for name, values in test.attributes.items() if test.everyone and name not in salient}
    differing = [each.attribute for each in confounding(test.is_target[once], compared) if each.warns]
    said = verdict(tests, left_out, differing, of="samples" if test.subjects is None else "subjects")
    return Certificate(said, tests, _norms(test, seed), held_out, rounds)


def _part(side: Probed, rows: NDArray[np.intp]) -> Probed:
    return replace(
        side,
        spaces={space: codes[rows] for space, codes in side.spaces.items()},
        is_target=side.is_target[rows],
        attributes={name: values[rows] for name, values in side.attributes.items()},
        subjects=None if side.subjects is None else side.subjects[rows],
    )


def _check(train: Probed, test: Probed, named: Sequence[str]) -> None:
    if "c" not in train.spaces:
        raise InputError("codes: there is no c; give c and, if there is one, s")
    for side in (train, test):
        for space in ("c", "s"):
            if space in side.spaces and not np.isfinite(side.spaces[space]).all():
                raise InputError(f"code {space}: contains NaN or infinite values; encode the samples again")
    for name in named:
        if name not in train.attributes:
            raise InputError(f"common, salient, unwanted: there is no attribute {name!r}; attributes are {', '.join(train.attributes)}")
        if named.count(name) > 1:
            raise InputError(f"common, salient, unwanted: {name!r} is listed more than once; give each attribute one role")


def _roles(space: str, common: Sequence[str], salient: Sequence[str], unwanted: Sequence[str]) -> dict[str, str]:
    """Return what is expected of each attribute in a space."""
    belongs, strays = (common, [*salient, GROUP]) if space == "c" else ([*salient, GROUP], common)
    return dict.fromkeys(belongs, "above chance") | dict.fromkeys([*strays, *unwanted], "chance")


def _question(
    name: str, test: Probed, train_rows: Any, test_rows: Any, train_truth: NDArray[Any], truth: NDArray[Any]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Question] | str:
    """Return the rows of both sides to use and the question, or why it cannot be asked."""
    if is_quantity(truth):
        if min(map(len, (train_truth, truth))) < 4 or min(map(np.ptp, (train_truth, truth))) == 0:
            return "fewer than four values, or all the same"
    else:
        shared = np.intersect1d(train_truth, truth)
        if len(shared) < 2:
            return "fewer than two classes on both sides"
        train_rows, test_rows = train_rows.copy(), test_rows.copy()
        for rows, values in ((train_rows, train_truth), (test_rows, truth)):
            rows[rows] = np.isin(values, shared)
        train_truth, truth = train_truth[np.isin(train_truth, shared)], truth[np.isin(truth, shared)]
    subjects = None if test.subjects is None else test.subjects[test_rows]
    groups = test.is_target[test_rows].astype(int)
    strata = np.zeros_like(groups) if name == GROUP else groups
    whose = None if subjects is None else np.unique(subjects, return_inverse=True)[1]
    if whose is not None and name != GROUP and (truth == truth[np.unique(whose, return_index=True)[1]][whose]).all():
        # Subjects of one value each, but in both groups, are exchanged among themselves.
        share = np.bincount(whose, groups) / np.bincount(whose)
        strata = np.where((share > 0) & (share < 1), 2, share)[whose].astype(int)
    return train_rows, test_rows, Question(train_truth, truth, subjects, strata)


def _probe(
    name: str,
    train_rows: NDArray[np.bool_],
    test_rows: NDArray[np.bool_],
    question: Question,
    train: Probed,
    test: Probed,
    roles: Mapping[str, Mapping[str, str]],
    level: float,
    rounds: int,
    seed: int,
) -> Iterator[Tested]:
    """Ask all probes and spaces one question."""
    codes = {space: (train.spaces[space][train_rows], test.spaces[space][test_rows]) for space in roles}
    quantity = is_quantity(question.test)
    subjects = np.arange(len(question.test)) if question.subjects is None else question.subjects
    n = len(np.unique(subjects))
    if quantity:
        seen, wanted = visible_r2(n, level), needed_r2(level)
    else:
        # Of a subject, each class counts once: its samples are similar.
        labels = np.unique(question.test, return_inverse=True)[1]
        counts = np.bincount(np.unique(np.stack([np.unique(subjects, return_inverse=True)[1], labels]), axis=1)[1])
        # A subject with several classes counts for each of them.
        seen, wanted = visible(counts, level), math.ceil(needed(counts, level) * n / counts.sum())
    for (space, by), answer in ask(question, codes, rounds=rounds, seed=seed).items():
        about: dict[str, Any] = {"about": name, "space": space, "by": by, "expected": roles[space].get(name, "")}
        about |= {"metric": "R²" if quantity else "balanced accuracy", "corrected": None, "n_test": len(question.test), "subjects": n}
        yield Tested(**about, **vars(answer), visible=seen, needed=wanted)  # type: ignore[typeddict-item]


def _independence(test: Probed, rounds: int, seed: int) -> list[Tested]:
    """Test whether c and s of targets are independent."""
    c, s = (test.spaces[space][test.is_target] for space in ("c", "s"))
    subjects = None if test.subjects is None else test.subjects[test.is_target]
    none: dict[str, Any] = {"low": None, "high": None, "corrected": None, "n_train": 0, "visible": None, "needed": None}
    return [
        Tested(
            about=PAIR, space="", by=one.name, expected="chance", metric=one.name, score=one.value, chance=one.chance, p=one.p,
            n_test=one.n, subjects=one.n, **none,  # type: ignore[typeddict-item]
        )
        for one in dependence(c, s, subjects=subjects, rounds=rounds, seed=seed)
    ]  # fmt: skip


def _corrected(tests: Sequence[Tested]) -> list[Tested]:
    """Correct the p-values of tests with the same expectation for their number."""
    corrected = dict[int, float]()
    for expected in ("chance", "above chance"):
        family = {str(place): test["p"] for place, test in enumerate(tests) if test["expected"] == expected}
        corrected |= {int(place): p for place, p in holm(family).items()}
    return [{**test, "corrected": corrected.get(place)} for place, test in enumerate(tests)]


def _norms(test: Probed, seed: int) -> dict[str, tuple[float, float, float]]:
    """Return the mean norm of s in each group, with its interval."""
    if "s" not in test.spaces or test.is_target.all() or not test.is_target.any():
        return {}
    found = {}
    for group, rows in (("background", ~test.is_target), ("target", test.is_target)):
        norms = np.linalg.norm(test.spaces["s"][rows].astype(float), axis=1)
        totals = resampled(None if test.subjects is None else test.subjects[rows], len(norms), seed)
        total, n = totals(np.stack([norms, np.ones_like(norms)], 1)).T
        found[group] = (float(norms.mean()), *interval(total / n))
    return found

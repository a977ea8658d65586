"""Results of many runs beside published numbers: what was obtained, over how many seeds, and how well both agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean, stdev
from typing import Any, Literal

import numpy as np
from scipy.stats import permutation_test, rankdata

from sepclr.fields import flattened
from sepclr.methods.options import METHODS
from sepclr.parts import MACHINE_FIELDS
from sepclr.types import InputError

Published = Mapping[tuple[str, str], Mapping[str, float]]
"""Published scores, in percent, by method and way to independence, and by column."""

NOT_COMPARED = ("seed", "fold", *MACHINE_FIELDS)
"""Fields of a recipe in which rows that are averaged may differ."""

DELTAS = {"delta_tot_absolute": "δ_tot", "delta_tot": "δ_tot signed"}


@dataclass(frozen=True)
class Cell:
    """What was obtained for one score, in percent (of a δ_tot in points, of an error in units of the attribute).

    Attributes:
        mean: over the runs.
        sd: standard deviation over the runs; None for one.
        low: lower end of an interval: mean − sd, or for one run of the bootstrap over test samples. None where there is neither.
        high: its upper end.
        published: what was published; None where nothing was.
        best: whether no other ranked run is nearer to the best expected value.
        digits: decimals that are shown.
    """

    mean: float
    sd: float | None
    low: float | None
    high: float | None
    published: float | None
    best: bool = False
    digits: int = 1

    @property
    def text(self) -> str:
        """The mean with its standard deviation."""
        return f"{self.mean:.{self.digits}f}" + ("" if self.sd is None else f" ± {self.sd:.{self.digits}f}")


@dataclass(frozen=True)
class Line:
    """One row of a table.

    Attributes:
        name: the way to independence for SepCLR, the method for others.
        ranked: whether it takes part in what is best; a method without a salient code does not.
        runs: how many there are, of several seeds or folds.
        minutes: mean time of training.
        cells: scores by column.
    """

    name: str
    ranked: bool
    runs: int
    minutes: float
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class Comparison:
    """All rows under one protocol.

    Attributes:
        protocol: ``strict`` or ``published``.
        of: what is read: ``codes``, or ``projections``, which SepCLR's and SimCLR's losses see of them.
        columns: scores first, then both forms of δ_tot, where quantities have no part in it.
        expected: best expected value of each score, in percent; of an error in units of the attribute.
        chance: score of the best constant answer, likewise.
        errors: columns that hold an error, of which less is better.
        untrained: scores of the untrained encoders, likewise, by the names of the rows that they belong to.
        lines: the rows.
        over: what rows are averaged over, ``seeds`` or ``folds``.
        elsewhere: whether what was published is of other data.
    """

    protocol: str
    of: Literal["codes", "projections"]
    columns: Sequence[str]
    expected: Mapping[str, float]
    chance: Mapping[str, float]
    errors: Sequence[str]
    untrained: Mapping[str, Mapping[str, float]]
    lines: Sequence[Line]
    over: str = "seeds"
    elsewhere: bool = False

    def heading(self, column: str) -> str:
        """Word a column, with its metric where that is an error, and which way is better."""
        if column in DELTAS:
            return f"{title(column)} ↓"
        # Where an attribute belongs 100 % or no error is expected; what strays should do no better than chance.
        more = self.expected[column] > (0 if column in self.errors else 99.9)
        return title(column).replace(" from", " MAE from" if column in self.errors else " from") + (" ↑" if more else " ↓")

    def number(self, column: str, value: float) -> str:
        """Write a score of a column."""
        return f"{value:.{_digits(column, self.errors, self.chance)}f}"

    @property
    def published_heading(self) -> str:
        """Word the columns of published numbers."""
        return "published, other data" if self.elsewhere else "published"

    @property
    def published_columns(self) -> list[str]:
        """Columns of which a number was published; the published δ_tot is signed and has no absolute form."""
        return [column for column in self.columns if any(line.cells[column].published is not None for line in self.lines)]

    @property
    def rest(self) -> Mapping[str, Mapping[str, float]]:
        """What stands below the rows: untrained encoders and the best expected values."""
        below = {f"untrained encoders of {names}": scores for names, scores in self.untrained.items()}
        if self.errors:  # at best there is none, which nobody expects
            return below | {"chance": self.chance}
        return below | {"best expected": {**self.expected, **dict.fromkeys(DELTAS, 0.0)}}

    def agreement(self) -> str:
        """Say how alike obtained and published numbers rank the rows; empty where fewer than three rows have both."""
        found, count = [], 0
        for column in self.published_columns:
            cells = [line.cells[column] for line in self.lines]
            pairs = [(cell.mean, cell.published) for cell in cells if cell.published is not None]
            if len(pairs) > 2:
                found.append(f"{title(column)} {_correlation(pairs)}")
                count = len(pairs)
        what = f"published numbers{' of other data' if self.elsewhere else ''} over {count} rows, with its two-sided permutation p-value"
        return f"Spearman's rank correlation of obtained with {what}: {', '.join(found)}." if found else ""


def _correlation(pairs: Sequence[tuple[float, float]]) -> str:
    """Write the rank correlation of pairs with its p-value under permutation: all of few pairs, 9,999 drawn of many."""
    one, two = (rankdata(values) - (len(pairs) + 1) / 2 for values in zip(*pairs, strict=True))
    norm = np.sqrt((one @ one) * (two @ two))
    if norm == 0:
        return "– (constant)"
    test = permutation_test(
        (one,), lambda shuffled, axis=-1: (shuffled * two).sum(axis) / norm, permutation_type="pairings", vectorized=True, random_state=0
    )
    return f"{test.statistic:.2f} (p {'< 0.001' if test.pvalue < 0.001 else f'= {test.pvalue:.3f}'})"


def title(column: str) -> str:
    """Word a column: ``digits_salient`` is digits from s."""
    attribute, _, place = column.rpartition("_")
    return DELTAS.get(column) or f"{attribute} from {'s' if place == 'salient' else 'c'}"


def run_name(run: Mapping[str, Any]) -> str:
    """Name SepCLR's runs by their way to independence, others by their method; say which is ours, and where a release was followed."""
    name = str(run["independence"] or run["method"])
    if name == "decorrelation":
        return f"{name} (ours)"
    return name + (" (released)" if flattened(run["recipe"]).get("fidelity") == "released" else "")


def compare(rows: Sequence[Mapping[str, Any]], published: Published, *, elsewhere: bool = False) -> list[Comparison]:
    """Collect rows of several seeds into tables: for each protocol one of codes, and one of projections where rows have them.

    Args:
        rows: lines of a file in ``results/``.
        published: numbers to stand beside those of codes; rows come in their order, others follow.
        elsewhere: whether these are of other data.

    Returns:
        The tables.

    Raises:
        InputError: rows of one method that are not the same recipe with different seeds.
    """
    made = []
    for protocol in dict.fromkeys(row["protocol"] for row in rows):
        here = [row for row in rows if row["protocol"] == protocol]
        made.append(_table(here, protocol, "codes", published, elsewhere))
        if projected := [row | row["heads"] for row in here if row.get("heads")]:
            made.append(_table(projected, protocol, "projections", {key: {} for key in published}, elsewhere))
    return made


def _table(
    here: Sequence[Mapping[str, Any]], protocol: str, of: Literal["codes", "projections"], published: Published, elsewhere: bool
) -> Comparison:
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {key: [] for key in published}
    for row in here:
        groups.setdefault((row["method"], row["independence"]), []).append(row)
    errors = sorted(here[0].get("errors", []))
    best = [_with_group(row) for row in here]
    expected = {name: _unit(name, errors) * mean(each[name] for each in best) for name in best[0]}
    chance = {name: _unit(name, errors) * mean(row["chance"][name.rpartition("_")[0]] for row in here) for name in expected}
    columns = sorted(expected, key=lambda name: (name.startswith("group_"), name.rpartition("_")[0], name.endswith("_common")))
    columns += [name for name in DELTAS if name in here[0]["scores"]]
    lines = [_line(key, runs, columns, errors, chance, published.get(key, {})) for key, runs in groups.items() if runs]
    lines = list(_marked(lines, expected, columns))
    over = "folds" if "table" in flattened(here[0]["recipe"]) else "seeds"
    return Comparison(protocol, of, columns, expected, chance, errors, _untrained(groups, columns, errors), lines, over, elsewhere)


def _with_group(row: Mapping[str, Any]) -> Mapping[str, float]:
    """List what is best expected, of older rows too, which leave out the group: it belongs in s."""
    best = {name: value for name, value in {"group_common": 0.5, "group_salient": 1.0}.items() if name in row["scores"]}
    best.update(row["best_expected"])
    return best


def _unit(column: str, errors: Sequence[str]) -> int:
    return 1 if column in DELTAS or column in errors else 100


def _digits(column: str, errors: Sequence[str], chance: Mapping[str, float]) -> int:
    """Choose decimals: one of percent, of errors so many that a hundredth of chance's is seen."""
    return 1 if column not in errors else max(0, 2 - math.floor(math.log10(chance[column]))) if chance[column] > 0 else 2


def _line(
    key: tuple[str, str],
    runs: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    errors: Sequence[str],
    chance: Mapping[str, float],
    published: Mapping[str, float],
) -> Line:
    method, independence = key
    recipes = [{name: value for name, value in flattened(run["recipe"]).items() if name not in NOT_COMPARED} for run in runs]
    which = {(run["seed"], flattened(run["recipe"]).get("fold")) for run in runs}
    if any(recipe != recipes[0] for recipe in recipes) or len(which) < len(runs):
        raise InputError(
            f"results: the rows of {independence or method} are not one recipe with different seeds or folds; "
            "keep rows of changed recipes in a file of their own (--results)"
        )
    cells = {}
    for column in columns:
        unit = _unit(column, errors)
        values = [unit * run["scores"][column] for run in runs]
        low, high = (unit * end for end in runs[0]["intervals"][column]) if column in runs[0]["intervals"] else (None, None)
        sd = stdev(values) if len(values) > 1 else None
        middle = mean(values)
        if sd is not None:
            low, high = middle - sd, middle + sd
        cells[column] = Cell(middle, sd, low, high, published.get(column), digits=_digits(column, errors, chance))
    return Line(
        run_name(runs[0]), method not in METHODS or METHODS[method].separates, len(runs), mean(run["seconds"] for run in runs) / 60, cells
    )


def _marked(lines: Sequence[Line], expected: Mapping[str, float], columns: Sequence[str]) -> Iterator[Line]:
    """Mark what is best in each column."""

    def distance(line: Line, column: str) -> float:
        cell = line.cells[column]
        return abs(round(cell.mean, cell.digits) - expected.get(column, 0.0))  # what looks equal is

    nearest = {column: min((distance(line, column) for line in lines if line.ranked), default=0.0) for column in columns}
    for line in lines:
        cells = {}
        for column, cell in line.cells.items():
            best = line.ranked and distance(line, column) == nearest[column]
            cells[column] = replace(cell, best=best)
        yield replace(line, cells=cells)


def _untrained(
    groups: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]], columns: Sequence[str], errors: Sequence[str]
) -> Mapping[str, Mapping[str, float]]:
    """Average the untrained encoders of each method that has some over its runs; methods with the same networks share a row."""
    scores = [column for column in columns if column not in DELTAS]
    methods: dict[str, list[Mapping[str, float]]] = {}
    for (method, _), runs in groups.items():
        methods.setdefault(method, []).extend(run["untrained"] for run in runs if run["untrained"])
    same: dict[tuple[float, ...], list[str]] = {}
    for method, several in methods.items():
        if several:
            same.setdefault(tuple(round(_unit(column, errors) * mean(one[column] for one in several), 3) for column in scores), []).append(
                method
            )
    return {", ".join(names): dict(zip(scores, values, strict=True)) for values, names in same.items()}

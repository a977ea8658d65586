"""Results of many runs next to published scores: means over seeds, and rank correlations between both."""

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
"""Published scores in percent, by (method, independence term) and by column."""

NOT_COMPARED = ("seed", "fold", *MACHINE_FIELDS)
"""Recipe fields that may differ between rows that are averaged."""

PLACES = {"common": "from c", "salient": "from s", "weak": "from w", "crossed": "from c, probe of w", "predicted": "predicted"}
"""Display names of spaces."""

DELTAS = {"delta_tot_absolute": "δ_tot", "delta_tot": "δ_tot signed"}


@dataclass(frozen=True)
class Cell:
    """One obtained score, in percent (δ_tot in points, errors in units of the attribute).

    Attributes:
        mean: mean over the runs.
        sd: standard deviation over the runs; None for a single run.
        low: lower end of the interval: mean − sd, or for a single run that of the bootstrap over test samples; None if there is neither.
        high: upper end of the interval.
        published: published score; None if there is none.
        best: whether no other ranked row is closer to the best expected value.
        digits: number of decimals shown.
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
        name: the independence term for SepCLR, the method otherwise.
        ranked: whether it can have the best score; non-separating baselines cannot.
        runs: number of runs, over seeds or folds.
        minutes: mean training time.
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
        of: what is probed: ``codes``, or their ``projections``, which the losses of SepCLR and SimCLR see.
        columns: scores first, then both forms of δ_tot if no attribute is a quantity.
        expected: best expected value of each score, in percent; errors in units of the attribute.
        chance: score of the best constant prediction, in the same units.
        errors: columns that hold an error; lower is better.
        untrained: scores of untrained encoders, in the same units, by the methods that share them.
        lines: rows of the table.
        over: what rows are averaged over: ``seeds`` or ``folds``.
        elsewhere: whether published scores are for other data.
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
        """Return the heading of a column, with its metric if that is an error and an arrow for the better direction."""
        if column in DELTAS:
            return f"{title(column)} ↓"
        # 100 %, or an error of 0, is expected where an attribute belongs, and chance where it does not.
        more = self.expected[column] > (0 if column in self.errors else 99.9)
        return title(column).replace(" from", " MAE from" if column in self.errors else " from") + (" ↑" if more else " ↓")

    def number(self, column: str, value: float) -> str:
        """Format a score of a column."""
        return f"{value:.{decimals(column, self.errors, self.chance)}f}"

    @property
    def published_heading(self) -> str:
        """Heading of the columns of published scores."""
        return "published, other data" if self.elsewhere else "published"

    @property
    def published_columns(self) -> list[str]:
        """Columns with published scores; the published δ_tot is signed and has no absolute form."""
        return [column for column in self.columns if any(line.cells[column].published is not None for line in self.lines)]

    @property
    def rest(self) -> Mapping[str, Mapping[str, float]]:
        """Rows below the results: untrained encoders, then the best expected scores, or chance if some scores are errors."""
        below = {f"untrained encoders of {names}": scores for names, scores in self.untrained.items()}
        if self.errors:  # the best error is 0, which is not realistic
            return below | {"chance": self.chance}
        return below | {"best expected": {**self.expected, **dict.fromkeys(DELTAS, 0.0)}}

    def agreement(self) -> str:
        """Return the rank correlations of obtained and published scores as a sentence; empty if fewer than three rows have both."""
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
    """Format the rank correlation of pairs with its permutation p-value: exact for few pairs, from 9,999 permutations for many."""
    one, two = (rankdata(values) - (len(pairs) + 1) / 2 for values in zip(*pairs, strict=True))
    norm = np.sqrt((one @ one) * (two @ two))
    if norm == 0:
        return "– (constant)"
    test = permutation_test(
        (one,), lambda shuffled, axis=-1: (shuffled * two).sum(axis) / norm, permutation_type="pairings", vectorized=True, random_state=0
    )
    return f"{test.statistic:.2f} (p {'< 0.001' if test.pvalue < 0.001 else f'= {test.pvalue:.3f}'})"


def title(column: str) -> str:
    """Return the display name of a column: ``digits_salient`` is digits from s."""
    attribute, _, place = column.rpartition("_")
    return DELTAS.get(column) or f"{attribute} {PLACES[place]}"


def run_name(run: Mapping[str, Any]) -> str:
    """Return the independence term of a SepCLR run, or the method and its term of any other; mark our own term and released behaviour."""
    name = str(run["independence"] or run["method"])
    if name == "decorrelation":
        name = f"{name} (ours)"
    if run["independence"] and run["method"] != "sepclr":
        name = f"{run['method']}, {name}"
    values = flattened(run["recipe"])
    name += " (released)" if values.get("fidelity") == "released" else ""
    name += f", free of {values['free_of']}" if values.get("free_of") else ""
    return name + (f", then {how}" if (how := values.get("harmonise", "none")) != "none" else "")


def compare(rows: Sequence[Mapping[str, Any]], published: Published, *, elsewhere: bool = False) -> list[Comparison]:
    """Collect rows of several seeds into tables: one of codes per protocol, and one of projections if rows have them.

    Args:
        rows: lines of a file in ``results/``.
        published: published scores, shown next to those of codes; rows follow their order, other rows come last.
        elsewhere: whether the published scores are for other data.

    Returns:
        The tables.

    Raises:
        InputError: rows of one method differ in more than seed, fold and machine, or repeat a seed and fold.
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
    columns = sorted(expected, key=lambda name: (name.startswith(("group_", "group[")), name.rpartition("_")[0], name.endswith("_common")))
    columns += [name for name in DELTAS if name in here[0]["scores"]]
    lines = [_line(key, runs, columns, errors, chance, published.get(key, {})) for key, runs in groups.items() if runs]
    lines = list(_marked(lines, expected, columns))
    over = "folds" if "table" in flattened(here[0]["recipe"]) else "seeds"
    return Comparison(protocol, of, columns, expected, chance, errors, _untrained(groups, columns, errors), lines, over, elsewhere)


def _with_group(row: Mapping[str, Any]) -> Mapping[str, float]:
    """Return the best expected scores; add those of the group, which belongs in s, as older rows lack them."""
    best = {name: value for name, value in {"group_common": 0.5, "group_salient": 1.0}.items() if name in row["scores"]}
    best.update(row["best_expected"])
    return best


def _unit(column: str, errors: Sequence[str]) -> int:
    return 1 if column in DELTAS or column in errors else 100


def decimals(column: str, errors: Sequence[str], chance: Mapping[str, float]) -> int:
    """Return the number of decimals: one for percentages; for errors, enough to show a hundredth of the chance error."""
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
            f"results: rows of {independence or method} differ in their recipe, or repeat a seed and fold; "
            "keep rows of another recipe in a separate file (--results)"
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
        cells[column] = Cell(middle, sd, low, high, published.get(column), digits=decimals(column, errors, chance))
    return Line(
        run_name(runs[0]), method not in METHODS or METHODS[method].separates, len(runs), mean(run["seconds"] for run in runs) / 60, cells
    )


def _marked(lines: Sequence[Line], expected: Mapping[str, float], columns: Sequence[str]) -> Iterator[Line]:
    """Mark the best score in each column."""

    def distance(line: Line, column: str) -> float:
        cell = line.cells[column]
        return abs(round(cell.mean, cell.digits) - expected.get(column, 0.0))  # scores that look equal are tied

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
    """Average scores of untrained encoders over the runs of each method; methods with equal scores share a row."""
    scores = [column for column in columns if column not in DELTAS and not column.endswith("_predicted")]  # which training makes
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

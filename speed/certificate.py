"""Calibration and power of the certificate of separation.

Calibration: codes that hold nothing, so that a test at the 5 % level should fire in 5 % of trials. Power: the mark of targets leaks from s
into c, so that the best classifier of c reaches a known balanced accuracy, by a shift (which every probe can see) or by the sign of a
product (which no linear probe can). Each line is written when it is finished; rerun the command to resume.
About half an hour on an idle core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from sepclr.probes import Probed, certify
from sepclr.probes.strengths import PROBES
from sepclr.probes.verdict import LEVEL, PAIR
from sepclr.reports import as_svg
from sepclr.runs.folder import made_with

TESTS = (*PROBES, "HSIC", "distance correlation")

NULLS: Mapping[str, tuple[int, int, tuple[int, int], int]] = {
    "60 samples": (60, 1, (4, 2), 400),
    "200 samples, 25 % targets": (200, 1, (16, 8), 200),
    "60 subjects of 1 to 5 samples": (60, 5, (8, 4), 200),
    "60 subjects, attributes of samples": (60, 5, (8, 4), 200),
}
"""Held-out subjects, their largest number of samples, lengths of c and s, and trials, in each of which every probe is tested on both."""

SIZES = (50, 100, 200, 400, 800, 1600)
"""Numbers of held-out targets; as many are fitted on."""

LEAKS = (5, 10, 20)
"""Points of balanced accuracy above chance that the best classifier of c reaches."""

DIMS = 4
TRIALS = 50
"""Lengths of c and s, and trials, of a row of power."""
COLOURS = ("#1d5fbf", "#bd4b00", "#1b8a5a", "#8a3fb5", "#b58900", "#1b1d20")


def null_side(name: str, draw: np.random.Generator) -> Probed:
    """Draw codes and attributes that are independent of each other; samples of a subject are alike."""
    subjects, most, dims, _ = NULLS[name]
    whose = np.repeat(np.arange(subjects), draw.integers(1, most + 1, size=subjects))
    own = np.arange(len(whose)) if name.endswith("of samples") else whose  # attributes of samples or of subjects

    def code(dim: int) -> np.ndarray:
        return draw.normal(size=(subjects, dim))[whose] + 0.3 * draw.normal(size=(len(whose), dim))

    share = 0.25 if "25 %" in name else 0.5
    is_target = draw.permutation(subjects)[whose] < share * subjects
    classes, quantity = draw.integers(10, size=len(whose))[own], draw.normal(size=len(whose))[own]
    attributes = {"ten classes": classes, "quantity": quantity}
    return Probed({"c": code(dims[0]), "s": code(dims[1])}, is_target, attributes, True, whose if most > 1 else None)


def leaking_side(kind: str, points: int, n: int, draw: np.random.Generator) -> Probed:
    """Draw codes of targets whose mark is in s, and in c to the extent that a classifier gains so many points."""
    mark = draw.integers(2, size=n)
    sign, c = 2 * mark - 1, draw.normal(size=(n, DIMS))
    s = draw.normal(size=(n, DIMS)) + 3 * sign[:, None] * (np.arange(DIMS) == 0)
    if kind == "shift":
        c[:, 0] += norm.ppf(0.5 + points / 100) * sign
    else:
        told = np.where(draw.random(n) < 0.5 + points / 100, sign, -sign)
        c[:, 1] = np.abs(c[:, 1]) * np.sign(c[:, 0]) * told
    return Probed({"c": c, "s": s}, np.ones(n, dtype=bool), {"mark": mark})


def calibration(name: str, divide: int) -> dict[str, Any]:
    """Count how often each test fires on independent codes."""
    fired: dict[str, list[bool]] = {}
    trials = NULLS[name][-1] // divide
    for seed in range(trials):
        draw = np.random.default_rng(seed)
        tests = certify(null_side(name, draw), null_side(name, draw), unwanted=("ten classes", "quantity"), seed=seed).tests
        for test in tests:
            about = {"group": "two classes", PAIR: ""}.get(test["about"], test["about"])
            fired.setdefault(f"{test['by']} {about}".strip(), []).append(test["p"] <= LEVEL)
        leaks = [test["corrected"] or 0.0 for test in tests if test["expected"] == "chance"]
        fired.setdefault("any, corrected", []).append(min(leaks) <= LEVEL)
    return {"trials": trials, "fired": {test: float(np.mean(each)) for test, each in fired.items()}}


def power(kind: str, points: int, n: int, trials: int) -> dict[str, Any]:
    """Count how often each test sees a leak of the mark into c, uncorrected, and whether any does after correction."""
    fired: dict[str, list[bool]] = {}
    scores: dict[str, list[float]] = {}
    for seed in range(trials):
        draw = np.random.default_rng(seed)
        sides = leaking_side(kind, points, n, draw), leaking_side(kind, points, n, draw)
        tests = [test for test in certify(*sides, salient=("mark",), permutations=199, seed=seed).tests if test["expected"] == "chance"]
        for test in tests:
            fired.setdefault(test["by"], []).append(test["p"] <= LEVEL)
            scores.setdefault(test["by"], []).append(test["score"])
        fired.setdefault("any, corrected", []).append(min(test["corrected"] or 0.0 for test in tests) <= LEVEL)
    means = {test: float(np.mean(scores[test])) for test in PROBES}
    return {"trials": trials, "fired": {test: float(np.mean(each)) for test, each in fired.items()}, "scores": means}


def calibration_cells(name: str, found: Mapping[str, Any]) -> dict[str, str]:
    """Return the cells of a row: shares of trials in percent, for each probe of two classes, ten classes and a quantity."""
    fired = found["fired"]
    cells = {"held out": name, "trials": str(found["trials"])}
    for probe in PROBES:
        shares = (fired[f"{probe} {what}"] for what in ("two classes", "ten classes", "quantity"))
        cells[probe] = " / ".join(f"{100 * share:.1f}" for share in shares)
    return cells | {test: f"{100 * fired[test]:.1f}" for test in (*TESTS[len(PROBES) :], "any, corrected")}


def power_cells(kind: str, points: int, n: int, found: Mapping[str, Any]) -> dict[str, str]:
    """Return the cells of a row: shares of trials in percent."""
    cells = {"leak": kind, "points": str(points), "held-out targets": str(n), "trials": str(found["trials"])}
    return cells | {test: f"{100 * found['fired'][test]:.0f}" for test in (*TESTS, "any, corrected")}


def draw_power(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Draw the power of each test against the number of held-out targets, a panel for each leak."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.2), layout="constrained")
    panels = figure.subplots(2, len(LEAKS), sharex=True, sharey=True)
    for line, kind in zip(panels, ("shift", "product"), strict=True):
        for axes, points in zip(line, LEAKS, strict=True):
            own = sorted((row for row in rows if (row["kind"], row["points"]) == (kind, points)), key=lambda row: row["n"])
            for colour, test in zip(COLOURS, TESTS, strict=True):
                heights = [100 * row["found"]["fired"][test] for row in own]
                axes.plot([row["n"] for row in own], heights, color=colour, marker="o", markersize=3, linewidth=1.2, label=test)
            axes.axhline(100 * LEVEL, color="#6b7280", linestyle=(0, (3, 2)), linewidth=1)
            axes.set_xscale("log")
            axes.set_xticks(SIZES, [str(n) for n in SIZES], fontsize=8.5)
            axes.minorticks_off()
            axes.set_ylim(0, 103)
            axes.set_title(f"{kind}, {points} points", fontsize=10)
            axes.grid(color="#eceef1", linewidth=0.8)
            axes.set_axisbelow(True)
            axes.tick_params(labelsize=8.5)
        line[0].set_ylabel("leak detected, % of trials", fontsize=9)
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=len(TESTS), frameon=False, fontsize=9)
    figure.supxlabel("held-out targets; dashed: level of the test", fontsize=8.5, color="#6b7280")
    return figure


def picture(results: Path) -> str:
    """Return the figure of a results file as SVG."""
    return as_svg(lambda: draw_power([json.loads(line) for line in results.read_text().splitlines()]))


def cases(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any], Callable[[], dict[str, Any]], Callable[..., dict[str, str]]]]:
    """Yield the results file of each row, what identifies it, and functions that measure it and write its cells."""
    for name in NULLS:
        about = {"name": name}
        make = lambda about=about: calibration(**about, divide=options.divide)  # noqa: E731
        yield "certificate-calibration", about, make, calibration_cells
    for n in SIZES:
        for kind in ("shift", "product"):
            for points in LEAKS:
                about = {"kind": kind, "points": points, "n": n}
                make = lambda about=about: power(**about, trials=TRIALS // options.divide)  # noqa: E731
                yield "certificate-power", about, make, power_cells


def main() -> None:
    """Make the rows that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of the results files")
    parser.add_argument("--divide", type=int, default=1, help="divide the numbers of trials by this, to try the script")
    parser.add_argument("--picture", action="store_true", help="draw docs/certificate.svg from the rows, and make none")
    options = parser.parse_args()
    if options.picture:
        Path("docs/certificate.svg").write_text(picture(options.out / "certificate-power.jsonl"))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    for name, about, make, cells in cases(options):
        path = options.out / f"{name}.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        if any(about.items() <= row.items() for row in rows):
            continue
        found = make()
        row = {"cells": cells(*about.values(), found), **about, "found": found, **made_with()}
        with path.open("a") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        print("  ".join(f"{head} {value}" for head, value in row["cells"].items()), flush=True)


if __name__ == "__main__":
    main()

"""Run a recipe with several seeds, and report whether the result holds again."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from sepclr.atomic import write_whole
from sepclr.data.folds import keep_folds, with_drawn_folds_beside, with_folds
from sepclr.datasets.source import Source
from sepclr.probes import ProbeProtocol, stability
from sepclr.reports import SeedsView, agreement_sentence
from sepclr.runs.ensemble import make_ensemble, save_alignment
from sepclr.runs.folder import RunFolder, environment, make_folder, same_recipe
from sepclr.runs.leftovers import BEFORE_CONFIG, remove_own
from sepclr.runs.lock import held
from sepclr.runs.make import make_method
from sepclr.runs.recipe import Recipe, changed
from sepclr.runs.report import write_report
from sepclr.runs.results import Finished, result, write_results
from sepclr.runs.run import check_machine, load, prepare, print_rows, read_finished, run, scored
from sepclr.runs.seeds_folder import SeedsFolder
from sepclr.runs.targets import by_target, of_target
from sepclr.runs.trained import load_method, probed, shapes_of
from sepclr.types import InputError, Method


def run_seeds(
    recipe: Recipe, seeds: Sequence[int], out: Path, *, root: Path | None = None, download: bool = False, resume: bool = False
) -> Path:
    """Train and evaluate a recipe once for each seed, one after the other, and report how far the runs agree.

    Args:
        recipe: the recipe; its seed is replaced.
        seeds: the seeds, at least two.
        out: output folder: a run in ``seed-N`` for each seed N, ``report.html``, ``stability.jsonl``, ``alignment.safetensors``, and
            ``rows.jsonl`` and ``results.jsonl`` of the ensemble.
        root: data folder, for data sets that need one.
        download: fetch missing data into ``root``.
        resume: skip finished runs in ``out``, resume interrupted ones.

    Returns:
        Path of the report.

    Raises:
        InputError: if data, options or the folder cannot be used; training has not started then.
    """
    folder = SeedsFolder(out)
    recipes = [changed(recipe, seed=seed, devices="1") for seed in seeds]
    check_machine(recipes[0])
    recipes = [each.of(with_drawn_folds_beside(each.study, out)) for each in recipes]
    for each in recipes:
        if resume and folder.run(each.seed).config.exists():
            same_recipe(folder.run(each.seed), each)
    source = load(recipes[0], root, download=download)
    with torch.device("meta"):  # no weights are drawn
        prepare(recipes[0], source)
    make_folder(out, "choose another --out")
    with held(out):
        keep_folds(recipes[0].study, out)
        finished = [_run(each.of(with_folds(each.study, out)), folder, source, root) for each in recipes]
        return report_seeds(folder, finished, source)


def _run(recipe: Recipe, folder: SeedsFolder, source: Source, root: Path | None) -> Finished:
    """Train and evaluate one seed, unless that has been done."""
    one, name = folder.run(recipe.seed), f"seed {recipe.seed}"
    if one.rows.exists():
        return replace(read_finished(one, source), name=name)
    if not one.config.exists():
        # It was interrupted before its config was written.
        remove_own(one.path, BEFORE_CONFIG, "choose another --out")
    whole = run(recipe, one.path, root=root, resume=one.path.exists(), progress=name)
    if whole is None:
        raise InputError("seeds: started in several processes; run it in one, without torchrun")
    return replace(whole, name=name)


def report_seeds(folder: SeedsFolder, runs: Sequence[Finished], source: Source) -> Path:
    """Compare finished runs that differ in their seed, align and average their codes, and write all that into their folder.

    Args:
        folder: the folder of the runs.
        runs: the runs.
        source: their data set.

    Returns:
        Path of the report.
    """
    methods = [load_method(each.folder)[0] for each in runs]
    rows = _agreement(runs, methods, source)
    write_whole(folder.stability, "".join(json.dumps(row) + "\n" for row in rows))
    ensemble, joint = make_ensemble(methods, source.train), RunFolder(folder.path)
    used = runs[0].folder.sessions()[-1]
    noted = environment() | {name: used.get(name) for name in ("precision", "accelerator", "root")}
    write_whole(joint.environment, json.dumps(noted, indent=1))
    found = scored(ensemble, source, runs[0].recipe, "trained")
    whole = Finished(joint, runs[0].recipe, source, found, sum(each.seconds for each in runs), "ensemble")
    joint.write_rows(found)
    seeds = [each.recipe.seed for each in runs]
    lines = [line for protocol in source.tests for line in (*(result(each, protocol) for each in runs), _joint(whole, protocol, seeds))]
    write_results(joint.results, lines)
    view = SeedsView(rows, [line for line in lines if line["protocol"] == "strict"])
    write_report(joint.report, [*runs, whole], methods=[*methods, ensemble], seeds=view)
    save_alignment(folder, ensemble, seeds)
    print_rows([*runs, whole])
    for name, _ in by_target(source):
        print(f"{name}: " * bool(name) + agreement_sentence([row for row in rows if row.get("target", "") == name]))
    return joint.report


def _joint(ensemble: Finished, protocol: ProbeProtocol, seeds: Sequence[int]) -> dict[str, Any]:
    """Summarise the scores of an ensemble; in place of one seed, the line has them all."""
    return result(ensemble, protocol) | {"seed": None, "ensemble": list(seeds)}


def _agreement(runs: Sequence[Finished], methods: Sequence[Method], source: Source) -> list[dict[str, Any]]:
    """Compare codes, and projections if any, between runs: c of all test samples, s of targets; then those of untrained networks."""
    kinds = {"trained": methods}
    if runs[0].recipe.training is not None:
        kinds["untrained"] = [make_method(each.recipe, *shapes_of(each.folder)) for each in runs]
    shown = ("c", "s", "c_head", "s_head") if "salient_dim" in runs[0].recipe.declared.defaults else ("c", "c_head")
    names, rows = [each.label for each in runs], list[dict[str, Any]]()
    for group, (name, part) in enumerate(by_target(source)):
        test = part.tests["strict"]
        targets = test.is_target.numpy()
        for encoder, networks in kinds.items():
            codes = [probed(of_target(network, group), test).spaces for network in networks]
            for space in (each for each in shown if each in codes[0]):
                values = [each[space] if space.startswith("c") else each[space][targets] for each in codes]
                about = {"target": name} if name else {}
                rows += [_plain({**about, "space": space, "encoder": encoder, **asdict(each)}) for each in stability(values, names)]
    return rows


def _plain(values: Any) -> Any:
    """Return values with None in place of NaN, which is not valid JSON."""
    if isinstance(values, dict):
        return {name: _plain(value) for name, value in values.items()}
    if isinstance(values, tuple):
        return [_plain(value) for value in values]
    return None if isinstance(values, float) and math.isnan(values) else values

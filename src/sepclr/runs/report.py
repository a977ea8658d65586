"""Write the report of one run, or of several compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from sepclr.datasets.source import Source
from sepclr.probes import Importance
from sepclr.reports import Page, RunView, SeedsView, decoded, read_features, selection, shown_images, write_page
from sepclr.runs.certificates import read_certificates
from sepclr.runs.linear import LinearCodes
from sepclr.runs.recipe import flat_values, nested
from sepclr.runs.results import Finished
from sepclr.runs.targets import by_target, of_target, reports, rows_of
from sepclr.runs.trained import load_method
from sepclr.training import encode
from sepclr.types import Method


def write_report(path: Path, runs: Sequence[Finished], *, methods: Sequence[Method] | None = None, seeds: SeedsView | None = None) -> None:
    """Write the report of one or several runs; the first is the main one. Of several target groups, each has its own page.

    Args:
        path: file to write.
        runs: the runs.
        methods: their methods; loaded from their folders if None.
        seeds: agreement of runs that differ in their seed.
    """
    parts = by_target(runs[0].source)
    methods = methods or [load_method(finished.folder)[0] for finished in runs]
    paths = reports(path, [name for name, _ in parts])
    for group, (here, (name, source)) in enumerate(zip(paths, parts, strict=True)):
        others = {other: "" if there == here else there.name for there, (other, _) in zip(paths, parts, strict=True) if name}
        page = _page(name, source, runs, [of_target(method, group) for method in methods], others)
        write_page(here, replace(page, seeds=seeds and replace(seeds, target=name)))


def _page(name: str, source: Source, runs: Sequence[Finished], methods: Sequence[Method], others: Mapping[str, str]) -> Page:
    """Collect what the page of a target group shows."""
    test = source.tests["strict"]
    shown = selection(test.is_target.numpy())
    views = []
    for finished, method in zip(runs, methods, strict=True):
        codes = encode(method, test.x[torch.from_numpy(shown)])
        terms = [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in finished.folder.history()]
        shown_codes = codes.c.numpy(), codes.s.numpy()
        rows = rows_of(finished.rows, name)
        certified = next((each for each in read_certificates(finished.folder) if each.target == name), None)
        views.append(RunView(finished.label, rows, terms, *shown_codes, decoded(method, test), finished.signs, certified))
    first = runs[0]
    sessions = first.folder.sessions()
    made = sessions[-1]
    return Page(
        title=f"{source.title}: {name}" if name else source.title,
        lead=source.lead,
        images=shown_images(test.x[torch.from_numpy(shown)]),
        is_target=test.is_target.numpy()[shown],
        attributes={name: values[shown] for name, values in test.attributes.items()},
        common_attributes=source.common_attributes,
        salient_attributes=source.salient_attributes,
        class_names=source.class_names,
        runs=views,
        made={
            "Command": made["command"],
            "Commit": ", ".join(dict.fromkeys(session["commit"] or "not a checkout" for session in sessions)),
            "Precision": ", ".join(dict.fromkeys(session.get("precision", "not recorded") for session in sessions)),
            "Training": "; ".join(f"{finished.label}: {finished.seconds:.0f} s" for finished in runs),
            "Machine": _listed(made["machine"]),
            "Versions": _listed(made["versions"]),
            **({"Study": _listed(nested(first.recipe)["data"]["study"])} if first.recipe.study else {}),
            "Recipe": _listed(flat_values(first.recipe.of(None))),
        },
        features=_features(source, methods[0]),
        target_groups=others,
    )


def _features(source: Source, method: Method) -> list[Importance] | None:
    """Compute which features the codes of rows are read from; None for other samples."""
    fitted = source.train if source.probes is None else source.probes
    linear = isinstance(method, LinearCodes)
    return read_features(method, fitted, source.tests["strict"], source.feature_names, permutation=not linear, everyone=source.everyone)


def _listed(values: Mapping[str, Any]) -> str:
    """Return names and values as one line, without values that are not set."""
    words = {name: "/".join(map(str, value)) if isinstance(value, tuple) else value for name, value in values.items()}
    return ", ".join(f"{name} {value}" for name, value in words.items() if value not in (None, ""))

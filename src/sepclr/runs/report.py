"""Write the report of one run, or of several compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from sepclr.probes import Importance
from sepclr.reports import Page, RunView, decoded, read_features, selection, shown_images, write_page
from sepclr.runs.linear import LinearCodes
from sepclr.runs.recipe import flat_values, nested
from sepclr.runs.results import Finished
from sepclr.runs.trained import load_method
from sepclr.training import encode


def write_report(path: Path, runs: Sequence[Finished]) -> None:
    """Write the report of one or several runs; the first is the main one."""
    source = runs[0].source
    test = source.tests["strict"]
    shown = selection(test.is_target.numpy())
    views = []
    for finished in runs:
        method, _ = load_method(finished.folder)
        codes = encode(method, test.x[torch.from_numpy(shown)])
        terms = [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in finished.folder.history()]
        shown_codes = codes.c.numpy(), codes.s.numpy()
        views.append(RunView(finished.recipe.label, finished.rows, terms, *shown_codes, decoded(method, test), finished.signs))
    first = runs[0]
    sessions = first.folder.sessions()
    made = sessions[-1]
    page = Page(
        title=source.title,
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
            "Training": "; ".join(f"{finished.recipe.label}: {finished.seconds:.0f} s" for finished in runs),
            "Machine": _listed(made["machine"]),
            "Versions": _listed(made["versions"]),
            **({"Study": _listed(nested(first.recipe)["data"]["study"])} if first.recipe.study else {}),
            "Recipe": _listed(flat_values(first.recipe.of(None))),
        },
        features=_features(first),
    )
    write_page(path, page)


def _features(finished: Finished) -> list[Importance] | None:
    """Compute which features the codes of a run on rows are read from; None for other samples."""
    source = finished.source
    fitted = source.train if source.probes is None else source.probes
    method, _ = load_method(finished.folder)
    linear = isinstance(method, LinearCodes)
    return read_features(method, fitted, source.tests["strict"], source.feature_names, permutation=not linear, everyone=source.everyone)


def _listed(values: Mapping[str, Any]) -> str:
    """Return names and values as one line, without values that are not set."""
    words = {name: "/".join(map(str, value)) if isinstance(value, tuple) else value for name, value in values.items()}
    return ", ".join(f"{name} {value}" for name, value in words.items() if value not in (None, ""))

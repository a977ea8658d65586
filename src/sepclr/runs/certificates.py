"""Certificates of runs: tests of their codes of test samples, written to ``certificate.json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sepclr.atomic import write_whole
from sepclr.datasets.source import Source
from sepclr.errors import reading
from sepclr.probes import Certificate, certify
from sepclr.runs.folder import RunFolder
from sepclr.runs.recipe import Recipe
from sepclr.runs.targets import by_target, of_target
from sepclr.runs.trained import sides
from sepclr.types import Method

CHEAP = range(100, 5001)
"""Numbers of test samples with which every evaluation makes a certificate: fewer show only leaks of some 20 points, more take longer than
some seconds (8 s for 4,000 marked digits on one core)."""


def cheap(source: Source) -> bool:
    """Return whether an evaluation makes a certificate, too."""
    return len(source.tests["strict"]) in CHEAP


def certificates(method: Method, source: Source, recipe: Recipe) -> list[Certificate]:
    """Test the codes of test samples, by probes fitted on the codes of training samples, as in the evaluation.

    Args:
        method: the trained method.
        source: the data set.
        recipe: the recipe of the run.

    Returns:
        A certificate for each target group.
    """
    made = []
    for group, (name, part) in enumerate(by_target(source)):
        train, test = next((train, test) for protocol, train, test in sides(of_target(method, group), part, recipe) if protocol == "strict")
        spaces = ("c", "s") if hasattr(recipe.method, "salient_dim") else ("c",)
        train, test = (replace(side, spaces={space: side.spaces[space] for space in spaces}) for side in (train, test))
        site = getattr(recipe.study, "site", None)
        roles: dict[str, Any] = {
            "common": [each for each in part.common_attributes if each != site],
            "salient": part.salient_attributes,
            "unwanted": [each for each in train.attributes if each in part.unwanted or each == site],
        }
        made.append(replace(certify(train, test, **roles, seed=recipe.seed), target=name))
    return made


def write_certificates(folder: RunFolder, made: Sequence[Certificate]) -> Path:
    """Write the certificates of a run, one for each target group, to ``certificate.json``, and return its path."""
    path = _path(folder)
    write_whole(path, json.dumps([asdict(each) for each in made], ensure_ascii=False, indent=1) + "\n")
    return path


def read_certificates(folder: RunFolder) -> list[Certificate]:
    """Read the certificates of a run; empty if there are none.

    Raises:
        InputError: a file that cannot be read.
    """
    path = _path(folder)
    if not path.exists():
        return []
    with reading(path, "run sepclr certify again"):
        return [Certificate(**each) for each in json.loads(path.read_text(encoding="utf-8"))]


def _path(folder: RunFolder) -> Path:
    return folder.path / "certificate.json"

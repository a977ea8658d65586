"""Read the files of a run back. A folder may come from somebody else, so what it holds is checked before it is used."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import safe_open

from sepclr.errors import InputError, reading
from sepclr.plain import read_json

RESTORE = "restore the original file"

SESSION = {"command": str, "commit": str | None, "machine": Mapping, "versions": Mapping}
"""What every session of a run records, beside what later versions added."""

TEXTS, NUMBERS = ("attribute", "space", "encoder", "protocol", "metric"), ("score", "low", "high", "chance", "n_train", "n_test")
ROW: Mapping[str, Any] = dict.fromkeys(TEXTS, str) | dict.fromkeys(NUMBERS, int | float)
"""What every row of an evaluation holds."""


def read_epochs(metrics: Path) -> list[dict[str, float | int]]:
    """Return the metrics of each epoch of a stage, from a file with a line each; none without a file.

    Lines that are no metrics are left out: an epoch that was killed before its checkpoint, or in the middle of its line, is trained and
    logged again.

    Raises:
        InputError: a file that cannot be read.
    """
    epochs: dict[int, dict[str, float | int]] = {}
    for line in _lines(metrics) if metrics.exists() else []:
        with suppress(ValueError, RecursionError):
            epoch = json.loads(line, parse_int=_int)
            numbers = isinstance(epoch, dict) and all(isinstance(value, int | float) for value in epoch.values())
            if numbers and isinstance(epoch.get("epoch"), int) and "seconds" in epoch:
                epochs[epoch["epoch"]] = epoch
    return list(epochs.values())


def read_sessions(environment: Path) -> list[Mapping[str, Any]]:
    """Return the environment of each session of a run, the last session at the end.

    Raises:
        InputError: a file that cannot be read, or lacks what a session records.
    """
    last = dict(read_json(environment, RESTORE))
    earlier = last.pop("earlier", [])
    sessions = [*earlier, last] if isinstance(earlier, list) else [earlier]
    for session in sessions:
        if not isinstance(session, Mapping) or not _has(session, SESSION):
            raise InputError(f"{environment}: a session lacks {', '.join(SESSION)}; {RESTORE}")
    return sessions


def read_root(environment: Path) -> Path | None:
    """Return the data folder used for training; None for data sets without one.

    Raises:
        InputError: a file that cannot be read, or names no folder.
    """
    noted = read_json(environment, RESTORE).get("root")
    if not isinstance(noted, str | None) or "\0" in (noted or ""):
        raise InputError(f"{environment}: root is {noted!r}, and not a folder; {RESTORE}")
    return Path(noted) if noted else None


def read_rows(path: Path) -> list[Mapping[str, Any]]:
    """Return the rows of an evaluation, from a file with a line each.

    Raises:
        InputError: a file that cannot be read, or a line that is not a row.
    """
    rows = []
    for number, line in enumerate(_lines(path), 1):
        with suppress(ValueError, RecursionError):
            row = json.loads(line, parse_int=_int)
            if isinstance(row, Mapping) and _has(row, ROW) and isinstance(row.get("target", ""), str):
                rows.append(row)
        if len(rows) < number:
            raise InputError(f"{path}: line {number} is not a row of an evaluation; restore it, or run sepclr evaluate")
    return rows


def read_noted(model: Path) -> dict[str, Any]:
    """Return what is stored with weights about samples: their ``sample_shape`` and, for volumes, their ``grid``.

    Raises:
        InputError: a file that is damaged, or says what no samples have.
    """
    with reading(model, f"{RESTORE}, or train again"):
        with safe_open(model, framework="np") as file:
            noted = json.loads(file.metadata()["samples"])
            weights = len(file.keys())
        shapes = [noted["sample_shape"], *noted.get("further", {}).values()]
        # Each class has weights, so numbers that no file of this size holds are found here, and not when networks are made for them.
        numbers = [*noted.get("classes", {}).values()]
        if not all(_is_shape(each) for each in shapes) or not all(type(each) is int and 0 < each <= 2**20 for each in numbers):
            raise ValueError("its samples have no shape")
        if noted.get("classes", {}).get("target_group", 1) > weights:
            raise ValueError("more target groups than weights")
        if not all(isinstance(name, str) for name in noted.get("target_groups", [])):
            raise ValueError("its target groups have no names")
        if "grid" in noted:
            spacing, affine = noted["grid"]
            numbers = [*spacing, *(each for row in affine for each in row)]
            if [len(spacing), *map(len, affine)] != [3, 4, 4, 4, 4] or not all(isinstance(each, int | float) for each in numbers):
                raise ValueError("its grid is no grid")
    return noted  # type: ignore[no-any-return]


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, list) and len(shape) in (1, 3, 4) and all(type(side) is int and 0 < side < 2**31 for side in shape)


def _lines(path: Path) -> Sequence[str]:
    with reading(path, RESTORE):
        return path.read_text(encoding="utf-8").splitlines()


def _int(text: str) -> int | float:
    """Convert digits to an integer, or to a float if it would not fit into one."""
    return int(text) if len(text) < 19 else float(text)


def _has(values: Mapping[str, Any], kinds: Mapping[str, Any]) -> bool:
    return all(name in values and isinstance(values[name], kind) for name, kind in kinds.items())

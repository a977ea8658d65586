"""The folder of a run: config, environment, records and model."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml
from safetensors import safe_open

from sepclr.atomic import write_whole
from sepclr.data.study import NOTED
from sepclr.errors import InputError
from sepclr.fields import flattened
from sepclr.parts import FIRST, MACHINE_FIELDS
from sepclr.runs.machine import machine
from sepclr.runs.recipe import Recipe, nested, read, shared

PACKAGES = ("sepclr", "torch", "pytorch-lightning", "monai", "kornia", "scikit-learn", "numpy")


@dataclass(frozen=True)
class RunFolder:
    """Paths of the files of a run.

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The resolved recipe."""
        return self.path / "config.yaml"

    @property
    def environment(self) -> Path:
        """Versions, commit, machine, command, time, precision and data folder of the last session and of earlier ones."""
        return self.path / "environment.json"

    @property
    def folds(self) -> Path:
        """Test fold of each subject of a study."""
        return self.path / "folds.tsv"

    @property
    def metrics(self) -> Path:
        """Mean loss terms, one line per epoch."""
        return self.path / "metrics.jsonl"

    @property
    def model(self) -> Path:
        """Weights of the method, as safetensors."""
        return self.path / "model.safetensors"

    @property
    def preparation(self) -> Path:
        """What is done to rows before the method sees them."""
        return self.path / "preparation.safetensors"

    @property
    def rows(self) -> Path:
        """Rows of the evaluation."""
        return self.path / "rows.jsonl"

    @property
    def results(self) -> Path:
        """Summary of the evaluation, one line per protocol, in the format of ``results/``."""
        return self.path / "results.jsonl"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "report.html"

    def history(self) -> list[dict[str, float | int]]:
        """Return the metrics of each epoch; empty before the first epoch ends."""
        return _epochs(self.metrics)

    def sessions(self) -> list[Mapping[str, Any]]:
        """Return the environment of each session of the run, the last session at the end."""
        last = dict(read_json(self.environment))
        return [*last.pop("earlier", []), last]

    def root(self) -> Path | None:
        """Return the data folder used for training; None for data sets without one."""
        noted = read_json(self.environment)["root"]
        return Path(noted) if noted else None

    def seconds(self) -> float:
        """Return the training time, summed over stages and sessions."""
        return float(sum(epoch["seconds"] for path in (self.path / FIRST, self.path) for epoch in _epochs(path / self.metrics.name)))

    def write_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the rows, replacing existing ones."""
        write_whole(self.rows, "".join(json.dumps(row) + "\n" for row in rows))

    def samples(self) -> dict[str, Any]:
        """Return what is stored with the weights about samples: their ``sample_shape`` and, for volumes, their ``grid``.

        Raises:
            InputError: if training has not finished.
        """
        if not self.model.is_file():
            raise InputError(f"{self.path}: training has not finished (model.safetensors is missing); resume it with --resume")
        with safe_open(self.model, framework="np") as file:
            noted: dict[str, Any] = json.loads(file.metadata()["samples"])
            return noted

    def recipe(self) -> Recipe:
        """Read the recipe from the config.

        Raises:
            InputError: if the folder is not a run, or its config cannot be read or has unknown or missing keys.
        """
        if not self.config.is_file():
            raise InputError(f"{self.path}: not a run (config.yaml is missing); give the folder of a run (of several seeds, one of seed-N)")
        try:
            config = yaml.safe_load(self.config.read_text())
            recipe = read(config if isinstance(config, dict) else {})
        except (OSError, ValueError, yaml.YAMLError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{self.config}: {reason}; restore the original file") from None
        study = recipe.study
        return recipe if study is None or study.split else recipe.of(replace(study, folds_file=str(self.folds)))


def _epochs(metrics: Path) -> list[dict[str, float | int]]:
    """Read the metrics of each epoch of a stage."""
    epochs = {}
    for line in metrics.read_text().splitlines() if metrics.exists() else []:
        # An epoch that was killed before its checkpoint, or in the middle of its line, is trained and logged again.
        with suppress(ValueError):
            epoch = json.loads(line)
            epochs[epoch["epoch"]] = epoch
    return list(epochs.values())


def open_folder(
    path: Path,
    recipe: Recipe,
    *,
    resume: bool,
    root: Path | None,
    command: str | None = None,
    used: Mapping[str, Any] | None = None,
    folds: Mapping[str, int] | None = None,
) -> RunFolder:
    """Create the folder of a run, or open it to resume.

    Args:
        path: the folder; created with its parents if missing.
        recipe: recipe of the run.
        resume: resume the run in ``path``.
        root: data folder, recorded for later evaluations.
        command: command of the run; that of this process if None.
        used: settings resolved on this machine, such as the precision; recorded with the environment.
        folds: test fold of each subject of a study; written when the run starts.

    Returns:
        The folder.

    Raises:
        InputError: if the folder is not empty, cannot be written, or belongs to another recipe; nothing is changed then.
    """
    folder = RunFolder(path)
    check_out(path, resume=resume)
    if resume:
        same_recipe(folder, recipe)
    make_folder(path, "choose another --out")
    earlier = folder.sessions() if folder.environment.exists() else []
    noted = environment(command) | dict(used or {}) | {"root": str(root.resolve()) if root else None, "earlier": earlier}
    try:
        if folds is not None and not resume:
            from sepclr.data.folds import write_folds  # imports scikit-learn

            write_folds(folder.folds, folds)  # before the config: a folder that has one can be resumed
        write_whole(folder.config, yaml.safe_dump(json.loads(json.dumps(nested(recipe))), sort_keys=False))
        write_whole(folder.environment, json.dumps(noted, indent=1))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); choose another --out") from None
    return folder


def check_out(path: Path, *, resume: bool = False) -> None:
    """Check that a run can be written to a folder, without creating it.

    Raises:
        InputError: if the folder is not empty or cannot be created, or has no run to resume.
    """
    if resume:
        RunFolder(path).recipe()
    elif path.is_dir() and any(path.iterdir()):
        raise InputError(f"{path}: not empty; choose another --out, or add --resume to resume the run in it")
    else:
        check_place(path, "choose another --out")


def check_place(path: Path, remedy: str) -> None:
    """Check that a folder can be created, without creating it.

    Raises:
        InputError: if it cannot; the message ends with ``remedy``.
    """
    there = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise InputError(f"{path}: cannot be written ({there} is {'read-only' if there.is_dir() else 'not a folder'}); {remedy}")


def make_folder(path: Path, remedy: str) -> None:
    """Create a folder with its parents if missing, and check that it is writable.

    Raises:
        InputError: if it is not; the message ends with ``remedy``.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK):
            raise PermissionError(f"{path} is read-only")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); {remedy}") from None


def same_recipe(folder: RunFolder, recipe: Recipe) -> None:
    """Check that a run has a given recipe; facts about its study that the recipe does not have yet are not compared.

    Raises:
        InputError: if the folder is not a run, or has another recipe.
    """
    there, here = (flattened(shared(each)) for each in (folder.recipe(), recipe))
    apart = {*MACHINE_FIELDS, *(name for name in NOTED if here.get(name) is None)}
    differing = [
        f"{key} ({there.get(key)!r} there, {here.get(key)!r} here)"
        for key in dict.fromkeys([*here, *there])
        if here.get(key) != there.get(key) and key not in apart
    ]
    if differing:
        raise InputError(f"{folder.path}: the run has another config: {', '.join(differing)}; use the same options or another --out")


def this_command() -> str:
    """Return the command line of this process."""
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def environment(command: str | None = None) -> dict[str, Any]:
    """Return the environment of a run: command (that of this process if None), time, commit, versions and machine."""
    words = command or this_command()
    return {"command": words, "time": datetime.now(UTC).isoformat(timespec="seconds")} | made_with()


def made_with() -> dict[str, Any]:
    """Return the provenance of a line of ``results/``: commit of the code, versions and machine."""
    versions = {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}
    return {"commit": commit(), "versions": versions, "machine": machine()}


def commit() -> str | None:
    """Return the commit of this code, with a ``+`` appended if tracked files were edited since; None outside a checkout."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            return subprocess.run(["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return None

    head = git("rev-parse", "HEAD")
    if head is None or git("ls-files", str(Path(__file__))) in (None, ""):
        return None
    # Rows that a benchmark writes to results/ are not edited code: without the exclusion, its second row would have a "+".
    return head + ("+" if git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)results/*.jsonl") else "")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def read_json(path: Path) -> Mapping[str, Any]:
    """Read a JSON object."""
    content: Mapping[str, Any] = json.loads(path.read_text())
    return content

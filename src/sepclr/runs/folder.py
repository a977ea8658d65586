"""The folder of a run: its config, where it was made, its records and its model."""

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
from sepclr.errors import InputError
from sepclr.fields import flattened
from sepclr.imaging.study import NOTED
from sepclr.parts import MACHINE_FIELDS
from sepclr.runs.machine import machine
from sepclr.runs.recipe import Recipe, nested, read, shared

PACKAGES = ("sepclr", "torch", "pytorch-lightning", "monai", "kornia", "scikit-learn", "numpy")


@dataclass(frozen=True)
class RunFolder:
    """Names of the files of a run.

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
        """Versions, commit, machine, command, time, precision, and the folder of the data; the same of earlier sessions."""
        return self.path / "environment.json"

    @property
    def folds(self) -> Path:
        """The fold in which each subject of a study is tested."""
        return self.path / "folds.tsv"

    @property
    def metrics(self) -> Path:
        """Means of the terms, a line per epoch."""
        return self.path / "metrics.jsonl"

    @property
    def model(self) -> Path:
        """Weights of the method, as safetensors."""
        return self.path / "model.safetensors"

    @property
    def rows(self) -> Path:
        """Rows of the evaluation."""
        return self.path / "rows.jsonl"

    @property
    def results(self) -> Path:
        """Summary of the evaluation, a line per protocol, as ``results/`` collects them."""
        return self.path / "results.jsonl"

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / "report.html"

    def history(self) -> list[dict[str, float | int]]:
        """Read the metrics of each epoch; empty before the first one ended."""
        epochs = {}
        for line in self.metrics.read_text().splitlines() if self.metrics.exists() else []:
            # An epoch that a kill cut off from its checkpoint, or in the middle of its line, is trained, and noted, again.
            with suppress(ValueError):
                epoch = json.loads(line)
                epochs[epoch["epoch"]] = epoch
        return list(epochs.values())

    def sessions(self) -> list[Mapping[str, Any]]:
        """Read where, with what and by which command each session of the run was made, the last one at the end."""
        last = dict(read_json(self.environment))
        return [*last.pop("earlier", []), last]

    def root(self) -> Path | None:
        """Say in which folder the data were at training; None for data that need none."""
        noted = read_json(self.environment)["root"]
        return Path(noted) if noted else None

    def seconds(self) -> float:
        """Add up the time of training, over all sessions."""
        return float(sum(epoch["seconds"] for epoch in self.history()))

    def write_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write the rows in place of those that were there."""
        write_whole(self.rows, "".join(json.dumps(row) + "\n" for row in rows))

    def samples(self) -> dict[str, Any]:
        """Read what samples the encoders take, noted beside their weights: ``sample_shape``, of volumes also ``grid``.

        Raises:
            InputError: training has not finished.
        """
        if not self.model.is_file():
            raise InputError(f"{self.path}: training has not finished (model.safetensors is missing); go on with --resume")
        with safe_open(self.model, framework="np") as file:
            noted: dict[str, Any] = json.loads(file.metadata()["samples"])
            return noted

    def recipe(self) -> Recipe:
        """Read the recipe back.

        Raises:
            InputError: the folder is not a run, or its config holds unknown or missing keys.
        """
        if not self.config.is_file():
            raise InputError(f"{self.path}: not a run (config.yaml is missing); give a folder that `sepclr fit` or `sepclr demo` wrote")
        try:
            config = yaml.safe_load(self.config.read_text())
            recipe = read(config if isinstance(config, dict) else {})
        except (OSError, ValueError, yaml.YAMLError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{self.config}: {reason}; restore the file as the run wrote it") from None
        study = recipe.study
        return recipe if study is None or study.split else recipe.of(replace(study, folds_file=str(self.folds)))


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
    """Start a run's folder, or find it again.

    Args:
        path: the folder; made with its parents where missing.
        recipe: of the run.
        resume: go on from what lies there.
        root: folder of the data, noted for later evaluations.
        command: what makes the run; the words of this process if not given.
        used: what the machine decided, such as the precision; noted beside it.
        folds: the fold in which each subject of a study is tested; stored where the run starts.

    Returns:
        The folder.

    Raises:
        InputError: a folder that holds something, cannot be written, or was made with another recipe; nothing is changed then.
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
            from sepclr.imaging.folds import write_folds  # brings scikit-learn along

            write_folds(folder.folds, folds)  # before the config: where that is, nothing is missing
        write_whole(folder.config, yaml.safe_dump(json.loads(json.dumps(nested(recipe))), sort_keys=False))
        write_whole(folder.environment, json.dumps(noted, indent=1))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); choose another --out") from None
    return folder


def check_out(path: Path, *, resume: bool = False) -> None:
    """Check that a run can be written into a folder, without making it.

    Raises:
        InputError: a folder that is not empty or cannot be made, or no run to resume in it.
    """
    if resume:
        RunFolder(path).recipe()
    elif path.is_dir() and any(path.iterdir()):
        raise InputError(f"{path}: not empty; choose another --out, or add --resume to resume the run in it")
    else:
        check_place(path, "choose another --out")


def check_place(path: Path, remedy: str) -> None:
    """Check that a folder can be made, without making it.

    Raises:
        InputError: it cannot; ``remedy`` says what to do.
    """
    there = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise InputError(f"{path}: cannot be written ({there} is {'read-only' if there.is_dir() else 'not a folder'}); {remedy}")


def make_folder(path: Path, remedy: str) -> None:
    """Make a folder with its parents, or find it, and see that it can be written.

    Raises:
        InputError: it cannot; ``remedy`` says what to do.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK):
            raise PermissionError(f"{path} is read-only")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); {remedy}") from None


def same_recipe(folder: RunFolder, recipe: Recipe) -> None:
    """Check that a run was made with a recipe; what is not known yet of its study is not compared.

    Raises:
        InputError: no run, or one that was made with another recipe.
    """
    there, here = (flattened(shared(each)) for each in (folder.recipe(), recipe))
    apart = {*MACHINE_FIELDS, *(name for name in NOTED if here.get(name) is None)}
    differing = [
        f"{key} ({there.get(key)!r} there, {here.get(key)!r} here)"
        for key in dict.fromkeys([*here, *there])
        if here.get(key) != there.get(key) and key not in apart
    ]
    if differing:
        raise InputError(f"{folder.path}: the run was made with another config: {', '.join(differing)}; give the same or another --out")


def this_command() -> str:
    """Return the words of this process."""
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])


def environment(command: str | None = None) -> dict[str, Any]:
    """Describe where a run is made: command (the words of this process if not given), time, versions, commit of the code, machine."""
    words = command or this_command()
    return {"command": words, "time": datetime.now(UTC).isoformat(timespec="seconds")} | made_with()


def made_with() -> dict[str, Any]:
    """Say of a line of ``results/`` by what it was made: commit of the code, versions, machine."""
    versions = {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}
    return {"commit": commit(), "versions": versions, "machine": machine()}


def commit() -> str | None:
    """Find the commit of this code, with ``+`` behind it where any file of its repository was changed since; None outside a checkout."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            return subprocess.run(["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return None

    head = git("rev-parse", "HEAD")
    if head is None or git("ls-files", str(Path(__file__))) in (None, ""):
        return None
    # The rows that a benchmark writes into the checkout change no number: the second row would otherwise count as edited code.
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

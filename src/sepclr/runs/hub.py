"""Publish a run on the Hugging Face Hub, and load one from there or from a folder. Weights are safetensors; nothing is pickled."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import torch
import yaml
from numpy.typing import ArrayLike, NDArray

from sepclr.data.preparation import Preparation, load_preparation
from sepclr.data.samples import check_samples
from sepclr.extras import need
from sepclr.fields import flattened
from sepclr.imaging.study import BrainStudy
from sepclr.probes import GROUP
from sepclr.reports.card import Card, card_text
from sepclr.runs.folder import RunFolder
from sepclr.runs.recipe import Recipe, published
from sepclr.runs.records import read_rows
from sepclr.runs.results import column_of
from sepclr.runs.trained import load_method
from sepclr.runs.usable import check_evaluated, check_finished, check_repository
from sepclr.training import encode
from sepclr.types import Codes, InputError, Method, Row

CERTIFICATE = "certificate.json"
CARD = "README.md"

COPIED = ("model.safetensors", "preparation.safetensors", "rows.jsonl", CERTIFICATE)
"""Files of a run that are published as they are."""

PUBLISHED = (*COPIED, "config.yaml", "environment.json", "results.jsonl", CARD)
"""All files of a published run."""

OF_RESULTS = ("machine", "sessions")
"""Facts in results that are not published."""


@dataclass(frozen=True, eq=False)
class Pretrained:
    """The trained method of a run, ready for new samples.

    Attributes:
        folder: folder of its files; ``sepclr encode`` reads it, too.
        recipe: recipe of the run.
        method: the method, in evaluation mode.
        sample_shape: shape of one sample.
        preparation: what is done to rows; None for other samples.
    """

    folder: Path
    recipe: Recipe
    method: Method
    sample_shape: tuple[int, ...]
    preparation: Preparation | None

    def encode(self, x: ArrayLike, covariates: Mapping[str, ArrayLike] | None = None, totals: ArrayLike | None = None) -> Codes:
        """Compute the codes of samples.

        Args:
            x: images, shape (n, channels, height, width), uint8 0..255 or floating point 0..1; volumes on the grid of the run, shape
                (n, 1, *grid); rows, shape (n, features), in the units of the table that the run was trained on, NaN where missing.
            covariates: values of each covariate that the run removes from rows, each of shape (n,).
            totals: sum of the counts of each cell over all its genes, shape (n,), for a run that normalises counts.

        Returns:
            Codes on the CPU, c of shape (n, d_c) and s of shape (n, d_s).

        Raises:
            InputError: samples of another shape or range, or covariates or totals that are missing or do not fit.
        """
        given = np.asarray(x)
        if self.preparation is not None:
            return encode(self.method, torch.from_numpy(self._prepared(given, covariates or {}, totals)))
        study = self.recipe.study
        scaled = not isinstance(study, BrainStudy) or study.scaling != "none"
        return encode(self.method, torch.from_numpy(check_samples(given, self.sample_shape, "x", scaled=scaled)))

    def transform(
        self, x: ArrayLike, covariates: Mapping[str, ArrayLike] | None = None, totals: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Compute [c, s] of samples, shape (n, d_c + d_s); arguments and errors as ``encode``."""
        return torch.cat(self.encode(x, covariates, totals), 1).numpy()

    def _prepared(self, x: NDArray[Any], covariates: Mapping[str, ArrayLike], totals: ArrayLike | None) -> NDArray[np.float32]:
        made = self.preparation
        assert made is not None
        if x.ndim != 2 or x.shape[1] != len(made.features) or x.dtype.kind not in "fiub" or not len(x):
            raise InputError(
                f"x: shape {x.shape} of type {x.dtype}; give rows of numbers, (n, {len(made.features)}), features {_some(made)}"
            )
        if np.isinf(x).any() or (made.logged and (x < 0).any()):
            raise InputError("x: has infinite values, or negative ones where counts are wanted; give finite values, NaN where missing")
        told = {name: np.asarray(covariates[name]) for name in made.covariates if name in covariates}
        if missing := [name for name in made.covariates if name not in told or told[name].shape != (len(x),)]:
            raise InputError(f"covariates: {missing[0]!r} is missing or not of shape ({len(x)},); give a value for each sample")
        for name in made.effects:
            if told[name].dtype.kind not in "iuf" or not np.isfinite(told[name]).all():
                raise InputError(f"covariates: {name!r} is a quantity; give a finite number for each sample")
        rows = x.astype(np.float64)
        if made.library is not None:
            sums = np.asarray(totals, dtype=np.float64) if totals is not None else np.zeros(0)
            if sums.shape != (len(x),):
                raise InputError(f"totals: the run normalises counts; give the total count of each of the {len(x)} cells over all genes")
            rows = rows * (made.library / np.where(sums > 0, sums, 1))[:, None]
        return made(np.log1p(rows) if made.logged else rows, told).astype(np.float32)


def _some(made: Preparation) -> str:
    return ", ".join(made.features[:3]) + (", …" if len(made.features) > 3 else "")


def from_pretrained(source: str | Path, *, revision: str | None = None) -> Pretrained:
    """Load a run from the hub or from a folder.

    Only configuration (YAML, JSON) and tensors (safetensors) are read: loading runs no code of the repository.

    Args:
        source: a folder, such as that of a run or of a copy of a repository; or OWNER/NAME of a repository on the hub.
        revision: branch, tag or commit of the repository; its main branch if None. Name a commit to get the same model always.

    Returns:
        The method, ready to encode.

    Raises:
        InputError: a repository or revision that cannot be fetched, or files that are missing, damaged or do not belong together.
    """
    path = Path(source)
    if not path.is_dir():
        path = _downloaded(str(source), revision)
    elif revision is not None:
        raise InputError(f"revision: {source} is a folder; leave it out")
    folder = RunFolder(path)
    check_finished(path)
    method, shape = load_method(folder)
    made = load_preparation(folder.preparation) if folder.preparation.exists() else None
    return Pretrained(path, folder.recipe(), method, shape, made)


def _downloaded(repository: str, revision: str | None) -> Path:
    check_repository(repository)
    need("hub", "source")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=[*PUBLISHED], library_name="sepclr"))
    except Exception as error:  # those of the hub, of HTTP and of the file system have no common base
        at = f" at {revision}" if revision else ""
        raise InputError(f"{repository}{at}: cannot be fetched from the hub: {_first_line(error)}") from None


def push_to_hub(run: Path | str, repository: str, *, private: bool = False) -> str:
    """Upload a finished run with a model card, in one commit; the token is the one that ``hf auth login`` or ``HF_TOKEN`` sets.

    Uploaded are ``model.safetensors``, ``preparation.safetensors``, ``config.yaml`` without folders, ``rows.jsonl``, ``results.jsonl``
    without the machine, ``environment.json`` with versions only, ``certificate.json`` and the card. Not uploaded are samples, names of
    samples or subjects, folds, commands, paths, host names, checkpoints and the report, which shows samples.

    Args:
        run: folder of the run.
        repository: OWNER/NAME, created if missing.
        private: whether only its owner may see it.

    Returns:
        Address of the commit.

    Raises:
        InputError: a run that is not finished or names folders in what would be published, or a hub that refuses.
    """
    check_repository(repository)
    need("hub", "push")
    check_evaluated(Path(run))
    from huggingface_hub import CommitOperationAdd, HfApi

    with TemporaryDirectory() as part:
        staged = stage(RunFolder(Path(run)), Path(part), repository)
        api = HfApi(library_name="sepclr")
        try:
            api.create_repo(repository, private=private or None, exist_ok=True)
            # For a repository that was there, the option has no effect.
            if private and not api.model_info(repository).private:
                raise InputError(f"{repository}: is public already; make it private on the hub, or choose another name")
            added = [CommitOperationAdd(path.name, path) for path in staged]
            commit = api.create_commit(repository, added, commit_message="Upload a run of sepclr")
        except InputError:
            raise
        except Exception as error:  # as above
            raise InputError(
                f"{repository}: cannot be pushed: {_first_line(error)}; log in with `hf auth login`, or set HF_TOKEN"
            ) from None
    return str(commit.commit_url)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def stage(folder: RunFolder, out: Path, repository: str) -> list[Path]:
    """Write what is published of a run to a folder, and return the files.

    Raises:
        InputError: a folder of this machine is named in one of them.
    """
    for name in COPIED:
        if (folder.path / name).exists():
            shutil.copyfile(folder.path / name, out / name)
    recipe = folder.recipe()
    shown = json.loads(json.dumps(published(recipe)))
    (out / "config.yaml").write_text(yaml.safe_dump(shown, sort_keys=False))
    made = folder.sessions()[-1]
    noted = {name: made.get(name) for name in ("versions", "commit", "precision")}
    (out / "environment.json").write_text(json.dumps({**noted, "root": None, "command": "", "machine": {}}, indent=1))
    lines = [json.loads(line) for line in folder.results.read_text().splitlines()]
    kept = [{name: value for name, value in line.items() if name not in OF_RESULTS} | {"recipe": shown} for line in lines]
    (out / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
    from huggingface_hub import ModelCard, ModelCardData

    tags = ["contrastive-analysis", "representation-learning", recipe.method.name]
    header = ModelCardData(library_name="sepclr", pipeline_tag="feature-extraction", tags=tags)
    ModelCard(f"---\n{header.to_yaml()}\n---\n\n{card_text(_card(folder, recipe, repository, kept))}").save(out / CARD)
    files = sorted(out.iterdir())
    _check_private(files, _folders(folder, recipe))
    return files


def _card(folder: RunFolder, recipe: Recipe, repository: str, results: list[dict[str, Any]]) -> Card:
    rows = cast(list[Row], read_rows(folder.rows))
    data, method, noted = recipe.data_set, recipe.declared, folder.samples()
    groups = [" or ".join(map(str, each)) for name in ("background", "target") if (each := getattr(recipe.study, name, None))]
    who = f" {groups[1]} against {groups[0]}." if len(groups) == 2 else ""
    shape = " x ".join(map(str, noted["sample_shape"]))
    certificate = json.loads((folder.path / CERTIFICATE).read_text()) if (folder.path / CERTIFICATE).exists() else []
    options = {name: value for name, value in flattened(published(recipe)).items() if value not in (None, "", (), [])}
    root = " --root DIR" if data.files else ""
    return Card(
        title=f"{data.title}: {recipe.label}",
        method=f"[{method.paper.title}]({method.paper.link})",
        data=f"{data.title}. {data.lead}{who}",
        rows=rows,
        belongs=_belongs(rows, results[0], recipe),
        dims=(options["common_dim"], options.get("salient_dim", 0)),
        takes=f"A sample is an array of shape {shape}.",
        recipe=options,
        command=f"sepclr fit {data.name} --config config.yaml{root}",
        repository=repository,
        versions=folder.sessions()[-1]["versions"],
        certificates=[certificate] if isinstance(certificate, dict) else certificate,
    )


def _belongs(rows: list[Row], line: Mapping[str, Any], recipe: Recipe) -> dict[str, str]:
    """Return the space in which each attribute is expected: there, the best score is not that of chance."""
    found = {GROUP: "s"}
    for row in rows:
        # The best scores are those of this metric.
        if row["space"] in ("c", "s") and row["protocol"] == line["protocol"] and row["metric"] in ("balanced_accuracy", "mae"):
            best = line["best_expected"].get(column_of(row, recipe.data_set.columns))
            if best is not None and best != row["chance"]:
                found[row["attribute"]] = row["space"]
    return found


def _folders(folder: RunFolder, recipe: Recipe) -> set[str]:
    """Return the folders of this machine that a run knows."""
    study, given = recipe.study, [folder.path.absolute() / folder.config.name]
    if study is not None:
        for name in (*study.FILES, "images"):
            value = getattr(study, name, None) or ()
            given += [Path(each) for each in ((value,) if isinstance(value, str) else value)]
    root = folder.root()
    parents = {path.parent for path in given if path.is_absolute()} | ({root.absolute()} if root else set())
    return {str(path) for path in parents if len(path.parts) > 2}


def _check_private(files: list[Path], folders: set[str]) -> None:
    for path in files:
        content = path.read_bytes()
        if named := [each for each in folders if each.encode() in content or json.dumps(each)[1:-1].encode() in content]:
            raise InputError(
                f"{path.name}: names the folder {named[0]}, which would be published; rename what contains it, and train again"
            )

"""Logs of training beside ``metrics.jsonl``, by name: Lightning's own loggers."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from sepclr.atomic import write_whole
from sepclr.extras import need_loggers
from sepclr.types import InputError

PROJECT = "sepclr"
"""Project of W&B and experiment of MLflow, unless WANDB_PROJECT or MLFLOW_EXPERIMENT_NAME names another."""

IDENTIFIERS = "loggers.json"
"""File in the folder of a run with its identifiers at W&B and MLflow, so that a resumed run continues its curves there."""


@contextmanager
def opened(names: Sequence[str], folder: Path | None, noted: Mapping[str, Any]) -> Iterator[list[Logger]]:
    """Yield loggers, and close them at the end.

    Args:
        names: names of ``sepclr.parts.LOGGERS``. W&B and MLflow are set up by their environment variables, such as WANDB_MODE and
            MLFLOW_TRACKING_URI; without the latter, MLflow writes to the folder.
        folder: folder of the run; without one there are no loggers.
        noted: hyperparameters to log.

    Raises:
        InputError: a package that is not installed, or that cannot log, such as to a server that cannot be reached.
    """
    if folder is None:
        yield []
        return
    need_loggers(names)
    made: list[Logger] = []
    try:
        for name in names:
            made.append(_started(name, folder, noted))
        yield made
    finally:
        for logger in made:
            if isinstance(logger, WandbLogger):
                logger.experiment.finish()  # the next run of this process would log to it


def _started(name: str, folder: Path, noted: Mapping[str, Any]) -> Logger:
    try:
        logger = _logger(name, folder)
        if noted:
            logger.log_hyperparams(dict(noted))
    except Exception as error:  # each package has its own, such as that of a server that cannot be reached
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(f"loggers: {name} cannot be used: {reason}") from None
    return logger


def _logger(name: str, folder: Path) -> Logger:
    if name == "tensorboard":
        return TensorBoardLogger(folder, name="", version="tensorboard", default_hp_metric=False)
    path = folder / IDENTIFIERS
    there = json.loads(path.read_text()) if path.exists() else {}
    if name == "wandb":
        project, own = os.environ.get("WANDB_PROJECT", PROJECT), there.get(name) or secrets.token_hex(4)
        logger: Any = WandbLogger(folder.name, save_dir=folder, project=project, id=own, resume="allow")
    else:
        where = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(folder / 'mlflow.db').absolute()}"
        experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        logger = MLFlowLogger(experiment, folder.name, where, run_id=there.get(name), artifact_location=_artifacts(where, folder))
        own = logger.run_id
    if own != there.get(name):
        _keep(path, {**there, name: own})
    return logger  # type: ignore[no-any-return]


@rank_zero_only  # type: ignore[untyped-decorator]
def _keep(path: Path, identifiers: Mapping[str, str]) -> None:
    write_whole(path, json.dumps(identifiers))


def _artifacts(where: str, folder: Path) -> str | None:
    return (folder / "mlflow").absolute().as_uri() if where.startswith("sqlite:") else None

"""Loggers by name: the loss terms of each epoch and the recipe; with stand-ins for W&B and MLflow, and with the packages where they are."""

from __future__ import annotations

import importlib.util
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning.loggers import Logger
from tests.training.test_fit import SETTINGS, CutAfter, Stop, history, method

from sepclr.cli import main
from sepclr.data import Cohort
from sepclr.training import Settings, fit, loggers
from sepclr.types import InputError
from sepclr.views import RowViews

NOTED = {"method": "sepclr", "tau": 0.5, "salient_dim": 3}
TERMS = {"common", "salient", "information_less", "independence", "loss"}


class Recorded(Logger):
    """Stands in for a logger whose package is not installed."""

    made: list[Recorded] = []  # noqa: RUF012

    def __init__(self, *arguments: Any, run_id: str | None = None, **options: Any) -> None:
        super().__init__()
        self.options = options | {"arguments": arguments, "run_id": run_id}
        self.run_id = run_id or "created"
        self.lines: list[dict[str, float]] = []
        self.noted: dict[str, Any] = {}
        self.finished = False
        self.experiment = self
        self.made.append(self)

    name = version = "recorded"

    def finish(self) -> None:
        self.finished = True

    def log_hyperparams(self, params: Any, *_: Any) -> None:
        self.noted = params

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.lines.append(metrics)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Recorded]:
    monkeypatch.setattr("sepclr.extras.find_spec", lambda name: name)
    monkeypatch.setattr(Recorded, "made", [])
    for name in ("WandbLogger", "MLFlowLogger"):
        monkeypatch.setattr(loggers, name, Recorded)
    return Recorded.made


def test_terms_of_each_epoch_and_hyperparameters_are_logged(rows: Cohort, tmp_path: Path, recorded: list[Recorded]):
    fit(method(), RowViews(), rows, replace(SETTINGS, loggers="wandb"), seed=0, folder=tmp_path, noted=NOTED)
    (made,) = recorded
    assert [{name: float(line[name]) for name in TERMS} for line in made.lines] == [
        {name: pytest.approx(line[name], rel=1e-6) for name in TERMS} for line in history(tmp_path)
    ]
    assert made.noted == NOTED
    assert not (tmp_path / "tensorboard").exists()


def test_none_leaves_the_metrics_alone(rows: Cohort, tmp_path: Path):
    fit(method(), RowViews(), rows, replace(SETTINGS, loggers="none"), seed=0, folder=tmp_path, noted=NOTED)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "metrics.jsonl"]


def test_a_resumed_run_continues_its_own_curves(rows: Cohort, tmp_path: Path, recorded: list[Recorded]):
    settings = replace(SETTINGS, loggers="wandb,mlflow")
    with pytest.raises(Stop):
        fit(method(), CutAfter(2), rows, settings, seed=0, folder=tmp_path, noted=NOTED)
    fit(method(), RowViews(), rows, settings, seed=0, folder=tmp_path, noted=NOTED)
    first, _, again, of_mlflow = recorded
    assert first.options["id"] == again.options["id"]
    assert of_mlflow.options["run_id"] == "created"
    assert json.loads((tmp_path / "loggers.json").read_text()) == {"wandb": first.options["id"], "mlflow": "created"}
    assert all(each.finished and each.noted == NOTED for each in (first, again))
    assert len(again.lines) == len(of_mlflow.lines) == 4
    assert again.lines[0].keys() >= TERMS


def test_a_logger_that_cannot_log_is_named(rows: Cohort, tmp_path: Path, recorded: list[Recorded], monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: Any) -> None:
        raise RuntimeError("no API key\nlog in")

    monkeypatch.setattr(Recorded, "log_hyperparams", refuse)
    with pytest.raises(InputError, match=r"^loggers: wandb cannot be used: no API key$"):
        fit(method(), RowViews(), rows, replace(SETTINGS, loggers="wandb"), seed=0, folder=tmp_path, noted=NOTED)
    assert not (tmp_path / "metrics.jsonl").exists()


@pytest.mark.parametrize("loggers", ["tensorboard,neptune", "", "wandb,none"])
def test_an_unknown_logger_is_named(loggers: str):
    with pytest.raises(InputError, match=r"loggers: .* choose"):
        Settings(1, 20, 0.1, loggers=loggers)


def test_a_missing_package_is_named_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("sepclr.extras.find_spec", lambda name: None if name == "wandb" else name)
    assert main(["fit", "marked-digits", "--loggers", "wandb", "--out", str(tmp_path / "run")]) == 2
    assert "loggers: needs wandb; pip install 'sepclr[wandb]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="mlflow is not installed")
@pytest.mark.filterwarnings("default")
def test_mlflow_has_the_curves(rows: Cohort, tmp_path: Path):
    import mlflow

    settings = replace(SETTINGS, loggers="mlflow")
    for _ in range(2):  # the second resumes a finished run
        fit(method(), RowViews(), rows, settings, seed=0, folder=tmp_path, noted=NOTED)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    own = json.loads((tmp_path / "loggers.json").read_text())["mlflow"]
    assert client.get_run(own).data.params["tau"] == "0.5"
    curve = client.get_metric_history(own, "loss")
    assert [point.value for point in curve] == [pytest.approx(line["loss"]) for line in history(tmp_path)]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="wandb is not installed")
@pytest.mark.filterwarnings("default")
def test_wandb_writes_offline(rows: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    fit(method(), RowViews(), rows, replace(SETTINGS, loggers="wandb"), seed=0, folder=tmp_path, noted=NOTED)
    own = json.loads((tmp_path / "loggers.json").read_text())["wandb"]
    (log,) = tmp_path.glob(f"wandb/offline-run-*/run-{own}.wandb")
    names = {name.encode() for name in (*TERMS, *NOTED)}
    for _ in range(100):  # another process writes it
        if all(name in log.read_bytes() for name in names):
            return
        time.sleep(0.1)
    assert names == {name for name in names if name in log.read_bytes()}

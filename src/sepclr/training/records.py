"""Records of training: metrics and a progress line per epoch."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from time import perf_counter

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from sepclr.atomic import write_whole


class JsonLines(Checkpoint):
    """Append the metrics of each epoch to a file, one JSON object per line.

    An interrupted session may have left a torn line, or lines of epochs that it did not save; the first line of a session replaces them.
    As a logger, it would write after the checkpoint of the epoch, and a kill in between would lose the line.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.begun = False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Append the means of the epoch that ends; only the first process does."""
        if not trainer.is_global_zero:
            return
        means = {name: float(value) for name, value in trainer.callback_metrics.items()}
        line = json.dumps({"epoch": trainer.current_epoch, "step": trainer.global_step - 1} | means)
        if not self.begun:
            write_whole(self.path, "".join(f"{each}\n" for each in [*self._before(trainer.current_epoch), line]))
            self.begun = True
            return
        with self.path.open("a") as file:
            file.write(f"{line}\n")

    def _before(self, epoch: int) -> list[str]:
        """Return the whole lines of earlier epochs."""
        kept = []
        for line in self.path.read_text().splitlines() if self.path.exists() else []:
            with suppress(ValueError, KeyError, TypeError):
                if json.loads(line)["epoch"] < epoch:
                    kept.append(line)
        return kept


class History(Callback):
    """Keep the mean loss terms of each epoch.

    Attributes:
        epochs: one mapping per epoch, like a line of ``JsonLines``.
    """

    def __init__(self) -> None:
        self.epochs: list[dict[str, float | int]] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the means of the epoch that ends."""
        means = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.epochs.append({"epoch": trainer.current_epoch, "step": trainer.global_step} | means)


class EpochLines(Callback):
    """Print a line per epoch, for logs: epoch k of n, loss, seconds, and the time left.

    Args:
        label: label at the beginning of each line, such as the name of a run.
    """

    def __init__(self, label: str = "") -> None:
        self.label = f"{label}: " if label else ""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the epoch with which training begins."""
        self.last, self.seconds = perf_counter(), list[float]()
        self._print(f"training from epoch {trainer.current_epoch + 1} of {trainer.max_epochs}")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the line of an epoch."""
        now = perf_counter()
        self.seconds.append(now - self.last)
        self.last = now
        epoch, epochs = trainer.current_epoch + 1, trainer.max_epochs or 0
        left = sum(self.seconds) / len(self.seconds) * (epochs - epoch)
        loss = float(trainer.callback_metrics["loss"])
        self._print(f"epoch {epoch} of {epochs}, loss {loss:.4g}, {self.seconds[-1]:.1f} s, {_duration(left)} left")

    def _print(self, text: str) -> None:
        print(f"{datetime.now():%H:%M:%S} {self.label}{text}", flush=True)


def _duration(seconds: float) -> str:
    """Format a duration in a suitable unit."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

"""What training leaves behind: a line of metrics per epoch, and checkpoints that a kill cannot spoil."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from pathlib import Path
from typing import Any

from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only


class JsonLines(Logger):
    """Append the metrics of each epoch to a file, one JSON object a line.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    @property
    def name(self) -> str:
        """Name of the log."""
        return self.path.stem

    @property
    def version(self) -> str:
        """Version of the log; a run has one."""
        return ""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: a run's settings are in its config."""

    @rank_zero_only  # type: ignore[untyped-decorator]
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append one line."""
        with self.path.open("a") as file:
            file.write(json.dumps({"epoch": int(metrics["epoch"]), "step": step} | metrics) + "\n")


class AtomicCheckpoints(TorchCheckpointIO):  # type: ignore[misc]
    """Write a checkpoint beside the last one and rename it, so that a killed run keeps a whole one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any | None = None) -> None:
        """Save to ``path`` in one step."""
        whole = Path(path)
        part = whole.with_suffix(".part")
        super().save_checkpoint(checkpoint, part, storage_options)
        part.replace(whole)

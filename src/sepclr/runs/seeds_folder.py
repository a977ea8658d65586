"""The folder of runs that differ in their seed. No heavy imports here, so that the command line starts quickly."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

from sepclr.errors import InputError
from sepclr.runs.folder import RunFolder


@dataclass(frozen=True)
class SeedsFolder:
    """Paths of the runs of several seeds and of what is made from all of them; its rows and results are those of a ``RunFolder``.

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def stability(self) -> Path:
        """Agreement of the codes of every two seeds, one line per space, measure and pair."""
        return self.path / "stability.jsonl"

    @property
    def alignment(self) -> Path:
        """How the codes of the seeds are aligned and averaged, as safetensors; written last but for the report."""
        return self.path / "alignment.safetensors"

    def run(self, seed: int) -> RunFolder:
        """Return the folder of the run of a seed."""
        return RunFolder(self.path / f"seed-{seed}")

    def noted(self) -> dict[str, Any]:
        """Return what is stored with the alignment: its ``seeds``, and which codes are on the ``unit`` sphere.

        Raises:
            InputError: if a run has not finished.
        """
        if not self.alignment.is_file():
            raise InputError(f"{self.path}: not all seeds have finished (alignment.safetensors is missing); resume them with --resume")
        with safe_open(self.alignment, framework="np") as file:
            noted: dict[str, Any] = json.loads(file.metadata()["ensemble"])
            return noted


def holds_seeds(path: Path) -> bool:
    """Return whether a folder holds runs of several seeds."""
    return not RunFolder(path).config.exists() and any(path.glob("seed-*/config.yaml"))


def one_run(path: Path) -> Path:
    """Return the folder of a run, or that of the first run in a folder of seeds.

    Raises:
        InputError: if the runs of a folder of seeds have not finished.
    """
    if not holds_seeds(path):
        return path
    folder = SeedsFolder(path)
    return folder.run(folder.noted()["seeds"][0]).path

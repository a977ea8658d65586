"""Checkpoints of the last two epochs, of which a kill, a power failure or a full disk leaves at least one that is whole."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from sepclr.atomic import replacing
from sepclr.types import InputError

LAST, PREVIOUS, DAMAGED = "last.ckpt", "previous.ckpt", "damaged.ckpt"
"""Files in ``checkpoints/``: of the last epoch, of the one before while training lasts, and what was found damaged in place of the last."""


class Checkpoints(TorchCheckpointIO):  # type: ignore[misc]
    """Write a checkpoint beside the last one, which then becomes the previous one by its name.

    Args:
        folder: folder of the checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged = False

    def found(self) -> Path | None:
        """Return the newest checkpoint that is whole, None if there is none yet; nothing is changed.

        Raises:
            InputError: if there are checkpoints, and none is whole.
        """
        last, previous = self.folder / LAST, self.folder / PREVIOUS
        there = [path for path in (last, previous) if path.exists()]
        for path in there:
            if _is_whole(path):
                self.damaged = path == previous and last in there
                return path
        if there:
            names = " and ".join(path.name for path in there)
            raise InputError(f"{self.folder}: {names} damaged; restore a copy, or remove this folder to train from the first epoch")
        return None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any | None = None) -> None:
        """Save to ``path`` in one step, and keep what was there."""
        last = Path(path)
        content = io.BytesIO()  # as in Lightning: written to a file on a full disk, torch raises an error without its reason
        torch.save(checkpoint, content)
        with replacing(last) as part:
            part.write_bytes(content.getbuffer())  # not, as in Lightning, to the system's temporary folder first
            if last.exists():  # killed between the two renames, a run resumes from the previous one
                last.replace(self.folder / (DAMAGED if self.damaged else PREVIOUS))
        self.damaged = False

    def finish(self) -> None:
        """Remove the checkpoint before the last, which is of no use after training."""
        (self.folder / PREVIOUS).unlink(missing_ok=True)


def _is_whole(path: Path) -> bool:
    """Return whether the checksums of a checkpoint, a zip file written by torch, fit its content."""
    try:
        with ZipFile(path) as file:
            return file.testzip() is None
    except (BadZipFile, EOFError, OSError, ValueError, NotImplementedError):
        return False

"""Page of targets without their salient pattern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sepclr.reports.figures import strip
from sepclr.reports.html import write_html
from sepclr.reports.shown import pictures


@dataclass(frozen=True, eq=False)
class RemovalPage:
    """Contents of the page.

    Attributes:
        title: display name of the data set.
        run: name of the run.
        images: images in 0..1 or volumes by name, each of shape (n, channels, *space), of the same targets.
        rows: scores as text by column; empty if the true images are unknown.
        attribute: common attribute that the judge reads.
    """

    title: str
    run: str
    images: Mapping[str, Tensor]
    rows: Sequence[Mapping[str, str]]
    attribute: str


def write_removal_page(path: Path, page: RemovalPage) -> None:
    """Write the page as one HTML file.

    Raises:
        OSError: the file cannot be written.
    """
    strips = {name: strip(torch.from_numpy(pictures(images)).float().div(255).numpy()) for name, images in page.images.items()}
    write_html(path, "removal.html.j2", page=page, strips=strips)

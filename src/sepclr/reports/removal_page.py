"""Page of targets without their salient pattern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sepclr.reports.figures import strip
from sepclr.reports.html import write_html
from sepclr.reports.shown import pictures
from sepclr.reports.tables import spread


@dataclass(frozen=True, eq=False)
class RemovalPage:
    """Contents of the page.

    Attributes:
        title: display name of the data set.
        run: name of the run.
        images: images in 0..1 or volumes by name, each of shape (n, channels, *space), of the same targets.
        rows: scores as text by column; empty if the true images are unknown.
        attribute: common attribute that the judge reads; empty without a judge.
        swaps: scores of swaps as text by column; empty without a judge.
    """

    title: str
    run: str
    images: Mapping[str, Tensor]
    rows: Sequence[Mapping[str, str]]
    attribute: str
    swaps: Sequence[Mapping[str, str]] = ()


COLUMNS = {
    "psnr": ("PSNR, dB ↑", 1.0, 1),
    "ssim": ("SSIM ↑", 1.0, 3),
    "inside": ("error inside ↓", 1.0, 2),
    "outside": ("error outside ↓", 1.0, 3),
    "background": ("judged background, % ↑", 100.0, 1),
    "kept": ("{} kept, % ↑", 100.0, 1),
    "frechet": ("Fréchet distance ↓", 1.0, 2),
    "controls": ("change of background ↓", 1.0, 2),
}
"""Heading, factor and decimals of each score of a removal; that of ``kept`` has the name of the attribute."""


def removal_cells(sets: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, str]]:
    """Format the scores of sets of images, by heading: of several seeds their mean and standard deviation.

    Args:
        sets: rows of ``sepclr.probes.removal`` for each set, one per seed.

    Returns:
        The cells of each set. All have the same headings; those of scores that no row has are left out.
    """
    every = [row for rows in sets for row in rows]
    headings = {score: heading for score, (heading, _, _) in COLUMNS.items() if any(score in row for row in every)}
    kept = next((attribute for row in every for attribute in row.get("kept", ())), None)
    if kept is None:
        headings.pop("kept", None)
    else:
        headings["kept"] = headings["kept"].format(kept)
    return [_cells(rows, headings) for rows in sets]


SWAPS = {
    "donor_salient": "{salient} of donor, % ↑",
    "own_salient": "own {salient}, % ↓",
    "own_common": "own {common}, % ↑",
    "donor_common": "{common} of donor, % ↓",
}
"""Heading of each score of a swap, with the names of the attributes."""


def swap_cells(rows: Sequence[Mapping[str, Any]], *, common: str, salient: str) -> dict[str, str]:
    """Format the scores of swaps of one set of images, by heading: of several seeds their mean and standard deviation."""
    headings = {score: heading.format(common=common, salient=salient) for score, heading in SWAPS.items()}
    return _first(rows) | {heading: spread([100 * row[score] for row in rows], 1) for score, heading in headings.items()}


def _first(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {"images": rows[0]["name"]} | ({"seeds": str(len(rows))} if len(rows) > 1 else {})


def _cells(rows: Sequence[Mapping[str, Any]], headings: Mapping[str, str]) -> dict[str, str]:
    cells = _first(rows)
    for score, heading in headings.items():
        _, factor, digits = COLUMNS[score]
        values: list[Any] = [row.get(score) for row in rows]
        if score == "kept":
            values = [None if value is None else next(iter(value.values())) for value in values]
        # Not every set has every score, and where the error is 0, there is no ratio.
        cells[heading] = "" if None in values else spread([factor * value for value in values], digits)
    return cells


def write_removal_page(path: Path, page: RemovalPage) -> None:
    """Write the page as one HTML file.

    Raises:
        OSError: the file cannot be written.
    """
    seen = {name: images for name, images in page.images.items() if images.ndim > 2}  # rows have no picture
    strips = {name: strip(torch.from_numpy(pictures(images)).float().div(255).numpy()) for name, images in seen.items()}
    write_html(path, "removal.html.j2", page=page, strips=strips)

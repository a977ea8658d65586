"""Pictures of the page: the sheet of images, codes in two dimensions, and curves of the loss as SVG paths."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.reports.drawn import as_png

LARGEST_TILE = 64
"""Longer side of a tile in pixels; larger images are reduced to it, so that a page stays a few megabytes."""
FEWEST_FOR_TSNE = 30
NOT_TERMS = ("epoch", "step")

Histories = Sequence[tuple[str, Sequence[Mapping[str, float | int]]]]
"""Name and history of each run."""


@dataclass(frozen=True)
class Sheet:
    """All images in one PNG, row by row; ``columns`` x ``rows`` tiles of ``width`` x ``height`` pixels."""

    uri: str
    columns: int
    rows: int
    width: int
    height: int


@dataclass(frozen=True)
class Curve:
    """One run in one chart: its place among the runs, its name, an SVG path in a box of 100 x 100, its last finite value."""

    place: int
    run: str
    path: str
    last: str


@dataclass(frozen=True)
class Chart:
    """One term over the epochs, all runs overlaid."""

    term: str
    low: str
    high: str
    first: str
    last: str
    curves: tuple[Curve | None, ...]
    """One per run; None where a run has no finite value of the term."""


def sheet(images: NDArray[np.uint8]) -> Sheet:
    """Put images, shape (n, channels, h, w) with 1 or 3 channels, into one PNG as a data URI."""
    from PIL import Image

    n, channels, height, width = images.shape
    scale = min(1.0, LARGEST_TILE / max(height, width))
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    columns = max(1, math.ceil(math.sqrt(n)))
    rows = max(1, math.ceil(n / columns))
    mode = "L" if channels == 1 else "RGB"
    whole = Image.new(mode, (columns * w, rows * h))
    for i, image in enumerate(images):
        pixels = np.ascontiguousarray(image[0] if channels == 1 else image.transpose(1, 2, 0))
        tile = Image.fromarray(pixels)
        if scale < 1:
            tile = tile.resize((w, h), Image.Resampling.LANCZOS)
        whole.paste(tile, (i % columns * w, i // columns * h))
    return Sheet(as_png(lambda file: whole.save(file, "PNG", optimize=True)), columns, rows, w, h)


def strip(images: NDArray[np.floating[Any]]) -> str:
    """Put images in 0..1, shape (n, channels, h, w) with 1 or 3 channels, side by side into one PNG as a data URI."""
    from PIL import Image

    row: NDArray[np.uint8] = (255 * np.clip(np.concatenate(list(images), axis=2), 0, 1)).round().astype(np.uint8)  # (channels, h, n w)
    whole = Image.fromarray(np.ascontiguousarray(row[0] if len(row) == 1 else row.transpose(1, 2, 0)))
    return as_png(lambda file: whole.save(file, "PNG", optimize=True))


def flatten(codes: NDArray[np.float32]) -> tuple[NDArray[np.float64], str]:
    """Lay codes, shape (n, d), out in the plane.

    Returns:
        Coordinates in 0..1, shape (n, 2), and a sentence on how they were made.
    """
    x = np.nan_to_num(np.asarray(codes, dtype=np.float64))
    n, d = x.shape
    distinct = d > 0 and n > 1 and bool(np.ptp(x, axis=0).max() > 1e-9 * max(1.0, float(np.abs(x).max())))
    if not distinct:
        return np.full((n, 2), 0.5), "All samples have the same code, so they lie on one point."
    if d == 1:
        height = np.random.default_rng(0).uniform(0.25, 0.75, n)
        return np.stack([_unit(x)[:, 0], height], 1), "One dimension, left to right; the height only keeps points apart."
    if d == 2 or n < FEWEST_FOR_TSNE:
        return _unit(_principal(x)), "The two first principal components."
    return _unit(_tsne(x)), "t-SNE: near points have near codes; large distances and directions mean nothing."


def charts(histories: Histories) -> list[Chart]:
    """Draw each term of the histories, the total loss first; terms without any finite value are left out."""
    terms = dict.fromkeys(key for _, history in histories for entry in history for key in entry if key not in NOT_TERMS)
    drawn = (_chart(term, histories) for term in sorted(terms, key=lambda term: term != "loss"))
    return [chart for chart in drawn if chart is not None]


def _principal(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project rows on their two first principal components, shape (n, 2)."""
    from sklearn.decomposition import PCA

    plane = np.zeros((len(x), 2))
    found = PCA(min(2, *x.shape), svd_solver="full").fit_transform(x)
    plane[:, : found.shape[1]] = found
    return plane


def _tsne(x: NDArray[np.float64]) -> NDArray[np.float64]:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(30.0, (len(x) - 1) / 3)
    # Threads that wait for each other at every one of its thousand short steps cost more than they give, above all beside other work.
    with threadpool_limits(1):
        return np.asarray(TSNE(init="pca", random_state=0, perplexity=perplexity).fit_transform(x), dtype=np.float64)


def _unit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shift and scale coordinates into 0..1, the same scale on both axes, centred."""
    low, high = x.min(0), x.max(0)
    extent = float((high - low).max()) or 1.0
    return np.asarray((x - (low + high) / 2) / extent + 0.5, dtype=np.float64)


def _points(history: Sequence[Mapping[str, float | int]], term: str) -> list[tuple[float, float]]:
    """List (epoch, value) of a term, NaN where the value is missing or not finite."""
    return [(_finite(entry.get("epoch", i)), _finite(entry[term])) for i, entry in enumerate(history) if term in entry]


def _finite(value: Any) -> float:
    try:
        return float(value) if math.isfinite(float(value)) else math.nan
    except (TypeError, ValueError):
        return math.nan


def _chart(term: str, histories: Histories) -> Chart | None:
    points = [_points(history, term) for _, history in histories]
    known = [(x, y) for run in points for x, y in run if math.isfinite(x + y)]
    if not known:
        return None
    x_range, y_range = _range(x for x, _ in known), _range(y for _, y in known)
    curves = tuple(
        Curve(place, name, path, next(_short(y) for _, y in reversed(run) if math.isfinite(y)))
        if (path := _path(run, x_range, y_range))
        else None
        for place, ((name, _), run) in enumerate(zip(histories, points, strict=True))
    )
    return Chart(term, _short(y_range[0]), _short(y_range[1]), _short(x_range[0]), _short(x_range[1]), curves)


def _range(values: Iterable[float]) -> tuple[float, float]:
    chosen = list(values)
    return min(chosen), max(chosen)


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _place(value: float, low: float, high: float) -> float:
    """Place a value in 0..100; the middle where all values are equal."""
    return round(100 * (value - low) / (high - low), 2) if high > low else 50.0


def _path(points: Sequence[tuple[float, float]], x_range: tuple[float, float], y_range: tuple[float, float]) -> str:
    """Draw a line through the finite points, broken at the others; a lone point becomes a line without length, that is a dot."""
    parts: list[str] = []
    pen = "M"
    for i, (x, y) in enumerate(points):
        if not math.isfinite(x + y):
            pen = "M"
            continue
        place = f"{_place(x, *x_range)} {round(100 - _place(y, *y_range), 2)}"
        parts.append(pen + place)
        alone = pen == "M" and (i + 1 == len(points) or not math.isfinite(sum(points[i + 1])))
        if alone:
            parts.append("h0")
        pen = "L"
    return "".join(parts)

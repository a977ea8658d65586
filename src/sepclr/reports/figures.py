"""Figures of the page: the sheet of images, codes in two dimensions, and loss curves as SVG paths."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.reports.drawn import as_png

LARGEST_TILE = 64
"""Maximum side length of a tile in pixels; larger images are downscaled to keep the page to a few megabytes."""
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
    """One run in one chart: its index among the runs, its name, an SVG path in a 100 x 100 box, and its last finite value."""

    place: int
    run: str
    path: str
    last: str


@dataclass(frozen=True)
class Chart:
    """One term by epoch, all runs overlaid."""

    term: str
    low: str
    high: str
    first: str
    last: str
    curves: tuple[Curve | None, ...]
    """One per run; None if a run has no finite value of the term."""


def sheet(images: NDArray[np.uint8]) -> Sheet:
    """Tile images, shape (n, channels, h, w) with 1 or 3 channels, into one PNG data URI."""
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
    """Place images in 0..1, shape (n, channels, h, w) with 1 or 3 channels, side by side in one PNG data URI."""
    from PIL import Image

    row: NDArray[np.uint8] = (255 * np.clip(np.concatenate(list(images), axis=2), 0, 1)).round().astype(np.uint8)  # (channels, h, n w)
    whole = Image.fromarray(np.ascontiguousarray(row[0] if len(row) == 1 else row.transpose(1, 2, 0)))
    return as_png(lambda file: whole.save(file, "PNG", optimize=True))


def flatten(codes: NDArray[np.float32]) -> tuple[NDArray[np.float64], str]:
    """Embed codes, shape (n, d), in two dimensions.

    Returns:
        Coordinates in 0..1, shape (n, 2), and a sentence that explains them.
    """
    x = np.nan_to_num(np.asarray(codes, dtype=np.float64))
    n, d = x.shape
    distinct = d > 0 and n > 1 and bool(np.ptp(x, axis=0).max() > 1e-9 * max(1.0, float(np.abs(x).max())))
    if not distinct:
        return np.full((n, 2), 0.5), "All samples have the same code, so all points coincide."
    if d == 1:
        height = np.random.default_rng(0).uniform(0.25, 0.75, n)
        return np.stack([_unit(x)[:, 0], height], 1), "One dimension, from left to right; the height is random, to separate points."
    if d == 2 or n < FEWEST_FOR_TSNE:
        return _unit(_principal(x)), "The first two principal components."
    return _unit(_tsne(x)), "t-SNE: nearby points have similar codes; large distances and directions have no meaning."


def charts(histories: Histories) -> list[Chart]:
    """Draw a chart of each term of the histories, the total loss first; leave out terms without finite values."""
    terms = dict.fromkeys(key for _, history in histories for entry in history for key in entry if key not in NOT_TERMS)
    drawn = (_chart(term, histories) for term in sorted(terms, key=lambda term: term != "loss"))
    return [chart for chart in drawn if chart is not None]


def _principal(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project rows onto their first two principal components, shape (n, 2)."""
    from sklearn.decomposition import PCA

    plane = np.zeros((len(x), 2))
    found = PCA(min(2, *x.shape), svd_solver="full").fit_transform(x)
    plane[:, : found.shape[1]] = found
    return plane


def _tsne(x: NDArray[np.float64]) -> NDArray[np.float64]:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(30.0, (len(x) - 1) / 3)
    # t-SNE takes a thousand short steps: synchronising threads costs more time than it saves, above all on a busy machine.
    with threadpool_limits(1):
        return np.asarray(TSNE(init="pca", random_state=0, perplexity=perplexity).fit_transform(x), dtype=np.float64)


def _unit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre coordinates and scale them to 0..1, with the same scale on both axes."""
    low, high = x.min(0), x.max(0)
    extent = float((high - low).max()) or 1.0
    return np.asarray((x - (low + high) / 2) / extent + 0.5, dtype=np.float64)


def _points(history: Sequence[Mapping[str, float | int]], term: str) -> list[tuple[float, float]]:
    """Return (epoch, value) pairs of a term, with NaN for values that are not finite numbers."""
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
    """Scale a value from low..high to 0..100; return 50 if the range is empty."""
    return round(100 * (value - low) / (high - low), 2) if high > low else 50.0


def _path(points: Sequence[tuple[float, float]], x_range: tuple[float, float], y_range: tuple[float, float]) -> str:
    """Return an SVG path through the finite points, with gaps at the others; an isolated point is a line of length 0, drawn as a dot."""
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

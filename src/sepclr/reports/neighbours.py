"""Nearest targets in each space, and the attribute values that they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sepclr.reports.attributes import Shown

NEIGHBOURS = 6
QUERIES = 5


@dataclass(frozen=True)
class Tile:
    """One sample in a row of neighbours: its index, and (attribute, role, value as text, whether it agrees with the query)."""

    index: int
    values: tuple[tuple[str, str, str, bool], ...]


@dataclass(frozen=True)
class Query:
    """A target and its neighbours in each space, nearest first."""

    tile: Tile
    near: Mapping[str, tuple[Tile, ...]]


@dataclass(frozen=True)
class Share:
    """Fraction (0..1) of neighbours that share an attribute's value with their query, by space, and of all other targets that do."""

    name: str
    role: str
    by_space: Mapping[str, float]
    any_other: float
    is_quantity: bool


@dataclass(frozen=True)
class Neighbourhood:
    """Neighbours that the page shows; empty if there are fewer than two targets."""

    queries: tuple[Query, ...]
    shares: tuple[Share, ...]
    count: int
    """Number of neighbours of each target."""
    targets: int


def neighbourhood(spaces: Mapping[str, NDArray[np.float32]], is_target: NDArray[np.bool_], attributes: Sequence[Shown]) -> Neighbourhood:
    """Find the nearest other targets of each target, by Euclidean distance, in each space; codes have shape (n, d)."""
    targets = np.flatnonzero(is_target)
    count = min(NEIGHBOURS, len(targets) - 1)
    shown = [a for a in attributes if a.name != "group" and a.known(targets).any()]
    if count < 1:
        return Neighbourhood((), (), 0, len(targets))
    near = {name: targets[nearest(codes[targets], count)] for name, codes in spaces.items()}
    queries = []
    for q in _varied(targets, shown):
        tiles = {name: tuple(_tile(i, targets[q], shown) for i in index[q]) for name, index in near.items()}
        queries.append(Query(_tile(targets[q], targets[q], shown), tiles))
    return Neighbourhood(tuple(queries), tuple(_share(a, targets, near) for a in shown), count, len(targets))


def nearest(codes: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Return indices, shape (n, count), of the nearest other rows of codes, shape (n, d), by Euclidean distance, nearest first."""
    from sklearn.neighbors import NearestNeighbors

    x = np.nan_to_num(np.asarray(codes, dtype=np.float64))
    # Called without samples, kneighbors does not count a row as its own neighbour.
    return np.asarray(NearestNeighbors(n_neighbors=count, algorithm="brute").fit(x - x.mean(0)).kneighbors(return_distance=False))


def _varied(targets: NDArray[np.intp], attributes: Sequence[Shown]) -> list[int]:
    """Choose the first targets whose classes all differ from those already chosen; fill up with the first of the others."""
    classes = [a for a in attributes if not a.is_quantity]
    chosen: list[int] = []
    for q, i in enumerate(targets):
        if len(chosen) < QUERIES and all(a.text[i] != a.text[targets[p]] for a in classes for p in chosen):
            chosen.append(q)
    chosen += [q for q in range(len(targets)) if q not in chosen]
    return chosen[:QUERIES]


def _tile(index: np.intp, query: np.intp, attributes: Sequence[Shown]) -> Tile:
    one, two = np.array([index]), np.array([query])
    values = tuple(
        (a.name, a.role, a.text[int(index)], bool(index != query) and bool(a.agree(one, two)[0])) for a in attributes if a.text[int(index)]
    )
    return Tile(int(index), values)


def _share(attribute: Shown, targets: NDArray[np.intp], near: Mapping[str, NDArray[np.intp]]) -> Share:
    by_space = {}
    for name, index in near.items():
        known = attribute.known(targets)[:, None] & attribute.known(index)
        agree = attribute.agree(targets[:, None], index)[known]
        by_space[name] = float(agree.mean()) if len(agree) else float("nan")
    having = targets[attribute.known(targets)]
    pairs = len(having) * (len(having) - 1)
    same = int(attribute.agree(having[:, None], having[None, :]).sum()) - len(having)
    return Share(attribute.name, attribute.role, by_space, same / pairs if pairs else float("nan"), attribute.is_quantity)

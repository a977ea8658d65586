"""Look at the training samples of a cohort, in bounded memory and time, and gather what they say before training."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, adaptive_avg_pool3d

from sepclr.data import Cohort, Lazy
from sepclr.data.attributes import is_quantity
from sepclr.data.facts import counted, digests, duplicates
from sepclr.methods.advice import Setting
from sepclr.probes import Confounding, confounding
from sepclr.probes.confounding import once_per_subject
from sepclr.probes.dimension import contrastive_dimension
from sepclr.probes.halves import halves
from sepclr.probes.near_copies import near_copies
from sepclr.probes.preflight import Finding, Preflight, confounders, copies, groups, preflight, signal
from sepclr.probes.two_sample import two_sample
from sepclr.training import encode
from sepclr.types import InputError, Method
from sepclr.views import pixels

MOST = 1000
"""Samples of each group that are compared."""
VALUES = 2**26
"""Values of samples held at once."""
PLACES = 2**13
"""Values of an image or volume; larger ones are averaged over blocks."""
DIRECTIONS = 200
"""Principal components to which samples are reduced where they have more values."""
COMPONENTS = 50
"""Principal components whose magnitudes are added, and in which the contrastive dimension is estimated."""
HASHED = 2**29
"""Values that are hashed to find identical samples."""
COMPARED = 1024
"""Values of a sample in which near copies are sought."""
FEWEST = 4
"""Subjects of a group below which it cannot be split and compared."""
COUNTED = 5
"""Largest value from which whole numbers are taken for counts rather than classes."""
LEAST = 1e-6
"""Standard deviation, relative to the largest, below which values are constant but for rounding."""

Floats = NDArray[np.floating[Any]]


def of_cohort(
    cohort: Cohort, network: Method | None, *, tests: Sequence[Cohort] = (), attributes: Sequence[str] | None = None, seed: int = 0
) -> Preflight:
    """Look at training samples, at no more than 1,000 of each group. Test samples are only compared with them, to find duplicates.

    Args:
        cohort: training samples of both groups; rows standardised, or counts.
        network: the untrained method; None for a method without networks.
        tests: test samples.
        attributes: names of the attributes that both groups have; all of them if None.
        seed: random seed of samples, halves and permutations.

    Raises:
        InputError: fewer than four subjects of a group, or halves of them without one of the groups.
    """
    draw = np.random.default_rng(seed)
    kinds: dict[int, Literal["rows", "images", "volumes"]] = {2: "rows", 4: "images", 5: "volumes"}
    kind, is_target = kinds[cohort.x.ndim], cohort.is_target.cpu().numpy()
    rows = _chosen(cohort, is_target, draw)
    part, chosen = is_target[rows], None if cohort.subjects is None else cohort.subjects[rows]
    x, sides = _values(cohort.x, rows), _halves(part, chosen, seed)
    counts = _are_counts(x, kind)
    spaces = _spaces(np.log1p(x) if counts else x, kind, seed)
    looked = f"{len(rows)} of {counted(len(cohort), 'training samples')}"
    if network is not None and (features := _features(network, cohort.x, rows)).shape[1]:
        spaces["features"] = features
    how: dict[str, Any] = {"subjects": chosen, "seed": seed}
    compared = {name: two_sample(each, part, sides, **how) for name, each in spaces.items()}
    own_units = kind == "rows" and spaces["samples"].shape[1] <= COMPONENTS
    seen = spaces["samples" if own_units else "components"][:, :COMPONENTS]
    dimension = contrastive_dimension(seen, part, own_units=own_units, **how) if seen.shape[1] > 1 else None
    found = signal(compared, dimension, _sizes(part, chosen, sides[1]), looked, "samples" if chosen is None else "subjects")
    targets = int(cohort.target_groups.max()) + 1
    found["groups"] = groups(is_target, cohort.subjects, targets)
    found["confounders"], nuisances = confounders(_confounding(cohort, is_target, attributes))
    found["duplicates"] = _copies(cohort, tests, x, rows, draw)
    subjects = np.arange(len(cohort)) if cohort.subjects is None else cohort.subjects
    few = min(len(np.unique(subjects[is_target])), len(np.unique(subjects[~is_target])))
    classes = tuple(name for name in nuisances if not is_quantity(cohort.attributes[name]))
    setting = Setting(
        kind=kind,
        samples=few,
        counts=counts,
        targets=targets,
        nuisances=classes,
        gpu=torch.cuda.is_available(),
    )
    return preflight(found, setting)


def _chosen(cohort: Cohort, is_target: NDArray[np.bool_], draw: np.random.Generator) -> NDArray[np.intp]:
    """Return random rows of each group, ascending, as many as are compared."""
    subjects = np.arange(len(cohort)) if cohort.subjects is None else cohort.subjects
    sizes = [len(np.unique(subjects[is_target == target])) for target in (False, True)]
    if min(sizes) < FEWEST:
        raise InputError(
            f"samples: {sizes[0]} background and {sizes[1]} target subject(s) to train on; give at least {FEWEST} of each group"
        )
    most = min(MOST, max(FEWEST, VALUES // (2 * _places(cohort.x))))
    parts = [np.flatnonzero(is_target == target) for target in (False, True)]
    return np.sort(np.concatenate([draw.permutation(part)[:most] for part in parts]))


def _places(x: Tensor | Lazy) -> int:
    """Return the number of values of a sample that are compared."""
    values = math.prod(x.shape[1:])
    return values if x.ndim == 2 else min(values, PLACES)


def _values(x: Tensor | Lazy, rows: NDArray[np.intp]) -> Floats:
    """Read samples as rows of values, shape (n, places), float32; images and volumes are averaged over blocks if they are large."""
    parts, at_once = [], max(1, VALUES // math.prod(x.shape[1:]))
    for begin in range(0, len(rows), at_once):
        part = pixels(x[torch.from_numpy(rows[begin : begin + at_once])].cpu())
        if part.ndim > 2 and math.prod(part.shape[1:]) > PLACES:
            shrink = (PLACES / math.prod(part.shape[1:])) ** (1 / (part.ndim - 2))
            pool: Any = adaptive_avg_pool2d if part.ndim == 4 else adaptive_avg_pool3d
            part = pool(part.float(), tuple(max(1, int(side * shrink)) for side in part.shape[2:]))
        parts.append(part.flatten(1).float().numpy())
    return np.concatenate(parts)


def _features(network: Method, x: Tensor | Lazy, rows: NDArray[np.intp]) -> Floats:
    """Encode samples with untrained encoders, shape (n, d); codes that are constant are left out."""
    chosen = np.zeros(len(x), dtype=bool)
    chosen[rows] = True
    codes = encode(network, x[torch.from_numpy(chosen)] if isinstance(x, Tensor) else x.where(chosen))
    features = np.hstack([code.double().numpy() for code in codes])
    return np.asarray(features[:, features.std(0) > LEAST * features.std()])


def _are_counts(x: Floats, kind: str) -> bool:
    """Return whether rows are whole numbers from 0, some of them large."""
    return bool(kind == "rows" and x.min() >= 0 and x.max() > COUNTED and (x == np.floor(x)).all())


def _halves(is_target: NDArray[np.bool_], subjects: NDArray[Any] | None, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split samples in half without splitting subjects, with both groups in each."""
    sides = halves(is_target, subjects, seed, grouped=True)
    if any(len(np.unique(is_target[side])) < 2 for side in sides):
        raise InputError("subjects: a half of them lacks a group; give more subjects of each group")
    return sides


def _spaces(x: Floats, kind: str, seed: int) -> dict[str, Floats]:
    """Return what groups are compared in: samples, and principal components with their magnitudes. No group is looked at."""
    spread = x.std(0)
    z = x[:, spread > LEAST * spread.max()] - x[:, spread > LEAST * spread.max()].mean(0)
    if not z.shape[1]:
        raise InputError("x: all samples are the same; give samples that vary")
    if kind == "rows":  # pixels and voxels share a unit
        z = z / z.std(0)
    directions = min(DIRECTIONS, z.shape[1], len(z) - 1)
    solver = "randomized" if directions < min(z.shape) // 2 else "full"
    scores = PCA(directions, svd_solver=solver, random_state=seed).fit_transform(z)
    scores = scores[:, scores.std(0) > LEAST * scores.std(0).max()].astype(np.float64)
    few = scores[:, :COMPONENTS]
    # Magnitudes show a classifier that is linear what one group varies in more; squares have heavier tails and showed it less well.
    magnitudes = [np.abs(each) for each in ([few, z] if z.shape[1] <= COMPONENTS else [few])]
    return {"samples": z if z.shape[1] <= DIRECTIONS else scores, "components": np.hstack([few, *magnitudes])}


def _sizes(is_target: NDArray[np.bool_], subjects: NDArray[Any] | None, side: NDArray[np.intp]) -> tuple[int, int]:
    """Return the number of subjects of background and of target in a half."""
    whose = side if subjects is None else subjects[side]
    return len(np.unique(whose[~is_target[side]])), len(np.unique(whose[is_target[side]]))


def _confounding(cohort: Cohort, is_target: NDArray[np.bool_], names: Sequence[str] | None) -> list[Confounding]:
    """Compare the groups in attributes, counting a subject once in each group; negative whole numbers are unknown."""
    once = np.arange(len(cohort)) if cohort.subjects is None else once_per_subject(cohort.subjects, is_target)
    values = {name: np.asarray(each)[once] for name, each in cohort.attributes.items() if names is None or name in names}
    coded = {name: np.where(each < 0, "", each.astype(str)) for name, each in values.items() if each.dtype.kind == "i"}
    return confounding(is_target[once], values | coded)


def _copies(cohort: Cohort, tests: Sequence[Cohort], x: Floats, rows: NDArray[np.intp], draw: np.random.Generator) -> Finding:
    """Look for samples that occur in both groups of training, or in training and test."""
    group = np.where(cohort.is_target.cpu().numpy(), "target", "background")
    sides = [cohort, *tests]
    most = max(1, HASHED // math.prod(cohort.x.shape[1:]) // len(sides))
    places = [np.sort(draw.permutation(len(side))[:most]) for side in sides]
    hashes = [digests(_one_by_one(side.x, place)) for side, place in zip(sides, places, strict=True)]
    split = np.repeat(["training", *["test"] * len(tests)], [len(place) for place in places])
    names = [f"{side} {at}" for side, at in zip(split, np.concatenate(places), strict=True)]
    said = [
        duplicates(hashes[0], group[places[0]], names[: len(places[0])]),
        duplicates(np.concatenate(hashes), split, names),
    ]
    more = [_values(side.x, np.sort(draw.permutation(len(side))[: 2 * MOST])) for side in tests]
    compared = np.concatenate([x, *more])[:, draw.permutation(x.shape[1])[:COMPARED]]
    parts = np.concatenate([group[rows], *(np.repeat("test", len(each)) for each in more)])
    looked = f"of {counted(len(x), 'training samples')} and {sum(map(len, more))} of test; {sum(map(len, places))} were compared exactly"
    return copies([each for each in said if each], near_copies(compared, parts), looked)


def _one_by_one(x: Tensor | Lazy, places: NDArray[np.intp]) -> Iterator[NDArray[Any]]:
    """Yield samples, of which few are held at once."""
    at_once = max(1, VALUES // math.prod(x.shape[1:]))
    for begin in range(0, len(places), at_once):
        yield from x[torch.from_numpy(places[begin : begin + at_once])].cpu().numpy()

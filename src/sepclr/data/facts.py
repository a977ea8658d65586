"""Facts about samples that a reviewer would ask for: group sizes, ranges, missing values, and duplicates. Nothing here imports torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepclr.data.tables import listed

NAMED = 5
"""Maximum number of samples or features that a sentence names."""
UNEQUAL = 10
"""Ratio of group sizes from which a sentence warns."""


def digests(samples: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Return a hash of each sample, shape (n,); samples of the same type, shape and values have the same one.

    Args:
        samples: one array at a time, of any shape, so that they need not fit in memory together.
    """
    found = []
    for sample in samples:
        own = hashlib.blake2b(f"{sample.dtype} {sample.shape}".encode(), digest_size=16)
        own.update(np.ascontiguousarray(sample).tobytes())
        found.append(own.hexdigest())
    return np.array(found, dtype=np.str_)


def shared_copies(hashes: NDArray[Any], parts: NDArray[Any]) -> list[NDArray[np.intp]]:
    """Return the sets of identical samples that lie in more than one part.

    Args:
        hashes: hash of each sample, shape (n,), as ``digests`` returns.
        parts: part of each sample, such as its group, or train or test, shape (n,).

    Returns:
        Indices of the samples of each set, ascending, in the order of their first samples.
    """
    _, index, times = np.unique(hashes, return_inverse=True, return_counts=True)
    members = np.flatnonzero(times[index] > 1)
    sets = [members[index[members] == each] for each in dict.fromkeys(index[members].tolist())]
    return [same for same in sets if len(np.unique(parts[same])) > 1]


def duplicates(hashes: NDArray[Any], parts: NDArray[Any], names: Sequence[str], what: str = "samples") -> str:
    """Return a sentence about identical samples that lie in more than one part; empty if there are none.

    Args:
        hashes: hash of each sample, shape (n,), as ``digests`` returns.
        parts: part of each sample, shape (n,).
        names: name of each sample, such as its file.
        what: plural of what a sample is called.
    """
    sets = shared_copies(hashes, parts)
    if not sets:
        return ""
    found = " and ".join(str(part) for part in np.unique(np.concatenate([parts[same] for same in sets])))
    pairs = [
        " = ".join(str(names[i]) for i in same[:NAMED]) + (f" = {len(same) - NAMED} more" if len(same) > NAMED else "")
        for same in sets[:NAMED]
    ]
    more = f" and {len(sets) - NAMED} more" if len(sets) > NAMED else ""
    return f"{counted(sum(map(len, sets)), what)} in {found} are identical: {'; '.join(pairs)}{more}"


def group_sizes(is_target: NDArray[np.bool_], what: str = "samples") -> str:
    """Return a sentence about the sizes of the groups, with a warning if one is at least ten times the other.

    Args:
        is_target: True for target, shape (n,).
        what: plural of what a sample is called.
    """
    targets = int(is_target.sum())
    sizes = {"background": len(is_target) - targets, "target": targets}
    text = f"{sizes['background']} background and {counted(targets, 'target ' + what)}"
    (few, least), (_, most) = sorted(sizes.items(), key=lambda item: item[1])
    if least and most / least >= UNEQUAL:
        text += f"; {few} is {most / least:.0f} times smaller, so its codes are learnt from few samples"
    return text


def value_range(x: NDArray[Any]) -> str:
    """Return the type, smallest, largest and mean value of an array of numbers, without values that are not finite."""
    finite = x[np.isfinite(x)]
    if not finite.size:
        return f"{x.dtype}, no finite values"
    return f"{x.dtype}, {finite.min():.4g} to {finite.max():.4g}, mean {finite.mean(dtype=np.float64):.3g}"


def missing(x: NDArray[Any], names: Sequence[str]) -> str:
    """Return a sentence about missing (not finite) values in rows, with the features that lack most; ``none`` if there are none.

    Args:
        x: rows, shape (n, features).
        names: name of each feature.
    """
    lacking = (~np.isfinite(x)).sum(0)
    order = [int(j) for j in np.argsort(-lacking, kind="stable") if lacking[j]]
    if not order:
        return "none"
    most = listed([f"{names[j]} {lacking[j]}" for j in order], NAMED)
    return f"{counted(int(lacking.sum()), 'values')} in {len(order)} of {counted(x.shape[1], 'features')}: {most}"


def constant(x: NDArray[Any], names: Sequence[str]) -> str:
    """Return a sentence about features with a single value in all rows; ``none`` if there are none. Arguments are those of ``missing``."""
    same = np.flatnonzero((x == x[:1]).all(0))
    return f"{len(same)} of {counted(x.shape[1], 'features')}: {listed([names[j] for j in same.tolist()], NAMED)}" if len(same) else "none"


def counted(n: int, what: str) -> str:
    """Return a number and a noun, given as a regular plural: ``1 image``, ``2 images``."""
    return f"{n} {what if n != 1 else what.removesuffix('s')}"

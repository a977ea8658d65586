"""Feature importance: which features of a row each code is read from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sepclr.data.attributes import is_quantity
from sepclr.probes.linear import Probed, questions, reader
from sepclr.types import InputError

Floats = NDArray[np.floating[Any]]
Encode = Callable[[Floats], Mapping[str, Floats]]
"""Maps rows, shape (n, features), to codes by space, each of shape (n, d)."""

AT_ONCE = 2**24
"""Maximum number of values in the permuted rows that are encoded at once, unless one feature alone has more."""


class Importance(TypedDict):
    """How much one code depends on one feature."""

    name: str
    """Name of the feature."""
    space: str
    """``c`` or ``s``."""
    how: str
    """``permutation``: mean squared change of the code when the feature is permuted, divided by twice the code's variance: 0 if the code
    does not depend on the feature, 1 if it depends on no other. ``weights``: mean absolute gradient of the code, times the feature's
    standard deviation. ``probe``: loss of a linear probe's score when the feature is permuted."""
    attribute: str
    """What the probe predicts; empty unless ``how`` is ``probe``."""
    value: float
    low: float
    """Smallest value over repeats; ``value`` for ``weights``."""
    high: float
    """Largest value over repeats; ``value`` for ``weights``."""


@dataclass(frozen=True, eq=False)
class _Reader:
    """A fitted probe: the space and the attribute, the samples asked, their true values, and the model."""

    space: str
    attribute: str
    asked: NDArray[np.bool_]
    truth: NDArray[Any]
    model: Any

    def score(self, codes: Floats) -> float:
        """Return balanced accuracy, or R² for a quantity."""
        answers = self.model.predict(codes)
        if is_quantity(self.truth):
            return float(r2_score(self.truth, answers))
        return float(np.mean([(answers[self.truth == label] == label).mean() for label in np.unique(self.truth)]))


def by_weights(saliency: Mapping[str, Floats], names: Sequence[str]) -> list[Importance]:
    """Return rows ``weights`` of every feature.

    Args:
        saliency: importance by space, as ``sepclr.training.saliency`` returns, each of shape (features,).
        names: name of each feature.
    """
    rows = []
    for space, values in saliency.items():
        rows += [_row(name, space, "weights", "", np.array([value])) for name, value in zip(names, values, strict=True)]
    return rows


def most_read(saliency: Mapping[str, Floats], most: int) -> NDArray[np.intp]:
    """Return the features with the largest weights relative to the largest weight of their space, in any space.

    Args:
        saliency: as ``by_weights``.
        most: maximum number of features to return.

    Returns:
        Indices, ascending, shape (min(most, features),).
    """
    relative = [values / values.max() if values.max() > 0 else values for values in saliency.values()]
    return np.sort(np.argsort(-np.max(relative, 0), kind="stable")[:most])


def by_permutation(
    encode: Encode,
    x: Floats,
    names: Sequence[str],
    *,
    probes: tuple[Probed, Probed] | None = None,
    chosen: NDArray[np.intp] | None = None,
    repeats: int = 5,
    seed: int = 0,
) -> list[Importance]:
    """Permute one feature at a time among test samples, and measure what happens to the codes and to probes of them.

    The change of a code is Jansen's estimate of the total effect of a feature (Computer Physics Communications 117, 1999), which assumes
    that features are independent: of two correlated features, a code can be read from either. The score of a probe is balanced accuracy,
    or R² for a quantity. For an attribute that only targets have, features are permuted among targets only.

    Args:
        encode: computes codes of rows.
        x: test samples, shape (n, features).
        names: name of each feature.
        probes: codes and attributes of the samples that probes are fitted on, and those of ``x``; None for no probes.
        chosen: indices of the features to permute; None for all. The cost is ``len(chosen) · repeats · n`` encoded rows.
        repeats: number of permutations.
        seed: random seed of the permutations.

    Returns:
        Rows ``permutation`` and ``probe`` of the chosen features, and of no others.

    Raises:
        InputError: fewer than two samples, no repeats, or a number of names other than that of features.
    """
    if len(x) < 2 or repeats < 1:
        raise InputError(f"importance: {len(x)} sample(s), {repeats} repeat(s); give at least 2 samples and 1 repeat")
    if len(names) != x.shape[1]:
        raise InputError(f"names: {len(names)} names for {x.shape[1]} features; give one for each")
    chosen = np.arange(x.shape[1]) if chosen is None else chosen
    codes = encode(x)
    readers = [] if probes is None else list(_readers(*probes, codes))
    rows: list[Importance] = []
    everyone = np.ones(len(x), dtype=bool)
    for asked in {mask.tobytes(): mask for mask in (everyone, *(each.asked for each in readers))}.values():
        before = {space: code[asked] for space, code in codes.items()}
        questions_here = [(each, each.score(before[each.space])) for each in readers if (each.asked == asked).all()]
        for j, after in _permuted(encode, x[asked], before, chosen, repeats, seed):
            if asked.all():
                rows += [_row(names[j], space, "permutation", "", _moved(before[space], after[space])) for space in before]
            for each, whole in questions_here:
                lost = np.array([whole - each.score(code) for code in after[each.space]])
                rows.append(_row(names[j], each.space, "probe", each.attribute, lost))
    return rows


def _readers(train: Probed, test: Probed, codes: Mapping[str, Floats]) -> Iterator[_Reader]:
    """Fit a probe for each attribute and space, except for attributes of a single class."""
    for name, train_rows, asked, train_truth, truth in questions(train, test):
        if asked.sum() < 2 or min(len(np.unique(train_truth)), len(np.unique(truth))) < 2:
            continue
        for space in codes:
            known = train.spaces[space][train_rows]
            if np.ptp(known, axis=0).max() > 0:  # solvers warn about a code that is constant
                yield _Reader(space, name, asked, truth, make_pipeline(StandardScaler(), reader(train_truth)).fit(known, train_truth))


def _permuted(
    encode: Encode, x: Floats, before: Mapping[str, Floats], chosen: NDArray[np.intp], repeats: int, seed: int
) -> Iterator[tuple[int, dict[str, Floats]]]:
    """Yield each chosen feature and the codes after its permutations, by space, shape (repeats, n, d)."""
    draw = np.random.default_rng(seed)
    places = np.stack([draw.permutation(len(x)) for _ in range(repeats)])
    together = max(1, AT_ONCE // max(1, repeats * x.size))
    for begin in range(0, len(chosen), together):
        part = chosen[begin : begin + together]
        rows = np.broadcast_to(x, (len(part), repeats, *x.shape)).copy()
        for own, j in zip(rows, part, strict=True):
            own[:, :, j] = x[places, j]
        after = {space: code.reshape(len(part), repeats, len(x), -1) for space, code in encode(rows.reshape(-1, x.shape[1])).items()}
        for k, j in enumerate(part):
            # A constant feature changes nothing, whatever rounding does to codes in batches of another size.
            constant = np.ptp(x[:, j]) == 0
            yield (
                int(j),
                {space: np.broadcast_to(before[space], after[space][k].shape) if constant else after[space][k] for space in before},
            )


def _moved(before: Floats, after: Floats) -> NDArray[np.float64]:
    """Return mean squared distances of codes, (n, d) and (repeats, n, d), over twice the variance, shape (repeats,)."""
    start = before.astype(np.float64)
    variance = start.var(axis=0).sum()
    distance = ((after - start) ** 2).sum(-1).mean(-1)
    return np.asarray(distance / (2 * variance) if variance > 0 else np.zeros(len(after)))


def _row(name: str, space: str, how: str, attribute: str, values: NDArray[np.float64]) -> Importance:
    value, low, high = float(values.mean()), float(values.min()), float(values.max())
    return Importance(name=name, space=space, how=how, attribute=attribute, value=value, low=low, high=high)

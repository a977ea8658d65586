"""What is done to rows before a method sees them, estimated from training rows: impute, remove covariates, standardise."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.preprocessing import StandardScaler

from sepclr.atomic import replacing
from sepclr.data.attributes import is_quantity
from sepclr.data.facts import counted
from sepclr.data.rows import Chunks
from sepclr.data.tables import listed
from sepclr.errors import InputError
from sepclr.extras import need

Values = NDArray[np.float64]
Covariates = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Preparation:
    """Affine maps of p features that are applied to rows, one after the other.

    Attributes:
        features: names of the features.
        fill: value of a missing feature, shape (p,); NaN if it is an error.
        levels: classes of each covariate that holds classes.
        slope: factor of each feature in each of these classes, shape (classes, p).
        shift: what is then added, shape (classes, p).
        effects: change of each feature with a unit of each covariate that is a quantity, shape (p,).
        centres: mean of each of these.
        mean: mean of each feature after that, shape (p,).
        scale: standard deviation of each feature, shape (p,); 1 for constant ones.
        library: total to which the counts of each cell were scaled before; None if they were not.
        logged: whether values v became log(1 + v) before.
    """

    features: Sequence[str]
    fill: Values
    levels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    slope: Mapping[str, Values] = field(default_factory=dict)
    shift: Mapping[str, Values] = field(default_factory=dict)
    effects: Mapping[str, Values] = field(default_factory=dict)
    centres: Mapping[str, float] = field(default_factory=dict)
    mean: Values = field(default_factory=lambda: np.zeros(()))
    scale: Values = field(default_factory=lambda: np.ones(()))
    library: float | None = None
    logged: bool = False

    @property
    def covariates(self) -> list[str]:
        """Names of the covariates."""
        return [*self.levels, *self.effects]

    def __call__(self, rows: Values, covariates: Covariates) -> Values:
        """Prepare rows.

        Args:
            rows: features, shape (n, p), NaN where missing.
            covariates: values by name, each of shape (n,).

        Returns:
            Standardised features without the effect of the covariates, shape (n, p).

        Raises:
            InputError: missing features that are not imputed, or a class of a covariate that training rows do not have.
        """
        x = self.filled(rows)
        for name, levels in self.levels.items():
            if unseen := sorted({*covariates[name].tolist()} - {*levels}):
                raise InputError(f"covariates: {name!r} is {listed(unseen)}, which no training row is; its effect is unknown")
            which = np.searchsorted(np.asarray(levels), covariates[name])
            x = x * self.slope[name][which] + self.shift[name][which]
        for name, effect in self.effects.items():
            x = x - np.outer(covariates[name] - self.centres[name], effect)
        return (x - self.mean) / self.scale

    def filled(self, rows: Values) -> Values:
        """Return rows with missing features imputed.

        Raises:
            InputError: missing features that are not imputed.
        """
        gaps = np.isnan(rows)
        if (bare := gaps.any(0) & np.isnan(self.fill)).any():
            named = [self.features[i] for i in np.flatnonzero(bare).tolist()]
            raise InputError(
                f"features: {counted(int(gaps[:, bare].sum()), 'missing values')} in {listed(named)}; "
                "fill them in, or train with --impute mean, median or zero, or without these columns"
            )
        return np.where(gaps, self.fill, rows)

    def undone(self, x: Values) -> Values:
        """Return standardised features in the units of the table, without the effect of covariates."""
        return x * self.scale + self.mean

    def save(self, path: Path) -> None:
        """Write to a file, as safetensors; ``load_preparation`` reads it back."""
        arrays = {"fill": self.fill, "mean": self.mean, "scale": self.scale}
        for kind in ("slope", "shift", "effects"):
            arrays |= {f"{kind}.{name}": values for name, values in getattr(self, kind).items()}
        facts: dict[str, Any] = {"features": list(self.features), "library": self.library, "logged": self.logged}
        facts |= {"levels": {name: list(levels) for name, levels in self.levels.items()}, "centres": dict(self.centres)}
        with replacing(path) as part:
            save_file({name: np.ascontiguousarray(values) for name, values in arrays.items()}, part, metadata={"facts": json.dumps(facts)})


def load_preparation(path: Path) -> Preparation:
    """Read what ``Preparation.save`` wrote.

    Raises:
        InputError: a file that is missing or cannot be read.
    """
    try:
        with safe_open(path, framework="np") as file:
            facts = json.loads(file.metadata()["facts"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
        return _preparation(facts, arrays)
    except Exception as error:  # safetensors raises its own types
        raise InputError(f"{path}: cannot be read ({type(error).__name__}); restore the file, or train again") from None


def _preparation(facts: dict[str, Any], arrays: dict[str, Values]) -> Preparation:
    parts: dict[str, dict[str, Values]] = {"slope": {}, "shift": {}, "effects": {}}
    for name, values in arrays.items():
        kind, dot, covariate = name.partition(".")
        if dot:
            parts[kind][covariate] = values
    effects = {name: parts["effects"][name] for name in facts["centres"]}  # in the order in which they were fitted
    return Preparation(
        facts["features"],
        arrays["fill"],
        facts["levels"],
        parts["slope"],
        parts["shift"],
        effects,
        facts["centres"],
        arrays["mean"],
        arrays["scale"],
        facts["library"],
        facts["logged"],
    )


def fit_preparation(
    chunks: Chunks,
    train: NDArray[np.bool_],
    features: Sequence[str],
    covariates: Covariates,
    *,
    impute: str = "none",
    in_memory: bool = True,
) -> Preparation:
    """Estimate what is done to rows from the training rows.

    Classes are evened out by ComBat (Johnson et al. 2007, by combatlearn), then quantities are regressed out, all at once. Neither knows
    the group: if a covariate differs between the groups, a part of their difference is removed, too.

    Args:
        chunks: features of all rows, in parts.
        train: True for training rows, shape (n,).
        features: names of the features.
        covariates: values of all rows by name, floating point for quantities, text for classes, each of shape (n,).
        impute: ``none``, ``mean``, ``median`` or ``zero``.
        in_memory: whether all training rows may be held in memory, which ``median`` and ComBat need.

    Raises:
        InputError: missing features that are not imputed or have no value in training, a class of a covariate with fewer than two training
            rows, covariates that determine each other, or rows that do not fit into memory.
    """
    classes = [name for name, values in covariates.items() if not is_quantity(values)]
    if not in_memory and (needs := [*(["impute"] if impute == "median" else []), *(["covariates"] if classes else [])]):
        raise InputError(f"{needs[0]}: medians and ComBat need all rows in memory; raise --memory, or use mean and numeric covariates")
    made = Preparation(features, _fill(chunks, train, features, impute))
    for name in classes:
        levels, slope, shift = _combat(name, _training(made, chunks, train, covariates), covariates[name][train])
        made = _with(made, levels={**made.levels, name: levels}, slope={**made.slope, name: slope}, shift={**made.shift, name: shift})
    if numeric := [name for name in covariates if name not in classes]:
        made = _regress(made, chunks, train, covariates, numeric)
    scaler = StandardScaler()
    for x, _ in _parts(made, chunks, train, covariates):
        scaler.partial_fit(x)
    return _with(made, mean=scaler.mean_, scale=scaler.scale_)


def _with(made: Preparation, **changed: Any) -> Preparation:
    return Preparation(**{**vars(made), **changed})


def _parts(made: Preparation, chunks: Chunks, train: NDArray[np.bool_], covariates: Covariates) -> Any:
    """Yield the training rows of each part, prepared so far, and their indices."""
    begin = 0
    for part in chunks():
        index = np.flatnonzero(train[begin : begin + len(part)])
        place = begin + index
        begin += len(part)
        if len(index):
            yield made(part[index], {name: values[place] for name, values in covariates.items()}), place


def _training(made: Preparation, chunks: Chunks, train: NDArray[np.bool_], covariates: Covariates) -> Values:
    return np.concatenate([x for x, _ in _parts(made, chunks, train, covariates)])


def _fill(chunks: Chunks, train: NDArray[np.bool_], features: Sequence[str], impute: str) -> Values:
    p = len(features)
    if impute == "none":
        return np.full(p, np.nan)
    if impute == "zero":
        return np.zeros(p)
    rows = (part[train[begin : begin + len(part)]] for begin, part in _placed(chunks))
    if impute == "mean":
        scaler = StandardScaler(with_std=False)
        for part in rows:
            if len(part):
                scaler.partial_fit(part)  # it leaves out NaN
        fill = scaler.mean_
    else:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
            fill = np.nanmedian(np.concatenate(list(rows)), axis=0)
    if np.isnan(fill).any():
        named = [features[i] for i in np.flatnonzero(np.isnan(fill)).tolist()]
        raise InputError(f"impute: {listed(named)} have no value in any training row; leave the columns out")
    return np.asarray(fill)


def _placed(chunks: Chunks) -> Any:
    begin = 0
    for part in chunks():
        yield begin, part
        begin += len(part)


def _combat(name: str, x: Values, batch: NDArray[Any]) -> tuple[list[str], Values, Values]:
    """Return the classes of a covariate, and the factor and shift of each feature in each."""
    need("combat", f"covariates: {name!r} holds classes, whose correction")
    from combatlearn.core import ComBatModel

    levels, times = np.unique(batch, return_counts=True)
    if times.min() < 2:
        raise InputError(f"covariates: {name!r} is {str(levels[times.argmin()])!r} in a single training row; merge it with another class")
    slope, shift = np.ones((len(levels), x.shape[1])), np.zeros((len(levels), x.shape[1]))
    varying = np.flatnonzero(np.ptp(x, 0) > 0)
    if len(levels) < 2 or not len(varying):
        return levels.tolist(), slope, shift
    model = ComBatModel(method="johnson").fit(x[:, varying], batch=batch)
    # The correction of a class is affine: two points determine it.
    for i, level in enumerate(levels):
        ends = np.asarray(model.transform(np.stack([np.zeros(len(varying)), np.ones(len(varying))]), batch=np.array([level, level])))
        slope[i, varying], shift[i, varying] = ends[1] - ends[0], ends[0]
    return levels.tolist(), slope, shift


def _regress(made: Preparation, chunks: Chunks, train: NDArray[np.bool_], covariates: Covariates, names: Sequence[str]) -> Preparation:
    """Add the effects of quantities, by least squares on the training rows."""
    z = np.stack([covariates[name] for name in names], 1)
    centres = z[train].mean(0)
    z = z - centres
    if np.linalg.matrix_rank(z[train]) < len(names):
        raise InputError(f"covariates: {', '.join(names)} determine each other in the training rows; leave one out")
    products, count, total = np.zeros((len(names), len(made.features))), 0, np.zeros(len(made.features))
    for x, place in _parts(made, chunks, train, covariates):
        products += z[place].T @ x
        total += x.sum(0)
        count += len(place)
    effects = np.linalg.solve(z[train].T @ z[train], products - np.outer(z[train].sum(0), total / count))
    return _with(made, effects=dict(zip(names, effects, strict=True)), centres=dict(zip(names, centres.tolist(), strict=True)))

"""Contrastive analysis of cells in memory: an AnnData object in, an estimator and codes in ``obsm`` out."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from sepclr.data import Cohort, SparseRows
from sepclr.data.genes import chosen_counts, preparation
from sepclr.data.sparse_rows import CountPreparation
from sepclr.estimators import ESTIMATORS
from sepclr.estimators.contrast import Contrast
from sepclr.types import TARGET_GROUP, InputError


def fit(
    adata: Any,
    *,
    groupby: str,
    background: str | Sequence[str],
    target: str | Sequence[str] | None = None,
    merge: bool = False,
    layer: str | None = None,
    normalise: bool = False,
    genes: int | None = None,
    method: str = "SepCLR",
    key: str = "X",
    **options: Any,
) -> Contrast:
    """Fit a method to two or more groups of cells, and write the codes of all cells into ``obsm``.

    Args:
        adata: an ``AnnData``, with cells × genes in ``X`` or a layer, sparse or dense.
        groupby: column of ``obs`` with the group of each cell.
        background: its value for background, or several.
        target: its value for target, or several, each with a salient code of its own; all other values, as one group, if None.
        merge: treat several targets as one group.
        layer: layer to use; ``X`` if None.
        normalise: scale the counts of each cell to the median total, then take log(1 + v).
        genes: number of genes to keep, those that vary most after normalisation; all if None.
        method: name of the estimator, such as ``SepCLR`` or ``SepVAE``.
        key: the codes are ``obsm[f"{key}_common"]`` and ``obsm[f"{key}_salient"]``.
        options: parameters of the estimator. With ``reconstruction="negative-binomial"`` values must be raw counts.

    Returns:
        The fitted estimator; ``transform`` applies it to other cells.

    Raises:
        InputError: an unknown column, layer, group or method, values that are not finite, or counts that are none.

    >>> import numpy as np
    >>> from anndata import AnnData
    >>> rng = np.random.default_rng(0)
    >>> adata = AnnData(rng.poisson(3.0, (60, 20)).astype(np.float32))
    >>> adata.obs["condition"] = np.repeat(["control", "treated"], 30).astype(object)
    >>> model = fit(adata, groupby="condition", background="control", normalise=True, max_epochs=2, common_dim=3, salient_dim=2)
    >>> adata.obsm["X_common"].shape, adata.obsm["X_salient"].shape
    ((60, 3), (60, 2))
    """
    if method not in ESTIMATORS or not issubclass(ESTIMATORS[method], Contrast):
        known = [name for name, kind in ESTIMATORS.items() if issubclass(kind, Contrast) and kind.declaration.task == "contrast"]
        raise InputError(f"method: {method!r} is unknown; choose {', '.join(known)}")
    counts = options.get("reconstruction", "squared") == "negative-binomial"
    if counts and normalise:
        raise InputError("normalise: negative-binomial takes raw counts; leave it out")
    groups, numbers = _groups(adata, groupby, background, target, merge)
    rows = _rows(adata, layer, counts=counts or normalise)
    chosen = numbers >= -1
    mine = rows.where(chosen)
    if counts:
        made = CountPreparation() if genes is None else chosen_counts(mine, genes)
    else:
        made = preparation(mine, normalise=normalise, genes=genes, standardise=False)
    extra = {TARGET_GROUP: torch.from_numpy(numbers[chosen])} if len(groups) > 1 else {}
    model: Any = ESTIMATORS[method](**options)
    model.fit(Cohort(mine.prepared(made), torch.from_numpy(numbers[chosen] >= 0), extra=extra))
    names = np.asarray(adata.var_names, dtype=np.str_)
    model.genes_ = names if made.genes is None else names[made.genes]
    model.layer_, model.library_, model.logged_ = layer, made.library, made.log
    transform(model, adata, key=key)
    return model  # type: ignore[no-any-return]


def transform(model: Contrast, adata: Any, *, key: str = "X") -> None:
    """Write the codes of cells into ``obsm``, those of a model that ``fit`` returned.

    Args:
        model: the fitted estimator.
        adata: an ``AnnData`` with the genes of the model, in any order.
        key: the codes are ``obsm[f"{key}_common"]`` and ``obsm[f"{key}_salient"]``.

    Raises:
        InputError: genes that are missing, or as ``fit``.
    """
    fitted: Any = model
    place = {str(name): number for number, name in enumerate(adata.var_names)}
    if without := [str(name) for name in fitted.genes_ if str(name) not in place]:
        raise InputError(f"adata: lacks {len(without)} of {len(fitted.genes_)} genes of the model, such as {without[0]!r}; add them")
    where = np.array([place[str(name)] for name in fitted.genes_], dtype=np.intp)
    rows = _rows(adata, fitted.layer_, counts=fitted.logged_).prepared(CountPreparation(fitted.library_, fitted.logged_, where))
    codes = Cohort(rows, torch.zeros(len(rows), dtype=torch.bool))
    adata.obsm[f"{key}_common"] = model.transform_common(codes)
    if hasattr(model, "transform_salient"):
        adata.obsm[f"{key}_salient"] = model.transform(codes)[:, model.common_dim :]


def _groups(adata: Any, groupby: str, background: Any, target: Any, merge: bool) -> tuple[list[str], NDArray[np.int64]]:
    """Return the target groups, and the number of each cell's: -1 in background, -2 in neither."""
    if groupby not in adata.obs:
        near = difflib.get_close_matches(groupby, list(map(str, adata.obs.columns)), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"columns are {', '.join(map(str, adata.obs.columns)) or 'none'}"
        raise InputError(f"groupby: no column {groupby!r} in obs; {hint}")
    missing = np.asarray(adata.obs[groupby].isna())
    values = np.where(missing, "", np.asarray(adata.obs[groupby].astype(str), dtype=np.str_))
    there = sorted({*values[~missing].tolist()})
    controls = [background] if isinstance(background, str) else list(background)
    targets = [name for name in there if name not in controls] if target is None else [target] if isinstance(target, str) else list(target)
    for role, names in (("background", controls), ("target", targets)):
        if not names or (unknown := [name for name in names if name not in there]):
            said = f"{unknown[0]!r} is not" if names else "nothing is left"
            raise InputError(f"{role}: {said} in column {groupby!r}; values are {', '.join(there)}")
    if both := set(controls) & set(targets):
        raise InputError(f"background, target: {', '.join(sorted(both))} cannot be both")
    alone = merge or target is None
    place = {name: 0 if alone else number for number, name in enumerate(targets)} | dict.fromkeys(controls, -1)
    return (targets[:1] if alone else targets), np.array([place.get(value, -2) for value in values.tolist()], dtype=np.int64)


def _rows(adata: Any, layer: str | None, *, counts: bool) -> SparseRows:
    if layer is not None and layer not in adata.layers:
        raise InputError(f"layer: no layer {layer!r}; layers are {', '.join(adata.layers) or 'none'}")
    x = adata.X if layer is None else adata.layers[layer]
    if x is None:
        raise InputError("adata: has no X; give a layer")
    matrix = csr_array(x if issparse(x) else np.asarray(x), dtype=np.float32)
    matrix.sum_duplicates()
    if not np.isfinite(matrix.data).all():
        raise InputError("adata: X contains NaN or infinite values; remove or impute them")
    if counts and ((matrix.data < 0).any() or (matrix.data != np.floor(matrix.data)).any()):
        raise InputError("adata: X holds values that are negative or not whole, and counts are needed; give a layer of counts")
    return SparseRows(matrix.indptr.astype(np.int64), matrix.indices, matrix.data, matrix.shape[1])

"""Protein expression in the cortex of mice, as used in the contrastive PCA paper (Higuera, Gardiner, Cios 2015; UCI, CC BY 4.0)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow
import pyarrow.csv
from numpy.typing import NDArray

from sepclr.errors import reading
from sepclr.types import InputError

NAME = "Data_Cortex_Nuclear.csv"
LABELS = ("MouseID", "Genotype", "Treatment", "Behavior")


class Mice(NamedTuple):
    """Measurements of mice on saline: those that were shocked (target), and normal ones that were not (background).

    Attributes:
        x: expression of each protein, arbitrary units, NaN where missing, shape (n, proteins): 405 × 77 in the published table.
        genotype: ``Control`` or ``Ts65Dn``, a model of Down syndrome, shape (n,). Background has ``Control`` only.
        is_target: True for mice that were shocked, of either genotype, shape (n,).
        mouse: mouse of each measurement, shape (n,). Each was measured 15 times, so split the rows by mouse.
    """

    x: NDArray[np.float64]
    genotype: NDArray[np.str_]
    is_target: NDArray[np.bool_]
    mouse: NDArray[np.str_]


def load(path: Path) -> Mice:
    """Read the table.

    Target is behaviour ``S/C`` and treatment ``Saline``; background is ``C/S``, ``Saline`` and genotype ``Control``, as in Figure 2 of
    Abid, Zhang, Bagaria, Zou, Nature Communications 9:2134, 2018. Missing values stay missing: that paper's notebook sets them to 0,
    ``sklearn.impute.SimpleImputer`` to the mean of each protein.

    Args:
        path: ``Data_Cortex_Nuclear.csv``, the publishers' table saved as CSV, or the folder that contains it.

    Raises:
        InputError: a file that is missing or not a CSV table, a missing column, or a group without mice.
    """
    file = path / NAME if path.is_dir() else path
    with reading(file, f"give {NAME} of UCI's 'Mice Protein Expression', a table of comma-separated values, or its folder"):
        return _mice(file, pyarrow.csv.read_csv(file))


def _mice(file: Path, table: Any) -> Mice:
    proteins = [name for name in table.column_names if name.endswith("_N")]
    missing = [name for name in LABELS if name not in table.column_names] + ["…_N (a protein)"] * (not proteins)
    if missing:
        raise InputError(f"{file} lacks the column(s) {', '.join(missing)}; give {NAME} as published")
    mouse, genotype, treatment, behaviour = (np.array(table[name].to_pylist(), dtype=str) for name in LABELS)
    saline = treatment == "Saline"
    is_target = saline & (behaviour == "S/C")
    is_background = saline & (behaviour == "C/S") & (genotype == "Control")
    for group, members in (("target (Saline, S/C)", is_target), ("background (Saline, C/S, Control)", is_background)):
        if not members.any():
            raise InputError(f"{file} contains no mouse of the {group}; give {NAME} as published")
    keep = is_target | is_background
    x = np.stack([_numbers(table[name], f"{file}: column {name}") for name in proteins], 1)
    animals = np.array([name.rpartition("_")[0] for name in mouse[keep]])  # MouseID is mouse_measurement
    return Mice(x[keep], genotype[keep], is_target[keep], animals)


def _numbers(column: Any, name: str) -> NDArray[np.float64]:
    try:
        return np.array(column.cast(pyarrow.float64()).to_numpy(), dtype=np.float64)
    except pyarrow.ArrowInvalid:
        raise InputError(f"{name} contains values that are not numbers; leave missing values empty") from None

"""True volumes of targets without their salient pattern, where a study has them, such as one with implanted patterns."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from joblib import Parallel, delayed
from torch import Tensor

from sepclr.data import VolumeCache
from sepclr.data.folds import test_rows
from sepclr.imaging.grid import Grid, on_grid_of
from sepclr.imaging.participants import image_paths, rows_of
from sepclr.imaging.study import BrainStudy
from sepclr.imaging.subjects import grid_spec_of
from sepclr.imaging.volumes import look_into, problems
from sepclr.types import InputError


def true_volumes(study: BrainStudy, fold: int, column: str, like: VolumeCache) -> Float[Tensor, "n 1 x y z"]:
    """Load what the test targets of a fold look like without their pattern, on the grid and scale of the targets.

    Args:
        study: the study.
        fold: tested fold.
        column: column of paths in the study's table, or a pattern with ``{COLUMN}`` in it.
        like: volumes of the study on its grid.

    Returns:
        One volume per test target, in the order of the test cohort, as float16.

    Raises:
        InputError: a column that does not exist, or volumes that are missing, cannot be read or are not aligned with their targets.
    """
    table, columns, _ = rows_of(study)
    people = study.members()
    tested = np.flatnonzero(test_rows(people, study, fold) & people.is_target)
    whose = people.subjects[tested]
    cells = {name: values[people.rows[tested]] for name, values in columns.items()}
    paths = image_paths(table, cells, column, whose, "truth")
    # A true volume is resampled, as its target is.
    if found := problems(look_into(paths), whose.tolist(), resample=True):
        raise InputError("; ".join(found[:3]))
    x, y, z = like.shape[2:]
    sides, _ = like.grid()
    wanted = grid_spec_of(study)
    grid = Grid((sides[0], sides[1], sides[2]), (x, y, z), wanted.scaling, wanted.mask)
    pairs = [(people.images[row], path) for row, path in zip(tested.tolist(), paths, strict=True)]
    made = Parallel(n_jobs=-1, prefer="threads")(delayed(on_grid_of)(target, path, grid) for target, path in pairs)
    return torch.from_numpy(np.stack(made))

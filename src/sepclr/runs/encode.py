"""Encode the samples of a file, and write their codes to a file."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from sepclr.atomic import replacing
from sepclr.data import Lazy
from sepclr.data.cell_cohorts import new_cells
from sepclr.data.cell_study import CellStudy
from sepclr.data.image_files import images_at
from sepclr.data.image_study import ImageStudy
from sepclr.data.obs import add_codes
from sepclr.data.preparation import load_preparation
from sepclr.data.row_cohorts import new_rows
from sepclr.data.row_study import RowStudy
from sepclr.data.samples import read_samples
from sepclr.data.tables import listed, read_cells, subjects_of, write_cells
from sepclr.imaging.bids import SUFFIX
from sepclr.imaging.bids_rows import IMAGE, PARTICIPANT, SESSION, Rows, new_images
from sepclr.imaging.cache import store
from sepclr.imaging.grid import Grid
from sepclr.imaging.participants import image_paths
from sepclr.imaging.study import BrainStudy
from sepclr.imaging.subjects import grid_spec_of
from sepclr.runs.ensemble import load_encoder
from sepclr.runs.folder import RunFolder
from sepclr.runs.seeds_folder import one_run
from sepclr.runs.usable import check_codes, is_pictures, lists_volumes
from sepclr.training import encode
from sepclr.types import Codes, InputError


class TableOfVolumes(NamedTuple):
    """Images of a table or a BIDS tree on the grid of a run.

    Attributes:
        subjects: subject of each image, shape (n,).
        sessions: session of each image, shape (n,), for a BIDS tree with sessions; None otherwise.
        paths: the image files.
        x: volumes, shape (n, 1, *space).
        affines: from the voxels of each volume to millimetres, shape (n, 4, 4).
        grid: the grid.
    """

    subjects: NDArray[Any]
    sessions: NDArray[Any] | None
    paths: Sequence[Path]
    x: Lazy
    affines: Float[np.ndarray, "n 4 4"]
    grid: Grid


def encode_file(
    run: Path,
    source: Path,
    output: Path,
    *,
    images: str | None = None,
    subject: str | None = None,
    suffix: str | None = None,
    entities: Sequence[str] | None = None,
    cache: Path | None = None,
) -> Codes:
    """Encode the samples of a file with the trained method of a run.

    Args:
        run: folder of the run, or of the runs of several seeds, whose aligned codes are then averaged.
        source: ``.npy``; ``.npz`` with the samples in an array ``x``; or ``.parquet`` with a column per value, reshaped to samples. Samples
            have the shape (n, *sample) of the training samples; images are uint8 in 0..255 or floating point in 0..1. For a run on
            ``mri``, also a ``.tsv`` or ``.csv`` table with a row for each image, or a BIDS tree; images are resampled to the grid of
            the run. For a run on ``rows``, a table with the features and covariates of the run, prepared as its training rows were.
            For a run on ``images``, a folder of images, or an image.
        output: ``.h5ad``, a copy of an AnnData file with the codes in ``obsm`` as ``X_common`` and ``X_salient``; ``.npz`` with ``c``
            and ``s``; or ``.parquet`` or ``.tsv`` with columns ``c0, c1, …, s0, s1, …``. For a table of images
            or a tree, ``subject`` is added as an array or as the first column, and ``session`` for a tree with sessions; for images
            ``path``.
        images: column of paths in the table, or a pattern with {COLUMN} in it; that of the run if None.
        subject: subject column of the table; that of the run if None.
        suffix: last part of the names of images in a BIDS tree; that of the run if None.
        entities: parts of the names of images in a BIDS tree, see ``find_images``; those of the run if None.
        cache: cache of resampled volumes; that of the run if None.

    Returns:
        The codes, as written.

    Raises:
        InputError: if the folder is not a finished run, samples cannot be read or do not fit, or the output cannot be written.
    """
    of_table: dict[str, Any] = {"images": images, "subject": subject, "suffix": suffix, "entities": entities, "cache": cache}
    folder = RunFolder(one_run(run))
    check_codes(folder.path, source, output, **of_table)
    method = load_encoder(run)
    whose: dict[str, NDArray[Any]] = {}
    if lists_volumes(folder.path, source):
        found = read_volumes(folder, source, **of_table)
        whose["subject"], codes = found.subjects, encode(method, found.x)
        if found.sessions is not None:
            whose["session"] = found.sessions
    else:
        x, whose = read_new(folder, source, subject, cache)
        codes = encode(method, x)
    _write(source, output, codes, whose)
    return codes


def read_new(
    folder: RunFolder, source: Path, subject: str | None = None, cache: Path | None = None
) -> tuple[Tensor | Lazy, dict[str, NDArray[Any]]]:
    """Read samples that fit a run, and prepare them as its training samples were: of arrays, or of what the run was trained on.

    Args:
        folder: folder of the run.
        source: file of arrays; for a run on images also a folder, on rows a table, on cells an AnnData file.
        subject: subject column of a table of rows; that of the run if None.
        cache: folder of prepared samples; that of the run if None.

    Returns:
        Samples, shape (n, *sample), and what is written beside them, each of shape (n,): ``path`` of images, ``subject`` of rows, ``cell``.

    Raises:
        InputError: if samples cannot be read or do not fit.
    """
    study, shape = folder.recipe().study, folder.samples()["sample_shape"]
    if isinstance(study, RowStudy):
        subjects, rows = new_rows(source, load_preparation(folder.preparation), subject or study.subject)
        return rows, {"subject": subjects}
    if isinstance(study, CellStudy):
        names, cells = new_cells(source, study, load_preparation(folder.preparation), cache or folder.root())
        return cells, {"cell": names}
    if isinstance(study, ImageStudy) and is_pictures(folder.path, source):
        paths, x = images_at(source, study, shape, cache or folder.root())
        return x, {"path": np.array(paths)}  # savez has an argument called file
    scaled = not isinstance(study, BrainStudy) or study.scaling != "none"
    return torch.from_numpy(read_samples(source, shape, scaled=scaled)), {}


def _write(source: Path, output: Path, codes: Codes, whose: Mapping[str, NDArray[Any]]) -> None:
    c, s = codes.c.numpy(), codes.s.numpy()
    columns = {**whose, **{f"{space}{i}": values[:, i] for space, values in (("c", c), ("s", s)) for i in range(values.shape[1])}}
    try:
        with replacing(output) as part:
            if output.suffix == ".h5ad":
                add_codes(source, part, {"X_common": c, "X_salient": s})
            elif output.suffix == ".npz":
                with part.open("wb") as file:
                    arrays: dict[str, Any] = {**whose, "c": c, "s": s}
                    np.savez(file, **arrays)
            else:
                write_columns(part, output.suffix, columns)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror or error}); choose another --out") from None


def write_columns(path: Path, suffix: str, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write columns of equal length, each of shape (n,), as ``.tsv`` or ``.parquet``."""
    if suffix == ".tsv":
        write_cells(path, columns)
        return
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(dict(columns)), path)


def read_volumes(
    folder: RunFolder,
    table: Path,
    *,
    images: str | None = None,
    subject: str | None = None,
    suffix: str | None = None,
    entities: Sequence[str] | None = None,
    cache: Path | None = None,
) -> TableOfVolumes:
    """Load the images of a table or of a BIDS tree, resampled to the grid of a run.

    Args:
        folder: folder of the run.
        table: TSV or CSV with a row for each image, or a BIDS tree; groups and attributes are not needed.
        images: column of paths, or a pattern; that of the run if None.
        subject: subject column; that of the run if None.
        suffix: last part of the names of images in a BIDS tree; that of the run if None.
        entities: parts of the names of images in a BIDS tree, see ``find_images``; those of the run if None.
        cache: cache of resampled volumes; that of the run if None.

    Returns:
        The volumes, and where they come from.

    Raises:
        InputError: if the run is on another data set, the table or its images cannot be used, or, unless the study resamples, images
            are not aligned with the training images.
    """
    recipe = folder.recipe()
    study = recipe.study
    if not isinstance(study, BrainStudy):
        what = "a BIDS tree" if table.is_dir() else "a table of images"
        raise InputError(f"{table}: {what}, but the run is on {recipe.data.name}; give samples as .npy, .npz or .parquet")
    noted = folder.samples()
    if "grid" not in noted:
        raise InputError(f"{folder.path}: made by an older version, which did not record the grid of volumes; train again")
    (_, *sides), (spacing, affine) = noted["sample_shape"], noted["grid"]
    if table.is_dir():
        chosen = study.entities or () if entities is None else entities
        read, column = new_images(table, suffix or study.suffix or SUFFIX, chosen), IMAGE
        whose = read.cells[PARTICIPANT]
    else:
        read, column = Rows(table, read_cells(table)), images or study.images or ""
        if not column:
            raise InputError(f"images: {folder.path} was trained on a BIDS tree; name the column of paths of {table} with --images")
        whose = subjects_of(table, read.cells, subject or study.subject)
    for note in read.notes:
        print(f"warning: {note}")
    paths = image_paths(read.table, read.cells, column, whose)
    # Images of any voxel size are accepted, so resampling has to be allowed.
    wanted = replace(grid_spec_of(study), spacing=tuple(spacing), shape=tuple(sides), resample=True)
    x, affines = store(paths, whose.tolist(), wanted, cache or folder.root())
    if not study.resample:
        corners = np.array(list(itertools.product(*((0, side) for side in sides), (1,))))
        far = [np.abs(corners @ (each - affine).T).max() for each in affines]
        if elsewhere := [f"{name} ({away:.0f} mm)" for name, away in zip(whose, far, strict=True) if away > max(spacing)]:
            raise InputError(
                f"{table}: {len(elsewhere)} images are not aligned with the training images: {listed(elsewhere)}; "
                "bring them into the same space and field of view"
            )
    grid = Grid(tuple(spacing), tuple(sides), wanted.scaling, wanted.mask)
    return TableOfVolumes(whose, read.cells.get(SESSION) if table.is_dir() else None, paths, x, affines, grid)

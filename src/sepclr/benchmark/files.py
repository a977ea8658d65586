"""Samples from files, and their codes into files."""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sepclr.benchmark.brains import wanted_of
from sepclr.benchmark.folder import RunFolder
from sepclr.benchmark.preflight import TABLES, check_codes
from sepclr.benchmark.trained import load_method
from sepclr.data import Stored
from sepclr.data.participants import image_paths, listed, read_cells, subjects_of, write_cells
from sepclr.data.stored import store
from sepclr.training import encode
from sepclr.types import Codes, InputError


def encode_file(
    run: Path, source: Path, output: Path, *, images: str | None = None, subject: str | None = None, cache: Path | None = None
) -> Codes:
    """Encode the samples of a file with the method of a run.

    Args:
        run: folder of the run.
        source: ``.npy``; ``.npz`` with the samples as ``x``; or ``.parquet`` with a column per value, reshaped to samples. They have the
            shape (n, *sample) that the run was trained on; images are uint8 0..255 or floating point 0..1. Of a run on ``mri`` also
            ``.tsv`` or ``.csv`` with a row for each image, which is brought onto the grid of the run.
        output: ``.npz`` with ``c`` and ``s``, or ``.parquet`` or ``.tsv`` with columns ``c0, c1, …, s0, s1, …``; what comes from a table
            has the subject before them, in ``.npz`` as ``subject``.
        images: column of paths in the table, or a pattern with {COLUMN} in it; as at training if None.
        subject: column of the table that says whose image it is; as at training if None.
        cache: folder for volumes on their grid; where it was at training if None.

    Returns:
        The codes, as written.

    Raises:
        InputError: a folder that is no finished run, samples that cannot be read or do not fit, an output that cannot be written.
    """
    check_codes(run, source, output)
    folder = RunFolder(run)
    method, shape = load_method(folder)
    whose: dict[str, NDArray[Any]] = {}
    if source.suffix in TABLES:
        whose["subject"], volumes = read_volumes(folder, source, images, subject, cache)
        codes = encode(method, volumes)
    elif images or subject or cache:
        raise InputError(f"images, subject, cache: {source} is not a table of images; leave them out, or give a .tsv or .csv")
    else:
        study = folder.recipe().study
        codes = encode(method, torch.from_numpy(read_samples(source, shape, scaled=study is None or study.scaling != "none")))
    _write(output, codes, whose)
    return codes


def _write(output: Path, codes: Codes, whose: Mapping[str, NDArray[Any]]) -> None:
    c, s = codes.c.numpy(), codes.s.numpy()
    columns = {**whose, **{f"{space}{i}": values[:, i] for space, values in (("c", c), ("s", s)) for i in range(values.shape[1])}}
    part = output.with_name(output.name + ".part")
    try:
        if output.suffix == ".npz":
            with part.open("wb") as file:
                arrays: dict[str, Any] = {**whose, "c": c, "s": s}
                np.savez(file, **arrays)
        elif output.suffix == ".tsv":
            write_cells(part, columns)
        else:
            import pyarrow
            import pyarrow.parquet

            pyarrow.parquet.write_table(pyarrow.table(columns), part)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"{output}: cannot be written ({error.strerror or error}); choose another --out") from None
    part.replace(output)


def read_volumes(
    folder: RunFolder, table: Path, images: str | None, subject: str | None, cache: Path | None
) -> tuple[NDArray[Any], Stored]:
    """Bring the images of a table onto the grid of a run.

    Args:
        folder: of the run.
        table: TSV or CSV with a row for each image; neither groups nor attributes are asked of it.
        images: column of paths, or a pattern; as at training if None.
        subject: column that says whose image it is; as at training if None.
        cache: folder for volumes on their grid; where it was at training if None.

    Returns:
        Whose they are, shape (n,), and the volumes, shape (n, 1, *space).

    Raises:
        InputError: a run of another data set, a table or images that cannot be used, or images that are not aligned with those of
            the run, where these lay in one place.
    """
    recipe = folder.recipe()
    study = recipe.study
    if study is None:
        raise InputError(f"{table}: a table of images, but the run is on {recipe.data}; give samples as .npy, .npz or .parquet")
    noted = folder.samples()
    if "grid" not in noted:
        raise InputError(f"{folder.path}: an older version made it, which did not note where volumes lie; train again")
    (_, *sides), (spacing, affine) = noted["sample_shape"], noted["grid"]
    cells = read_cells(table)
    whose = subjects_of(table, cells, subject or study.subject)
    paths = image_paths(table, cells, images or study.images, whose)
    # Voxels of any size are brought to those of the run, which --resample would have to allow.
    wanted = replace(wanted_of(study), spacing=tuple(spacing), shape=tuple(sides), resample=True)
    x, affines = store(paths, whose.tolist(), wanted, cache or folder.root())
    if not study.resample:
        corners = np.array(list(itertools.product(*((0, side) for side in sides), (1,))))
        far = [np.abs(corners @ (each - affine).T).max() for each in affines]
        if elsewhere := [f"{name} ({away:.0f} mm)" for name, away in zip(whose, far, strict=True) if away > max(spacing)]:
            raise InputError(
                f"{table}: {len(elsewhere)} images are not aligned with the training images: {listed(elsewhere)}; "
                "bring them into the same space and field of view"
            )
    return whose, x


def read_samples(path: Path, shape: Sequence[int], *, scaled: bool = True) -> NDArray[Any]:
    """Read samples of a known shape.

    Args:
        path: ``.npy``, ``.npz`` or ``.parquet``.
        shape: of one sample.
        scaled: whether images in floating point are to be 0..1.

    Returns:
        uint8 or float32, shape (n, *shape).

    Raises:
        InputError: a file that is missing, damaged or of another kind; samples of another shape, not finite, or outside their range.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give samples as .npy, .npz or .parquet")
    try:
        x = _read(path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: cannot be read ({reason}); give samples as .npy, .npz with the array x, or .parquet") from None
    if path.suffix == ".parquet" and x.shape[1] == np.prod(shape):
        x = x.reshape(-1, *shape)
    if x.shape[1:] != tuple(shape):
        wanted = ", ".join(str(side) for side in shape)
        raise InputError(f"{path}: samples have shape {x.shape[1:]}, the run was trained on ({wanted}); give an array (n, {wanted})")
    if len(x) == 0:
        raise InputError(f"{path}: there is no sample in it")
    if x.dtype == np.uint8:
        return x
    if x.dtype.kind not in "fiub":
        raise InputError(f"{path}: samples are of type {x.dtype}; give uint8 0..255 or floating point 0..1")
    if not np.isfinite(x).all():
        raise InputError(f"{path}: sample {np.argwhere(~np.isfinite(x))[0][0]} holds NaN or infinite values; remove it or fill it in")
    if scaled and len(shape) > 1 and (x.min() < 0 or x.max() > 1):
        raise InputError(
            f"{path}: pixels of type {x.dtype} reach from {x.min():g} to {x.max():g}; give uint8 0..255 or floating point 0..1"
        )
    return x.astype(np.float32)


def _read(path: Path) -> NDArray[Any]:
    if path.suffix == ".parquet":
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(path)
        return np.stack([column.to_numpy() for column in table.columns], 1)
    with path.open("rb") as file:  # NumPy leaves a damaged archive open
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        if "x" not in loaded:
            raise ValueError(f"no array x among {', '.join(loaded.files) or 'nothing'}")
        x: NDArray[Any] = loaded["x"]
        return x

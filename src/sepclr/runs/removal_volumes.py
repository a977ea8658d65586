"""Images of a table without their salient pattern, as NIfTI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel
import numpy as np
import torch
from nibabel.processing import resample_from_to

from sepclr.imaging.grid import unit_of
from sepclr.imaging.participants import as_file_name
from sepclr.imaging.volumes import read_volume
from sepclr.runs.decoder import load_decoder
from sepclr.runs.encode import read_volumes
from sepclr.runs.folder import RunFolder, check_place, make_folder
from sepclr.training import decode
from sepclr.types import InputError


def remove_volumes(
    run: Path,
    table: Path,
    out: Path,
    *,
    images: str | None = None,
    subject: str | None = None,
    suffix: str | None = None,
    entities: Sequence[str] | None = None,
    cache: Path | None = None,
) -> int:
    """Write the images of a table or of a BIDS tree as they would look, according to the model, without their salient pattern.

    The model works on the grid of its run. Its change, without minus reconstruction, is resampled to the grid of each image and added
    to it. So an image keeps its resolution, its units and its header, and is unchanged outside of the model's grid.

    Args:
        run: folder of a run on ``mri`` with a decoder.
        table: TSV or CSV with a row for each image of a target, or a BIDS tree of targets.
        out: new folder, which gets ``NUMBER_SUBJECT_without.nii.gz`` and ``NUMBER_SUBJECT_difference.nii.gz`` for each row.
        images: column of paths, or a pattern with {COLUMN} in it; that of the run if None.
        subject: subject column; that of the run if None.
        suffix: last part of the names of images in a BIDS tree; that of the run if None.
        entities: parts of the names of images in a BIDS tree, see ``find_images``; those of the run if None.
        cache: cache of resampled volumes; that of the run if None.

    Returns:
        The number of images.

    Raises:
        InputError: the run has no decoder, the table or its images cannot be used, or the folder is not empty or cannot be written.
    """
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out}: not empty; choose another --out")
    check_place(out, "choose another --out")
    method = load_decoder(run)
    of_table = {"images": images, "subject": subject, "suffix": suffix, "entities": entities, "cache": cache}
    found = read_volumes(RunFolder(run), table, **of_table)  # type: ignore[arg-type]
    make_folder(out, "choose another --out")
    for row, path in enumerate(found.paths):
        x = found.x[torch.tensor([row])].float()
        made = decode(method, x, what=("without_salient", "reconstruction"))
        # Against the reconstruction, not the image: what the decoder blurs is no change.
        change = (made["without_salient"] - made["reconstruction"])[0, 0].numpy()
        if found.grid.mask is not None:
            change[x[0, 0].numpy() == 0] = 0  # outside of the mask, of which the model saw nothing
        voxels, affine = read_volume(path)
        moved = resample_from_to(nibabel.Nifti1Image(change, found.affines[row]), (voxels.shape, affine), order=1)
        difference = unit_of(path, found.grid) * np.asarray(moved.dataobj)
        header = nibabel.load(path).header if path.suffix != ".npy" else None
        name = f"{row:04d}_{as_file_name(found.subjects[row])}"
        for what, values in (("without", voxels + difference), ("difference", difference)):
            image = nibabel.Nifti1Image(values.astype(np.float32), affine, header)
            image.set_data_dtype(np.float32)
            nibabel.save(image, out / f"{name}_{what}.nii.gz")
    return len(found.paths)

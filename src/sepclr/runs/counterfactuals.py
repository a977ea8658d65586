"""Samples from files, without their salient pattern."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from sepclr.atomic import replacing
from sepclr.data.samples import read_samples
from sepclr.runs.decoder import load_decoder
from sepclr.runs.folder import RunFolder
from sepclr.training import decode
from sepclr.types import InputError
from sepclr.views import pixels


def remove_file(run: Path, source: Path, output: Path) -> int:
    """Write the samples of a file as they would look, according to the model, without their salient pattern.

    Args:
        run: folder of a run with a decoder.
        source: targets, ``.npy``, ``.npz`` with an array ``x``, or ``.parquet``, as ``sepclr encode`` takes them.
        output: ``.npz`` with an array ``x``, in the shape of the samples; images in floating point in 0..1.

    Returns:
        The number of samples.

    Raises:
        InputError: the run has no decoder, samples cannot be read or do not fit, or the output cannot be written.
    """
    method, folder = load_decoder(run), RunFolder(run)
    study = folder.recipe().study
    x = read_samples(source, folder.samples()["sample_shape"], scaled=study is None or study.scaling != "none")
    made = decode(method, pixels(torch.from_numpy(x)), what=("without_salient",))["without_salient"]
    try:
        with replacing(output) as part, part.open("wb") as file:
            np.savez(file, x=made.numpy())
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror or error}); choose another --out") from None
    return len(made)

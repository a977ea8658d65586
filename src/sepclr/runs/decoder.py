"""The decoder of a run: flow matching on the codes of its trained method, in a folder of the run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor

from sepclr.atomic import replacing, write_whole
from sepclr.data import Cohort
from sepclr.methods.flow import Flow
from sepclr.nets.denoiser import Denoiser
from sepclr.parts import DecoderOptions, Settings
from sepclr.runs.folder import RunFolder, check_place, environment, make_folder
from sepclr.runs.run import load
from sepclr.runs.trained import load_method
from sepclr.training import check, encode, fit, resolve_accelerator
from sepclr.types import Codes, HasDecoder, InputError, Method
from sepclr.views import pixels

STEPS = 3000
"""Training steps by default, whatever the number of samples."""

FOLDER = "decoder"
"""Name of its folder in that of the run."""


def decoder_folder(run: Path) -> RunFolder:
    """Return the folder of a run's decoder; its files have the names of those of a run."""
    return RunFolder(run / FOLDER)


def fit_decoder(
    run: Path, options: DecoderOptions, *, root: Path | None = None, resume: bool = False, progress: bool | str = True
) -> RunFolder:
    """Train a decoder for a finished run, on its training samples.

    Args:
        run: folder of the run.
        options: of the decoder and of its training.
        root: data folder; that of the run if None.
        resume: resume an interrupted training.
        progress: show the progress; a string is printed before each line.

    Returns:
        The folder of the decoder.

    Raises:
        InputError: the run is not finished or its method has a decoder of its own, data are missing, a decoder is there already, or the
            options cannot be used.
    """
    folder = RunFolder(run)
    recipe = folder.recipe()
    method, shape = load_method(folder)
    if isinstance(method, HasDecoder):
        raise InputError(f"{run}: method {recipe.method.name!r} has a decoder of its own; run sepclr decode evaluate")
    source = load(recipe, root or folder.root())
    settings = settings_of(options, source.train)
    check(settings)
    place = decoder_folder(run)
    _open(place, options, resume=resume)
    codes = encode(method, source.train.x)
    flow = _made(method, shape, options, codes, source.train.is_target)
    fit(flow, pixels, source.train, settings, seed=options.seed, folder=place.path, progress=progress)
    with replacing(place.model) as part:
        save_file(_own(flow), part)
    return place


def settings_of(options: DecoderOptions, cohort: Cohort) -> Settings:
    """Return how a decoder is trained: by default for about 3,000 steps, in float32 on a CPU, where bfloat16 is slower here."""
    largest = max(int(cohort.is_target.sum()), int((~cohort.is_target).sum()))
    epochs = options.max_epochs or math.ceil(STEPS / max(2 * largest // options.batch_size, 1))
    settings = Settings(epochs, options.batch_size, options.learning_rate, precision=options.precision, accelerator=options.accelerator)
    if settings.precision == "auto" and resolve_accelerator(settings.accelerator) == "cpu":
        settings = replace(settings, precision="32-true")
    return replace(settings, devices="1")


def load_decoder(run: Path) -> Method:
    """Load what decodes the codes of a run: its method, or the decoder that was trained for it, in evaluation mode.

    Raises:
        InputError: the run is not finished, or has no decoder yet.
    """
    folder = RunFolder(run)
    method, shape = load_method(folder)
    if isinstance(method, HasDecoder):
        return method
    place = decoder_folder(run)
    if not place.model.is_file():
        raise InputError(f"{run}: there is no decoder; train one with sepclr decode fit {run}")
    options = options_of_decoder(run)
    tensors = load_file(place.model)
    codes = Codes(torch.zeros(2, len(tensors["c_mean"])), torch.zeros(2, len(tensors["s_mean"])))
    flow = _made(method, shape, options, codes, torch.tensor([False, True]))
    flow.load_state_dict(tensors, strict=False)  # the weights of the method are those of the run
    return flow.eval()


def options_of_decoder(run: Path) -> DecoderOptions:
    """Read the options of a decoder back.

    Raises:
        InputError: the file is not as it was written.
    """
    path = decoder_folder(run).config
    try:
        return DecoderOptions(**yaml.safe_load(path.read_text()))
    except (OSError, TypeError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path}: {str(error).splitlines()[0]}; restore the file as the run wrote it") from None


def _made(method: Method, shape: tuple[int, ...], options: DecoderOptions, codes: Codes, is_target: Tensor) -> Flow:
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        denoiser = Denoiser(shape, codes.c.shape[1] + codes.s.shape[1] + 1, options.width)
    return Flow(method, denoiser, codes, is_target, steps=options.steps).to(next(iter(method.parameters())).device)  # type: ignore[attr-defined]


def _own(flow: Flow) -> dict[str, Tensor]:
    """Return the tensors of a decoder without those of the method, which are in the folder of the run."""
    return {name: tensor.contiguous().cpu() for name, tensor in flow.state_dict().items() if not name.startswith("frozen.")}


def _open(place: RunFolder, options: DecoderOptions, *, resume: bool) -> None:
    """Start the folder of a decoder, or find it again."""
    there: Mapping[str, Any] | None = yaml.safe_load(place.config.read_text()) if place.config.is_file() else None
    if resume and there is None:
        raise InputError(f"{place.path}: there is nothing to resume; leave --resume out")
    if resume and there != asdict(options):
        raise InputError(f"{place.path}: the decoder was begun with other options, see its config.yaml; give the same")
    if not resume and there is not None:
        raise InputError(f"{place.path}: there is a decoder already; add --resume, or remove the folder")
    check_place(place.path, "make the run folder writable")
    make_folder(place.path, "make the run folder writable")
    write_whole(place.config, yaml.safe_dump(asdict(options), sort_keys=False))
    write_whole(place.environment, json.dumps(environment() | {"root": None}, indent=1))

"""The decoder of a run: flow matching on the codes of its trained method, in a folder of the run."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor

from sepclr.atomic import replacing, write_whole
from sepclr.errors import reading
from sepclr.fields import check_type, hints_of
from sepclr.methods.flow import Flow
from sepclr.nets.denoiser import Denoiser
from sepclr.parts import DecoderOptions
from sepclr.plain import read_yaml
from sepclr.runs.folder import RunFolder, check_place, environment, make_folder
from sepclr.runs.lock import held
from sepclr.runs.records import RESTORE
from sepclr.runs.run import load
from sepclr.runs.trained import device_of, load_method
from sepclr.training import check
from sepclr.training.decoder import decoder_settings, fresh_decoder, train_decoder
from sepclr.types import Codes, HasDecoder, InputError, Method

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
    method, _ = load_method(folder)
    if isinstance(method, HasDecoder):
        raise InputError(f"{run}: method {recipe.method.name!r} has a decoder of its own; run sepclr decode evaluate")
    if recipe.declared.task != "contrast":
        raise InputError(f"{run}: method {recipe.method.name!r} is for {recipe.declared.task}; decoders are for contrastive analysis")
    if "salient_dim" not in recipe.declared.defaults:
        raise InputError(f"{run}: method {recipe.method.name!r} has no salient code, so there is nothing to remove")
    if options.batch_size is None and recipe.training is not None:
        options = replace(options, batch_size=recipe.training.batch_size)
    source = load(recipe, root or folder.root())
    check(decoder_settings(options, source.train))
    place = decoder_folder(run)
    _check_place(place, options, resume=resume)
    with held(place.path):
        write_whole(place.config, yaml.safe_dump(asdict(options), sort_keys=False))
        write_whole(place.environment, json.dumps(environment() | {"root": None}, indent=1))
        flow = train_decoder(method, source.train, options, folder=place.path, progress=progress)
        with replacing(place.model) as part:
            save_file(_own(flow), part)
    return place


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
    with reading(place.model, "restore the file, or train the decoder again"):
        tensors = load_file(place.model)
        codes = Codes(*(torch.zeros(2, len(tensors[name])) for name in ("c_mean", "s_mean")))
        with torch.device("meta"):  # a width that the config claims takes no memory until the weights confirm it
            claimed = Denoiser(shape, codes.c.shape[1] + codes.s.shape[1] + 1, options.width).state_dict()
        if wrong := [name for name, tensor in claimed.items() if tensors[f"denoiser.{name}"].shape != tensor.shape]:
            raise ValueError(f"tensor {wrong[0]} does not fit width {options.width}")
        flow = fresh_decoder(method, shape, options, codes, torch.tensor([False, True]))
        missing, unexpected = flow.load_state_dict(tensors, strict=False)
        # The weights of the method are those of the run.
        if wrong := [*unexpected, *(name for name in missing if not name.startswith("frozen."))]:
            raise KeyError(f"tensor {wrong[0]} does not fit")
    return flow.to(device_of(folder.recipe())).eval()


def options_of_decoder(run: Path) -> DecoderOptions:
    """Read the options of a decoder back.

    Raises:
        InputError: the file is not as it was written.
    """
    path = decoder_folder(run).config
    values, hints = read_yaml(path, RESTORE), hints_of(DecoderOptions)
    if not isinstance(values, dict):
        raise InputError(f"{path}: holds no options; {RESTORE}")
    if unknown := sorted({*values} - {*hints}):
        raise InputError(f"{path}: unknown option {unknown[0]!r}; {RESTORE}")
    try:
        for name, value in values.items():
            check_type(name, value, hints[name])
        return DecoderOptions(**values)
    except InputError as error:
        raise InputError(f"{path}: {error}; {RESTORE}") from None


def _own(flow: Flow) -> dict[str, Tensor]:
    """Return the tensors of a decoder without those of the method, which are in the folder of the run."""
    return {name: tensor.contiguous().cpu() for name, tensor in flow.state_dict().items() if not name.startswith("frozen.")}


def _check_place(place: RunFolder, options: DecoderOptions, *, resume: bool) -> None:
    """Check that the folder of a decoder can be started or found again, and create it if missing."""
    there = options_of_decoder(place.path.parent) if place.config.is_file() else None
    if resume and there is None:
        raise InputError(f"{place.path}: there is nothing to resume; leave --resume out")
    if resume and there != options:
        raise InputError(f"{place.path}: the decoder was begun with other options, see its config.yaml; give the same")
    if not resume and there is not None:
        raise InputError(f"{place.path}: there is a decoder already; add --resume, or remove the folder")
    check_place(place.path, "make the run folder writable")
    make_folder(place.path, "make the run folder writable")

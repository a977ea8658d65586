"""Estimators and decoders on disk: tensors as safetensors, the rest as JSON, so that loading runs no code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import nn

from sepclr.atomic import replacing
from sepclr.types import InputError

FORMAT = "sepclr estimator"
VERSION = 1
FACTS, TENSORS = "estimator.json", "tensors.safetensors"
WEIGHTS = "method_."
"""Prefix of the names of weights."""

ESTIMATOR = "estimator"
"""Parameter of a decoder, the estimator that it belongs to, which is saved in a folder of this name."""

OF_THIS_SESSION = ("callbacks", "verbose", "device", "random_state")
"""Parameters that are not saved if they are objects, since a fitted estimator does not depend on them."""


EMPTY: dict[str, Any] = {"further_": {}, "known_classes_": {}}
"""Attributes that estimators saved by earlier versions lack."""


def save(model: Any, folder: Path) -> None:
    """Save a fitted estimator or decoder to a folder.

    Raises:
        InputError: a non-empty folder without a saved estimator or one that cannot be written, or parameters that cannot be saved.
    """
    parameters, own = _parameters(model)
    fitted = {name: value for name, value in vars(model).items() if name.endswith("_") and not name.startswith("_")}
    tensors: dict[str, np.ndarray] = {}
    facts: dict[str, Any] = {}
    for name, value in fitted.items():
        if isinstance(value, nn.Module):
            tensors |= {WEIGHTS + key: tensor.numpy() for key, tensor in value.state_dict().items()}
        elif isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
            tensors[name] = np.ascontiguousarray(value)
        else:
            facts[name] = {"strings": value.tolist()} if isinstance(value, np.ndarray) else value
    written = {
        "format": FORMAT,
        "version": VERSION,
        "class": type(model).__name__,
        "parameters": parameters,
        "own": own,
        "fitted": facts,
    }
    try:
        text = json.dumps(written, indent=1, default=_plain)
    except TypeError as error:
        raise InputError(f"save: {error}; only numbers, text and arrays of them can be saved") from None
    if (folder.exists() and not folder.is_dir()) or (folder.is_dir() and any(folder.iterdir()) and not (folder / FACTS).exists()):
        raise InputError(f"{folder}: exists and is not a saved estimator; choose a new or empty folder")
    if hasattr(model, ESTIMATOR):
        model.estimator.save(folder / ESTIMATOR)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / FACTS) as facts_part, replacing(folder / TENSORS) as tensors_part:
            save_file(tensors, tensors_part)
            facts_part.write_text(text)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from None


def load(folder: Path | str, **parameters: Any) -> Any:
    """Load an estimator or a decoder that ``save`` wrote.

    Args:
        folder: folder of the saved estimator.
        parameters: parameters that replace the saved ones, such as ``device``. A custom ``encoder`` must be passed again, since it is
            not saved. For a decoder, ``device`` also applies to its estimator, which gets the parameters that only estimators have.

    Returns:
        The fitted estimator, or the decoder with its estimator.

    Raises:
        InputError: a folder without a saved estimator, files that are damaged or do not match, or unknown parameters.
    """
    from sepclr import estimators

    folder = Path(folder)
    written = _facts(folder)
    kinds: dict[str, Any] = {**estimators.ESTIMATORS, "FlowDecoder": estimators.FlowDecoder}
    kind = kinds.get(written["class"])
    if kind is None:
        raise InputError(f"{folder / FACTS}: class {written['class']!r} is unknown; this version has {', '.join(kinds)}")
    if missing := [name for name in written["own"] if name not in parameters]:
        raise InputError(f"{missing[0]}: custom objects are not saved; pass it again, load(folder, {missing[0]}=…)")
    if ESTIMATOR in (taken := signature(kind).parameters):
        theirs = {name: value for name, value in parameters.items() if name == "device" or name not in taken}
        own = {name: value for name, value in parameters.items() if name in taken}
        parameters = {ESTIMATOR: load(folder / ESTIMATOR, **theirs)} | own
    try:
        model = kind(**written["parameters"] | parameters)
        for name, value in (EMPTY | written["fitted"]).items():
            setattr(model, name, _array(value))
        _put_tensors(model, load_file(folder / TENSORS))
    except (SafetensorError, OSError, RuntimeError, AttributeError, ValueError, TypeError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{folder}: damaged, or changed since it was saved ({reason}); save the estimator again") from None
    return model


def _facts(folder: Path) -> dict[str, Any]:
    """Read the JSON file and check its format."""
    path = folder / FACTS
    if not path.is_file():
        run = (folder / "config.yaml").exists()
        remedy = "this is a run; read it with `sepclr encode`" if run else "give a folder that `save` wrote"
        raise InputError(f"{folder}: no saved estimator ({FACTS} is missing); {remedy}")
    try:
        written = json.loads(path.read_text())
    except (ValueError, OSError, RecursionError):
        raise InputError(f"{path}: not valid JSON; save the estimator again") from None
    parts = {"class": str, "parameters": dict, "own": list, "fitted": dict}
    if not isinstance(written, dict) or written.get("format") != FORMAT:
        raise InputError(f"{path}: not a saved sepclr estimator; give a folder that `save` wrote")
    if written.get("version") != VERSION:
        raise InputError(f"{path}: format version {written.get('version')!r}; this sepclr reads version {VERSION}, update it")
    if wrong := [name for name, kind in parts.items() if not isinstance(written.get(name), kind)]:
        raise InputError(f"{path}: damaged ({wrong[0]} is missing); save the estimator again")
    return written


def _put_tensors(model: Any, tensors: Mapping[str, np.ndarray]) -> None:
    weights = {name.removeprefix(WEIGHTS): torch.from_numpy(value) for name, value in tensors.items() if name.startswith(WEIGHTS)}
    for name, value in tensors.items():
        if not name.startswith(WEIGHTS):
            setattr(model, name, value)
    if hasattr(model, "untrained"):
        with torch.device("meta"):  # sizes claimed by the file take no memory until the weights confirm them
            method = cast(nn.Module, model.untrained())
        method.load_state_dict(weights, assign=True)
        model.method_ = method


def _parameters(model: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters that JSON can hold, and the names of custom objects that must be passed again."""
    written, own = {}, []
    for name, value in model.get_params(deep=False).items():
        plain = value.item() if isinstance(value, np.generic) else value
        if plain is None or isinstance(plain, str | int | float):
            written[name] = plain
        elif name not in (*OF_THIS_SESSION, "views", ESTIMATOR):
            own.append(name)
    return written, own


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} {value!r}")


def _array(value: Any) -> Any:
    """Restore arrays of strings and tuples from JSON."""
    if isinstance(value, dict) and set(value) == {"strings"}:
        return np.asarray(value["strings"])
    if isinstance(value, dict):
        return {name: _array(each) for name, each in value.items()}
    return tuple(value) if isinstance(value, list) and all(isinstance(each, int) for each in value) else value

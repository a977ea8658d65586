"""Packages that only some parts of the library need, by the name under which they are imported."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from sepclr.errors import InputError

EXTRAS = {
    "brains": ("nibabel", "matplotlib", "nilearn", "captum"),
    "cells": ("anndata",),
    "combat": ("combatlearn",),
    "dask": ("distributed",),
    "hub": ("huggingface_hub",),
    "mlflow": ("mlflow",),
    "onnx": ("onnx", "onnxscript"),
    "report": ("matplotlib",),
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb",),
}
"""Packages of each extra, ``pip install 'sepclr[NAME]'``."""


def need(extra: str, what: str) -> None:
    """Check that the packages of an extra are installed, without importing them.

    Args:
        extra: its name in ``EXTRAS``.
        what: what needs them, at the beginning of the message.

    Raises:
        InputError: if one is missing.
    """
    if missing := [name for name in EXTRAS[extra] if find_spec(name) is None]:
        raise InputError(f"{what}: needs {', '.join(missing)}; pip install 'sepclr[{extra}]'")


def need_loggers(names: Sequence[str]) -> None:
    """Check that the packages of loggers are installed; each is an extra.

    Raises:
        InputError: if one is missing.
    """
    for name in names:
        need(name, "loggers")

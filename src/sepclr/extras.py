"""Packages that only some parts of the library need, by the name under which pip installs them."""

from __future__ import annotations

from importlib.util import find_spec

from sepclr.errors import InputError

EXTRAS = {
    "brains": ("nibabel", "matplotlib", "nilearn", "captum"),
    "cells": ("anndata",),
    "combat": ("combatlearn",),
    "dask": ("distributed",),
    "report": ("matplotlib",),
    "tensorboard": ("tensorboard",),
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

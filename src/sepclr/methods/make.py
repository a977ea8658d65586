"""Create a method from its options, with fresh weights."""

from __future__ import annotations

from importlib import import_module
from typing import cast

import torch

from sepclr.methods.options import Options
from sepclr.nets import Networks
from sepclr.types import Method


def make(options: Options, networks: Networks, *, seed: int) -> Method:
    """Create a method with weights drawn from a seed; torch's global generator is left unchanged.

    Args:
        options: options of one of the methods in ``METHODS``.
        networks: factory of its networks.
        seed: random seed of the weights.

    Raises:
        InputError: networks that do not fit the samples or the method.
    """
    file = type(options).__module__.rpartition(".")[2]  # the options and the class are in files of the same name
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return cast(Method, import_module(f"sepclr.methods.{file}").make(options, networks))

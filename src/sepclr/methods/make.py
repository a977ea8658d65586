"""From a method's options to the method, with fresh weights."""

from __future__ import annotations

from importlib import import_module
from typing import cast

import torch

from sepclr.methods.options import Options
from sepclr.nets import Networks
from sepclr.types import Method


def make(options: Options, networks: Networks, *, seed: int) -> Method:
    """Make a method with weights drawn from a seed; torch's global generator is left as it was.

    Args:
        options: its options, of one of the classes that ``METHODS`` lists.
        networks: makes its networks.
        seed: of the weights.

    Raises:
        InputError: networks that the samples or the method do not go with.
    """
    file = type(options).__module__.rpartition(".")[2]  # its options and its class are in files of one name
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return cast(Method, import_module(f"sepclr.methods.{file}").make(options, networks))

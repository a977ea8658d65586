"""Create a method from its options, with fresh weights."""

from __future__ import annotations

from importlib import import_module
from typing import cast

import torch

from sepclr.methods.options import Options, of_task
from sepclr.methods.several import several
from sepclr.nets import Networks
from sepclr.ranges import check_at_least
from sepclr.types import InputError, Method


def make(options: Options, networks: Networks, *, seed: int) -> Method:
    """Create a method with weights drawn from a seed; torch's global generator is left unchanged.

    Args:
        options: options of one of the methods in ``METHODS``.
        networks: factory of its networks.
        seed: random seed of the weights.

    Raises:
        InputError: networks that do not fit the samples or the method.
    """
    return _made(options, networks, 1, seed)[0]


def make_several(options: Options, networks: Networks, *, groups: int, seed: int) -> Method:
    """Create a method for several target groups, see ``sepclr.methods.several``; for one group that of ``make``.

    Args:
        options: options of a method of contrastive analysis with a salient code.
        networks: factory of its networks.
        groups: number of target groups.
        seed: random seed of the weights.

    Raises:
        InputError: fewer than one group, several for a method that takes one, or as ``make``.
    """
    check_at_least(1, target_groups=groups)
    allowed = [name for name, declared in of_task("contrast").items() if declared.trained and "salient_dim" in declared.defaults]
    if groups > 1 and options.name not in allowed:
        raise InputError(f"method: {options.name!r} takes one target group, not {groups}; choose {', '.join(allowed)}, or --merge")
    methods = _made(options, networks, groups, seed)
    return cast(Method, several(methods)) if groups > 1 else methods[0]


def _made(options: Options, networks: Networks, number: int, seed: int) -> list[Method]:
    """Create some methods of a kind, which differ in their weights."""
    file = type(options).__module__.rpartition(".")[2]  # the options and the class are in files of the same name
    create = import_module(f"sepclr.methods.{file}").make
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return [cast(Method, create(options, networks)) for _ in range(number)]

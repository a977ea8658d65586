from __future__ import annotations

from importlib import import_module
from typing import get_args

import pytest

from sepclr.benchmark.build import build
from sepclr.benchmark.profiles import DEMO, adapted
from sepclr.benchmark.recipes import LINEAR, MethodName
from sepclr.methods.catalogue import METHODS, Entry, table
from sepclr.types import HasCritic, HasDecoder

TRAINED = {*get_args(MethodName)} - {*LINEAR}


@pytest.mark.parametrize("entry", METHODS, ids=lambda entry: entry.name)
def test_what_is_listed_is_there(entry: Entry):
    module, _, name = entry.where.rpartition(".")
    assert hasattr(import_module(module), name)
    assert entry.link in table()


def test_every_trained_method_of_the_command_line_is_listed():
    listed = {name for entry in METHODS if not entry.linear for name in entry.name.split(", ")}
    assert listed == TRAINED


@pytest.mark.parametrize("name", sorted(TRAINED))
def test_it_has_what_the_list_says(name: str):
    (entry,) = (entry for entry in METHODS if name in entry.name.split(", "))
    method = build(adapted(DEMO, name), (1, 32, 32))
    assert isinstance(method, HasDecoder) == entry.decoder
    if name != "sepclr":  # there it depends on the way to independence
        assert (isinstance(method, HasCritic) and bool(method.critic_parameters())) == entry.critic

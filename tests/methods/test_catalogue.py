from __future__ import annotations

from importlib import import_module

import pytest

from sepclr.methods.catalogue import ESTIMATORS, table
from sepclr.methods.options import METHODS
from sepclr.runs.make import make_method
from sepclr.runs.recipe import usual
from sepclr.types import HasCritic, HasDecoder

TRAINED = [name for name, method in METHODS.items() if method.trained]


@pytest.mark.parametrize("name", METHODS)
def test_what_is_listed_is_there(name: str):
    module, _, attribute = METHODS[name].where.rpartition(".")
    assert hasattr(import_module(module), attribute)
    assert METHODS[name].paper.link in table()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_linear_estimators_are_there(name: str):
    assert hasattr(import_module("sepclr"), name)
    assert ESTIMATORS[name].link in table()


@pytest.mark.parametrize("name", TRAINED)
def test_it_has_what_it_declares(name: str):
    method, declared = make_method(usual("marked-digits", method=name), (1, 32, 32)), METHODS[name]
    assert isinstance(method, HasDecoder) == declared.decoder
    if name != "sepclr":  # there it depends on the independence term
        assert (isinstance(method, HasCritic) and bool(method.critic_parameters())) == declared.critic

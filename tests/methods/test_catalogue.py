from __future__ import annotations

from importlib import import_module

import pytest
from tests.recipes import DATA_OF

from sepclr.methods.catalogue import ESTIMATORS, table
from sepclr.methods.options import METHODS
from sepclr.runs.make import make_method
from sepclr.runs.recipe import usual
from sepclr.types import HasClassifier, HasCritic, HasDecoder, HasModality

TRAINED = [name for name, method in METHODS.items() if method.trained]


@pytest.mark.parametrize("name", METHODS)
def test_what_is_listed_is_there(name: str):
    module, _, attribute = METHODS[name].where.rpartition(".")
    assert hasattr(import_module(module), attribute)
    assert METHODS[name].paper.link in table()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_linear_estimators_are_there(name: str):
    assert hasattr(import_module("sepclr"), name)
    assert ESTIMATORS[name].paper.link in table()


@pytest.mark.parametrize("name", TRAINED)
def test_it_has_what_it_declares(name: str):
    declared = METHODS[name]
    known = {"weak": (1, 32, 32)}, {"label": 3, "bias": 2, "target_label": 3}
    method = make_method(usual(DATA_OF[declared.task], method=name), (1, 32, 32), *known)
    assert isinstance(method, HasClassifier) == bool(declared.classes)
    assert isinstance(method, HasModality) == (declared.task == "modalities")
    assert isinstance(method, HasDecoder) == declared.decoder
    if name != "sepclr":  # there it depends on the independence term
        assert (isinstance(method, HasCritic) and bool(method.critic_parameters())) == declared.critic

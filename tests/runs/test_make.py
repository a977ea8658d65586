"""Recipes of the other methods, as the command line runs them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.recipes import DATA_OF

from sepclr.datasets import DATA_SETS
from sepclr.methods import DecorrelatedWeights, SepVAEWeights
from sepclr.methods.options import METHODS, of_task
from sepclr.parts import DecoderOptions
from sepclr.runs import run as runner
from sepclr.runs import trained
from sepclr.runs.decoder import fit_decoder
from sepclr.runs.make import make_method
from sepclr.runs.recipe import Recipe, changed, nested, read, usual
from sepclr.types import InputError


def small(method: str) -> Recipe:
    declared, options = METHODS[method], {"common_dim": 4}
    if "salient_dim" in declared.defaults:
        options["salient_dim"] = 3
    if declared.views:
        options["crop"] = 8
    return usual(
        DATA_OF[declared.task], method=method, **options, **{"width": 4, "max_epochs": 1, "batch_size": 20} if declared.trained else {}
    )


@pytest.mark.parametrize("method", METHODS)
def test_every_method_runs_from_recipe_to_report(tiny: Recipe, tmp_path: Path, method: str):
    finished = runner.run(small(method), tmp_path / "run", progress=False)
    (strict, *_) = (json.loads(line) for line in finished.folder.results.read_text().splitlines())
    assert strict["method"] == method
    assert strict["independence"] == ("decorrelation" if method == "sepclr" else METHODS[method].selectors.get("independence", ("",))[0])
    page = finished.folder.report.read_text()
    assert ("without salient" in page) == (METHODS[method].decoder and METHODS[method].trained)
    again, _ = trained.load_method(finished.folder)
    assert type(again) is type(make_method(finished.recipe, *trained.shapes_of(finished.folder)))


def test_from_a_constant_code_nothing_is_read(tiny: Recipe, tmp_path: Path):
    rows = runner.run(small("simclr"), tmp_path / "run", progress=False).rows
    constant = [row for row in rows if row["space"] == "s" and row["metric"] == "balanced_accuracy"]
    assert constant
    assert all(row["score"] == pytest.approx(row["chance"]) for row in constant)


@pytest.mark.parametrize("method", [name for name in of_task("contrast") if METHODS[name].trained])
def test_without_weights_in_the_recipe_they_are_the_published_ones(method: str):
    given = {"independence": "k-jem"} if method == "sepclr" else {}
    made = make_method(usual("digits-on-cifar", "paper", method=method, width=8, **given), (3, 32, 32))
    assert made.weights == METHODS[method].asked(given).weights


@pytest.mark.parametrize("data", [name for name in DATA_SETS if DATA_SETS[name].task == "contrast"])
def test_decorrelation_has_the_same_weights_on_all_data(data: str):
    shape = {"mri": (1, 16, 16, 16), "rows": (8,), "cells": (8,)}.get(data, (1, 32, 32))
    assert make_method(usual(data, width=8), shape).weights == DecorrelatedWeights(1.0, 1.0, 4.0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            {"weight_independence": 1.0},
            "weight_independence: 'decorrelation' has no such option; it requires objective released, published",
        ),
        ({"objective": "decorrelated", "independence": "k-jem"}, "objective 'decorrelated' and independence 'k-jem' cannot be combined"),
        (
            {"objective": "released", "independence": "decorrelation"},
            "objective 'released' and independence 'decorrelation' cannot be combined",
        ),
        ({"tau_salient": 1.0}, "tau_salient: 'decorrelation' has no such option; it requires objective released, published"),
        ({"tau": "median"}, "tau: 'median' is not a number; it requires objective released, published"),
    ],
)
def test_options_of_another_objective_are_errors(change: dict[str, Any], named: str):
    with pytest.raises(InputError) as error:
        usual("marked-digits", **change)
    assert named in str(error.value)


def test_a_code_of_one_number_cannot_be_standardised_within_each_sample():
    with pytest.raises(InputError, match="norm: 'group' standardises a code within each sample"):
        make_method(usual("marked-digits", norm="group", common_dim=1), (1, 32, 32))


def test_a_weight_in_the_recipe_replaces_the_published_one():
    made = make_method(usual("marked-digits", method="sepvae", weight_independence=7.0), (1, 32, 32))
    assert asdict(made.weights) == asdict(SepVAEWeights()) | {"independence": 7.0}


@pytest.mark.parametrize(
    ("method", "change", "named"),
    [
        ("sepvae", {"independence": "k-jem"}, "independence: 'sepvae' has no such option"),
        ("sepvae", {"crop": 20}, "crop: 'sepvae' uses no random views; add --views random"),
        ("sepclr", {"fold": 1}, "fold: 'decorrelation' on marked-digits has no such option"),
        ("sepclr", {"width": "wide"}, "width: 'wide' is not a whole number"),
        ("sepclr", {"encoder": "resnet50"}, "encoder: 'resnet50' is unknown"),
        ("sepclr", {"seed": -1}, "seed: -1 is not at least 0"),
        ("k-jem", {}, "method: 'k-jem' is unknown"),
        ("convae", {"weight_shared": 1.0}, "weight_shared: 'convae' has no such option; it has common"),
        ("simclr", {"views": "none"}, "views: 'simclr' needs random views"),
        ("sepclr", {"views": "none"}, "views: 'sepclr' needs"),
        ("cvae", {"critic_steps": 0}, "critic_steps: 0"),
        ("mm-cvae", {"critic_steps": 2}, "critic_steps: 'mm-cvae' has no such option"),
        ("convae", {"fidelity": "released"}, "fidelity: 'convae' has no such option"),
        ("sepvae", {"tau": 1.0}, "tau: 'sepvae' has no such option"),
        ("simclr", {"tau": 0.0}, "tau: 0.0 is not positive"),
        ("sepclr", {"salient_dim": 0}, "salient_dim: 0 is not at least 1"),
        ("sepclr", {"stem_stride": 0}, "stem_stride: 0 is not at least 1"),
        ("sepclr", {"encoder": "conv"}, "encoder: 'conv' takes whole images"),
        ("sepclr", {"workers": 2}, "workers: 2, but the samples are in memory"),
        ("sepclr", {"blur": 1.0}, "blur: views of images have no such option"),
        ("pca", {"encoder": "conv"}, "encoder: method 'pca' is not trained and has no such option; it has common_dim, salient_dim"),
        ("contrastive-pca", {"max_epochs": 3}, "max_epochs: method 'contrastive-pca' is not trained"),
        ("contrastive-pca", {"weight_salient": 1.0}, "weight_salient: 'contrastive-pca' has no such option; it has common_dim"),
        ("pca", {"common_dim": 0}, "common_dim: 0 is not at least 1"),
        ("convae", {"views": "random", "encoder": "resnet8"}, "method: 'convae' takes whole images"),
    ],
)
def test_options_that_a_method_does_not_have_are_named(method: str, change: dict[str, object], named: str):
    with pytest.raises(InputError) as error:
        make_method(usual("marked-digits", method=method, **change), (1, 32, 32))
    assert str(error.value).startswith(named)


def test_a_recipe_with_any_options_of_its_method_is_read_back():
    for name, method in METHODS.items():
        for each in method.options:
            assert each.default.name == name
            recipe = replace(usual(DATA_OF[method.task], method=name), method=each.default)
            assert read(json.loads(json.dumps(nested(recipe)))) == recipe


def test_views_of_the_size_of_the_image_are_whole():
    make_method(usual("marked-digits", method="convae", views="random", crop=32), (1, 32, 32))


def test_a_released_sepvae_keeps_a_weight_that_is_given():
    released = usual("marked-digits", method="sepvae", fidelity="released")
    assert make_method(released, (1, 32, 32)).weights.classification == 1e-10
    assert make_method(changed(released, weight_classification=0.5), (1, 32, 32)).weights.classification == 0.5


def test_methods_train_for_their_own_epochs_on_a_cpu_and_for_those_of_sepclr_as_published():
    for data, method in (("digits-on-cifar", "cvae"), ("marked-digits", "simclr")):
        assert usual(data, method=method).settings.max_epochs == METHODS[method].epochs[data]
    paper = usual("digits-on-cifar", "paper", method="sepvae")
    assert paper.settings.max_epochs == usual("digits-on-cifar", "paper").settings.max_epochs == 250
    assert (paper.method.common_dim, paper.method.salient_dim, paper.settings.batch_size, paper.settings.learning_rate) == (
        64,
        64,
        512,
        1e-3,
    )


def test_where_a_recipe_runs_can_be_said_of_a_method_that_is_not_trained():
    recipe = usual("marked-digits", method="pca")
    assert changed(recipe, devices="1", accelerator="cpu") == recipe


def test_a_build_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    make_method(usual("marked-digits", method="sepvae"), (1, 32, 32))
    assert torch.equal(torch.rand(1), expected)


def test_a_method_of_another_task_is_named():
    with pytest.raises(InputError, match="method: 'modalities' is for modalities, and marked-digits for contrast; choose cvae"):
        usual("marked-digits", method="modalities")
    wrong = nested(usual("marked-digits")) | {"data": {"name": "quadrants"}}
    with pytest.raises(InputError, match="method: 'sepclr' is for contrast, and quadrants for modalities; choose modalities"):
        read(wrong)


def test_a_run_free_of_an_attribute_expects_it_in_neither_code(tiny: Recipe, tmp_path: Path):
    finished = runner.run(changed(small("sepclr"), free_of="digit"), tmp_path / "run", progress=False)
    (strict, *_) = (json.loads(line) for line in finished.folder.results.read_text().splitlines())
    assert strict["best_expected"]["digit_common"] == strict["best_expected"]["digit_salient"] == pytest.approx(1 / 3)
    assert strict["best_expected"]["mark_salient"] == 1
    assert {"c_with_free_of", "s_with_free_of"} <= {*finished.folder.history()[0]}
    again, _ = trained.load_method(finished.folder)
    assert again.free_of == 3


@pytest.mark.parametrize(
    ("name", "named"),
    [("scanner", "free_of: 'scanner' is not an attribute; attributes are digit, mark"), ("mark", "is unknown in background")],
)
def test_an_attribute_that_a_run_cannot_be_free_of_is_named_before_anything_is_written(tiny: Recipe, tmp_path: Path, name: str, named: str):
    with pytest.raises(InputError, match=named):
        runner.run(changed(small("sepclr"), free_of=name), tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_two_stages_are_trained_one_after_the_other(tiny: Recipe, tmp_path: Path):
    finished = runner.run(changed(small("modalities"), stages="weak-first"), tmp_path / "run", progress=False)
    first, then = (finished.folder.path / part / "metrics.jsonl" for part in ("first", ""))
    seconds = [sum(json.loads(line)["seconds"] for line in path.read_text().splitlines()) for path in (first, then)]
    assert finished.seconds == pytest.approx(sum(seconds))
    assert {row["space"] for row in finished.rows} == {"c", "s", "w", "w_to_c"}
    with pytest.raises(InputError, match="'modalities' is for modalities; decoders are for contrastive analysis"):
        fit_decoder(finished.folder.path, DecoderOptions())

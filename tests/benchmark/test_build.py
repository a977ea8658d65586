"""Recipes of the other methods, as the command line runs them."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from sepclr.benchmark import runner, trained
from sepclr.benchmark.build import WEIGHTS, build
from sepclr.benchmark.preflight import METHOD_WEIGHTS
from sepclr.benchmark.profiles import CPU, DEMO, EPOCHS, MRI, PAPER, adapted
from sepclr.benchmark.recipes import LINEAR, VARIATIONAL, MethodName, Recipe
from sepclr.methods import DecorrelatedWeights
from sepclr.types import InputError


def small(tiny: Recipe, method: MethodName) -> Recipe:
    networks = {} if method in LINEAR else {"width": 4, "max_epochs": 1}
    return replace(adapted(tiny, method), common_dim=4, salient_dim=3, **networks)


@pytest.mark.parametrize("method", get_args(MethodName))
def test_every_method_runs_from_recipe_to_report(tiny: Recipe, tmp_path: Path, method: MethodName):
    finished = runner.run(small(tiny, method), tmp_path / "run", progress=False)
    (strict, *_) = (json.loads(line) for line in finished.folder.results.read_text().splitlines())
    assert strict["method"] == method
    assert strict["independence"] == ("decorrelation" if method == "sepclr" else "")
    page = finished.folder.report.read_text()
    assert ("without salient" in page) == (method in VARIATIONAL)
    again, _ = trained.load_method(finished.folder)
    assert type(again) is type(build(finished.recipe, (1, 12, 12)))


def test_from_a_constant_code_nothing_is_read(tiny: Recipe, tmp_path: Path):
    rows = runner.run(small(tiny, "simclr"), tmp_path / "run", progress=False).rows
    constant = [row for row in rows if row["space"] == "s" and row["metric"] == "balanced_accuracy"]
    assert constant
    assert all(row["score"] == pytest.approx(row["chance"]) for row in constant)


@pytest.mark.parametrize("method", WEIGHTS)
def test_without_weights_in_the_recipe_they_are_the_published_ones(method: MethodName):
    made = build(adapted(PAPER, method, "k-jem"), (3, 32, 32))
    assert made.weights == WEIGHTS[method]()


@pytest.mark.parametrize("recipe", [PAPER, DEMO, MRI])
def test_decorrelation_has_the_same_weights_on_all_data(recipe: Recipe):
    shape = (1, 16, 16, 16) if recipe.data == "mri" else (1, 32, 32)
    assert build(replace(adapted(recipe, "sepclr"), width=8), shape).weights == DecorrelatedWeights(1.0, 1.0, 4.0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            {"weight_independence": 1.0},
            "weight_independence: objective 'decorrelated' has no such term; it has common, information_less, salient",
        ),
        ({"independence": "k-jem"}, "independence: 'k-jem' does not go with objective 'decorrelated'; give decorrelation, or objective"),
        ({"objective": "released"}, "independence: 'decorrelation' does not go with objective 'released'; give a term such as k-jem"),
        ({"tau_salient": 1.0}, "tau_salient: objective 'decorrelated' has one bandwidth"),
        ({"tau": "median"}, "tau: 'median' is for objectives released and published"),
    ],
)
def test_options_of_another_objective_are_errors(change: dict[str, Any], named: str):
    with pytest.raises(InputError) as error:
        build(replace(adapted(DEMO, "sepclr"), **change), (1, 32, 32))
    assert named in str(error.value)


def test_a_code_of_one_number_cannot_be_standardised_within_each_sample():
    with pytest.raises(InputError, match="norm: 'group' standardises a code within each sample"):
        build(replace(adapted(DEMO, "sepclr"), norm="group", common_dim=1), (1, 32, 32))


def test_a_weight_in_the_recipe_replaces_the_published_one():
    made = build(replace(adapted(DEMO, "sepvae"), weight_independence=7.0), (1, 32, 32))
    assert asdict(made.weights) == asdict(WEIGHTS["sepvae"]()) | {"independence": 7.0}


@pytest.mark.parametrize(
    ("method", "change", "named"),
    [
        ("sepvae", {"independence": "k-jem"}, "independence: 'k-jem' is SepCLR's"),
        ("convae", {"weight_shared": 1.0}, "weight_shared: method 'convae' has no such term; it has common"),
        ("simclr", {"views": "none"}, "views: 'simclr' learns from what two random views share"),
        ("sepclr", {"views": "none"}, "views: 'sepclr' learns"),
        ("cvae", {"critic_steps": 0}, "critic_steps: 0"),
        ("mm-cvae", {"critic_steps": 2}, "critic_steps: 'mm-cvae' has no such option"),
        ("convae", {"fidelity": "released"}, "fidelity: method 'convae' has no such option; cvae, sepvae"),
        ("sepvae", {"tau": 1.0}, "tau: method 'sepvae' has no such option"),
        ("simclr", {"tau": 0.0}, "tau: 0.0 is not positive"),
        ("sepclr", {"salient_dim": 0}, "salient_dim: 0 is not at least 1"),
        ("sepclr", {"stem_stride": 0}, "stem_stride: 0 is not at least 1"),
        ("sepclr", {"encoder": "conv"}, "encoder: 'conv' takes whole images"),
        ("sepclr", {"workers": 2}, "workers: 2, but these samples are in memory"),
        ("sepclr", {"blur": 1.0}, "blur: views of images have no such option"),
        ("pca", {"encoder": "conv"}, "encoder: method 'pca' is not trained and has no such option; it has common_dim, salient_dim"),
        ("contrastive-pca", {"max_epochs": 3}, "max_epochs: method 'contrastive-pca' is not trained"),
        ("contrastive-pca", {"weight_salient": 1.0}, "weight_salient: method 'contrastive-pca'"),
        ("pca", {"common_dim": 0}, "common_dim: 0 is not at least 1"),
        ("convae", {"views": "random", "encoder": "resnet8"}, "method: 'convae' takes whole images"),
    ],
)
def test_options_that_a_method_does_not_have_are_named(method: MethodName, change: dict[str, object], named: str):
    with pytest.raises(InputError) as error:
        build(replace(adapted(DEMO, method), **change), (1, 32, 32))
    assert str(error.value).startswith(named)


def test_the_weights_that_methods_are_checked_for_are_those_that_they_have():
    assert {method: {field.name for field in fields(kind)} for method, kind in WEIGHTS.items()} == {
        method: set(names) for method, names in METHOD_WEIGHTS.items()
    }


def test_views_of_the_size_of_the_image_are_whole():
    build(replace(adapted(DEMO, "convae"), views="random", crop=32), (1, 32, 32))


def test_a_released_sepvae_keeps_a_weight_that_is_given():
    released = replace(adapted(DEMO, "sepvae"), fidelity="released")
    assert build(released, (1, 32, 32)).weights.classification == 1e-10
    assert build(replace(released, weight_classification=0.5), (1, 32, 32)).weights.classification == 0.5


def test_adapted_recipes_are_as_long_as_sepclr_s_in_time_on_a_cpu_and_in_epochs_as_published():
    assert adapted(CPU, "sepclr", "k-jem") == CPU
    assert adapted(CPU, "cvae").max_epochs == EPOCHS["digits-on-cifar"]["cvae"]
    assert adapted(DEMO, "simclr").max_epochs == EPOCHS["marked-digits"]["simclr"]
    assert adapted(PAPER, "cvae").max_epochs == PAPER.max_epochs
    variational = adapted(PAPER, "sepvae")
    assert (variational.common_dim, variational.salient_dim, variational.batch_size, variational.learning_rate) == (64, 64, 512, 1e-3)


def test_a_build_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    build(adapted(DEMO, "sepvae"), (1, 32, 32))
    assert torch.equal(torch.rand(1), expected)

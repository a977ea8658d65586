"""Recipes of the other methods, as the command line runs them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from sepclr.benchmark import runner, trained
from sepclr.benchmark.build import build
from sepclr.benchmark.profiles import CPU, DEMO, MRI, PAPER, adapted
from sepclr.benchmark.recipes import MethodName, Recipe, method_options, resolved
from sepclr.methods import DecorrelatedWeights, SepVAEWeights
from sepclr.methods.options import METHODS, Options
from sepclr.methods.options.fields import flat
from sepclr.types import InputError


def small(tiny: Recipe, method: MethodName) -> Recipe:
    networks = {} if not METHODS[method].trained else {"width": 4, "max_epochs": 1}
    return replace(adapted(tiny, method), common_dim=4, salient_dim=3, **networks)


@pytest.mark.parametrize("method", get_args(MethodName))
def test_every_method_runs_from_recipe_to_report(tiny: Recipe, tmp_path: Path, method: MethodName):
    finished = runner.run(small(tiny, method), tmp_path / "run", progress=False)
    (strict, *_) = (json.loads(line) for line in finished.folder.results.read_text().splitlines())
    assert strict["method"] == method
    assert strict["independence"] == ("decorrelation" if method == "sepclr" else "")
    page = finished.folder.report.read_text()
    assert ("without salient" in page) == (METHODS[method].decoder and METHODS[method].trained)
    again, _ = trained.load_method(finished.folder)
    assert type(again) is type(build(finished.recipe, (1, 12, 12)))


def test_from_a_constant_code_nothing_is_read(tiny: Recipe, tmp_path: Path):
    rows = runner.run(small(tiny, "simclr"), tmp_path / "run", progress=False).rows
    constant = [row for row in rows if row["space"] == "s" and row["metric"] == "balanced_accuracy"]
    assert constant
    assert all(row["score"] == pytest.approx(row["chance"]) for row in constant)


@pytest.mark.parametrize("method", [name for name in METHODS if METHODS[name].trained])
def test_without_weights_in_the_recipe_they_are_the_published_ones(method: MethodName):
    made = build(adapted(PAPER, method, "k-jem"), (3, 32, 32))
    given = {"independence": "k-jem"} if method == "sepclr" else {}
    assert made.weights == METHODS[method].asked(given).weights


@pytest.mark.parametrize("recipe", [PAPER, DEMO, MRI])
def test_decorrelation_has_the_same_weights_on_all_data(recipe: Recipe):
    shape = (1, 16, 16, 16) if recipe.data == "mri" else (1, 32, 32)
    assert build(replace(adapted(recipe, "sepclr"), width=8), shape).weights == DecorrelatedWeights(1.0, 1.0, 4.0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            {"weight_independence": 1.0},
            "weight_independence: 'decorrelation' has no such option; it is for objective released, published",
        ),
        ({"independence": "k-jem"}, "objective 'decorrelated' and independence 'k-jem' do not go together"),
        ({"objective": "released"}, "objective 'released' and independence 'decorrelation' do not go together"),
        ({"tau_salient": 1.0}, "tau_salient: 'decorrelation' has no such option; it is for objective released, published"),
        ({"tau": "median"}, "tau: 'median' is not a number; it is for objective released, published"),
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
    assert asdict(made.weights) == asdict(SepVAEWeights()) | {"independence": 7.0}


@pytest.mark.parametrize(
    ("method", "change", "named"),
    [
        ("sepvae", {"independence": "k-jem"}, "independence: 'k-jem' is SepCLR's"),
        ("convae", {"weight_shared": 1.0}, "weight_shared: 'convae' has no such option; it has common"),
        ("simclr", {"views": "none"}, "views: 'simclr' learns from what two random views share"),
        ("sepclr", {"views": "none"}, "views: 'sepclr' learns"),
        ("cvae", {"critic_steps": 0}, "critic_steps: 0"),
        ("mm-cvae", {"critic_steps": 2}, "critic_steps: 'mm-cvae' has no such option"),
        ("convae", {"fidelity": "released"}, "fidelity: 'convae' has no such option"),
        ("sepvae", {"tau": 1.0}, "tau: 'sepvae' has no such option"),
        ("simclr", {"tau": 0.0}, "tau: 0.0 is not positive"),
        ("sepclr", {"salient_dim": 0}, "salient_dim: 0 is not at least 1"),
        ("sepclr", {"stem_stride": 0}, "stem_stride: 0 is not at least 1"),
        ("sepclr", {"encoder": "conv"}, "encoder: 'conv' takes whole images"),
        ("sepclr", {"workers": 2}, "workers: 2, but these samples are in memory"),
        ("sepclr", {"blur": 1.0}, "blur: views of images have no such option"),
        ("pca", {"encoder": "conv"}, "encoder: method 'pca' is not trained and has no such option; it has common_dim, salient_dim"),
        ("contrastive-pca", {"max_epochs": 3}, "max_epochs: method 'contrastive-pca' is not trained"),
        ("contrastive-pca", {"weight_salient": 1.0}, "weight_salient: 'contrastive-pca' has no such option; it has common_dim"),
        ("pca", {"common_dim": 0}, "common_dim: 0 is not at least 1"),
        ("convae", {"views": "random", "encoder": "resnet8"}, "method: 'convae' takes whole images"),
    ],
)
def test_options_that_a_method_does_not_have_are_named(method: MethodName, change: dict[str, object], named: str):
    with pytest.raises(InputError) as error:
        build(replace(adapted(DEMO, method), **change), (1, 32, 32))
    assert str(error.value).startswith(named)


def test_a_method_has_the_options_that_its_declaration_lists_and_no_others():
    for name, method in METHODS.items():
        for each in method.options:
            assert each.default.name == name
            assert method_options(resolved(recipe_of(each.default))) == each.default


def recipe_of(options: Options) -> Recipe:
    """A recipe with these options; what they do not have is at its default."""
    independence = {} if "independence" in flat(options) else {"independence": "none"}
    return replace(Recipe("marked-digits"), method=options.name, **independence, **flat(options))


def test_views_of_the_size_of_the_image_are_whole():
    build(replace(adapted(DEMO, "convae"), views="random", crop=32), (1, 32, 32))


def test_a_released_sepvae_keeps_a_weight_that_is_given():
    released = replace(adapted(DEMO, "sepvae"), fidelity="released")
    assert build(released, (1, 32, 32)).weights.classification == 1e-10
    assert build(replace(released, weight_classification=0.5), (1, 32, 32)).weights.classification == 0.5


def test_adapted_recipes_are_as_long_as_sepclr_s_in_time_on_a_cpu_and_in_epochs_as_published():
    assert adapted(CPU, "sepclr", "k-jem") == CPU
    assert adapted(CPU, "cvae").max_epochs == METHODS["cvae"].epochs["digits-on-cifar"]
    assert adapted(DEMO, "simclr").max_epochs == METHODS["simclr"].epochs["marked-digits"]
    assert adapted(PAPER, "cvae").max_epochs == PAPER.max_epochs
    variational = adapted(PAPER, "sepvae")
    assert (variational.common_dim, variational.salient_dim, variational.batch_size, variational.learning_rate) == (64, 64, 512, 1e-3)


def test_a_build_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    build(adapted(DEMO, "sepvae"), (1, 32, 32))
    assert torch.equal(torch.rand(1), expected)

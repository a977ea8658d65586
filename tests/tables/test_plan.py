from __future__ import annotations

import csv
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.recipes import CPU, DEMO, PAPER

from sepclr import cli
from sepclr.methods.options import METHODS
from sepclr.parts import MACHINE_FIELDS, Encoder, ImageAugmentation
from sepclr.runs.recipe import changed, compared
from sepclr.runs.usable import check_recipe
from sepclr.tables.plan import Job, plan
from sepclr.tables.published import COLUMNS, COLUMNS_3, TABLE_3
from sepclr.tables.published import TABLE_1 as PUBLISHED_1
from sepclr.types import InputError

TABLE_1 = tuple(dict.fromkeys(job.recipe.method.name for job in plan("digits-on-cifar")))
REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "table1_digits_on_cifar10.csv"


def rows(jobs: list[Job]) -> list[tuple[str, str]]:
    return [(job.recipe.method.name, job.recipe.independence) for job in jobs]


def test_a_table_is_the_published_one_decorrelation_simclr_and_principal_components():
    ours = {("sepclr", "decorrelation"), ("simclr", ""), ("pca", ""), ("contrastive-pca", "")}
    assert set(rows(plan("digits-on-cifar"))) == {*PUBLISHED_1, *ours}
    assert len(plan("digits-on-cifar")) == 22


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference tables are not beside this checkout")
def test_published_numbers_are_those_of_the_reference():
    with REFERENCE.open() as file:
        reference = {(line["method"], line["independence"]): {c: float(line[c]) for c in COLUMNS} for line in csv.DictReader(file)}
    reference.pop(("best-expected", ""))
    assert reference == PUBLISHED_1


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference tables are not beside this checkout")
def test_the_published_table_of_brains_is_that_of_the_reference():
    with REFERENCE.with_name("table3_schizophrenia.csv").open() as file:
        reference = {line.pop("method"): list(line.values()) for line in csv.DictReader(file)}
    reference["sepclr"] = reference.pop("sepclr-k-jem")
    assert {method: list(texts.values()) for (method, _), texts in TABLE_3.items()} == reference
    assert list(TABLE_3["sepvae", ""]) == list(COLUMNS_3)


def test_published_scores_add_up_to_the_signed_distance_but_for_one():
    for row, scores in PUBLISHED_1.items():
        missing = 200 - scores["digits_salient"] - scores["objects_common"] + scores["digits_common"] + scores["objects_salient"] - 20
        assert (abs(missing - scores["delta_tot"]) < 0.31) == (row != ("mm-cvae", "")), row


def test_every_row_has_its_first_seed_before_any_has_its_second():
    jobs = plan("marked-digits", seeds=[0, 5])
    assert [job.recipe.seed for job in jobs] == [0] * 22 + [5] * 22
    assert len({job.key for job in jobs}) == len({job.name for job in jobs}) == 44


def test_profiles_are_those_of_fit_and_options_change_every_recipe():
    for data, profile, base in (("digits-on-cifar", "cpu", CPU), ("digits-on-cifar", "paper", PAPER), ("marked-digits", "cpu", DEMO)):
        (job,) = plan(data, profile, independence=["k-jem"])
        assert job.recipe == base
    jobs = plan("digits-on-cifar", options={"max_epochs": 3, "tau": None})
    assert {job.recipe.training.max_epochs for job in jobs if job.recipe.training} == {3}


def test_decorrelation_has_no_weight_that_a_profile_chooses_and_codes_of_one_length():
    for data in ("digits-on-cifar", "marked-digits", "mri"):
        (job,) = plan(data, independence=["decorrelation"])
        assert job.recipe.method == METHODS["sepclr"].asked({})
        assert job.recipe.method.common_dim == job.recipe.method.salient_dim == 32


def test_an_objective_alone_means_its_ways_to_independence():
    assert rows(plan("digits-on-cifar", methods=["sepclr"], options={"objective": "decorrelated"})) == [("sepclr", "decorrelation")]
    published = rows(plan("digits-on-cifar", methods=["sepclr"], options={"objective": "published"}))
    assert ("sepclr", "decorrelation") not in published
    assert len(published) == 14


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [("decorrelated", "decorrelation"), ("released", "k-jem")]),
        ({"objective": "released"}, [("released", "k-jem"), ("released", "none")]),
        ({"independence": "mmd"}, [("released", "mmd"), ("released", "none")]),
        ({"objective": "published"}, [("published", "k-jem"), ("published", "none")]),
        ({"independence": "none"}, [("released", "none")]),
    ],
)
def test_a_way_is_compared_with_what_it_replaces(given: dict[str, Any], expected: list[tuple[str, str]]):
    recipes = compared("marked-digits", **{"objective": None, "independence": None, "method": None, "max_epochs": 3, **given})
    assert [(recipe.method.objective, recipe.independence) for recipe in recipes] == expected
    assert {recipe.settings.max_epochs for recipe in recipes} == {3}
    for recipe in recipes:
        check_recipe(recipe)


def test_options_of_a_critic_change_rows_with_one_only_and_are_an_error_where_there_is_no_other():
    several = plan("digits-on-cifar", independence=["none", "vub-sym", "tc"], options={"critic_steps": 3})
    assert [job.recipe.method.critic and job.recipe.method.critic.steps for job in several] == [None, 3, 3]
    assert several[0].key == plan("digits-on-cifar", independence=["none"])[0].key
    with pytest.raises(InputError, match="critic_steps: 'none' has no such option"):
        plan("digits-on-cifar", independence=["none"], options={"critic_steps": 3})


def test_options_of_networks_change_principal_components_only_where_a_table_has_nothing_else():
    (of_table,) = (job for job in plan("digits-on-cifar", options={"max_epochs": 3}) if job.recipe.method.name == "pca")
    (alone,) = plan("digits-on-cifar", methods=["pca"])
    assert of_table == alone
    (other,) = plan("digits-on-cifar", methods=["pca"], options={"common_dim": 5})
    assert other.recipe.method.common_dim == 5


def test_ways_to_independence_alone_mean_sepclr_alone():
    assert rows(plan("digits-on-cifar", independence=["mmd", "none", "mmd"])) == [("sepclr", "mmd"), ("sepclr", "none")]
    assert rows(plan("digits-on-cifar", methods=["simclr", "sepclr"], independence=["tc"])) == [("simclr", ""), ("sepclr", "tc")]


def test_a_key_stands_for_what_decides_the_numbers():
    job = Job(changed(PAPER, seed=3), "paper")
    assert job.key == "4fd9e18cfbc6"
    changes: dict[str, Any] = {"accelerator": "cuda", "devices": "4", "nodes": 2, "strategy": "ddp", "workers": 2, "loggers": "wandb"}
    assert set(changes) == set(MACHINE_FIELDS)
    for name, value in changes.items():
        assert Job(changed(job.recipe, **{name: value}), "cpu").key == job.key
    others = {"seed": 4, "tau": 0.4, "weight_common": 2.0, "jitter": (0.1, 0.0, 0.0, 0.0), "precision": "32-true"}
    assert len({job.key, *(Job(changed(job.recipe, **{name: value}), "paper").key for name, value in others.items())}) == 6


@pytest.mark.parametrize("method", [method for method in TABLE_1 if METHODS[method].trained])
def test_a_key_changes_with_the_default_of_a_weight(method: str, monkeypatch: pytest.MonkeyPatch):
    before = plan("digits-on-cifar", methods=[method])[0]
    changes = [
        replace(each, default=replace(each.default, weights=replace(each.default.weights, common=77.0))) for each in METHODS[method].options
    ]
    monkeypatch.setitem(METHODS, method, replace(METHODS[method], options=tuple(changes)))  # as if the default had changed in the code
    assert plan("digits-on-cifar", methods=[method])[0].key != before.key


@pytest.mark.parametrize("method", TABLE_1)
def test_the_command_of_a_row_makes_that_row(method: Any, monkeypatch: pytest.MonkeyPatch):
    (job,) = plan(
        "marked-digits",
        methods=[method],
        independence=["mmd"] if method == "sepclr" else [],
        seeds=[2],
        options={"common_dim": 5} | ({"jitter": (0.1, 0.2, 0.3, 0.0), "checkpointing": True} if METHODS[method].views else {}),
    )
    made: list[Job] = []
    monkeypatch.setattr("sepclr.tables.table.print_status", lambda jobs, places: made.extend(jobs))
    assert cli.main([*shlex.split(job.command)[1:], "--status"]) == 0
    assert made == [job]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"profile": "paper"}, "profile: marked-digits has no recipe for 'paper'; choose cpu"),
        ({"seeds": [1, 1]}, "seeds: 1, 1"),
        ({"seeds": []}, "seeds: none"),
        ({"seeds": [-1]}, "seeds: -1"),
        ({"methods": ["cvae"], "independence": ["mmd"]}, "independence: only sepclr has such terms, not cvae"),
    ],
)
def test_what_makes_no_table_is_named(given: dict[str, Any], named: str):
    with pytest.raises(InputError) as error:
        plan("marked-digits", **given)
    assert named in str(error.value)


def test_defaults_of_parts_stand_for_ever():
    """Keys leave out fields at the default of their part: another would pass old rows off as new ones. New fields may be added."""
    standing = {
        "width": 64, "stem_stride": 1, "norm": "batch", "crop": 24, "crop_scale": 0.2, "crop_ratio": 4 / 3, "flip": 0.5,
        "jitter": (0.4, 0.4, 0.4, 0.1), "jitter_probability": 0.8, "jitter_whole_batch": False, "grey": 0.2,
    }  # fmt: skip
    values = vars(Encoder()) | vars(ImageAugmentation())
    assert {name: values[name] for name in standing} == standing


def test_the_command_names_a_folder_where_the_data_need_one():
    (job,) = plan("digits-on-cifar", independence=["mmd"], options={"jitter": (0.1, 0.2, 0.3, 0.0), "precision": "32-true"})
    assert job.command == (
        "sepclr benchmark digits-on-cifar --profile cpu --methods sepclr --seeds 0 --root DIR --independence mmd"
        " --jitter '[0.1,0.2,0.3,0.0]' --precision 32-true"
    )

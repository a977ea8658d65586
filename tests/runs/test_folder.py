from __future__ import annotations

import json
import subprocess
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.recipes import CPU, DEMO, PAPER

from sepclr.runs import folder as folder_module
from sepclr.runs.folder import RunFolder, commit, environment, open_folder
from sepclr.runs.recipe import Recipe, changed, flat_values, usual
from sepclr.types import InputError


def test_a_recipe_survives_its_folder(tmp_path: Path):
    recipe = changed(CPU, seed=3, jitter=(0.1, 0.2, 0.3, 0.05))
    folder = open_folder(tmp_path / "deep" / "run", recipe, resume=False, root=Path("data"))
    assert folder.recipe() == recipe
    assert list(yaml.safe_load(folder.config.read_text())) == [field.name for field in fields(Recipe)]
    made = json.loads(folder.environment.read_text())
    assert made["root"] == str(Path("data").resolve())
    assert made["versions"]["torch"]


def test_resume_finds_the_same_recipe(tmp_path: Path):
    open_folder(tmp_path / "run", DEMO, resume=False, root=None)
    assert open_folder(tmp_path / "run", DEMO, resume=True, root=None).recipe() == DEMO


def test_resume_with_another_recipe_names_the_keys_and_changes_nothing(tmp_path: Path):
    folder = open_folder(tmp_path / "run", DEMO, resume=False, root=None)
    before = {path: path.read_bytes() for path in folder.path.iterdir()}
    with pytest.raises(
        InputError, match=r"max_epochs \(\d+ there, 99 here\), independence|independence .*, max_epochs \(\d+ there, 99 here\)"
    ):
        open_folder(tmp_path / "run", usual("marked-digits", independence="none", max_epochs=99), resume=True, root=None)
    assert {path: path.read_bytes() for path in folder.path.iterdir()} == before


def test_a_folder_that_holds_something_is_refused_and_kept(tmp_path: Path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        open_folder(tmp_path, DEMO, resume=False, root=None)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file.run: cannot be written .*; choose another --out"):
        open_folder(tmp_path / "file" / "run", DEMO, resume=False, root=None)


def test_a_folder_that_is_no_run_cannot_be_resumed(tmp_path: Path):
    with pytest.raises(InputError, match="not a run"):
        open_folder(tmp_path / "nothing", DEMO, resume=True, root=None)
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda config: config | {"lambda": 1}, "unknown or missing keys: lambda"),
        (lambda config: config.pop("data") and config, "unknown or missing keys: data"),
        (lambda config: [1], "unknown or missing keys: data, encoder, method, training, views"),
        (lambda config: config | {"training": {"max_epochs": 1}}, "unknown or missing keys: training.batch_size, training.learning_rate"),
        (lambda config: config | {"encoder": {"kind": "cnn4", "depth": 3}}, "unknown or missing keys: encoder.depth"),
        (lambda config: config | {"encoder": {"width": "wide"}}, "encoder.width: 'wide' is not a whole number"),
        (lambda config: config | {"method": {"name": "vae"}}, "method: 'vae' is unknown"),
        (lambda config: config | {"method": {"name": "simclr", "salient_dim": 2}}, "salient_dim: 'simclr' has no such option"),
        (lambda config: config | {"data": {"name": "mnist"}}, "data: 'mnist' is unknown"),
        (lambda config: config | {"seed": "one"}, "seed: 'one' is not a whole number"),
        (lambda config: config | {"views": "none"}, "views: 'none' is not a mapping"),
    ],
)
def test_what_is_wrong_in_a_config_is_named(tmp_path: Path, spoil: Any, named: str):
    folder = open_folder(tmp_path / "run", DEMO, resume=False, root=None)
    folder.config.write_text(yaml.safe_dump(spoil(yaml.safe_load(folder.config.read_text()))))
    with pytest.raises(InputError) as error:
        folder.recipe()
    assert str(error.value) == f"{folder.config}: {str(error.value).split(': ', 1)[1]}"
    assert named in str(error.value)
    assert str(error.value).endswith("restore the original file")


def test_history_is_empty_before_the_first_epoch(tmp_path: Path):
    assert RunFolder(tmp_path).history() == []


def test_environment_says_what_ran_where():
    made = environment()
    assert made["machine"]["cores"] >= 1
    assert made["versions"].keys() >= {"python", "sepclr", "torch", "pytorch-lightning"}


def test_commit_is_that_of_the_checkout_or_nothing():
    head = commit()
    assert head is None or len(head.rstrip("+")) == 40


def test_an_edited_loss_is_not_a_clean_commit_and_a_new_row_is_no_edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files = {name: tmp_path / name for name in ("src/runs/folder.py", "src/losses/kernel.py", "results/rows.jsonl")}
    for path in files.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("one")

    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=n@n", *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    monkeypatch.setattr(folder_module, "__file__", str(files["src/runs/folder.py"]))
    head = commit()
    assert head is not None
    assert not head.endswith("+")
    files["results/rows.jsonl"].write_text("another row")
    assert commit() == head
    files["src/losses/kernel.py"].write_text("edited")
    assert commit() == head + "+"


def test_resuming_adds_to_the_history_of_a_run(tmp_path: Path):
    open_folder(tmp_path / "run", DEMO, resume=False, root=tmp_path, command="first", used={"precision": "32-true"})
    open_folder(tmp_path / "run", DEMO, resume=True, root=None, command="second", used={"precision": "bf16-mixed"})
    folder = open_folder(tmp_path / "run", DEMO, resume=True, root=tmp_path, command="third")
    sessions = folder.sessions()
    assert [each["command"] for each in sessions] == ["first", "second", "third"]
    assert [each.get("precision") for each in sessions] == ["32-true", "bf16-mixed", None]
    for each in sessions:
        assert {"commit", "versions", "machine", "time", "root"} <= set(each)
        assert "earlier" not in each
    assert folder.root() == tmp_path.resolve()


def test_given_options_replace_fields_and_others_stay():
    assert changed(PAPER, max_epochs=3, tau=None) == replace(PAPER, training=replace(PAPER.training, max_epochs=3))


def test_released_settings_are_those_of_the_authors():
    released = {
        "learning_rate": 3e-4,
        "schedule": "constant",
        "tau": 0.5,
        "batch_size": 512,
        "max_epochs": 250,
        "crop": 24,
        "crop_scale": 0.2,
    }
    released |= {
        "weight_salient": 1000,
        "weight_information_less": 1000,
        "weight_independence": 10,
        "common_dim": 32,
        "salient_dim": 32,
    }
    released |= {
        "jitter": (0.4, 0.4, 0.4, 0.1),
        "jitter_probability": 0.8,
        "grey": 0.2,
        "flip": 0.5,
        "encoder": "resnet18",
        "stem_stride": 1,
    }
    values = flat_values(PAPER)
    assert {name: values[name] for name in released} == released


def test_a_run_that_is_older_than_a_field_of_recipes_has_its_default(tmp_path: Path):
    folder = open_folder(tmp_path / "run", DEMO, resume=False, root=None)
    config = yaml.safe_load(folder.config.read_text())
    del config["method"]["tau_salient"], config["views"]["jitter_whole_batch"], config["encoder"]["norm"], config["seed"]
    folder.config.write_text(yaml.safe_dump(config))
    assert folder.recipe() == DEMO


def test_a_run_goes_on_on_another_machine(tmp_path: Path):
    open_folder(tmp_path / "run", DEMO, resume=False, root=None)
    moved = changed(DEMO, accelerator="cpu", devices="1")
    assert open_folder(tmp_path / "run", moved, resume=True, root=None).recipe() == moved


def test_an_epoch_that_was_noted_twice_or_half_is_counted_once(tmp_path: Path):
    folder = RunFolder(tmp_path)
    assert folder.history() == []
    folder.metrics.write_text('{"epoch": 0, "seconds": 1.0}\n{"epoch": 1, "seconds": 2.0}\n{"epoch": 1, "seconds": 3.0}\n{"epoch": 2, "sec')
    assert folder.seconds() == 4.0

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from joblib import parallel_config
from safetensors.torch import load_file

from sepclr.probes import delta_tot
from sepclr.runs import run as runner
from sepclr.runs import trained
from sepclr.runs.demo import demo
from sepclr.runs.folder import RunFolder
from sepclr.runs.recipe import Recipe, changed, usual
from sepclr.runs.results import result
from sepclr.training import encode
from sepclr.types import InputError


def test_a_run_leaves_everything_that_is_promised(tiny: Recipe, tmp_path: Path):
    finished = runner.run(tiny, tmp_path / "run", progress=False)
    left = {str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").rglob("*") if path.is_file()}
    promised = {
        "config.yaml",
        "environment.json",
        "metrics.jsonl",
        "model.safetensors",
        "rows.jsonl",
        "results.jsonl",
        "report.html",
        "checkpoints/last.ckpt",
    }
    assert left == promised
    assert finished.seconds > 0
    assert [json.loads(line) for line in finished.folder.rows.read_text().splitlines()] == finished.rows


def test_weights_are_stored_as_they_were_used(tiny: Recipe, tiny_run: Path):
    finished = runner.read_finished(RunFolder(tiny_run), runner.load(tiny))
    method, _ = trained.load_method(finished.folder)
    assert finished.folder.recipe().method.weights == method.weights
    assert result(finished, "strict")["recipe"]["method"]["weights"] == vars(method.weights)


def test_rows_cover_codes_and_heads_trained_and_untrained_under_both_protocols(tiny_run: Path):
    rows = [json.loads(line) for line in RunFolder(tiny_run).rows.read_text().splitlines()]
    assert len(rows) == len({tuple(row[key] for key in ("attribute", "space", "encoder", "protocol", "metric")) for row in rows})
    for key, values in {
        "attribute": {"digit", "mark", "group"},
        "space": {"c", "s", "c_head", "s_head"},
        "encoder": {"trained", "untrained"},
        "protocol": {"strict", "published"},
    }.items():
        assert {row[key] for row in rows} == values
    assert len(rows) == 3 * 4 * 2 * 2 * 2


def test_the_saved_model_gives_the_codes_of_the_trained_one(tiny_run: Path):
    folder = RunFolder(tiny_run)
    method, shape = trained.load_method(folder)
    assert shape == (1, 12, 12)
    checkpoint = torch.load(tiny_run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    for name, value in load_file(folder.model).items():
        assert torch.equal(value, checkpoint[f"method.{name}"])
        assert torch.equal(value, method.state_dict()[name])


@pytest.mark.parametrize(("accelerator", "expected"), [("auto", "meta"), ("cpu", "cpu"), ("cuda", "meta")])
def test_a_loaded_network_computes_on_the_gpu_of_this_machine(
    tiny: Recipe, tmp_path: Path, accelerator: str, expected: str, monkeypatch: pytest.MonkeyPatch
):
    folder = runner.run(changed(tiny, max_epochs=1), tmp_path / "run", progress=False).folder
    folder.config.write_text(folder.config.read_text().replace("accelerator: auto", f"accelerator: {accelerator}"))
    # The meta device stands for a GPU.
    monkeypatch.setattr(trained, "resolve_accelerator", lambda name: "cpu" if name == "cpu" else "meta")
    method, _ = trained.load_method(folder)
    assert {value.device.type for value in method.state_dict().values()} == {expected}


def test_processes_that_are_not_the_first_return_without_a_run(tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runner, "is_first", lambda: False)
    monkeypatch.setattr(runner, "fit", lambda *arguments, **options: None)
    assert runner.run(tiny, tmp_path / "run", progress=False) is None
    assert not (tmp_path / "run").exists()


def test_untrained_encoders_are_those_that_training_began_with(tiny: Recipe, tmp_path: Path):
    x = runner.load(tiny).train.x
    first = encode(runner.make_method(tiny, (1, 12, 12)), x)
    again = encode(runner.make_method(tiny, (1, 12, 12)), x)
    other = encode(runner.make_method(changed(tiny, seed=1), (1, 12, 12)), x)
    assert torch.equal(first.c, again.c)
    assert not torch.equal(first.c, other.c)
    assert not torch.equal(first.c[:, :3], first.s)


def test_evaluating_again_gives_the_same_rows(tiny: Recipe, tmp_path: Path):
    finished = runner.run(tiny, tmp_path / "run", progress=False)
    finished.folder.rows.unlink()
    finished.folder.report.unlink()
    assert runner.evaluate_again(tmp_path / "run").rows == finished.rows
    assert finished.folder.rows.exists()
    assert finished.folder.report.exists()


def test_resuming_a_finished_run_changes_no_number(tiny: Recipe, tmp_path: Path):
    rows = runner.run(tiny, tmp_path / "run", progress=False).rows
    assert runner.run(tiny, tmp_path / "run", resume=True, progress=False).rows == rows


def test_an_unfinished_run_is_named(tiny: Recipe, tmp_path: Path):
    folder = runner.run(tiny, tmp_path / "run", progress=False).folder
    folder.model.unlink()
    with pytest.raises(InputError, match="training has not finished"):
        runner.evaluate_again(tmp_path / "run")
    with pytest.raises(InputError, match="not a run"):
        runner.evaluate_again(tmp_path)


@pytest.mark.parametrize(
    ("option", "value"), [("max_epochs", 0), ("batch_size", 3), ("crop_scale", 0.0), ("flip", 2.0), ("tau", 0.0), ("crop", 0)]
)
def test_options_that_cannot_be_used_leave_no_folder(tiny: Recipe, tmp_path: Path, option: str, value: float):
    with pytest.raises(InputError, match=option):
        runner.run(changed(tiny, **{option: value}), tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_a_result_is_a_summary_of_the_rows(tiny: Recipe, tmp_path: Path):
    finished = runner.run(tiny, tmp_path / "run", progress=False)
    for protocol, metric in (("strict", "balanced_accuracy"), ("published", "accuracy")):
        line = result(finished, protocol)
        json.dumps(line)
        row = next(
            row
            for row in finished.rows
            if (row["protocol"], row["metric"], row["attribute"], row["space"], row["encoder"])
            == (protocol, metric, "mark", "s", "trained")
        )
        assert line["scores"]["mark_salient"] == row["score"]
        rows = [row for row in finished.rows if row["protocol"] == protocol]
        assert line["scores"]["delta_tot"] == delta_tot(rows, common=["digit"], salient=["mark"], metric=metric)["signed"]
        assert line["seconds"] == finished.seconds
        assert line["recipe"]["encoder"]["width"] == tiny.encoder.width


def test_a_result_says_what_was_used_and_all_sessions_that_differ(tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def cut(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runner, "precision_of", lambda *arguments: "bf16-mixed")
        patch.setattr(runner, "fit", cut)
        with pytest.raises(KeyboardInterrupt):
            runner.run(tiny, tmp_path / "run", progress=False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    finished = runner.run(tiny, tmp_path / "run", resume=True, progress=False)
    assert [session["precision"] for session in finished.folder.sessions()] == ["bf16-mixed", "32-true"]
    line = result(finished, "strict")
    assert line["recipe"]["training"]["precision"] == "auto"
    assert (line["precision"], line["accelerator"]) == ("32-true", "cuda" if torch.cuda.is_available() else "cpu")
    assert [session["precision"] for session in line["sessions"]] == ["bf16-mixed", "32-true"]
    assert "commit" not in line["sessions"][0]
    page = finished.folder.report.read_text()
    assert "bf16-mixed, 32-true" in page
    assert "sessions" not in result(runner.run(tiny, tmp_path / "other", progress=False), "strict")


def test_the_demo_compares_two_ways_and_goes_on_where_it_was_cut(tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = tmp_path / "demo"
    recipes = [tiny, changed(tiny, independence="none")]
    run = runner.run

    def cut(recipe: Recipe, *args: object, **options: object) -> runner.Finished:
        if recipe.independence == "none":
            raise KeyboardInterrupt
        return run(recipe, *args, **options)

    monkeypatch.setattr("sepclr.runs.demo.run", cut)
    with pytest.raises(KeyboardInterrupt), parallel_config("sequential"):
        demo(recipes, out, progress=False)
    monkeypatch.setattr("sepclr.runs.demo.run", run)
    with parallel_config("sequential"):  # other processes know nothing of the tiny data
        assert demo(recipes, out, resume=True, progress=False) == out / "report.html"
    metrics = json.loads((out / "metrics.json").read_text())
    for cells in (metrics, metrics["none"]):
        assert set(cells["salient_attribute"]) >= {"from_s", "from_c", "untrained_s", "untrained_c", "chance"}
        assert set(cells["common_attribute"]) == set(cells["salient_attribute"])
        assert cells["seconds"] > 0
    assert metrics["salient_attribute"]["chance"] == 0.5
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert [line["independence"] for line in lines] == ["k-jem", "none"]
    assert metrics["common_attribute"]["from_c"] == lines[0]["scores"]["digit_common"]
    assert RunFolder(out / "none").recipe().independence == "none"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"accelerator": "gpu"}, "accelerator: 'gpu', but torch finds no GPU"),
        ({"accelerator": "mps"}, "accelerator: 'mps' cannot be used; choose auto, cpu or cuda"),
        ({"devices": "0"}, "devices '0'"),
        ({"precision": "24-true"}, "precision '24-true'"),
        ({"strategy": "best"}, "strategy 'best'"),
    ],
)
def test_what_lightning_cannot_use_is_named_and_leaves_no_folder(
    tiny: Recipe, tmp_path: Path, change: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError) as error:
        runner.run(changed(tiny, **change), tmp_path / "run", progress=False)
    assert named in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("change", "named"), [({"devices": "2"}, "devices: 2 on 1 node"), ({"method": "cvae"}, "method: the demo shows")])
def test_the_demo_takes_one_device_and_shows_sepclr(tiny: Recipe, tmp_path: Path, change: dict[str, str], named: str):
    with pytest.raises(InputError, match=named):
        demo([usual("marked-digits", **change)], tmp_path / "demo", progress=False)
    assert not (tmp_path / "demo").exists()


def test_data_sets_that_are_not_there_are_named():
    with pytest.raises(InputError, match="give --root DIR"):
        runner.load(usual("digits-on-cifar"))
    with pytest.raises(InputError, match="mri needs subjects; give --bids or --table"):
        runner.load(usual("mri"))


def test_the_demo_data_are_complete():
    source = runner.load(usual("marked-digits"))
    for cohort in (source.train, *source.tests.values()):
        assert set(cohort.attributes) == {*source.common_attributes, *source.salient_attributes}

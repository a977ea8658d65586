"""Runs of several seeds: each an ordinary run, their agreement, and their ensemble."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tests.conftest import TINY, use_tiny_data
from tests.recipes import DATA_OF
from tests.runs.test_targets import NAMES, SOURCE

from sepclr.cli import main
from sepclr.cli.config import with_config
from sepclr.datasets import DATA_SETS
from sepclr.probes import stability
from sepclr.runs import run as runner
from sepclr.runs.encode import encode_file
from sepclr.runs.make import make_method
from sepclr.runs.recipe import as_options, changed, usual
from sepclr.runs.seeds import run_seeds
from sepclr.runs.seeds_folder import SeedsFolder, one_run
from sepclr.runs.trained import load_method, shapes_of
from sepclr.runs.usable import check_seeds
from sepclr.training import encode, project
from sepclr.types import InputError

SEEDS = (0, 2)
VALUES = {"independence": "k-jem", "width": 2, "common_dim": 4, "salient_dim": 3, "crop": 8, "max_epochs": 2, "batch_size": 20}
OPTIONS = as_options({**VALUES, "seeds": SEEDS})


@pytest.fixture(autouse=True)
def tiny_data(monkeypatch: pytest.MonkeyPatch) -> None:
    use_tiny_data(monkeypatch)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeds") / "both"
    with pytest.MonkeyPatch.context() as patch:
        use_tiny_data(patch)
        assert main(["fit", "marked-digits", *OPTIONS, "--out", str(folder)]) == 0
    return folder


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_seed_is_the_run_that_it_is_alone(out: Path, tiny_run: Path):
    assert {path.name for path in out.iterdir()} == {
        *(f"seed-{seed}" for seed in SEEDS),
        "alignment.safetensors",
        "environment.json",
        "report.html",
        "results.jsonl",
        "rows.jsonl",
        "run.lock",
        "stability.jsonl",
    }
    ours, alone = (load_file(run / "model.safetensors") for run in (out / "seed-0", tiny_run))
    assert all((ours[name] == alone[name]).all() for name in alone)
    assert (out / "seed-0" / "rows.jsonl").read_text() == (tiny_run / "rows.jsonl").read_text()
    assert main(["evaluate", str(out / "seed-2")]) == 0


def test_agreement_is_that_of_the_codes_of_test_samples_c_of_all_and_s_of_targets(out: Path):
    folders = [SeedsFolder(out).run(seed) for seed in SEEDS]
    test = runner.load(TINY).tests["strict"]
    networks = {
        "trained": [load_method(folder)[0] for folder in folders],
        "untrained": [make_method(folder.recipe(), *shapes_of(folder)) for folder in folders],
    }
    found = lines(SeedsFolder(out).stability)
    assert len(found) == 2 * 4 * 3
    for encoder, methods in networks.items():
        codes = [encode(method, test.x) for method in methods]
        both = [*codes, *(project(method, code) for method, code in zip(methods, codes, strict=True))]
        expected = []
        for pair in (both[:2], both[2:]):
            c, s = [each.c.numpy() for each in pair], [each.s.numpy()[test.is_target] for each in pair]
            expected += [each.score for each in (*stability(c), *stability(s))]
        assert [row["score"] for row in found if row["encoder"] == encoder] == pytest.approx(expected, abs=1e-5)
    assert {(row["space"], row["samples"]) for row in found} == {("c", 40), ("c_head", 40), ("s", 20), ("s_head", 20)}
    text = (out / "report.html").read_text()
    assert "Does it hold again?" in text
    assert all(f">{name}</th>" in text for name in ("seed 0", "seed 2", "ensemble"))


def test_the_ensemble_averages_aligned_codes_with_background_at_zero_in_s(out: Path, tmp_path: Path):
    train = runner.load(TINY).train
    np.save(tmp_path / "x.npy", train.x.numpy())
    assert main(["encode", str(out), "--input", str(tmp_path / "x.npy"), "--out", str(tmp_path / "codes.npz")]) == 0
    joint = np.load(tmp_path / "codes.npz")
    maps = load_file(out / "alignment.safetensors")
    for space, name in (("c", "c"), ("s", "s0")):
        aligned = []
        for place, seed in enumerate(SEEDS):
            encode_file(out / f"seed-{seed}", tmp_path / "x.npy", tmp_path / f"{seed}.npz")
            code = np.load(tmp_path / f"{seed}.npz")[space]
            turn = maps[f"{name}.maps"][place]
            assert turn @ turn.T == pytest.approx(np.trace(turn @ turn.T) / len(turn) * np.eye(len(turn)), abs=1e-5)
            aligned.append((code - maps[f"{name}.origins"][place]) @ turn)
        assert joint[space] == pytest.approx(np.mean(aligned, 0), abs=1e-5)
    assert joint["s"][~train.is_target].mean(0) == pytest.approx(np.zeros(3), abs=1e-5)
    ensemble = [row for row in lines(out / "results.jsonl") if "ensemble" in row]
    assert [(row["protocol"], row["ensemble"]) for row in ensemble] == [("strict", [0, 2]), ("published", [0, 2])]
    assert {row["encoder"] for row in lines(out / "rows.jsonl")} == {"trained"}


def test_resume_finishes_what_is_missing_and_nothing_else(out: Path, tmp_path: Path):
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    shutil.rmtree(copy / "seed-2")
    (copy / "seed-2").mkdir()
    for name in ("alignment.safetensors", "stability.jsonl", "report.html"):
        (copy / name).unlink()
    with pytest.raises(InputError, match="not all seeds have finished"):
        one_run(copy)
    before = (copy / "seed-0" / "model.safetensors").stat().st_mtime_ns
    with pytest.raises(InputError, match="another config: max_epochs"):
        run_seeds(changed(TINY, max_epochs=3), SEEDS, copy, resume=True)
    assert main(["fit", "marked-digits", *OPTIONS, "--out", str(copy), "--resume"]) == 0
    assert (copy / "seed-0" / "model.safetensors").stat().st_mtime_ns == before
    assert (copy / "stability.jsonl").read_text() == (out / "stability.jsonl").read_text()
    assert main(["fit", "marked-digits", *OPTIONS, "--out", str(copy)]) == 2


@pytest.mark.slow
def test_several_target_groups_have_an_agreement_and_a_page_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    name = DATA_OF["contrast"]
    monkeypatch.setitem(DATA_SETS, name, replace(DATA_SETS[name], files=None, load=lambda *_: SOURCE))
    recipe = usual(name, independence="k-jem", common_dim=4, salient_dim=3, width=2, max_epochs=1, batch_size=20, crop=8)
    run_seeds(recipe, SEEDS, tmp_path / "out")
    found = lines(tmp_path / "out" / "stability.jsonl")
    assert {(row["target"], row["space"], row["samples"]) for row in found} == {
        *((target, f"c{head}", 30) for target in NAMES for head in ("", "_head")),
        *((target, f"s{head}", 15) for target in NAMES for head in ("", "_head")),
    }
    pages = [(tmp_path / "out" / page).read_text() for page in ("report.html", "report-B-C.html")]
    assert ["degree from s (error)" in page for page in pages] == [False, True]
    np.save(tmp_path / "x.npy", SOURCE.train.x.numpy())
    codes = encode_file(tmp_path / "out", tmp_path / "x.npy", tmp_path / "codes.npz")
    assert (codes.c.shape, codes.s.shape) == ((60, 4), (60, 6))
    background = codes.s[torch.from_numpy(SOURCE.train.target_groups < 0)]
    assert background.mean(0).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("seeds", "changes", "resume", "says"),
    [
        ((3,), {}, False, "seeds: 3; give two or more distinct seeds"),
        ((1, 2, 1), {}, False, "seeds: 1, 2, 1; give two or more distinct seeds"),
        ((0, 1), {"devices": "2"}, False, "with --seeds, each run takes one device"),
        ((0, 1), {"workers": 2}, False, "workers: 2"),
        ((0, 1), {}, False, "full: not empty"),
        ((0, 1), {}, True, "full: there are no runs of several seeds"),
    ],
)
def test_what_cannot_be_run_is_an_error_before_work_starts(
    tmp_path: Path, seeds: tuple[int, ...], changes: dict[str, Any], resume: bool, says: str
):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("")
    with pytest.raises(InputError, match=says):
        check_seeds(changed(TINY, **changes), tmp_path / "full", seeds=seeds, seed=None, resume=resume)


@pytest.mark.slow
@pytest.mark.parametrize("data", ["debiasing", "pca"])
def test_methods_without_s_and_without_training_are_compared_in_what_they_have(tmp_path: Path, data: str):
    if data == "pca":
        recipe = usual(DATA_OF["contrast"], method="pca", common_dim=4)
    else:
        recipe = usual(DATA_OF[data], width=8, max_epochs=1, batch_size=20)
    run_seeds(recipe, SEEDS, tmp_path / "out")
    found = lines(tmp_path / "out" / "stability.jsonl")
    assert {row["space"][0] for row in found} == ({"c", "s"} if data == "pca" else {"c"})
    assert {row["encoder"] for row in found} == ({"trained"} if data == "pca" else {"trained", "untrained"})
    if data == "pca":  # which has no random weights
        assert all(math.isclose(row["score"], 1, abs_tol=1e-6) for row in found)


def test_a_config_of_one_run_can_be_repeated_with_other_seeds(tmp_path: Path):
    (tmp_path / "config.yaml").write_text("max_epochs: 3\nseed: 4\n")
    words = ["fit", "marked-digits", "--config", str(tmp_path / "config.yaml")]
    known = {"fit marked-digits": ["max_epochs", "seed", "seeds"]}
    assert with_config([*words, "--seeds", "0,1"], known)[0] == ["fit", "marked-digits", "--max_epochs", "3", "--seeds", "0,1"]
    assert "--seed" in with_config(words, known)[0]


def test_what_was_killed_before_the_first_config_starts_again_and_other_folders_are_left_alone(tmp_path: Path):
    out = tmp_path / "out"
    (out / "seed-0").mkdir(parents=True)
    for folder in (out, out / "seed-0"):
        (folder / "run.lock").touch()
    check = partial(check_seeds, TINY, seeds=SEEDS, seed=None, resume=True)
    check(out=out)
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="no runs of several seeds to resume"):
        check(out=tmp_path / "other")
    with pytest.raises(InputError, match="not empty"):
        check_seeds(TINY, out, seeds=SEEDS, seed=None, resume=False)

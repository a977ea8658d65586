"""Decoders of runs, from the command line to the page."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save

from sepclr.cli import main
from sepclr.data import Cohort
from sepclr.datasets import DATA_SETS
from sepclr.parts import DecoderOptions
from sepclr.runs import run as runner
from sepclr.runs.decoder import decoder_folder, fit_decoder, load_decoder
from sepclr.runs.folder import RunFolder
from sepclr.runs.lock import held
from sepclr.runs.recipe import Recipe, usual
from sepclr.runs.removal import evaluate_removal
from sepclr.training import decode
from sepclr.training.decoder import decoder_settings
from sepclr.training.module import Training
from sepclr.types import InputError

SMALL = DecoderOptions(width=8, steps=3, max_epochs=1, batch_size=20)
WORDS = ["--width", "8", "--steps", "3", "--max-epochs", "1", "--batch-size", "20"]


@pytest.fixture
def run(tiny: Recipe, tiny_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_run, tmp_path / "run")


def test_a_decoder_is_read_back_as_it_was_trained(run: Path):
    place = fit_decoder(run, SMALL, progress=False)
    assert place.path == run / "decoder"
    x = torch.rand(3, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    first = decode(load_decoder(run), x)
    assert set(first) == {"reconstruction", "without_salient", "swapped"}
    assert all(torch.equal(value, first[name]) for name, value in decode(load_decoder(run), x).items())
    again = shutil.copytree(run, run.with_name("again"), ignore=shutil.ignore_patterns("decoder"))
    fit_decoder(again, SMALL, progress=False)
    assert (again / "decoder" / "model.safetensors").read_bytes() == place.model.read_bytes()
    assert all(torch.equal(value, first[name]) for name, value in decode(load_decoder(again), x).items())


def test_a_decoder_that_was_interrupted_is_resumed_to_the_last_bit(run: Path, monkeypatch: pytest.MonkeyPatch):
    other = shutil.copytree(run, run.with_name("other"))
    two = replace(SMALL, max_epochs=2)
    whole = fit_decoder(run, two, progress=False)
    start = Training.on_train_epoch_start

    def end(training: Training) -> None:
        if training.current_epoch == 1:
            raise RuntimeError("interrupted")
        start(training)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "on_train_epoch_start", end)
        with pytest.raises(RuntimeError, match="interrupted"):
            fit_decoder(other, two, progress=False)
    assert not decoder_folder(other).model.exists()
    assert fit_decoder(other, two, resume=True, progress=False).model.read_bytes() == whole.model.read_bytes()


def test_about_as_many_steps_are_made_of_few_samples_as_of_many():
    epochs = []
    for n in (256, 8000, 50_000):
        cohort = Cohort(torch.zeros(n, 1), torch.arange(n) % 2 == 0)
        epochs.append(decoder_settings(DecoderOptions(), cohort).max_epochs)
    assert epochs == [1500, 49, 8]


def test_the_command_trains_scores_removes_and_writes_a_page(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch):
    load = DATA_SETS["marked-digits"].load
    source = load(None, None, False)
    clean = source.tests["strict"].x.clone()
    clean[source.tests["strict"].is_target, :, :4] = 0
    monkeypatch.setitem(
        DATA_SETS, "marked-digits", replace(DATA_SETS["marked-digits"], load=lambda *_: replace(source, without=lambda: clean))
    )
    assert main(["decode", "fit", str(run), *WORDS]) == 0
    lines = [json.loads(line) for line in (run / "decoder" / "results.jsonl").read_text().splitlines()]
    names = ["k-jem, flow", "k-jem, flow, reconstruction", "target itself", "mean background", "nearest background", "truth"]
    assert [line["cells"]["images"] for line in lines] == names
    assert lines[2]["scores"]["inside"] == pytest.approx(1.0)
    assert ["controls" in line["scores"] for line in lines] == [True, *[False] * 5]
    assert lines[0]["scores"]["controls"] > 0
    assert {line["cells"]["change of background ↓"] for line in lines[1:]} == {""}
    assert lines[-1]["scores"]["inside"] == 0.0
    assert lines[0]["decoder"]["width"] == 8
    swaps = [json.loads(line) for line in (run / "decoder" / "swaps.jsonl").read_text().splitlines()]
    assert [line["cells"]["images"] for line in swaps] == ["k-jem, flow", "target itself"]
    assert all(0 <= swaps[0]["scores"][score] <= 1 for score in ("donor_salient", "own_salient", "own_common", "donor_common"))
    page = (run / "decoder" / "report.html").read_text()
    words = ("without the salient pattern", "Difference", "nearest background", "digit kept", "Swapped", "mark of donor")
    assert all(word in page for word in words)
    np.savez(tmp_path / "x.npz", x=source.tests["strict"].x[:4].numpy())
    capsys.readouterr()
    assert main(["decode", "remove", str(run), "--input", str(tmp_path / "x.npz"), "--out", str(tmp_path / "out.npz")]) == 0
    assert "4 samples" in capsys.readouterr().out
    with np.load(tmp_path / "out.npz") as written:
        assert written["x"].shape == (4, 1, 12, 12)
        assert written["x"].min() >= 0
        assert written["x"].max() <= 1


def test_a_method_with_a_decoder_of_its_own_needs_no_other(tiny: Recipe, tmp_path: Path):
    recipe = usual("marked-digits", method="mm-cvae", common_dim=4, salient_dim=3, width=4, max_epochs=1, batch_size=20)
    folder = runner.run(recipe, tmp_path / "run", progress=False).folder
    with pytest.raises(InputError, match="method 'mm-cvae' has a decoder of its own; run sepclr decode evaluate"):
        fit_decoder(folder.path, SMALL)
    with held(folder.path), pytest.raises(InputError, match="run: in use by"):
        evaluate_removal(folder.path)
    assert main(["decode", "evaluate", str(folder.path)]) == 0  # the true images are unknown: pictures without scores
    assert (folder.path / "decoder" / "results.jsonl").read_text() == ""
    assert "no scores" in (folder.path / "decoder" / "report.html").read_text()


def test_what_cannot_be_decoded_is_named(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    np.save(tmp_path / "x.npy", np.zeros((2, 1, 12, 12), np.uint8))
    assert main(["decode", "remove", str(run), "--input", str(tmp_path / "x.npy"), "--out", str(tmp_path / "out.npz")]) == 2
    assert "there is no decoder; train one with sepclr decode fit" in capsys.readouterr().err
    fit_decoder(run, SMALL, progress=False)
    for words, said in (
        (["fit", str(run), *WORDS], "there is a decoder already"),
        (["fit", str(run), "--resume"], "begun with other options"),
        (["fit", str(run), "--width", "12"], "width: 12 is not a multiple of 8"),
        (["fit", str(run), "--steps", "0"], "steps: 0 is not at least 1"),
        (["fit", str(tmp_path)], "not a run"),
        (["evaluate", str(run), "--truth", "without"], "truth: 'without' is for a table of images, but the run is on marked-digits"),
        (["remove", str(run), "--input", str(tmp_path / "x.npy"), "--out", str(tmp_path / "out.png")], "out.png: unknown file type"),
        (["remove", str(run), "--input", str(tmp_path / "y.npy"), "--out", str(tmp_path / "out.npz")], "y.npy: no such file"),
        (["remove", str(run), "--input", str(tmp_path / "x.npy"), "--out", str(tmp_path / "no" / "out.npz")], "no: no such folder"),
    ):
        assert main(["decode", *words]) == 2, words
        assert said in capsys.readouterr().err
    (run / "decoder" / "config.yaml").write_text("depth: 3\n")
    with pytest.raises(InputError, match=r"config.yaml: .*depth.*; restore the original file"):
        load_decoder(run)
    assert RunFolder(run).model.is_file()
    assert not (tmp_path / "out.npz").exists()


def test_a_damaged_or_foreign_decoder_is_named(run: Path):
    place = fit_decoder(run, SMALL, progress=False)
    whole = place.model.read_bytes()
    tensors = load_file(place.model)
    partial = {name: value for name, value in tensors.items() if name != "c_mean"}
    other = {name: value for name, value in tensors.items() if "conv_in" not in name}
    for content in (whole[:5000], b"", save(partial), save(other), save({**tensors, "extra": torch.zeros(1)})):
        place.model.write_bytes(content)
        with pytest.raises(InputError, match=r"model.safetensors: cannot be read .*; restore the file, or train the decoder again"):
            load_decoder(run)
    place.model.write_bytes(whole)
    place.config.write_text(place.config.read_text().replace("width: 8", "width: 16"))
    with pytest.raises(InputError, match=r"model.safetensors: cannot be read"):
        load_decoder(run)


def test_a_method_without_a_salient_code_has_nothing_to_remove(tiny: Recipe, tmp_path: Path):
    recipe = usual("marked-digits", method="simclr", common_dim=4, crop=8, width=4, max_epochs=1, batch_size=20)
    folder = runner.run(recipe, tmp_path / "run", progress=False).folder
    with pytest.raises(InputError, match="method 'simclr' has no salient code, so there is nothing to remove"):
        fit_decoder(folder.path, SMALL)
    assert not decoder_folder(folder.path).path.exists()


def test_a_batch_size_that_cannot_be_used_leaves_nothing(run: Path):
    with pytest.raises(InputError, match="batch_size"):
        fit_decoder(run, replace(SMALL, batch_size=3), progress=False)
    assert not decoder_folder(run).path.exists()
    fit_decoder(run, replace(SMALL, batch_size=None), progress=False)
    assert "batch_size: 20\n" in decoder_folder(run).config.read_text()

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sepclr.cli import _parser, main
from sepclr.cli.options import recipe_options
from sepclr.datasets import DATA_SETS


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must end with exit code 2 and give what it says."""
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    assert code == 2
    return capsys.readouterr().err


def test_help_needs_none_of_the_heavy_libraries():
    heavy = "{'torch', 'monai', 'kornia', 'pytorch_lightning', 'sklearn', 'numpy'}"
    program = f"import sys, sepclr.cli as cli\ntry: cli.main(['--help'])\nexcept SystemExit: print(sorted({heavy} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert answer.splitlines()[-1] == "[]"
    for command in ("demo", "fit", "encode", "evaluate", "benchmark"):
        assert command in answer


@pytest.mark.parametrize("command", [("demo",), *(("fit", name) for name in DATA_SETS)])
def test_every_field_of_a_recipe_is_an_option_with_a_help(capsys: pytest.CaptureFixture[str], command: tuple[str, ...]):
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    for name in recipe_options(DATA_SETS[(*command, "marked-digits")[1]]):
        assert f"--{name} " in text
    assert "null" not in text


@pytest.mark.parametrize(
    "arguments",
    [
        ("demo", "--max-epoch", "3"),
        ("demo", "--max_epochs", "three"),
        ("demo", "--independence", "k-gem"),
        ("fit", "digits-on-cifar"),
        ("fit", "digits-on-imagenet"),
        ("fit", "digits-on-cifar", "--root", ".", "--profile", "gpu"),
        ("fit", "marked-digits", "--blur", "1"),
        ("fit", "mri", "--jitter_probability", "0.1"),
        ("encode", "run"),
        ("train",),
        ("evaluate", "run", "--protocol", "strict"),
        ("benchmark",),
        ("benchmark", "marked-digits", "--method", "cvae"),
        ("benchmark", "marked-digits", "--methods", "cvae,k-jem"),
        ("fit", "marked-digits", "--method", "modalities"),
        ("fit", "quadrants", "--method", "sepclr", "--root", "."),
        ("benchmark", "quadrants", "--methods", "sepclr", "--root", "."),
        ("benchmark", "marked-digits", "--independence", "cvae"),
        ("benchmark", "marked-digits", "--seeds", "0,one"),
        ("benchmark", "marked-digits", "--seeds", "-1"),
        ("fit", "marked-digits", "--seeds", "0,one"),
        ("demo", "--seeds", "0,1"),
        ("benchmark", "marked-digits", "--backend", "ray"),
    ],
)
def test_unknown_words_are_errors(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]):
    assert refused(capsys, *arguments)


def test_an_unknown_key_in_a_config_file_is_an_error(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    (tmp_path / "config.yaml").write_text("max_epoch: 3\n")
    assert "max_epoch" in refused(capsys, "demo", "--config", str(tmp_path / "config.yaml"), "--out", str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("data: {name: mri}", "is for mri; use sepclr fit mri"),
        ("- 1", "holds no options"),
        ("a: [", "cannot be read"),
        ("views: {shift: 1.0}", "sepclr fit marked-digits has no option 'shift'"),
        ("method: {name: sepvae}\ntau: 1.0", "tau: 'sepvae' has no such option"),
        ("training: {max_epochs: 0}", "max_epochs: 0 is not at least 1"),
    ],
)
def test_a_config_file_that_cannot_be_used_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, says: str):
    (tmp_path / "config.yaml").write_text(text)
    said = refused(capsys, "fit", "marked-digits", f"--config={tmp_path / 'config.yaml'}", "--out", str(tmp_path / "run"))
    assert said.startswith("sepclr: error: ")
    assert says in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml"]


def test_help_shows_the_default_of_each_profile_and_of_methods_that_have_an_option(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["fit", "digits-on-cifar", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "(default: cpu: 4; paper: 250)" in text
    assert "100 for mmd; 1000 for hsic)" in text
    assert "method to train (default: sepclr)" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("fit", "digits-on-cifar", "--root", "nowhere", "--out", "run"), "nowhere"),
        (("fit", "marked-digits", "--out", "file/run", "--max_epochs", "1"), "file"),
        (("fit", "marked-digits", "--out", "run", "--max_epochs", "0"), "max_epochs: 0"),
        (("fit", "marked-digits", "--out", "run", "--crop_scale", "2"), "crop_scale"),
        (("demo", "--out", "run", "--resume"), "not a run"),
        (("demo", "--out", "full"), "full"),
        (("encode", "run", "--input", "x.npy"), "run"),
        (("evaluate", "run"), "not a run"),
        (("benchmark", "digits-on-cifar"), "give --root DIR"),
        (("benchmark", "marked-digits", "--profile", "paper"), "profile: marked-digits has no recipe"),
        (("benchmark", "marked-digits", "--jobs", "0"), "jobs: 0"),
        (("benchmark", "marked-digits", "--methods", "sepvae", "--tau", "1"), "tau: 'sepvae' has no such option"),
        (("benchmark", "marked-digits", "--runs", "file/runs"), "file/runs"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_nothing_is_left(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("full/k-jem").mkdir(parents=True)
    Path("full/k-jem/mine").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    message = refused(capsys, *arguments)
    assert message.startswith("sepclr: error: ")
    assert message.count("\n") == 1
    assert says in message
    assert sorted(tmp_path.rglob("*")) == before


STUDY = ("--images", "image", "--group", "dx", "--background", "control", "--target", "patient")
DECIDED_BY_WORDS = [
    ("fit marked-digits --max-epochs 0", "max_epochs: 0 is not at least 1"),
    ("fit marked-digits --max-epochs=0", "max_epochs: 0 is not at least 1"),
    ("fit marked-digits --checkpointing --max_epochs 0", "max_epochs: 0 is not at least 1"),
    ("fit marked-digits --tau -1", "tau: -1.0 is not positive"),
    ("fit marked-digits --max_epochs 0", "max_epochs: 0 is not at least 1"),
    ("fit marked-digits --learning_rate 0", "learning_rate: 0.0 is not positive"),
    ("fit marked-digits --batch_size 0", "batch_size: 0 is not at least 1"),
    ("fit marked-digits --seed -1", "seed: -1 is not at least 0"),
    ("fit marked-digits --seeds 0,1 --seed 2", "seed: 2 is given beside --seeds"),
    ("fit marked-digits --independence tc --critic_steps 0", "critic_steps: 0 is not at least 1"),
    ("fit marked-digits --crop_scale 2", "crop_scale"),
    ("fit marked-digits --flip 2", "flip: 2.0 is not a probability"),
    ("fit marked-digits --workers 2", "workers: 2"),
    ("fit marked-digits --views none", "views: 'sepclr' needs random views"),
    ("fit marked-digits --method sepvae --tau 1", "tau: 'sepvae' has no such option"),
    ("fit marked-digits --method cvae --weight_shared 1", "weight_shared: 'cvae' has no such option"),
    ("fit marked-digits --method cvae --independence k-mi", "independence: 'cvae' has no such option"),
    ("fit marked-digits --out full", "full: not empty"),
    ("fit marked-digits --out full --resume", "full: not a run"),
    ("fit marked-digits --out file/run", "file/run: cannot be written"),
    ("fit digits-on-cifar --root nowhere", "nowhere; give the one that holds CIFAR-10 and MNIST"),
    ("fit images --background nowhere --target full", "/nowhere is missing; give a folder of images"),
    ("fit images --background full --target full/k-jem --size 0", "size: 0 is not at least 8"),
    ("fit images --background full --target full/k-jem --crop -1", "crop: -1 is not at least 1 pixel"),
    ("fit mri --table nowhere.tsv", "nowhere.tsv: no such table"),
    ("fit mri --bids full", "bids, images: a BIDS tree names its images"),
    ("fit mri --suffix T2w", "bids, table, images: give --bids DIR, or --table FILE and --images COLUMN"),
    ("fit mri --table nowhere.tsv --tau -1", "tau: -1.0"),
    ("fit mri --table nowhere.tsv --rotation -1", "rotation: -1.0"),
    ("demo --tau -1", "tau: -1.0 is not positive"),
    ("demo --method cvae", "method: the demo shows sepclr"),
    ("demo --devices 2", "devices: 2"),
    ("demo --out full", "full/k-jem: not empty"),
    ("demo --out nowhere --resume", "nowhere/decorrelation: not a run"),
    ("benchmark digits-on-cifar", "give --root DIR"),
    ("benchmark digits-on-cifar --root nowhere", "nowhere; give the one that holds CIFAR-10 and MNIST"),
    ("benchmark marked-digits --jobs 0", "jobs: 0 is not at least 1"),
    ("benchmark marked-digits --backend dask", "give --scheduler"),
    ("benchmark marked-digits --devices 2", "a row runs on one device"),
    ("benchmark marked-digits --seeds 1,1", "seeds: 1, 1"),
    ("benchmark marked-digits --seeds 2,2", "seeds: 2, 2"),
    ("benchmark marked-digits --methods sepvae --tau 1", "tau: 'sepvae' has no such option"),
    ("benchmark marked-digits --runs file/runs", "file/runs: cannot be written"),
    ("benchmark mri --table nowhere.tsv", "nowhere.tsv: no such table"),
    ("benchmark mri --table nowhere.tsv --jobs 0", "jobs: 0 is not at least 1"),
    ("benchmark mri --table nowhere.tsv --methods sepclr --tau -1", "tau: -1.0 is not positive"),
    ("fit marked-digits --method pca --encoder resnet8", "encoder: method 'pca' is not trained"),
    ("fit marked-digits --independence none --critic_steps 7", "critic_steps: 'none' has no such option"),
    ("fit marked-digits --independence mmd --critic_log_variance 3", "critic_log_variance: 'mmd' has no such option"),
    ("fit marked-digits --critic_over target", "critic_over: 'decorrelation' has no such option"),
    ("fit marked-digits --method cvae --fidelity released --critic_steps 9", "critic_steps: 'cvae' has no such option"),
    ("fit marked-digits --weight_common -1", "weight_common: -1.0 is not a finite number of at least 0"),
    ("check mri --table nowhere.tsv", "nowhere.tsv: no such table"),
    ("check mri --table table.tsv", "table.tsv; columns are participant_id, scan"),
    ("maps nowhere", "nowhere: not a run"),
    ("implant nowhere.tsv --images image --out new", "nowhere.tsv: no such table"),
    ("implant table.tsv --images scan --out full", "full: not empty"),
    ("implant table.tsv --images scan --out new --share 1", "share, strength: 1.0"),
    ("phantom full", "full: not empty"),
    ("phantom new --subjects 2", "subjects, sites: 2"),
    ("phantom full --bids", "full: not empty"),
    ("phantom new --bids --subjects 2", "subjects, sites: 2"),
    ("encode nowhere --input x.npy", "nowhere: not a run"),
    ("encode nowhere --input x.npy --out codes.csv", "codes.csv: unknown file type"),
    ("evaluate nowhere", "nowhere: not a run"),
]


def test_what_the_words_of_a_command_decide_is_answered_before_torch_is_imported(tmp_path: Path):
    (tmp_path / "file").write_text("")
    (tmp_path / "table.tsv").write_text("participant_id\tscan\n1\tfile\n")
    (tmp_path / "full" / "k-jem").mkdir(parents=True)
    (tmp_path / "full" / "k-jem" / "mine").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    program = """
import contextlib, io, json, sys
from sepclr.cli import _parser, main
for words in json.load(sys.stdin):
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = main(words)
    print(json.dumps([code, said.getvalue(), "torch" in sys.modules]))
"""
    commands = [words.split() + [*STUDY] * (" mri " in words) for words, _ in DECIDED_BY_WORDS]
    answers = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(commands),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for (words, says), answer in zip(DECIDED_BY_WORDS, answers, strict=True):
        code, message, heavy = json.loads(answer)
        assert code == 2, words
        assert message.startswith("sepclr: error: "), words
        assert message.count("\n") == 1, words
        assert says in message, words
        assert not heavy, f"{words} imported torch"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_command_has_the_options_that_it_has_among_all():
    _, functions, known = _parser()
    for path in functions:
        _, others, alone = _parser(path.split())
        assert alone[path] == known[path]
        assert others.keys() == functions.keys()
        assert all(len(options) <= 1 for other, options in alone.items() if other != path)

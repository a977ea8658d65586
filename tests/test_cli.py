from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from sepclr.benchmark.recipes import Recipe
from sepclr.cli import main


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


@pytest.mark.parametrize("command", [("demo",), ("fit", "digits-on-cifar"), ("fit", "marked-digits")])
def test_every_field_of_a_recipe_is_an_option_with_a_help(capsys: pytest.CaptureFixture[str], command: tuple[str, ...]):
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    for field in fields(Recipe):
        assert (f"--{field.name} " in text) == (field.name not in ("data", "study", "fold"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("demo", "--max-epoch", "3"),
        ("demo", "--max_epochs", "three"),
        ("demo", "--independence", "k-gem"),
        ("fit", "digits-on-cifar"),
        ("fit", "digits-on-imagenet"),
        ("fit", "digits-on-cifar", "--root", ".", "--profile", "gpu"),
        ("encode", "run"),
        ("train",),
        ("evaluate", "run", "--protocol", "strict"),
        ("benchmark",),
        ("benchmark", "marked-digits", "--method", "cvae"),
        ("benchmark", "marked-digits", "--methods", "cvae,k-jem"),
        ("benchmark", "marked-digits", "--independence", "cvae"),
        ("benchmark", "marked-digits", "--seeds", "0,one"),
        ("benchmark", "marked-digits", "--seeds", "-1"),
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
        (("benchmark", "marked-digits", "--methods", "sepvae", "--tau", "1"), "tau: method 'sepvae' has no such option"),
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

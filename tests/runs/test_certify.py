"""Certificates of runs, from the command line to the report."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.recipes import DATA_OF

from sepclr.cli import main
from sepclr.datasets import DATA_SETS
from sepclr.runs import certificates as module
from sepclr.runs.certificates import certificates, read_certificates
from sepclr.runs.folder import RunFolder
from sepclr.runs.make import make_method
from sepclr.runs.recipe import Recipe, usual
from sepclr.runs.run import evaluate_again


@pytest.fixture
def run(tiny: Recipe, tiny_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_run, tmp_path / "run")


def test_the_command_prints_and_writes_a_certificate_and_adds_it_to_the_report(run: Path, capsys: pytest.CaptureFixture[str]):
    assert "Certificate of separation" not in (run / "report.html").read_text()
    assert main(["certify", str(run)]) == 0
    said = capsys.readouterr().out
    (made,) = read_certificates(RunFolder(run))
    asked = {(test["about"], test["space"], test["expected"]) for test in made.tests}
    assert asked == {
        ("digit", "c", "above chance"), ("digit", "s", "chance"), ("mark", "c", "chance"), ("mark", "s", "above chance"),
        ("group", "c", "chance"), ("group", "s", "above chance"), ("c and s", "", "chance"),
    }  # fmt: skip
    assert made.held_out == {"background": 20, "target": 20, "subjects": 40}
    assert all(sentence in said for sentence in made.verdict)
    assert said.rstrip().endswith("certificate.json")
    page = (run / "report.html").read_text()
    assert "Certificate of separation" in page
    assert made.verdict[0] in page
    assert main(["certify", str(run)]) == 0
    assert read_certificates(RunFolder(run)) == [made]


def test_a_folder_that_is_not_an_evaluated_run_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["certify", str(tmp_path)]) == 2
    assert "not a run" in capsys.readouterr().err
    (run / "rows.jsonl").unlink()
    assert main(["certify", str(run)]) == 2
    assert "not evaluated (rows.jsonl is missing)" in capsys.readouterr().err


def test_an_evaluation_certifies_where_that_is_cheap(run: Path, monkeypatch: pytest.MonkeyPatch):
    evaluate_again(run)
    assert read_certificates(RunFolder(run)) == []  # of 40 test samples a certificate shows nothing
    monkeypatch.setattr(module, "CHEAP", range(100))
    evaluate_again(run)
    assert len(read_certificates(RunFolder(run))) == 1


def test_only_c_is_asked_of_methods_without_s_and_the_bias_is_a_leak(tiny: Recipe):
    recipe = usual(DATA_OF["debiasing"], method="erm", common_dim=4)
    source = DATA_SETS[recipe.data.name].load(None, None, False)
    (made,) = certificates(make_method(recipe, (1, 12, 12), {}, {"label": 3, "bias": 2}), source, recipe)
    assert {(test["about"], test["space"], test["expected"]) for test in made.tests} == {
        ("digit", "c", "above chance"),
        ("mark", "c", "chance"),
    }


def test_the_site_is_asked_as_what_belongs_in_neither(tiny: Recipe):
    source = replace(DATA_SETS["marked-digits"].load(None, None, False), common_attributes=(), unwanted=("digit",))
    (made,) = certificates(make_method(tiny, (1, 12, 12)), source, tiny)
    assert {test["space"] for test in made.tests if test["about"] == "digit" and test["expected"] == "chance"} == {"c", "s"}


def test_a_site_that_nothing_corrects_belongs_in_neither(tiny: Recipe, monkeypatch: pytest.MonkeyPatch):
    source = DATA_SETS["marked-digits"].load(None, None, False)
    monkeypatch.setattr(Recipe, "study", property(lambda recipe: SimpleNamespace(site="digit")))
    (made,) = certificates(make_method(tiny, (1, 12, 12)), source, tiny)
    assert {test["space"] for test in made.tests if test["about"] == "digit" and test["expected"] == "chance"} == {"c", "s"}

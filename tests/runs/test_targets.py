"""Runs with several target groups: rows, results and a page for each."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.recipes import DATA_OF

from sepclr.data import Cohort
from sepclr.datasets import DATA_SETS
from sepclr.datasets.source import Source
from sepclr.methods.several import SeveralTargets
from sepclr.runs import run as runner
from sepclr.runs import trained
from sepclr.runs.certify import certify_run
from sepclr.runs.folder import RunFolder
from sepclr.runs.make import make_method
from sepclr.runs.recipe import usual
from sepclr.runs.targets import by_target, reports
from sepclr.types import InputError

NAMES = ("low dose", "B/C")


def cohort(n: int, seed: int) -> Cohort:
    """Noise; the degree is known in the second group only, the mark is the same in all of it, and the name says the group."""
    draw = np.random.default_rng(seed)
    group = np.arange(n) % 3 - 1
    attributes = {
        "digit": draw.integers(3, size=n),
        "mark": np.where(group == 0, draw.integers(2, size=n), 1),
        "degree": np.where(group == 1, draw.normal(size=n), np.nan),
        "name": np.array(["", *NAMES])[group + 1],
    }
    x = torch.from_numpy(draw.integers(256, size=(n, 1, 12, 12)).astype(np.uint8))
    told = torch.from_numpy(group)
    return Cohort(x, told >= 0, attributes, extra={"target_group": told})


SOURCE = Source(
    title="Tiny",
    lead="Noise.",
    train=cohort(60, 0),
    tests={"strict": cohort(45, 1), "published": cohort(30, 2)},
    common_attributes=("digit",),
    salient_attributes=("mark", "degree", "name"),
    without=lambda: torch.arange(45),
    target_groups=NAMES,
)


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch) -> None:
    name = DATA_OF["contrast"]
    monkeypatch.setitem(DATA_SETS, name, replace(DATA_SETS[name], files=None, load=lambda *_: SOURCE))


def test_each_group_has_its_samples_and_the_attributes_that_vary_in_it():
    (low, first), (high, second) = by_target(SOURCE)
    assert (low, high) == NAMES
    assert [len(part.train) for part in (first, second)] == [40, 40]
    assert (first.train.x == SOURCE.train.x[torch.arange(60) % 3 < 2]).all()
    assert [*first.tests["strict"].attributes] == [*first.train.attributes] == ["digit", "mark"]
    assert [*second.tests["published"].attributes] == ["digit", "degree"]
    assert second.salient_attributes == ["degree"]
    assert (second.without() % 3 != 1).all()
    assert len(second.without()) == 30
    plain = replace(SOURCE, train=first.train)
    assert by_target(plain) == [("", plain)]
    assert [name for name, _ in by_target(replace(SOURCE, target_groups=()))] == ["0", "1"]


@pytest.mark.parametrize("method", ["sepclr", "sepvae"])
def test_a_run_has_rows_columns_and_a_page_for_each_group(method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    views = {"crop": 8} if method == "sepclr" else {}
    options = {"common_dim": 4, "salient_dim": 3, "width": 4, "max_epochs": 1, "batch_size": 20}
    recipe = usual(DATA_OF["contrast"], method=method, **options, **views)
    finished = runner.run(recipe, tmp_path / "run", progress=False)
    assert {(row["target"], row["attribute"]) for row in finished.rows} == {
        *((name, attribute) for name in NAMES for attribute in ("digit", "group")),
        ("low dose", "mark"),
        ("B/C", "degree"),
    }
    heads = {"c_head", "s_head"} if method == "sepclr" else set()
    assert {row["space"] for row in finished.rows} == {"c", "s"} | heads
    assert {row["n_test"] for row in finished.rows if row["attribute"] == "group"} == {30, 20}

    (strict, _) = (json.loads(line) for line in finished.folder.results.read_text().splitlines())
    assert {"group[low dose]_salient", "mark[low dose]_common", "degree[B/C]_salient"} <= strict["scores"].keys()
    assert strict["best_expected"]["group[B/C]_salient"] == 1
    assert strict["chance"].keys() == {column.rpartition("_")[0] for column in strict["best_expected"]}
    assert strict["errors"] == ["degree[B/C]_common", "degree[B/C]_salient"]

    pages = [tmp_path / "run" / name for name in ("report.html", "report-B-C.html")]
    text = [page.read_text() for page in pages]
    assert "<title>Tiny: low dose</title>" in text[0]
    assert 'href="report-B-C.html">B/C</a>' in text[0]
    assert 'href="report.html">low dose</a>' in text[1]
    assert "degree" in text[1].partition("<main>")[2]
    assert all(("without salient" in page) == (method == "sepvae") for page in text)

    runner.print_rows([finished])
    printed = capsys.readouterr().out
    assert "Linear probes of B/C against background, strict" in " ".join(printed.split())

    loaded, _ = trained.load_method(finished.folder)
    assert isinstance(loaded, SeveralTargets)
    assert RunFolder(tmp_path / "run").samples()["target_groups"] == [*NAMES]
    again = runner.evaluate_again(tmp_path / "run")
    assert again.rows == finished.rows
    if method == "sepvae":
        _, certified = certify_run(tmp_path / "run")
        assert [each.target for each in certified] == [*NAMES]
        assert {test["about"] for test in certified[1].tests} == {"digit", "degree", "group", "c and s"}
        for page, each in zip(pages, certified, strict=True):
            assert each.verdict[-1] in page.read_text()


def test_pages_have_different_names():
    assert [path.name for path in reports(Path("report.html"), ["a b", "a/b", "c"])] == ["report.html", "report-2.html", "report-3.html"]


@pytest.mark.parametrize("method", ["simclr", "contrastive-pca"])
def test_methods_for_one_target_group_are_named(method: str):
    recipe = usual(DATA_OF["contrast"], method=method)
    with pytest.raises(InputError, match=f"method: '{method}' takes one target group, not 2; choose"):
        make_method(recipe, (1, 12, 12), classes=SOURCE.train.classes)

"""Folds are drawn once: later commands test the same subjects, whatever another scikit-learn would draw."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from sklearn.model_selection import StratifiedGroupKFold

from sepclr.cli import main
from sepclr.data import folds as module
from sepclr.data.tables import read_cells, write_cells
from sepclr.imaging.phantom import write_phantoms
from sepclr.imaging.subjects import cohorts, volumes
from sepclr.runs.folder import RunFolder
from sepclr.types import InputError


class Other:
    """Deals as another scikit-learn might: the same parts of the same sizes, of other subjects."""

    def __init__(self, count: int, **options: object) -> None:
        self.split = StratifiedGroupKFold(count, shuffle=True, random_state=7).split


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("phantoms") / "study", 32, seed=1)


@pytest.fixture(scope="module")
def words(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    given = {"table": table, "images": "image", "group": "group", "background": "control", "target": "patient", "common": "sex"}
    given |= {"spacing": "16", "folds": "4", "cache": tmp_path_factory.mktemp("cache"), "max_epochs": "1", "batch_size": "16"}
    given |= {"encoder": "resnet8", "width": "8"}
    return ["mri", *(word for name, value in given.items() for word in (f"--{name}", str(value)))]


@pytest.fixture(scope="module")
def made(words: Sequence[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run") / "run"
    assert main(["fit", *words, "--fold", "1", "--out", str(run)]) == 0
    return run


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def stored(path: Path) -> dict[str, str]:
    cells = read_cells(path)
    return dict(zip(cells["subject"].tolist(), cells["fold"].tolist(), strict=True))


def who_is_tested(run: Path) -> set[str]:
    return {subject for subject, fold in stored(run / "folds.tsv").items() if fold == "1"}


@pytest.mark.slow
def test_another_scikit_learn_tests_the_same_subjects(run: Path, words: Sequence[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "StratifiedGroupKFold", Other)
    folder = RunFolder(run)
    study = folder.recipe().study
    assert study is not None
    people, _, _ = volumes(study, folder.root())
    assert {subject for subject, fold in module._draw(people, 4).items() if fold == 1} != who_is_tested(run)
    _, test = cohorts(study, 1, folder.root())
    in_order = [subject in who_is_tested(run) for subject in people.subjects]
    assert test.is_target.tolist() == people.is_target[in_order].tolist()
    assert test.attributes["sex"].tolist() == people.attributes["sex"][in_order].tolist()
    before = folder.rows.read_text()
    assert main(["evaluate", str(run)]) == 0
    assert folder.rows.read_text() == before
    assert main(["maps", str(run)]) == 0
    shown = {path.name.partition("_")[2].removesuffix(".nii.gz") for path in (run / "maps" / "occlusion").glob("*")}
    assert shown == who_is_tested(run) & set(people.subjects[people.is_target].tolist())
    kept = (run / "folds.tsv").read_bytes()
    assert main(["fit", *words, "--fold", "1", "--out", str(run), "--resume"]) == 0
    assert folder.rows.read_text() == before
    assert (run / "folds.tsv").read_bytes() == kept


def test_the_folds_of_a_benchmark_are_those_of_its_first_command(words: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    command = ["benchmark", *words, "--independence", "none", "--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "rows.jsonl")]
    assert main([*command, "--only_folds", "0"]) == 0
    (beside,) = (tmp_path / "runs").glob("folds-*.tsv")
    kept = beside.read_bytes()
    monkeypatch.setattr(module, "StratifiedGroupKFold", Other)
    assert main([*command, "--only_folds", "0,1"]) == 0
    assert beside.read_bytes() == kept
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["recipe"]["data"]["fold"] for row in rows] == [0, 1]
    assert len({row["recipe"]["data"]["study"]["folds_digest"] for row in rows}) == 1
    assert "folds_file" not in rows[0]["recipe"]["data"]["study"]
    runs = sorted(path.parent for path in (tmp_path / "runs").glob("*/folds.tsv"))
    assert [stored(run / "folds.tsv") for run in runs] == [stored(beside)] * 2
    # Without what is stored it is another study: other keys, so that no old row passes for one of the new folds.
    assert main([*command[:-4], "--runs", str(tmp_path / "new"), "--results", str(tmp_path / "rows.jsonl"), "--only_folds", "0"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len({row["key"] for row in rows}) == 3


def change(path: Path, how: Callable[[dict[str, list[str]]], dict[str, list[str]]]) -> None:
    write_cells(path, how({name: values.tolist() for name, values in read_cells(path).items()}))


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (Path.unlink, "missing, so the training subjects are unknown; restore the file and the table"),
        (
            partial(change, how=lambda cells: {name: values[1:] for name, values in cells.items()}),
            "1 subjects are only in the file or only in the",
        ),
        (partial(change, how=lambda cells: {name: [*values, "0"] for name, values in cells.items()}), "only in the table: 0; restore"),
        (partial(change, how=lambda cells: cells | {"fold": [*cells["fold"][1:], "0"]}), "test subjects differ|folds_digest"),
        (partial(change, how=lambda cells: cells | {"fold": ["9", *cells["fold"][1:]]}), "with folds 0 to 3"),
        (lambda path: path.write_text("who\tfold\n"), "no rows below"),
    ],
)
def test_folds_that_were_lost_or_edited_are_named(
    run: Path, words: Sequence[str], spoil: Callable[[Path], object], named: str, capsys: pytest.CaptureFixture[str]
):
    spoil(run / "folds.tsv")
    before = RunFolder(run).rows.read_bytes()
    assert main(["evaluate", str(run)]) == 2
    assert main(["maps", str(run)]) == 2
    assert main(["fit", *words, "--fold", "1", "--out", str(run), "--resume"]) == 2
    errors = capsys.readouterr().err
    lines = errors.splitlines()
    assert len(lines) == 3
    assert all(re.search(named, line) for line in lines)
    assert all("folds.tsv" in line for line in lines[:2])
    assert RunFolder(run).rows.read_bytes() == before


def test_a_run_of_an_older_version_is_not_evaluated_on_folds_drawn_anew(run: Path):
    folder = RunFolder(run)
    folder.config.write_text(folder.config.read_text().replace("folds_digest:", "unused:"))
    (run / "folds.tsv").unlink()
    study = folder.recipe().study
    assert study is not None
    assert study.folds_digest is None
    with pytest.raises(InputError, match="the training subjects are unknown"):
        cohorts(study, 1, folder.root())

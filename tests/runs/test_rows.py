"""A user's table, from the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from sepclr.cli import main
from sepclr.data.row_cohorts import cohorts
from sepclr.data.row_study import RowStudy
from sepclr.runs.folder import RunFolder

WHO = ["--group", "dx", "--background", "control", "--target", "case"]
SHORT = ["--max_epochs", "2", "--batch_size", "16", "--width", "8"]
TOY = [*WHO, "--features", "f*", "--subject", "id", "--common", "age", "--salient", "score", "--folds", "3"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    lines = ["id,dx,age,score,site,f0,f1,f2"]
    for i in range(60):
        case, age, score = i % 2, rng.normal(), rng.normal()
        f0, f1, f2 = rng.normal(size=3) + np.array([age, case * score, 0])
        cells = [f"s{i}", ("control", "case")[case], age, score if case else "", "ab"[i % 3 == 0], f0, f1, f2]
        lines.append(",".join(map(str, cells)))
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    return tmp_path / "rows.csv"


def test_a_table_is_checked_trained_on_encoded_and_evaluated(table: Path, capsys: pytest.CaptureFixture[str]):
    page, out = table.parent / "page.html", table.parent / "run"
    assert main(["check", "rows", "--table", str(table), *TOY, "--out", str(page)]) == 0
    assert "Features: 3 columns: f0, f1, f2" in capsys.readouterr().out
    assert "score" in page.read_text()
    assert main(["fit", "rows", "--table", str(table), *TOY, "--covariates", "site", *SHORT, "--out", str(out)]) == 0
    report = (out / "report.html").read_text()
    assert "Features" in report
    assert "f1" in report
    before = RunFolder(out).rows.read_text()
    assert main(["evaluate", str(out)]) == 0
    assert RunFolder(out).rows.read_text() == before
    codes = table.parent / "codes.npz"
    assert main(["encode", str(out), "--input", str(table), "--out", str(codes)]) == 0
    with np.load(codes) as found:
        assert found["subject"].tolist()[:2] == ["s0", "s1"]
        assert len(found["c"]) == len(found["s"]) == 60
    # The config makes the same run; an edited table does not.
    again = ["fit", "rows", "--config", str(out / "config.yaml"), "--table", str(table), *WHO]
    assert main([*again, "--out", str(table.parent / "again")]) == 0
    assert RunFolder(table.parent / "again").rows.read_text() == before
    table.write_text(table.read_text().replace("s0,control", "s00,control"))
    assert main(["evaluate", str(out)]) == 2
    assert "changed since training" in capsys.readouterr().err


def test_rows_without_their_salient_part_are_in_the_units_of_the_table(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run, made, arrays = tmp_path / "run", tmp_path / "made.parquet", tmp_path / "made.npz"
    lines = [line.split(",") for line in table.read_text().splitlines()]
    for line in lines[1:]:
        line[6] = str(1000 + 50 * float(line[6]))
    table.write_text("\n".join(map(",".join, lines)))
    assert main(["fit", "rows", "--table", str(table), *TOY, *SHORT, "--method", "sepvae", "--out", str(run)]) == 0
    assert main(["decode", "remove", str(run), "--input", str(table), "--out", str(made)]) == 0
    assert main(["decode", "remove", str(run), "--input", str(table), "--out", str(arrays)]) == 0
    read = pyarrow.parquet.read_table(made)
    assert read.column_names == ["subject", "f0", "f1", "f2"]
    assert 900 < np.mean(read["f1"].to_numpy()) < 1100
    with np.load(arrays) as found:
        np.testing.assert_array_equal(found["x"][:, 1], read["f1"].to_numpy())
        assert found["feature_names"].tolist() == ["f0", "f1", "f2"]
    plain = tmp_path / "plain"
    assert main(["fit", "rows", "--table", str(table), *TOY, *SHORT, "--out", str(plain)]) == 0
    assert main(["decode", "remove", str(plain), "--input", str(table), "--out", str(arrays)]) == 2
    assert "there is no decoder" in capsys.readouterr().err
    assert main(["decode", "fit", str(plain), "--max_epochs", "1", "--width", "8"]) == 0
    assert main(["decode", "remove", str(plain), "--input", str(table), "--out", str(arrays)]) == 0
    with np.load(arrays) as found:
        assert found["x"].shape == (60, 3)
        assert np.isfinite(found["x"]).all()


def test_a_table_of_methods_runs_on_every_fold(table: Path, tmp_path: Path):
    places = ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "r.jsonl")]
    words = ["--methods", "cvae,contrastive-pca", "--only_folds", "0,2", "--common_dim", "2", "--salient_dim", "2", *SHORT, *places]
    assert main(["benchmark", "rows", "--table", str(table), *TOY, *words]) == 0
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 4


def test_a_run_without_training_is_repeated_from_its_config(table: Path, tmp_path: Path):
    words = ["fit", "rows", "--table", str(table), *TOY, "--method", "contrastive-pca", "--salient_dim", "2", "--common_dim", "2"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    assert main(["fit", "rows", "--config", str(tmp_path / "run/config.yaml"), *WHO, "--out", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again/config.yaml").read_text() == (tmp_path / "run/config.yaml").read_text()


def test_each_target_group_has_a_code_rows_and_a_page_unless_merged(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], *(line.replace("case", "worse") if i % 4 == 1 else line for i, line in enumerate(lines[1:]))]))
    words = ["fit", "rows", "--table", str(table), *TOY, *SHORT, "--target", "case,worse"]
    assert main([*words, "--out", str(tmp_path / "several")]) == 0
    rows = [json.loads(line) for line in RunFolder(tmp_path / "several").rows.read_text().splitlines()]
    assert {row["target"] for row in rows} == {"case", "worse"}
    assert "of worse against background" in " ".join(capsys.readouterr().out.split())
    assert (tmp_path / "several" / "report-worse.html").exists()
    assert main([*words, "--merge", "--out", str(tmp_path / "one")]) == 0
    assert "target" not in RunFolder(tmp_path / "one").rows.read_text().splitlines()[0].replace("targets", "")
    linear = ["fit", "rows", "--table", str(table), *TOY, "--target", "case,worse", "--method", "contrastive-pca"]
    assert main([*linear, "--out", str(tmp_path / "no")]) == 2
    assert "--merge" in capsys.readouterr().err


def test_targets_are_drawn_by_degree(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["fit", "rows", "--table", str(table), *TOY, *SHORT]
    assert main([*words, "--degree", "score", "--out", str(tmp_path / "bad")]) == 2
    assert "degree: column 'score' of" in capsys.readouterr().err
    lines = [line.split(",") for line in table.read_text().splitlines()]
    for line in lines[1:]:
        line[3] = line[3] and str(abs(float(line[3])))
    table.write_text("\n".join(map(",".join, lines)))
    own = RowStudy(table=str(table), group="dx", background=("control",), target=("case",), features=("f*",), subject="id", degree="score")
    train, _, _ = cohorts(own, 0)
    assert train.degrees is not None
    scores = {line[0]: line[3] for line in lines}
    wanted = [float(scores[subject]) for subject in train.subjects[train.is_target.numpy()]]
    np.testing.assert_allclose(train.degrees[train.is_target], wanted, rtol=1e-6)
    assert main([*words, "--degree", "score", "--out", str(tmp_path / "run")]) == 0


def cell(table: Path, row: int, column: int, value: str) -> None:
    lines = [line.split(",") for line in table.read_text().splitlines()]
    lines[row][column] = value
    table.write_text("\n".join(map(",".join, lines)))


def lists(table: Path) -> None:
    columns = {"dx": ["control", "case"] * 10, "f0": [[1.0, 2.0]] * 20}
    pyarrow.parquet.write_table(pyarrow.table(columns), table.with_suffix(".parquet"))


def twice_age(table: Path) -> None:
    lines = [f"{line},{line.split(',')[2]}" for line in table.read_text().splitlines()]
    table.write_text("\n".join([lines[0].removesuffix("age") + "old", *lines[1:]]))


BAD: dict[str, tuple[Callable[[Path], object], list[str], str]] = {
    "missing": (lambda t: t.unlink(), [], "rows.csv: no such table"),
    "folder": (lambda t: (t.unlink(), t.mkdir()), [], "rows.csv: is a folder; give a table"),
    "empty file": (lambda t: t.write_text(""), [], "rows.csv: cannot be read"),
    "header only": (lambda t: t.write_text(t.read_text().splitlines()[0] + "\n"), [], "rows.csv: no rows below the header"),
    "encoding": (lambda t: t.write_bytes(t.read_text().replace("s0,", "sé,").encode("latin-1")), [], "rows.csv: cannot be read"),
    "ragged": (lambda t: t.write_text(t.read_text() + "\n1,2,3"), [], "rows.csv: cannot be read"),
    "repeated column": (lambda t: t.write_text(t.read_text().replace("f2", "f1", 1)), [], "several columns are called f1; rename them"),
    "unknown type": (lambda t: None, ["--table", "{}/rows.xlsx"], "rows.xlsx: "),
    "unknown group": (lambda t: None, ["--group", "dy"], "group: column 'dy' not found in"),
    "one group": (lambda t: None, ["--target", "ill"], "no target rows: column 'dx' has no value ill; values are control (30), case (30)"),
    "one of two": (lambda t: None, ["--target", "case,ill"], "target: column 'dx' has no value ill; values are control (30), case (30)"),
    "twice": (lambda t: None, ["--target", "case,case"], "target: case given twice; give it once"),
    "both groups": (lambda t: None, ["--target", "control"], "background, target: control cannot be both"),
    "unknown feature": (lambda t: None, ["--features", "g0"], "features: column 'g0' not found in"),
    "text as feature": (lambda t: None, ["--features", "site"], "features: column 'site' of"),
    "mixed": (lambda t: cell(t, 5, 5, "low"), [], "features: column 'f0' of"),
    "missing value": (lambda t: cell(t, 5, 5, "NA"), [], "features: 1 missing value in f0; fill them in, or train with --impute"),
    "infinite": (lambda t: cell(t, 5, 5, "inf"), [], "features: column 'f0' of {} is infinite in row 5"),
    "constant attribute": (lambda t: [cell(t, i, 2, "1") for i in range(1, 61)], [], "attributes: 'age' is '1' in every row"),
    "subject in both": (lambda t: cell(t, 2, 0, "s0"), [], "group: 1 subjects of"),
    "empty subject": (lambda t: cell(t, 2, 0, ""), [], "subject: column 'id' of"),
    "two roles": (lambda t: None, ["--salient", "age"], "common, salient: column 'age' listed more than once"),
    "group as covariate": (lambda t: None, ["--covariates", "dx"], "group, covariates: column 'dx' listed more than once"),
    "covariate empty": (lambda t: cell(t, 2, 4, ""), ["--covariates", "site"], "covariates: 'site' is empty in 1 rows"),
    "covariate once": (lambda t: cell(t, 2, 4, "z"), ["--covariates", "site"], "covariates: 'site' is 'z' in a single row"),
    "covariates alike": (twice_age, ["--covariates", "age,old"], "covariates: age, old determine each other"),
    "bad split": (lambda t: None, ["--split", "site"], "split: column 'site' of"),
    "folds": (lambda t: None, ["--folds", "40"], "folds: 40, but one group has 30 subjects; give at most 15"),
    "impute": (lambda t: None, ["--impute", "guess"], "impute"),
    "lists": (lists, ["--table", "{}/rows.parquet", "--features", "f0"], "features: column 'f0' of"),
    "unknown option": (lambda t: None, ["--feature", "f0"], "--feature"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_used_is_named_in_one_line_and_nothing_is_written(kind: str, table: Path, capsys: pytest.CaptureFixture[str]):
    spoil, more, says = BAD[kind]
    spoil(table)
    out = table.parent / "run"
    more = [word.replace("{}", str(table.parent)) for word in more]
    base = [word for word in TOY if kind != "lists" or word not in ("--common", "age", "--salient", "score", "--subject", "id")]
    words = ["fit", "rows", "--table", str(table), *base, *SHORT, *more, "--out", str(out)]
    try:
        code = main(words)
    except SystemExit as stopped:
        code = stopped.code
    message = capsys.readouterr().err
    assert code == 2
    assert says.replace("{}", str(table)) in message
    assert "Traceback" not in message
    assert not out.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_table_without_permission_is_named(table: Path, capsys: pytest.CaptureFixture[str]):
    table.chmod(0)
    assert main(["fit", "rows", "--table", str(table), *TOY]) == 2
    assert "rows.csv: cannot be read (Permission denied)" in capsys.readouterr().err

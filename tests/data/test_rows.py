from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from sepclr.data import row_cohorts
from sepclr.data.folds import test_rows as tested_rows
from sepclr.data.preparation import fit_preparation, load_preparation
from sepclr.data.row_cohorts import cohorts, new_rows
from sepclr.data.row_file import RowFile
from sepclr.data.row_study import RowStudy
from sepclr.data.rows import rows_of
from sepclr.data.stored import Stored
from sepclr.types import InputError

tested_rows.__test__ = False  # type: ignore[attr-defined]
N = 40


@pytest.fixture
def columns() -> dict[str, NDArray]:
    rng = np.random.default_rng(0)
    return {
        "id": np.array([f"s{i // 2}" for i in range(N)]),
        "dx": np.repeat(["control", "case"], N // 2),
        "age": rng.normal(50, 10, N).round(2),
        "site": np.tile(["a", "b", "c", "a"], N // 4),
        "sex": np.tile(["F", "M"], N // 2),
        "one": rng.normal(3, 2, N).round(3),
        "two": rng.normal(-1, 1, N).round(3),
        "three": rng.normal(100, 20, N).round(3),
    }


def study(table: Path, **more: object) -> RowStudy:
    given = {"group": "dx", "background": ("control",), "target": ("case",), "features": ("one", "two", "three"), "folds": 4} | more
    return RowStudy(table=str(table), **given)


def write(path: Path, columns: dict[str, NDArray]) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **columns)
    elif path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.table(columns), path, row_group_size=7)
    else:
        options = pyarrow.csv.WriteOptions(delimiter="," if path.suffix == ".csv" else "\t")
        pyarrow.csv.write_csv(pyarrow.table(columns), path, options)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".npz"])
def test_every_type_of_file_gives_the_same_rows(tmp_path: Path, columns: dict[str, NDArray], suffix: str):
    own = study(write(tmp_path / f"rows{suffix}", columns), subject="id", common=("sex",), attributes=("age",))
    members = own.members()
    assert members.subjects.tolist() == columns["id"].tolist()
    assert members.is_target.tolist() == (columns["dx"] == "case").tolist()
    assert members.attributes["sex"].tolist() == columns["sex"].tolist()
    np.testing.assert_allclose(members.attributes["age"], columns["age"])
    x = np.concatenate(list(rows_of(own, members)()))
    np.testing.assert_allclose(x, np.stack([columns[name] for name in ("one", "two", "three")], 1))


def test_features_are_the_numeric_columns_without_another_role(tmp_path: Path, columns: dict[str, NDArray]):
    table = write(tmp_path / "rows.csv", columns | {"note": np.array(["x"] * N)})
    members = study(table, features=(), subject="id", common=("age",)).members()
    assert members.features == ["one", "two", "three"]
    assert members.unused == ["site", "sex", "note"]
    assert study(table, features=("t*",)).members().features == ["two", "three"]


def test_an_array_of_embeddings_is_a_table(tmp_path: Path, columns: dict[str, NDArray]):
    x = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
    np.savez(tmp_path / "e.npz", x=x, dx=columns["dx"])
    own = study(tmp_path / "e.npz", features=())
    assert own.members().features == ["x0", "x1", "x2"]
    np.testing.assert_array_equal(np.concatenate(list(rows_of(own, own.members())())), x)


def whole(x: NDArray) -> NDArray:
    return np.concatenate([np.atleast_2d(part) for part in x])


def in_parts(x: NDArray, size: int = 7) -> Iterator[NDArray]:
    return (x[begin : begin + size] for begin in range(0, len(x), size))


@given(st.integers(0, 2**31 - 1), st.integers(1, 30))
def test_training_rows_have_mean_0_and_variance_1_whatever_the_parts(seed: int, size: int):
    x = np.random.default_rng(seed).normal(5, 3, (30, 4))
    train = np.arange(30) % 3 > 0
    made = fit_preparation(lambda: in_parts(x, size), train, list("abcd"), {})
    z = made(x, {})
    np.testing.assert_allclose(z[train].mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(z[train].std(0), 1)
    np.testing.assert_allclose(made.undone(z), x)


def test_only_training_rows_decide(columns: dict[str, NDArray]):
    x = np.stack([columns["one"], columns["two"]], 1)
    x[3, 0] = np.nan
    train = np.arange(N) % 4 > 0
    other = x.copy()
    other[~train] = 1e6
    covariates = {"age": columns["age"], "site": columns["site"]}
    one, two = (fit_preparation(lambda each=each: in_parts(each), train, ["one", "two"], covariates, impute="mean") for each in (x, other))
    seen = x[train], {name: values[train] for name, values in covariates.items()}
    np.testing.assert_allclose(one(*seen), two(*seen))
    assert one.fill[0] == pytest.approx(np.nanmean(x[train, 0]))


def test_numeric_covariates_are_regressed_out(columns: dict[str, NDArray]):
    z = np.stack([columns["age"], columns["two"]], 1)
    x = np.stack([columns["one"] + 0.3 * columns["age"], columns["three"] - columns["two"]], 1)
    made = fit_preparation(lambda: in_parts(x), np.ones(N, bool), ["a", "b"], {"age": z[:, 0], "two": z[:, 1]})
    wanted = x - LinearRegression().fit(z, x).predict(z)
    np.testing.assert_allclose(made(x, {"age": z[:, 0], "two": z[:, 1]}), wanted / wanted.std(0), atol=1e-9)


def test_classes_are_evened_out_as_combat_does(columns: dict[str, NDArray]):
    from combatlearn.core import ComBatModel

    site = columns["site"]
    x = np.stack([columns["one"], columns["two"], columns["three"]], 1) * np.where(site == "b", 3, 1)[:, None] + (site == "c")[:, None] * 9
    made = fit_preparation(lambda: in_parts(x), np.ones(N, bool), list("abc"), {"site": site})
    wanted = np.asarray(ComBatModel(method="johnson").fit(x, batch=site).transform(x, batch=site))
    np.testing.assert_allclose(made.undone(made(x, {"site": site})), wanted)
    with pytest.raises(InputError, match="covariates: 'site' is d, which no training row is"):
        made(x[:1], {"site": np.array(["d"])})


def test_a_preparation_survives_its_file(tmp_path: Path, columns: dict[str, NDArray]):
    x = np.stack([columns["one"], columns["two"]], 1)
    covariates = {"age": columns["age"], "site": columns["site"], "three": columns["three"]}
    made = fit_preparation(lambda: in_parts(x), np.ones(N, bool), ["one", "two"], covariates, impute="median")
    made.save(tmp_path / "p.safetensors")
    read = load_preparation(tmp_path / "p.safetensors")
    np.testing.assert_array_equal(read(x, covariates), made(x, covariates))
    assert read.covariates == made.covariates
    (tmp_path / "p.safetensors").write_text("torn")
    with pytest.raises(InputError, match=r"p\.safetensors: cannot be read"):
        load_preparation(tmp_path / "p.safetensors")


def test_rows_that_do_not_fit_into_memory_are_the_same_from_the_cache(
    tmp_path: Path, columns: dict[str, NDArray], monkeypatch: pytest.MonkeyPatch
):
    table = write(tmp_path / "rows.parquet", columns)
    own = study(table, subject="id", covariates=("age",), memory=1)
    train, test, made = cohorts(own, 1)
    monkeypatch.setattr(row_cohorts, "MEBIBYTE", 1)
    far, beyond, same = cohorts(own.noted(None), 1, tmp_path / "cache")
    assert isinstance(far.x, Stored)
    np.testing.assert_array_equal(far.x[:], train.x)
    np.testing.assert_array_equal(beyond.x[:], test.x)
    np.testing.assert_array_equal(same.mean, made.mean)
    cohorts(own.noted(None), 1, tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 1
    tested = tested_rows(own.members(), own, 1)
    assert not set(columns["id"][tested]) & set(columns["id"][~tested])


def test_new_rows_are_prepared_as_the_training_rows_were(tmp_path: Path, columns: dict[str, NDArray]):
    own = study(write(tmp_path / "rows.csv", columns), subject="id", covariates=("site", "age"))
    _, test, made = cohorts(own, 0)
    tested = tested_rows(own.members(), own, 0)
    new = {name: columns[name][tested] for name in ("three", "id", "one", "two", "site", "age")}
    subjects, x = new_rows(write(tmp_path / "new.parquet", new), made, "id")
    np.testing.assert_array_equal(x, test.x)
    assert subjects.tolist() == columns["id"][tested].tolist()
    with pytest.raises(InputError, match="covariates: column 'age' not found"):
        new_rows(write(tmp_path / "less.csv", {name: new[name] for name in ("three", "one", "two", "site")}), made)


def test_a_number_that_python_reads_and_arrow_does_not_is_no_number(tmp_path: Path):
    (tmp_path / "t.csv").write_text("a,b\n1_000,1\n2,2\n3,3\n")
    file = RowFile(tmp_path / "t.csv")
    assert file.contents(["a", "b"]) == {"a": "mixed", "b": "numbers"}


def test_a_cache_folder_without_room_is_named(tmp_path: Path, columns: dict[str, NDArray], monkeypatch: pytest.MonkeyPatch):
    table = write(tmp_path / "rows.csv", {"dx": columns["dx"]} | {f"f{i}": np.arange(N) * 1.0 for i in range(7000)})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=100))
    with pytest.raises(InputError, match=r"cache: 0\.0 GiB free, and .*rows\.csv needs .*; give another cache folder"):
        cohorts(study(table, features=("f*",), memory=1), 0, tmp_path / "cache")
    assert not [*(tmp_path / "cache").glob("*.npy")]


@pytest.mark.parametrize(("only", "lacking"), [("train", "test"), ("test", "training")])
def test_a_split_leaves_samples_of_every_group_on_both_sides(tmp_path: Path, columns: dict[str, NDArray], only: str, lacking: str):
    of = np.where(np.arange(N) % 4 == 1, "worse", columns["dx"])
    sides = np.where(of == "worse", only, np.where(np.arange(N) % 3 == 0, "test", "train"))
    table = write(tmp_path / "rows.csv", columns | {"dx": of, "side": sides})
    with pytest.raises(InputError, match=f"split: column 'side' leaves worse without {lacking} samples"):
        cohorts(study(table, target=("case", "worse"), split="side"), 0)
    cohorts(study(table, target=("case", "worse"), split="side", merge=True), 0)


def test_python_objects_in_an_npz_are_named(tmp_path: Path, columns: dict[str, NDArray]):
    table = write(tmp_path / "rows.npz", columns | {"dx": columns["dx"].astype(object)})
    with pytest.raises(InputError, match=r"array 'dx' holds Python objects; save it as numbers, or as text with \.astype\(str\)"):
        RowFile(table)


def test_rows_without_a_participant_do_not_count_as_one(tmp_path: Path, columns: dict[str, NDArray]):
    named = columns | {"participant_id": np.where(np.arange(N) < 3, "n/a", [f"p{i}" for i in range(N)])}
    with pytest.raises(InputError, match=r"subject: column 'participant_id' of .* is empty in 3 rows; fill it in"):
        study(write(tmp_path / "rows.csv", named)).members()

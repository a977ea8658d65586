"""Cells of AnnData files: every format of the matrix, columns, preparation, and what is wrong with files, in one line each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from sepclr.data import SparseRows
from sepclr.data import h5ad as reader
from sepclr.data.cells import read_h5ad
from sepclr.data.genes import chosen_counts, library_size, moments, most_variable, preparation
from sepclr.data.obs import add_codes, as_text
from sepclr.types import InputError

N, GENES = 30, 12


def counts(seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    made = draw.poisson(draw.gamma(0.5, 4, GENES), (N, GENES)).astype(np.float32)
    made[:, 0] += 1  # no empty cell
    made[:, 3] = 0  # an empty gene
    return made


def category(values: list[str | None]) -> pd.Categorical:
    """Categories as objects, which every anndata writes."""
    return pd.Categorical(values, categories=pd.Index(sorted({*values} - {None}), dtype=object))


def names(kind: str, n: int) -> pd.Index:
    return pd.Index([f"{kind} {i}" for i in range(n)], dtype=object)


def write(path: Path, change: Callable[[anndata.AnnData], Any] | None = None, x: Any = None) -> Path:
    """Write an AnnData file of thirty cells, after a change if there is one."""
    obs = pd.DataFrame(
        {
            "group": category(["ctrl", "drug", "other"] * 10),
            "dose": np.where(np.arange(N) % 5 == 0, np.nan, np.arange(N) / 2),
            "batch": np.arange(N) % 2,
            "type": category([None if i == 4 else f"type {i % 3}" for i in range(N)]),
            "doublet": np.arange(N) % 3 == 0,
            "flag": pd.array([None, *[True] * (N - 1)], dtype="boolean"),
            "level": pd.array([None, *range(1, N)], dtype="Int64"),
            "one": category(["same"] * N),
        },
        index=names("cell", N),
    )
    data = anndata.AnnData(counts() if x is None else x, obs, pd.DataFrame(index=names("gene", GENES)))
    data.layers["counts"] = sparse.csr_matrix(counts())
    if change is not None:
        change(data)
    data.write_h5ad(path)
    return path


FORMATS = {
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_matrix,
    "dense": np.asarray,
    "int": lambda x: sparse.csr_matrix(x.astype(np.int32)),
    "unsorted": lambda x: sparse.csr_matrix(x)[:, ::-1][:, ::-1],
}


@pytest.mark.parametrize("at_once", [7, 2**20])
@pytest.mark.parametrize("limit", [0, 2**30], ids=["in files", "in memory"])
@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_rows(kind: str, limit: int, at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "AT_ONCE", at_once)
    path = write(tmp_path / "a.h5ad", x=FORMATS[kind](counts()))
    cells = read_h5ad(path, counts=True, cache=tmp_path / "cache", limit=limit)
    assert (cells.x.shape, cells.x.ndim, len(cells.x), cells.x.device.type) == (torch.Size((N, GENES)), 2, N, "cpu")
    np.testing.assert_array_equal(cells.x[:].numpy(), counts())
    np.testing.assert_array_equal(cells.x[torch.tensor([5, 2, 5])].numpy(), counts()[[5, 2, 5]])
    mask = np.arange(N) % 4 == 1
    np.testing.assert_array_equal(cells.x.where(mask)[torch.tensor([True] * 2 + [False] * 6)].numpy(), counts()[mask][:2])
    assert cells.x.where(mask)[3:3].shape == (0, GENES)
    assert isinstance(cells.x.data, Path) == (limit == 0)


def test_files_are_copied_once_and_again_if_the_source_changes(tmp_path: Path) -> None:
    path, cache = write(tmp_path / "a.h5ad"), tmp_path / "cache"
    first = read_h5ad(path, cache=cache, limit=0)
    assert isinstance(first.x.data, Path)
    before = first.x.data.stat().st_mtime_ns
    assert read_h5ad(path, cache=cache, limit=0).x.data == first.x.data
    assert first.x.data.stat().st_mtime_ns == before
    write(path, x=counts(1))
    np.testing.assert_array_equal(read_h5ad(path, cache=cache, limit=0).x[:].numpy(), counts(1))
    np.testing.assert_array_equal(read_h5ad(path, layer="counts", cache=cache, limit=0).x[:].numpy(), counts())


def test_nothing_half_written_is_left_of_a_matrix_that_fails_its_check(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="negative"):
        read_h5ad(write(tmp_path / "a.h5ad", x=-counts()), counts=True, cache=tmp_path / "cache", limit=0)
    assert [*(tmp_path / "cache").iterdir()] == []


def test_a_copy_is_checked_again_when_counts_are_asked_for(tmp_path: Path) -> None:
    path, cache = write(tmp_path / "a.h5ad", x=counts() + 0.5), tmp_path / "cache"
    read_h5ad(path, cache=cache, limit=0)
    with pytest.raises(InputError, match=r"5\.5 of gene 'gene 0' in cell 'cell 0' is not a whole number"):
        read_h5ad(path, counts=True, cache=cache, limit=0)


def test_columns_are_numbers_or_text(tmp_path: Path) -> None:
    cells = read_h5ad(write(tmp_path / "a.h5ad"), ["group", "batch"], ["dose", "type", "doublet", "flag", "level"])
    assert cells.columns["group"].tolist() == ["ctrl", "drug", "other"] * 10
    assert cells.columns["batch"].tolist() == [0.0, 1.0] * 15
    assert np.isnan(cells.columns["dose"][::5]).all()
    assert cells.columns["type"][3:6].tolist() == ["type 0", "", "type 2"]
    assert cells.columns["doublet"][:2].tolist() == ["True", "False"]
    assert cells.columns["flag"][:2].tolist() == ["", "True"]
    assert np.isnan(cells.columns["level"][0])
    assert cells.columns["level"][1:3].tolist() == [1.0, 2.0]
    assert (cells.names[1], cells.genes[2]) == ("cell 1", "gene 2")
    assert as_text(np.array([0.0, 1.5, np.nan])).tolist() == ["0", "1.5", ""]


def test_raw_is_read_by_name(tmp_path: Path) -> None:
    def change(data: anndata.AnnData) -> None:
        data.raw = data.copy()
        data.X = np.log1p(data.X)

    path = write(tmp_path / "a.h5ad", change)
    np.testing.assert_array_equal(read_h5ad(path, layer="raw", counts=True).x[:].numpy(), counts())


def rows(x: np.ndarray) -> SparseRows:
    made = sparse.csr_matrix(x)
    return SparseRows(made.indptr.astype(np.int64), made.indices, made.data, x.shape[1])


def log_normalised(x: np.ndarray, size: float) -> np.ndarray:
    return np.log1p(x / x.sum(1, keepdims=True) * size)


def test_preparation_is_that_of_the_training_cells_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    x, train = counts().astype(np.float64), np.arange(N) < 20
    monkeypatch.setattr("sepclr.data.genes.AT_ONCE", 3)  # moments are merged over parts of three rows
    how = preparation(rows(x).where(train), genes=5)
    size = np.median(x[train].sum(1))
    seen = log_normalised(x, size)
    genes = np.sort(np.argsort(-seen[train].var(0))[:5])
    assert how.library == size
    assert how.genes.tolist() == genes.tolist()
    expected = (seen[:, genes] - seen[train][:, genes].mean(0)) / seen[train][:, genes].std(0)
    np.testing.assert_allclose(rows(x).prepared(how)[:].numpy(), expected, rtol=1e-4, atol=1e-5)
    assert rows(x).prepared(how).shape == (N, 5)
    mean, variance = moments(rows(x).where(train).prepared(how))
    np.testing.assert_allclose(mean, np.zeros(5), atol=1e-12)
    np.testing.assert_allclose(variance, np.ones(5))
    np.testing.assert_array_equal(rows(x).prepared(chosen_counts(rows(x).where(train), 5))[:].numpy(), x[:, genes])


def test_moments_do_not_cancel_and_a_constant_gene_is_left_as_it_is() -> None:
    draw = np.random.default_rng(0)
    x = np.stack([1e4 + draw.normal(size=5000), np.full(5000, 0.1)], 1).astype(np.float32)
    mean, variance = moments(rows(x))
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(0), rtol=1e-9)
    np.testing.assert_allclose(variance, [x[:, 0].astype(np.float64).var(), 0], rtol=1e-6)
    how = preparation(rows(x), normalise=False)
    assert how.scale is not None
    assert how.scale[1] == 1


def test_bad_preparations_are_refused() -> None:
    for genes, said in ((0, "from 1 to 12"), (13, "from 1 to 12"), (12, "only .* vary")):
        with pytest.raises(InputError, match=said):
            most_variable(rows(counts()), genes)
    with pytest.raises(InputError, match="no cell has any counts"):
        library_size(rows(np.zeros((3, 2))))
    with pytest.raises(InputError, match=r"mean: 3 values for 12 genes"):
        rows(counts()).prepared(reader_preparation(mean=np.zeros(3)))
    with pytest.raises(InputError, match="genes"):
        rows(counts()).prepared(reader_preparation(genes=np.array([12])))


def reader_preparation(**options: Any) -> Any:
    from sepclr.data.sparse_rows import CountPreparation

    return CountPreparation(**options)


def text(path: Path) -> None:
    path.write_text("not HDF5, " * 100)


def truncated(path: Path) -> None:
    content = write(path).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def changed(**values: Any) -> Callable[[Path], Any]:
    """Return a writer of a file in which single counts are replaced."""

    def make(path: Path) -> None:
        x = counts()
        x[2, 1] = values["value"]
        write(path, x=values.get("kind", np.asarray)(x))

    return make


def h5(change: Callable[[h5py.File], Any]) -> Callable[[Path], Any]:
    """Return a writer of a file that is changed after it was written."""

    def make(path: Path) -> None:
        write(path, x=sparse.csr_matrix(counts()))
        with h5py.File(path, "a") as file:
            change(file)

    return make


def lists(file: h5py.File) -> None:
    anndata.io.write_elem(file["obs"], "vectors", np.zeros((N, 2)))


def bad_index(file: h5py.File) -> None:
    file["X/indices"][3] = GENES


def bad_indptr(file: h5py.File) -> None:
    file["X/indptr"][-1] += 5


def unnamed(data: anndata.AnnData) -> None:
    data.obs_names = pd.Index(["cell 0", "cell 0", *data.obs_names[2:]], dtype=object)


def without_x(path: Path) -> None:
    write(path, lambda data: setattr(data, "X", None))


BAD: dict[str, tuple[Callable[[Path], Any], dict[str, Any], str]] = {
    "missing": (lambda path: None, {}, "no such file"),
    "folder": (lambda path: path.mkdir(), {}, "is a folder"),
    "text": (text, {}, "is not an HDF5 file"),
    "truncated": (truncated, {}, "truncated file.*; copy or download"),
    "empty": (lambda path: path.touch(), {}, "is not an HDF5 file"),
    "another HDF5 file": (lambda path: h5py.File(path, "w").close(), {}, "has no X"),
    "no X": (without_x, {}, "has no X; choose a layer: counts"),
    "unknown layer": (write, {"layer": "count"}, r"no layer 'count' \(did you mean 'counts'\?\); layers are counts"),
    "unknown column": (write, {"needed": ["groups"]}, r"no column 'groups' in obs \(did you mean 'group'\?\); columns are batch"),
    "missing values": (write, {"needed": ["dose"]}, "column 'dose' has 6 missing value"),
    "missing category": (write, {"needed": ["type"]}, "column 'type' has 1 missing value"),
    "lists": (h5(lists), {"attributes": ["vectors"]}, "column 'vectors' does not hold one value"),
    "NaN": (changed(value=np.nan), {}, "X: nan of gene 'gene 1' in cell 'cell 2' is not finite"),
    "infinite, CSC": (changed(value=np.inf, kind=sparse.csc_matrix), {}, "X: inf of gene 'gene 1' in cell 'cell 2' is not finite"),
    "negative": (changed(value=-1), {"counts": True}, "-1 of gene 'gene 1' in cell 'cell 2' is negative; counts are needed"),
    "fraction": (changed(value=1.5), {"counts": True}, "1.5 of gene 'gene 1' in cell 'cell 2' is not a whole number"),
    "duplicated names": (lambda path: write(path, unnamed), {}, "cell 'cell 0' occurs more than once"),
    "all zero": (lambda path: write(path, x=counts() * 0), {}, "X: every value is 0"),
    "constant": (lambda path: write(path, x=counts() * 0 + 3), {}, "X: every value is 3"),
    "empty cell": (lambda path: write(path, x=counts() * (np.arange(N) != 4)[:, None]), {"counts": True}, "1 cell.* such as 'cell 4'"),
    "index too large": (h5(bad_index), {}, "X has an index above its shape"),
    "index too long": (h5(bad_indptr), {}, "X has an index that does not fit"),
    "too large": (write, {"limit": 10}, "above the limit of 0.0 GiB; give a cache folder"),
    "old": (h5(lambda file: file.pop("obs")), {}, "has no table obs as anndata 0.7"),
    "text as matrix": (h5(lambda file: (file.pop("X"), file.create_dataset("X", data=[[b"a"] * GENES] * N))), {}, "X: values of type"),
    "no genes": (h5(lambda file: (file.pop("X"), file.create_dataset("X", data=np.zeros((N, 0))))), {}, "30 cells and 0 genes"),
    "other shape": (h5(lambda file: (file.pop("X"), file.create_dataset("X", data=np.ones((4, 2))))), {}, "has shape .4, 2., and there"),
}


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_with_a_file_is_said_in_one_line(what: str, tmp_path: Path) -> None:
    make, options, said = BAD[what]
    path = tmp_path / "cells.h5ad"
    make(path)
    with pytest.raises(InputError, match=said) as error:
        read_h5ad(path, **options)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_other_extensions_and_permissions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"is not an \.h5ad file; anndata\.io reads"):
        read_h5ad(write(tmp_path / "a.h5ad").rename(tmp_path / "a.loom"))

    def refused(*arguments: Any) -> None:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path / "b.h5ad")
    monkeypatch.setattr(h5py, "File", refused)
    with pytest.raises(InputError, match="Permission denied"):
        read_h5ad(path)


def test_a_cache_folder_without_room_or_that_is_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.h5ad")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file: cannot be written .*; give another cache folder"):
        read_h5ad(path, cache=tmp_path / "file", limit=0)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=100))
    with pytest.raises(InputError, match=r"cache: 0\.0 GiB free, and .*a\.h5ad needs"):
        read_h5ad(path, cache=tmp_path / "cache", limit=0)


def test_codes_are_not_written_to_a_file_that_obsm_is_a_link_to(tmp_path: Path) -> None:
    path, other = write(tmp_path / "a.h5ad"), tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file.create_group("g")["X_common"] = np.ones(3)
    with h5py.File(path, "r+") as file:
        del file["obsm"]
        file["obsm"] = h5py.ExternalLink(str(other), "/g")
    before = other.read_bytes()
    with pytest.raises(InputError, match="keeps obsm in another file"):
        add_codes(path, tmp_path / "out.h5ad", {"X_common": np.zeros((N, 2))})
    assert other.read_bytes() == before

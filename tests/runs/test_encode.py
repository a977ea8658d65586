from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch

from sepclr.data.samples import read_samples
from sepclr.runs import trained
from sepclr.runs.encode import encode_file
from sepclr.runs.folder import RunFolder
from sepclr.training import encode
from sepclr.types import InputError


@pytest.fixture
def run(tiny_run: Path) -> Path:
    return tiny_run


X = np.random.default_rng(0).integers(256, size=(7, 1, 12, 12)).astype(np.uint8)


def parquet(path: Path, x: np.ndarray) -> Path:
    pyarrow.parquet.write_table(pyarrow.table({f"pixel{i}": column for i, column in enumerate(x.reshape(len(x), -1).T)}), path)
    return path


def test_codes_of_every_kind_of_file_agree(run: Path, tmp_path: Path):
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "x.npz", x=X / 255, other=1)
    parquet(tmp_path / "x.parquet", X)
    method, _ = trained.load_method(RunFolder(run))
    expected = encode(method, torch.from_numpy(X))
    for name in ("x.npy", "x.npz", "x.parquet"):
        encode_file(run, tmp_path / name, tmp_path / "codes.npz")
        with np.load(tmp_path / "codes.npz") as codes:
            np.testing.assert_allclose(codes["c"], expected.c, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(codes["s"], expected.s, rtol=1e-4, atol=1e-5)
    encode_file(run, tmp_path / "x.npy", tmp_path / "codes.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "codes.parquet")
    assert table.column_names == ["c0", "c1", "c2", "c3", "s0", "s1", "s2"]
    np.testing.assert_allclose(table["s1"].to_numpy(), expected.s[:, 1], rtol=1e-4, atol=1e-5)


def write(path: Path, content: bytes | np.ndarray | dict[str, np.ndarray]) -> Path:
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    elif path.suffix == ".parquet":
        parquet(path, content)
    else:
        np.save(path, content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.npy", X[:, :, :6], r"samples have shape \(1, 6, 12\), the run was trained on \(1, 12, 12\)"),
        ("x.npy", X[:0], "contains no samples"),
        ("x.npy", np.where(X > 250, np.nan, X / 255), "sample 0 contains NaN"),
        ("x.npy", X.astype(float), "pixels of type float64 range from"),
        ("x.npy", X.astype("U3"), "samples are of type <U3"),
        ("x.npy", np.array([{"a": 1}]), "cannot be read"),
        ("x.npy", b"", "cannot be read"),
        ("x.npz", b"PK\x03\x04 torn", "cannot be read"),
        ("x.npz", {"images": X}, "no array x; arrays are images"),
        ("x.parquet", X[:, :, :6], r"samples have shape \(72,\)"),
        ("x.parquet", b"PAR1 torn", "cannot be read"),
        ("x.png", b"\x89PNG", "cannot be read"),
    ],
)
def test_samples_that_cannot_be_encoded_are_named_and_nothing_is_written(run: Path, tmp_path: Path, name, content, message):
    path = write(tmp_path / name, content)
    with pytest.raises(InputError, match=message) as error:
        encode_file(run, path, tmp_path / "codes.npz")
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("codes*"))


def test_values_on_a_scale_of_their_own_are_taken_where_the_run_does_not_scale(tmp_path: Path):
    np.save(tmp_path / "x.npy", np.full((2, 1, 4, 4, 4), -3.0))
    assert (read_samples(tmp_path / "x.npy", (1, 4, 4, 4), scaled=False) == -3).all()
    with pytest.raises(InputError, match="pixels of type float64 range from -3 to -3"):
        read_samples(tmp_path / "x.npy", (1, 4, 4, 4))


def test_a_table_of_images_is_none_of_a_run_on_arrays(run: Path, tmp_path: Path):
    table = write(tmp_path / "x.tsv", b"image\na.nii\n")
    with pytest.raises(InputError, match=r"x.tsv: a table of images, but the run is on marked-digits"):
        encode_file(run, table, tmp_path / "codes.npz")


def test_a_missing_file_and_outputs_that_cannot_be_written_are_named(run: Path, tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        encode_file(run, tmp_path / "x.npy", tmp_path / "codes.npz")
    path = write(tmp_path / "x.npy", X)
    with pytest.raises(InputError, match="unknown file type"):
        encode_file(run, path, tmp_path / "codes.csv")
    with pytest.raises(InputError, match="no such folder"):
        encode_file(run, path, tmp_path / "deep" / "codes.npz")

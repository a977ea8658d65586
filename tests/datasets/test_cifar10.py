"""CIFAR-10 is read as written, and nothing else is read at all."""

from __future__ import annotations

import os
import pickle
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sepclr.datasets import cifar10, digits_on_cifar
from sepclr.types import InputError

from .layouts import Copy, batch

FIRST = "data_batch_1"


class Calls:
    """Pickles as a call of ``function``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def python2(rows: np.ndarray, labels: list[int]) -> bytes:
    """The opcodes that Python 2 and NumPy 1 wrote, as in the publisher's archive: strings are bytes, flags are integers."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    shape = b"".join(b"M" + struct.pack("<H", size) for size in rows.shape) + b"\x86"
    raw = rows.tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    array += b"(K\x01" + shape + dtype + b"\x89T" + struct.pack("<i", len(raw)) + raw + b"tb"
    listed = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + listed + b"u."


def test_reads_shapes_and_order(publishers: Path) -> None:
    photos = cifar10.read(publishers)
    assert photos.train_images.shape == (50_000, 3, 32, 32)
    assert photos.test_images.shape == (10_000, 3, 32, 32)
    assert photos.train_images.dtype == np.uint8
    assert photos.train_labels.dtype == np.int64
    for i in (0, 9_999, 10_000, 49_999):
        row = batch()[b"data"][i % 10_000] ^ np.uint8(i // 10_000)
        np.testing.assert_array_equal(photos.train_images[i], row.reshape(3, 32, 32))
        assert photos.train_labels[i] == (3 * i) % 10
    np.testing.assert_array_equal(photos.test_images[7], (batch()[b"data"][7] ^ np.uint8(5)).reshape(3, 32, 32))
    assert photos.test_images.flags.writeable
    assert cifar10.CLASSES == len(digits_on_cifar.CLASSES) == 10


@pytest.mark.parametrize("layout", ["python 2", "numpy 1", "fortran"])
def test_reads_what_other_versions_wrote(copy_with: Copy, layout: str) -> None:
    rows, labels = batch()[b"data"], batch()[b"labels"]
    content = {
        "python 2": lambda: python2(rows, labels),
        "numpy 1": lambda: pickle.dumps(batch(), protocol=2).replace(b"numpy._core.", b"numpy.core."),
        "fortran": lambda: pickle.dumps(batch(data=np.asfortranarray(rows)), protocol=2),
    }[layout]()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # NumPy itself warns of the publisher's integers in place of flags
        photos = cifar10.read(copy_with(FIRST, content))
    np.testing.assert_array_equal(photos.train_images[:10_000].reshape(10_000, -1), rows)
    np.testing.assert_array_equal(photos.train_labels[:10_000], labels)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (Calls(os.system, "touch ran"), "system"),
        (Calls(eval, "open('ran', 'w')"), "eval"),
        (np.array([Calls(os.system, "touch ran")], dtype=object), "not a CIFAR-10 batch"),
        (Path, "pathlib.Path"),
        (np.float64(1), "scalar"),
    ],
)
def test_runs_nothing(copy_with: Copy, monkeypatch: pytest.MonkeyPatch, value: Any, named: str) -> None:
    root = copy_with(FIRST, pickle.dumps(batch(extra=value), protocol=2))
    monkeypatch.chdir(root)
    with pytest.raises(InputError, match=f"{FIRST} .*{named}.*--download") as caught:
        cifar10.read(root)
    assert "\n" not in str(caught.value)
    assert not (root / "ran").exists()


def test_a_forged_dtype_is_refused(copy_with: Copy) -> None:
    content = pickle.dumps(batch(), protocol=2).replace(b"u1", b"O8")
    with pytest.raises(InputError, match=FIRST):
        cifar10.read(copy_with(FIRST, content))


def test_names_of_refused_globals_stay_on_one_line(copy_with: Copy) -> None:
    content = b"\x80\x04\x8c\x04a\nb\x1b\x8c\x01x\x93."
    with pytest.raises(InputError) as caught:
        cifar10.read(copy_with(FIRST, content))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "changed",
    [
        {"data": np.zeros((9_999, 3072), np.uint8)},
        {"data": np.zeros((10_000, 3072), np.int8)},
        {"data": [0]},
        {"labels": [0] * 9_999},
        {"labels": [10] * 10_000},
        {"labels": [-1] * 10_000},
        {"labels": [True] * 10_000},
        {"labels": ["cat"] * 10_000},
        {"labels": 3},
    ],
    ids=["short", "signed", "list", "too few", "above", "below", "bool", "text", "number"],
)
def test_names_the_file_with_wrong_content(copy_with: Copy, changed: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=rf"{FIRST} is not a CIFAR-10 batch .*--download"):
        cifar10.read(copy_with(FIRST, pickle.dumps(batch(**changed), protocol=2)))


@pytest.mark.parametrize("layout", ["empty", "garbage", "list", "cut"])
def test_names_the_file_that_is_damaged(copy_with: Copy, layout: str) -> None:
    content = {
        "empty": lambda: b"",
        "garbage": lambda: b"garbage",
        "list": lambda: pickle.dumps([1, 2], protocol=2),
        "cut": lambda: pickle.dumps(batch(), protocol=2)[:-1000],
    }[layout]()
    with pytest.raises(InputError, match=rf"{FIRST} is not a CIFAR-10 batch .*--download") as caught:
        cifar10.read(copy_with(FIRST, content))
    assert "\n" not in str(caught.value)


def test_names_the_file_that_is_missing(copy_with: Copy) -> None:
    with pytest.raises(InputError, match=r"test_batch is missing; .* --root, or add --download"):
        cifar10.read(copy_with("test_batch", None))


def test_a_folder_in_place_of_a_file_is_an_error(copy_with: Copy) -> None:
    root = copy_with(FIRST, None)
    (root / cifar10.FOLDER / FIRST).mkdir()
    with pytest.raises(InputError, match=rf"{FIRST} cannot be read"):
        cifar10.read(root)

"""MNIST is read as written, and damage is named."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from sepclr.datasets import mnist
from sepclr.types import InputError

from .layouts import Copy, idx

LABELS = "t10k-labels-idx1-ubyte.gz"


def test_reads_shapes_and_order(publishers: Path) -> None:
    digits = mnist.read(publishers)
    assert digits.train_images.shape == (60_000, 28, 28)
    assert digits.test_images.shape == (10_000, 28, 28)
    assert digits.train_images.dtype == np.uint8
    assert digits.train_labels.dtype == np.int64
    assert digits.test_images.flags.writeable
    for i in (0, 59_999):
        assert digits.train_images[i, 1, 2] == (784 * i + 30) % 241
        assert digits.train_labels[i] == 7 * i % 10
    assert digits.test_images[9_999, 27, 27] == (784 * 10_000 - 1) % 239
    assert digits.test_labels[9_999] == 3


@pytest.mark.parametrize("unpacked", [False, True])
def test_reads_files_that_lie_in_the_folder_itself(publishers: Path, tmp_path: Path, unpacked: bool) -> None:
    for path in (publishers / mnist.FOLDER).iterdir():
        if unpacked:
            (tmp_path / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        else:
            shutil.copy(path, tmp_path)
    for one, other in zip(mnist.read(tmp_path), mnist.read(publishers), strict=True):
        np.testing.assert_array_equal(one, other)


GOOD = gzip.compress(idx(np.zeros(10_000, np.uint8)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        GOOD[:-20],
        GOOD[:-8] + b"12345678",
        gzip.compress(idx(np.zeros(9_999, np.uint8))),
        gzip.compress(idx(np.zeros((10_000, 1), np.uint8))),
        gzip.compress(b"\0\0\x09\x01" + idx(np.zeros(10_000, np.uint8))[4:]),
        gzip.compress(idx(np.zeros(10_000, np.uint8))[:-1]),
        gzip.compress(idx(np.zeros(10_000, np.uint8)) + b"\0"),
        gzip.compress(idx(np.full(10_000, 10, np.uint8))),
    ],
    ids=["empty", "garbage", "cut", "checksum", "count", "dimensions", "signed", "short", "long", "label"],
)
def test_names_the_file_that_is_damaged(copy_with: Copy, content: bytes) -> None:
    with pytest.raises(InputError, match=rf"{LABELS} is not an MNIST file .*--download") as caught:
        mnist.read(copy_with(LABELS, content))
    assert "\n" not in str(caught.value)


def test_names_the_file_that_is_missing(copy_with: Copy) -> None:
    with pytest.raises(InputError, match=rf"{LABELS} is missing; .* --root, or add --download"):
        mnist.read(copy_with(LABELS, None))


def test_a_folder_in_place_of_a_file_is_an_error(copy_with: Copy) -> None:
    root = copy_with(LABELS, None)
    (root / mnist.FOLDER / LABELS).mkdir()
    with pytest.raises(InputError, match=rf"{LABELS} cannot be read"):
        mnist.read(root)

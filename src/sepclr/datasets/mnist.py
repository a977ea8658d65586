"""MNIST in its publishers' layout: LeCun, Cortes and Burges, The MNIST database of handwritten digits."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sepclr.types import InputError

FOLDER = Path("MNIST", "raw")
FILES = {
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "t10k-labels-idx1-ubyte": (10_000,),
}
"""Name of each file, without ``.gz``, and the shape of its content."""


class Digits(NamedTuple):
    """MNIST.

    Attributes:
        train_images: uint8 in 0 (paper) to 255 (ink), shape (60000, 28, 28).
        train_labels: the digit, 0..9, int64, shape (60000,).
        test_images: the same for test, shape (10000, 28, 28).
        test_labels: the same for test, shape (10000,).
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]


def read(root: Path) -> Digits:
    """Read MNIST.

    Args:
        root: the folder that contains ``MNIST/raw`` with the publishers' four files, or the files themselves; ``.gz`` or unpacked.

    Raises:
        InputError: a file that is missing, truncated or not MNIST.
    """
    train_images, train_labels, test_images, test_labels = [_read(_find(root, name), shape) for name, shape in FILES.items()]
    return Digits(train_images, train_labels.astype(np.int64), test_images, test_labels.astype(np.int64))


def _find(root: Path, name: str) -> Path:
    places = [folder / file for folder in (root / FOLDER, root) for file in (f"{name}.gz", name)]
    for path in places:
        if os.path.exists(path):  # unlike Path.exists, no error for a folder without permission
            return path
    raise InputError(f"{places[0]} is missing; give the folder that contains {FOLDER} with --root, or add --download")


def _read(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    # The magic number is two zero bytes, 8 for unsigned bytes, and the number of dimensions.
    header = struct.pack(f">{1 + len(shape)}I", 0x0800 + len(shape), *shape)
    expected = len(header) + math.prod(shape)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(expected + 1)  # one byte more, to detect a file that is too long without unpacking a bomb
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise _damaged(path, "truncated, or not a gzip file") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); make it readable, or give another folder with --root") from None
    if content[: len(header)] != header:
        raise _damaged(path, f"its header is not that of unsigned bytes of shape {shape}")
    if len(content) != expected:
        raise _damaged(path, f"too {'short' if len(content) < expected else 'long'} for shape {shape}")
    values = np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape).copy()
    if len(shape) == 1 and values.max() > 9:
        raise _damaged(path, "a label that is not a digit")
    return values


def _damaged(path: Path, why: str) -> InputError:
    return InputError(f"{path} is not an MNIST file ({why}); add --download to fetch it again")

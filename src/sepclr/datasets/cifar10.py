"""CIFAR-10 in its publisher's layout: Krizhevsky, Learning multiple layers of features from tiny images, 2009.

The publisher's files are pickles, and an ordinary unpickler runs arbitrary code. The unpickler here builds only what the files
contain: dictionaries, lists, bytes, text, integers and arrays of uint8. It avoids NumPy's own constructors, because a forged dtype
can turn raw bytes into pointers; small stand-ins accept the shape and the bytes only.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sepclr.types import InputError

FOLDER = "cifar-10-batches-py"
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = "test_batch"
IMAGES = 10_000
"""Images in each file."""
SHAPE = (3, 32, 32)
CLASSES = 10
OPERATIONS = (
    "APPEND APPENDS BINBYTES BINBYTES8 BINGET BININT BININT1 BININT2 BINPUT BINSTRING BINUNICODE BINUNICODE8 BUILD EMPTY_DICT EMPTY_LIST "
    "EMPTY_TUPLE FRAME GET GLOBAL INT LONG1 LONG_BINGET LONG_BINPUT MARK MEMOIZE NEWFALSE NEWTRUE NONE PROTO PUT REDUCE SETITEM SETITEMS "
    "SHORT_BINBYTES SHORT_BINSTRING SHORT_BINUNICODE STACK_GLOBAL STOP STRING TUPLE TUPLE1 TUPLE2 TUPLE3 UNICODE"
)
"""Operations that the pickles of dictionaries, lists, text, integers and arrays use, of any protocol."""


class Photographs(NamedTuple):
    """CIFAR-10.

    Attributes:
        train_images: uint8 in 0..255, channels first, shape (50000, 3, 32, 32).
        train_labels: class, 0..9 in the order of ``batches.meta``, int64, shape (50000,).
        test_images: the same for test, shape (10000, 3, 32, 32).
        test_labels: the same for test, shape (10000,).
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]


def read(root: Path) -> Photographs:
    """Read CIFAR-10.

    Args:
        root: the folder that contains ``cifar-10-batches-py``, as unpacked from the publisher's ``cifar-10-python.tar.gz``.

    Raises:
        InputError: a file that is missing, truncated or not CIFAR-10.
    """
    *train, test = [_batch(root / FOLDER / name) for name in (*TRAIN, TEST)]
    images, labels = zip(*train, strict=True)
    return Photographs(np.concatenate(images), np.concatenate(labels), *test)


def _batch(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    try:
        content = path.read_bytes()
        _check_operations(content)
        batch = _Unpickler(content).load()
        rows, labels = batch[b"data"].array, batch[b"labels"]
    except FileNotFoundError:
        raise InputError(f"{path} is missing; give the folder that contains {FOLDER} with --root, or add --download") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); make it readable, or give another folder with --root") from None
    except _RefusedError as error:
        raise InputError(f"{path} refers to {error}, which no CIFAR-10 file needs; add --download to fetch it again") from None
    except Exception as error:  # a damaged pickle can raise anything
        raise _damaged(path, str(error) or type(error).__name__) from None
    expected = (IMAGES, math.prod(SHAPE))
    if rows.shape != expected:
        raise _damaged(path, f"pixels of shape {rows.shape} instead of {expected}")
    if not isinstance(labels, list) or len(labels) != IMAGES:
        raise _damaged(path, f"not a list of {IMAGES} labels")
    if not all(type(label) is int and 0 <= label < CLASSES for label in labels):
        raise _damaged(path, f"a label that is not an integer in 0..{CLASSES - 1}")
    # Arrays over the bytes of a file are read-only, which torch warns about: copy, in C order.
    return rows.copy().reshape(-1, *SHAPE), np.array(labels, dtype=np.int64)


def _damaged(path: Path, why: str) -> InputError:
    return InputError(f"{path} is not a CIFAR-10 batch ({why}); add --download to fetch it again")


def _check_operations(content: bytes) -> None:
    """Check the operations of a pickle, which ``pickletools`` reads without running them.

    Raises:
        ValueError: bytes or a memo that are longer than the file, which the unpickler would reserve memory for, or an unusual operation.
    """
    known = frozenset(OPERATIONS.split())
    for operation, argument, _ in pickletools.genops(content):
        if operation.name not in known:
            raise ValueError(f"operation {operation.name}")
        if operation.name.endswith("PUT") and argument is not None and int(argument) > len(content):
            raise ValueError("a memo that is longer than the file")


class _RefusedError(Exception):
    """A global that no CIFAR-10 file needs."""


class _Uint8:
    """Stand-in for the dtype of an array."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        """Ignore the byte order and the flags that NumPy stores, which uint8 does not need."""


class _Array:
    """Stand-in for an array while its pickle is read."""

    __slots__ = ("array",)

    def __setstate__(self, state: Any) -> None:
        """Build the array from (version, shape, dtype, whether in Fortran order, bytes)."""
        _, shape, dtype, fortran, raw = state
        if not isinstance(dtype, _Uint8) or not isinstance(raw, bytes):
            raise TypeError("not an array of uint8")
        self.array = np.frombuffer(raw, np.uint8).reshape(shape, order="F" if fortran else "C")


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _dtype(name: Any, *_: Any) -> _Uint8:
    if name not in ("u1", b"u1"):
        raise TypeError("not an array of uint8")
    return _Uint8()


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,  # as NumPy 1 and the publisher's Python 2 wrote it
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): None,  # only ever an argument of _reconstruct
    ("numpy", "dtype"): _dtype,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")
        self.left = len(content)

    def encode(self, text: Any, encoding: Any) -> bytes:
        """Return bytes as Python 3 writes them in protocol 2; never more than the file holds, which can ask for them often."""
        if encoding != "latin1" or not isinstance(text, str):
            raise TypeError("not bytes")
        self.left -= len(text)
        if self.left < 0:
            raise ValueError("more bytes than the file holds")
        return text.encode("latin1")

    def find_class(self, module: str, name: str) -> Any:
        """Return a stand-in; never import anything.

        Raises:
            _RefusedError: a global without a stand-in.
        """
        if (module, name) == ("_codecs", "encode"):
            return self.encode
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise _RefusedError(repr(f"{module}.{name}"[:80])) from None  # a hostile name could contain newlines

"""CIFAR-10 and MNIST in their publishers' layouts, fetched if asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sepclr.datasets import cifar10, mnist
from sepclr.datasets.cifar10 import Photographs
from sepclr.datasets.download import fetch_cifar10, fetch_mnist
from sepclr.datasets.mnist import Digits
from sepclr.types import InputError

T = TypeVar("T")


def photographs(root: Path, *, download: bool = False) -> Photographs:
    """Read CIFAR-10 from the folder that contains ``cifar-10-batches-py``; if asked to, fetch what is missing or damaged.

    Raises:
        InputError: a file that is missing or damaged, or cannot be fetched.
    """
    return _read(cifar10.read, root, fetch_cifar10 if download else None)


def digits(root: Path, *, download: bool = False) -> Digits:
    """Read MNIST from the folder that contains ``MNIST/raw``; otherwise as ``photographs``."""
    return _read(mnist.read, root, fetch_mnist if download else None)


def _read(read: Callable[[Path], T], root: Path, fetch: Callable[[Path], None] | None) -> T:
    try:
        return read(root)
    except InputError:
        if fetch is None:
            raise
    fetch(root)
    return read(root)

"""What the publishers of CIFAR-10 and MNIST write."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Copy = Callable[[str, bytes | None], Path]
"""The fixture ``copy_with``: (name of a file, its content or None to leave it out) to a folder."""


def batch(**changed: Any) -> dict[bytes, Any]:
    """A CIFAR-10 batch of 10,000 images; a pattern that differs from row to row and from channel to channel."""
    labels = [(3 * i) % 10 for i in range(10_000)]
    data = np.resize(np.arange(251, dtype=np.uint8), (10_000, 3072))
    return {b"labels": labels, b"data": data} | {name.encode(): value for name, value in changed.items()}


def idx(values: np.ndarray) -> bytes:
    """An array of uint8 as the publishers of MNIST write it."""
    return struct.pack(f">{1 + values.ndim}I", 0x0800 + values.ndim, *values.shape) + values.tobytes()

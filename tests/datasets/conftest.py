"""Made-up files in the layouts of CIFAR-10's and MNIST's publishers, and their real ones where those are at hand."""

from __future__ import annotations

import gzip
import importlib.util
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from .layouts import Copy, batch, idx

PACKED = Path(__file__).resolve().parents[3] / "shared" / "data"
"""A folder beside the repository, with all of CIFAR-10 and MNIST; the tests that need it skip where it is missing."""


@pytest.fixture(scope="session")
def publishers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with made-up CIFAR-10 and MNIST, of the real sizes."""
    root = tmp_path_factory.mktemp("publishers")
    (root / "cifar-10-batches-py").mkdir()
    for number, name in enumerate([*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]):
        data = batch()[b"data"] ^ np.uint8(number)  # so that no two batches are the same
        (root / "cifar-10-batches-py" / name).write_bytes(pickle.dumps(batch(data=data), protocol=2))
    (root / "cifar-10-batches-py" / "batches.meta").write_bytes(pickle.dumps({b"num_vis": 3072}, protocol=2))
    (root / "MNIST" / "raw").mkdir(parents=True)
    for stem, n, step in (("train", 60_000, 241), ("t10k", 10_000, 239)):
        images = np.resize(np.arange(step, dtype=np.uint8), (n, 28, 28))
        labels = (np.arange(n) * 7 % 10).astype(np.uint8)
        for name, values in ((f"{stem}-images-idx3-ubyte", images), (f"{stem}-labels-idx1-ubyte", labels)):
            (root / "MNIST" / "raw" / f"{name}.gz").write_bytes(gzip.compress(idx(values), 1))
    yield root
    shutil.rmtree(root)  # 200 MB, which pytest would keep for three runs


@pytest.fixture
def copy_with(publishers: Path, tmp_path: Path) -> Iterator[Copy]:
    """Make a folder like ``publishers``, by links, in which one file holds other bytes, or is missing."""

    def make(changed: str, content: bytes | None) -> Path:
        for path in publishers.rglob("*"):
            link = tmp_path / path.relative_to(publishers)
            if path.is_file() and path.name != changed:
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path)
            elif path.is_file() and content is not None:
                link.parent.mkdir(parents=True, exist_ok=True)
                link.write_bytes(content)
        return tmp_path

    yield make
    shutil.rmtree(tmp_path)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the real CIFAR-10 and MNIST."""
    for name in ("materialise.py", "cifar10_webp.npz", "mnist.npz"):
        if not (PACKED / name).is_file():
            pytest.skip(f"no real CIFAR-10 and MNIST: {name} is missing in the folder shared/data beside the repository")
    if importlib.util.find_spec("PIL") is None:
        pytest.skip("unpacking the real CIFAR-10 needs Pillow")
    root = tmp_path_factory.mktemp("real")
    subprocess.run([sys.executable, PACKED / "materialise.py", "--out", root, "cifar10", "mnist"], check=True, capture_output=True)
    yield root
    shutil.rmtree(root)

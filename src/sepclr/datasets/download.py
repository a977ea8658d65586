"""Fetch public data sets from their publishers, verify checksums and resume interrupted downloads."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pooch
import requests
import urllib3

from sepclr.datasets import cifar10, mnist
from sepclr.types import InputError

CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/"
CIFAR10_ARCHIVE = "cifar-10-python.tar.gz"
CIFAR10_HASH = "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
"""A mirror; the publishers' own site no longer serves the files."""
MNIST_HASHES = {
    "train-images-idx3-ubyte.gz": "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
TIMEOUT = 30
"""Seconds without data after which a download fails."""


def fetch_cifar10(root: Path) -> None:
    """Fetch CIFAR-10, about 170 MB, and unpack it to ``root/cifar-10-batches-py``; the archive is kept and not fetched again.

    Raises:
        InputError: no connection, an archive with a wrong checksum, or a folder that cannot be written.
    """
    archive = _fetch(CIFAR10_URL + CIFAR10_ARCHIVE, CIFAR10_HASH, root / CIFAR10_ARCHIVE)
    names = (*cifar10.TRAIN, cifar10.TEST, "batches.meta")
    try:
        with tarfile.open(archive) as tar, tempfile.TemporaryDirectory(dir=root, prefix=".unpacking-") as scratch:
            tar.extractall(scratch, [tar.getmember(f"{cifar10.FOLDER}/{name}") for name in names], filter="data")
            (root / cifar10.FOLDER).mkdir(exist_ok=True)
            for name in names:
                os.replace(Path(scratch, cifar10.FOLDER, name), root / cifar10.FOLDER / name)
    except (OSError, tarfile.TarError, KeyError) as error:
        raise InputError(f"{archive} cannot be unpacked ({_line(error)}); free disk space, or delete it and try again") from None


def fetch_mnist(root: Path) -> None:
    """Fetch MNIST, about 12 MB, to ``root/MNIST/raw``; existing files with the right checksum are not fetched again.

    Raises:
        InputError: no connection, a file with a wrong checksum, or a folder that cannot be written.
    """
    for name, known_hash in MNIST_HASHES.items():
        _fetch(MNIST_URL + name, known_hash, root / mnist.FOLDER / name)


def _fetch(url: str, known_hash: str, path: Path) -> Path:
    downloader = _Resuming(path.with_name(f"{path.name}.part"))
    try:
        pooch.retrieve(url, known_hash, fname=path.name, path=path.parent, downloader=downloader)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise InputError(f"{url} could not be fetched ({_line(error)}); try again to resume") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written ({_line(error)}); give another folder with --root") from None
    except ValueError:
        raise InputError(f"{path}: the file from {url} had a wrong checksum and was removed; try again later") from None
    return path


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


class _Resuming:
    """Downloader for ``pooch`` that keeps partial data in ``part`` and requests only the rest when called again.

    If the file has changed on the server in the meantime, pooch finds a wrong checksum and the next call starts from scratch.
    """

    def __init__(self, part: Path) -> None:
        self.part = part

    def __call__(self, url: str, output_file: str, _: Any) -> None:
        """Download ``url`` to ``output_file``.

        Raises:
            requests.RequestException: no response, or an error response.
            urllib3.exceptions.HTTPError: the connection broke.
        """
        have = self.part.stat().st_size if self.part.exists() else 0
        # Without "identity" some servers declare a .gz as content-encoded, and its length would not be that of the file.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if not (have and response.status_code == requests.codes.requested_range_not_satisfiable):  # already complete
                response.raise_for_status()
                resumes = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
                with self.part.open("ab" if have and resumes else "wb") as file:
                    shutil.copyfileobj(response.raw, file)
        os.replace(self.part, output_file)

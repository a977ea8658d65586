"""Downloads against a local server: whole, cut in the middle, continued, wrong, refused."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sepclr.datasets import cifar10, digits_on_cifar, download
from sepclr.types import InputError

from .layouts import Copy

NAME = "t10k-labels-idx1-ubyte.gz"
CONTENT = np.random.default_rng(0).bytes(1_000_000)


class Server(ThreadingHTTPServer):
    """Serves ``files``; ``cut`` ends each answer after so many bytes, ``ranges`` says whether a Range is honoured."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cut: int | None = None
        self.ranges = True
        self.asked: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    """One answer of ``Server``."""

    server: Server

    def do_GET(self) -> None:
        """Answer with a file, or the rest of one."""
        name, asked = self.path[1:], self.headers["Range"]
        self.server.asked.append((name, asked))
        content = self.server.files.get(name)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.server.ranges else 0
        if content is None or start >= len(content):
            self.send_error(404 if content is None else 416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if name.endswith(".gz"):
            self.send_header("Content-Encoding", "x-gzip")  # as some servers label archives; it must not be undone
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: self.server.cut])

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server in place of both publishers."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setattr(download, "CIFAR10_URL", server.url)
        monkeypatch.setattr(download, "MNIST_URL", server.url)
        yield server
        server.shutdown()


@pytest.fixture
def one_file(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server of an MNIST of one file."""
    server.files[NAME] = CONTENT
    monkeypatch.setattr(download, "MNIST_HASHES", {NAME: sha256(CONTENT)})
    return server


def sha256(content: bytes) -> str:
    """A checksum as pooch takes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def files(root: Path) -> dict[str, bytes]:
    """Everything in a folder."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_fetches_once(one_file: Server, tmp_path: Path) -> None:
    download.fetch_mnist(tmp_path / "new")
    download.fetch_mnist(tmp_path / "new")
    assert files(tmp_path / "new") == {f"MNIST/raw/{NAME}": CONTENT}
    assert len(one_file.asked) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_goes_on_after_a_cut(one_file: Server, tmp_path: Path, ranges: bool) -> None:
    one_file.cut, one_file.ranges = 600_000, ranges
    with pytest.raises(InputError, match=rf"{NAME} could not be fetched .*try again") as caught:
        download.fetch_mnist(tmp_path)
    assert str(caught.value).isprintable()
    [(name, part)] = files(tmp_path).items()
    assert name == f"MNIST/raw/{NAME}.part"
    assert 500_000 < len(part) <= 600_000
    assert CONTENT.startswith(part)
    one_file.cut = None
    download.fetch_mnist(tmp_path)
    assert files(tmp_path) == {f"MNIST/raw/{NAME}": CONTENT}
    assert one_file.asked == [(NAME, None), (NAME, f"bytes={len(part)}-")]


def test_takes_a_part_that_is_whole(one_file: Server, tmp_path: Path) -> None:
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    (tmp_path / "MNIST" / "raw" / f"{NAME}.part").write_bytes(CONTENT)
    download.fetch_mnist(tmp_path)
    assert files(tmp_path) == {f"MNIST/raw/{NAME}": CONTENT}


@pytest.mark.parametrize("part", [b"", b"other bytes"])
def test_removes_what_has_another_checksum(one_file: Server, tmp_path: Path, part: bytes) -> None:
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    (tmp_path / "MNIST" / "raw" / f"{NAME}.part").write_bytes(part)
    if not part:
        one_file.files[NAME] = CONTENT[:-1]
    with pytest.raises(InputError, match=rf"{NAME}.*wrong checksum"):
        download.fetch_mnist(tmp_path)
    assert files(tmp_path) == {}
    one_file.files[NAME] = CONTENT
    download.fetch_mnist(tmp_path)
    assert files(tmp_path) == {f"MNIST/raw/{NAME}": CONTENT}


def test_a_server_without_the_file_or_none_at_all_is_one_line(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte.gz could not be fetched .*404"):
        download.fetch_mnist(tmp_path)
    monkeypatch.setattr(download, "MNIST_URL", "http://127.0.0.1:9/")
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte.gz could not be fetched") as caught:
        download.fetch_mnist(tmp_path)
    assert str(caught.value).isprintable()
    assert files(tmp_path) == {}


def test_a_folder_that_cannot_be_written_is_one_line(one_file: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match=r"cannot be written .*--root"):
        download.fetch_mnist(tmp_path / "file")


@pytest.fixture
def archived(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Path]], bytes]:
    """Put an archive of some files on the server."""

    def archive(members: list[Path]) -> bytes:
        with tarfile.open(tmp_path / "made.tar.gz", "w:gz", compresslevel=1) as tar:
            for member in members:
                tar.add(member, f"cifar-10-batches-py/{member.name}")
            tar.add(__file__, "../escaped")
            tar.add(__file__, "cifar-10-batches-py/readme.html")
        content = (tmp_path / "made.tar.gz").read_bytes()
        server.files[download.CIFAR10_ARCHIVE] = content
        monkeypatch.setattr(download, "CIFAR10_HASH", sha256(content))
        return content

    return archive


def test_unpacks_the_batches_and_nothing_else(server: Server, archived: Callable[[list[Path]], bytes], tmp_path: Path) -> None:
    members = [tmp_path / name for name in (*cifar10.TRAIN, cifar10.TEST, "batches.meta")]
    for member in members:
        member.write_text(member.name)
    content = archived(members)
    root = tmp_path / "deep" / "root"
    expected = {f"cifar-10-batches-py/{member.name}": member.name.encode() for member in members}
    for _ in range(2):
        download.fetch_cifar10(root)
        assert files(root.parent) == {f"root/{name}": value for name, value in expected.items()} | {
            f"root/{download.CIFAR10_ARCHIVE}": content
        }
    assert len(server.asked) == 1


def test_an_archive_without_a_batch_leaves_nothing_behind(archived: Callable[[list[Path]], bytes], tmp_path: Path) -> None:
    archived([])
    with pytest.raises(InputError, match=r"cifar-10-python.tar.gz cannot be unpacked"):
        download.fetch_cifar10(tmp_path / "root")
    assert files(tmp_path / "root").keys() == {download.CIFAR10_ARCHIVE}
    assert [path.name for path in (tmp_path / "root").iterdir()] == [download.CIFAR10_ARCHIVE]


@pytest.mark.parametrize("damaged", [None, b"garbage"])
def test_loads_fetching_only_what_is_not_sound(one_file: Server, publishers: Path, copy_with: Copy, damaged: bytes | None) -> None:
    root = copy_with(NAME, damaged)
    with pytest.raises(InputError, match=rf"{NAME} is .*--download"):
        digits_on_cifar.load(root)
    with pytest.raises(InputError, match=rf"{NAME} is not an MNIST file"):  # the server's file has the checksum, but no digits
        digits_on_cifar.load(root, download=True)
    assert one_file.asked == [(NAME, None)]
    assert (root / "MNIST" / "raw" / NAME).read_bytes() == CONTENT


@pytest.mark.slow
def test_loads_from_nothing(
    server: Server, archived: Callable[[list[Path]], bytes], publishers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archived(list((publishers / "cifar-10-batches-py").iterdir()))
    raw = {path.name: path.read_bytes() for path in (publishers / "MNIST" / "raw").iterdir()}
    server.files |= raw
    monkeypatch.setattr(download, "MNIST_HASHES", {name: sha256(content) for name, content in raw.items()})
    data = digits_on_cifar.load(tmp_path / "root", download=True)
    expected = digits_on_cifar.load(publishers)
    assert all(torch.equal(one.x, other.x) for one, other in zip(data, expected, strict=True))
    server.asked.clear()
    (tmp_path / "root" / "cifar-10-batches-py" / "test_batch").write_bytes(b"garbage")
    digits_on_cifar.load(tmp_path / "root", download=True)  # unpacks the archive again
    assert server.asked == []
    shutil.rmtree(tmp_path / "root")  # 200 MB, which pytest would keep for three runs

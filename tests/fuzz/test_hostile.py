"""Files made to hurt, the smallest that did or could: each is refused in one line, and nothing is run, filled or written."""

from __future__ import annotations

import gzip
import json
import pickle
import shutil
import struct
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from tests.fuzz import targets
from tests.fuzz.guard import check

from sepclr.cli import main
from sepclr.data import claims
from sepclr.datasets import cifar10, download
from sepclr.imaging.volumes import look
from sepclr.plain import read_yaml
from sepclr.runs.folder import RunFolder
from sepclr.runs.run import run
from sepclr.types import InputError

MEGABYTE = 2**20
RUN = b"cos\nsystem\n(S'touch ran'\ntR."


def put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def npy(shape: str, *, descr: str = "'|u1'", values: bytes = b"") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, inside: bytes) -> bytes:
        return struct.pack(">I", len(inside)) + kind + inside + struct.pack(">I", zlib.crc32(kind + inside))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def nifti(sides: tuple[int, int, int]) -> bytes:
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.float64)
    made = bytearray(header.binaryblock + b"\0\0\0\0")
    struct.pack_into("<8h", made, 40, 3, *sides, 1, 1, 1, 1)
    struct.pack_into("<f", made, 108, 352)
    made[344:348] = b"n+1\0"
    return bytes(made)


def of_config(part: str, **changed: object) -> Callable[[Path], None]:
    """Change options of a part of the config of a run."""

    def change(path: Path) -> None:
        config = yaml.safe_load(path.read_text())
        config[part] |= changed
        path.write_text(yaml.safe_dump(config))

    return change


def of_samples(**changed: object) -> Callable[[Path], None]:
    """Change what is stored with weights about samples."""
    return lambda path: save_file(load_file(path), path, metadata={"samples": json.dumps({"sample_shape": [1, 8, 8]} | changed)})


def cells(change: Callable[[h5py.File], None]) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            change(file)

    return spoil


def of_names(file: h5py.File) -> None:
    del file["obs/_index"]
    file["obs"].create_dataset("_index", (2**40,), h5py.string_dtype())


def elsewhere(file: h5py.File) -> None:
    del file["X/data"]
    file["X"].create_dataset("data", (10,), "u1", external=[("/etc/passwd", 0, 10)])


def linked(file: h5py.File) -> None:
    del file["obs/_index"]
    file["obs/_index"] = h5py.ExternalLink("../other.h5ad", "/obs/_index")


def endless(path: Path, length: int = 0) -> None:
    """Give the first object of each heap of strings a length with which HDF5 stays where it is, or goes back."""
    content, place = bytearray(path.read_bytes()), -1
    while (place := content.find(b"GCOL", place + 1)) >= 0:
        content[place + 16 : place + 32] = struct.pack("<HHIQ", 0 if length == 0 else 1, 1, 0, length)
    put(path, bytes(content))


def encrypted(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + flags] |= 1
    put(path, bytes(content))


def batch(insert: bytes) -> bytes:
    return b"\x80\x02" + insert + b"}."


MANY = (
    b"\x80\x02c_codecs\nencode\nq\x00X"
    + struct.pack("<I", 1000)
    + b"a" * 1000
    + b"q\x01X\x06\x00\x00\x00latin1q\x02"
    + b"("
    + b"h\x00h\x01h\x02\x86R" * 500
    + b"t."
)

HOSTILE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    # What is wrong: the target, how its file is spoiled, and what is said of it.
    "text called npz": ("samples-x.npz", lambda path: put(path, b"1,2,3\n"), "neither an npy nor an npz file"),
    "text called npz as a table": ("rows.npz", lambda path: put(path, b"1,2,3\n"), "File is not a zip file"),
    "objects in npy": ("samples-x.npy", lambda path: np.save(path, np.array([{"a": 1}])), "holds Python objects; save it as numbers"),
    "objects in npz": ("rows.npz", lambda path: np.savez(path, x=np.array([{"a": 1}])), "array 'x' holds Python objects"),
    "samples that are not there": ("samples-x.npy", lambda path: put(path, npy("(1099511627776, 1, 8, 8)")), "claims shape"),
    "samples that are not there, packed": (
        "samples-x.npz",
        lambda path: put(path, targets.npz_of(npy(f"({2**40}, 1, 8, 8)"))),
        "claims shape",
    ),
    "a negative number of samples": ("samples-x.npy", lambda path: put(path, npy("(-1, 1, 8, 8)")), "claims shape"),
    "an encrypted archive": ("samples-x.npz", encrypted, "is encrypted"),
    "voxels that are not there": ("volume-a.nii", lambda path: put(path, nifti((32767, 32767, 32767))), "claims shape"),
    "voxels that are not there, packed": (
        "volume-a.nii.gz",
        lambda path: put(path, gzip.compress(nifti((32767, 32767, 32767)))),
        "no file of this size holds",
    ),
    "voxels of a metre": (
        "volume-a.nii",
        lambda path: nibabel.save(nibabel.Nifti1Image(targets.volume(), np.diag([9e3, 9e3, 9e3, 1])), path),
        "its field of view",
    ),
    "voxels without a side": (
        "volume-a.nii",
        lambda path: nibabel.save(nibabel.Nifti1Image(targets.volume(), np.diag([1e-30, 1, 1, 1])), path),
        "its affine",
    ),
    "an image of 10 gigapixels": ("images.png", lambda path: put(path, png(100_000, 100_000)), "has more than 89 million pixels"),
    "digits that are not there": (
        "mnist",
        lambda path: put(path, gzip.compress(struct.pack(">4I", 0x803, 2**31, 28, 28))),
        "its header is not that of",
    ),
    "a program in a batch": ("cifar-10", lambda path: put(path, RUN), "posix.system|os.system"),
    "a memo of 2^31 entries": ("cifar-10", lambda path: put(path, batch(b"]r\xff\xff\xff\x7f")), "a memo that is longer than the file"),
    "bytes that are not there": ("cifar-10", lambda path: put(path, batch(b"\x8e" + struct.pack("<Q", 2**40))), "not a CIFAR-10 batch"),
    "the same bytes again and again": ("cifar-10", lambda path: put(path, MANY), "more bytes than the file holds"),
    "a program in a config": (
        "run-config",
        lambda path: put(path, b"data: !!python/object/apply:os.system ['touch ran']\n"),
        "cannot be read",
    ),
    "wide networks": ("run-config", of_config("encoder", width=10**6), "size mismatch|cannot be read"),
    "an attribute that weights do not know": ("run-config-rows", of_config("method", free_of="sex"), "config.yaml: cannot be read"),
    "large samples": ("run-model", of_samples(sample_shape=[1, 2**20, 2**20]), "was trained on"),
    "a billion target groups": ("run-model", of_samples(classes={"target_group": 10**9}), "cannot be read"),
    "weights cut off": ("run-model", lambda path: put(path, path.read_bytes()[:5000]), "restore the original file, or train again"),
    "a wide decoder": (
        "decoder-config",
        lambda path: path.write_text(path.read_text().replace("width: 8", "width: 1000000")),
        "cannot be read",
    ),
    "names of cells that are not there": ("cells", cells(of_names), "no file of this size holds"),
    "names without end": ("cells", endless, "a heap has no end at byte"),
    "names that go back": ("cells", lambda path: endless(path, 2**64 - 64), "a heap has no end at byte"),
    "values in another file": ("cells", cells(elsewhere), "X/data is kept in another file"),
    "names in another file": ("cells", cells(linked), "cannot be read|another file"),
    "paths of others": ("images-table", lambda path: put(path, b"file,age\n../../../etc/passwd,3\n/etc/passwd,4\n"), "in neither folder"),
    "escapes for a terminal": ("images-table", lambda path: put(path, b"\x1b[2Jfile,\x1b]0;a\x07\n1,2\n"), r"did you mean '\\x1b\[2Jfile'"),
    "deep JSON": ("estimator", lambda path: path.write_text("[" * 10**5), "not valid JSON"),
}


@pytest.mark.parametrize(("name", "spoil", "said"), HOSTILE.values(), ids=HOSTILE)
def test_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, spoil: Callable[[Path], object], said: str) -> None:
    target, folder = targets.BY_NAME[name], tmp_path.resolve()
    monkeypatch.chdir(folder)
    target.make(folder)
    spoil(folder / target.file)
    assert not check(target.read, folder)  # neither time nor memory, and no program or other file
    with pytest.raises(InputError, match=said) as error:
        target.read(folder)
    assert "allow_pickle" not in str(error.value)
    assert not (folder / "ran").exists()


def zeros(path: Path) -> None:
    np.savez_compressed(path, x=np.zeros((128 * MEGABYTE // 64, 1, 8, 8), np.uint8))


def constant(path: Path) -> None:
    values = pyarrow.array(np.zeros(16 * MEGABYTE, np.int8))
    pyarrow.parquet.write_table(pyarrow.table({"x": values}), path)


def long_cell(path: Path) -> None:
    path.write_text("id,dx,age,site,x0\n" + "a,control,1,a,1\n" * 20_000 + f"{'a' * 20_000},case,1,b,1\n")


@pytest.mark.parametrize(("name", "spoil"), [("samples-x.npz", zeros), ("samples-x.parquet", constant), ("rows.csv", long_cell)])
def test_what_does_not_fit_into_memory_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, spoil: Callable[[Path], object]
) -> None:
    target, folder = targets.BY_NAME[name], tmp_path.resolve()
    target.make(folder)
    spoil(folder / target.file)
    monkeypatch.setattr(claims, "_free", lambda: 100 * MEGABYTE)
    with pytest.raises(InputError, match=r"takes [\d.]+ GiB, and 0\.1 GiB of memory are free"):
        target.read(folder)


def test_aliases_of_aliases_are_not_expanded(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{i + 1}: &a{i + 1} [*a{i}, *a{i}]" for i in range(64))]
    (tmp_path / "config.yaml").write_text("\n".join(lines))
    with pytest.raises(InputError, match="aliases"):
        read_yaml(tmp_path / "config.yaml", "fix it")


def test_an_image_path_in_a_table_that_is_no_volume_shows_nothing_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("password")
    assert look(tmp_path / "deep" / ".." / "secret").problem.endswith("unknown kind of file; volumes are .nii, .nii.gz, .npy")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_an_archive_writes_nothing_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: bytes) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "root").mkdir()
    archive = tmp_path / "root" / "archive.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in (*cifar10.TRAIN, cifar10.TEST, "batches.meta"):
            member = tarfile.TarInfo(f"{cifar10.FOLDER}/{name}")
            member.type, member.linkname = kind, "../../../secret"
            tar.addfile(member)
    monkeypatch.setattr(download, "_fetch", lambda *_: archive)
    with pytest.raises(InputError, match="cannot be unpacked"):
        download.fetch_cifar10(tmp_path / "root")
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["archive.tar.gz"]


def test_a_checkpoint_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Program:
        def __reduce__(self) -> object:
            return Path.touch, (tmp_path / "ran",)

    targets.make_row_run(tmp_path)
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    (tmp_path / "run" / "checkpoints").mkdir()
    torch.save({"state_dict": Program()}, tmp_path / "run" / "checkpoints" / "last.ckpt")
    with pytest.raises((InputError, pickle.UnpicklingError)):
        run(RunFolder(tmp_path / "run").recipe(), tmp_path / "run", resume=True, progress=False)
    assert not (tmp_path / "ran").exists()


def test_the_command_line_ends_with_one_line_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    targets.make_array_run(tmp_path)
    model = tmp_path / "run" / "model.safetensors"
    model.write_bytes(model.read_bytes()[:5000])
    before = sorted(tmp_path.rglob("*"))
    assert main(["encode", str(tmp_path / "run"), "--input", str(tmp_path / "x.npy"), "--out", str(tmp_path / "codes.npz")]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"sepclr: error: {model}: cannot be read (")
    assert said.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before

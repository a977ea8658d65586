"""Every reader of files that somebody else may have written, with valid files to start from."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest.mock import patch

import nibabel
import numpy as np
import pyarrow
import pyarrow.parquet
import torch
import yaml
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from tests.datasets.layouts import idx
from tests.fuzz.mutate import changed, names

from sepclr import SepCLR, load
from sepclr.cli import main
from sepclr.data import cell_cohorts, image_files, row_cohorts
from sepclr.data.cell_study import CellStudy
from sepclr.data.image_study import ImageStudy
from sepclr.data.preparation import Preparation
from sepclr.data.row_study import RowStudy
from sepclr.data.samples import read_samples
from sepclr.data.study import Study
from sepclr.datasets import cifar10, mice, mnist
from sepclr.imaging.bids_rows import new_images, read_tree
from sepclr.imaging.grid import Grid, on_grid
from sepclr.imaging.participants import Columns, read_participants
from sepclr.imaging.study import BrainStudy
from sepclr.imaging.volumes import read_volume
from sepclr.parts import DecoderOptions
from sepclr.runs.decoder import load_decoder
from sepclr.runs.encode import encode_file
from sepclr.runs.folder import RunFolder, open_folder
from sepclr.runs.make import make_method
from sepclr.runs.recipe import Recipe, usual
from sepclr.runs.results import result
from sepclr.runs.run import load as load_data
from sepclr.runs.run import read_finished
from sepclr.tables.jobs import done

N = 24
"""Samples of each small data set."""


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes:
        name: what it reads.
        make: writes valid files to a folder.
        file: which of them is changed.
        read: reads the folder.
        text: whether the file is text.
        unpacked: the part of the file that is changed, such as what a compressed file holds.
        packed: puts it back.
        examples: how many changes ``make test`` tries.
    """

    name: str
    make: Callable[[Path], object]
    file: str
    read: Callable[[Path], object]
    text: bool = False
    unpacked: Callable[[bytes], bytes] = bytes
    packed: Callable[[bytes], bytes] = bytes
    examples: int = 6

    def contents(self, folder: Path) -> st.SearchStrategy[bytes]:
        """Make the valid files, and return a strategy of contents of the one that is changed."""
        self.make(folder)
        if self.name == "bids-names":
            return names(BIDS).map(lambda lines: "\0".join(lines).encode())
        return changed(self.unpacked((folder / self.file).read_bytes()), text=self.text).map(self.packed)

    def put(self, folder: Path, content: bytes) -> None:
        """Write the changed file, or the files that it names."""
        (folder / self.file).write_bytes(content)


def draw() -> np.random.Generator:
    return np.random.default_rng(0)


# Public data sets


def make_cifar(folder: Path) -> None:
    (folder / cifar10.FOLDER).mkdir()
    batch = {b"data": draw().integers(256, size=(20, 3072)).astype(np.uint8), b"labels": [i % 10 for i in range(20)]}
    for name in (*cifar10.TRAIN, cifar10.TEST):
        (folder / cifar10.FOLDER / name).write_bytes(pickle.dumps(batch, protocol=2))


def read_cifar(folder: Path) -> object:
    with patch.object(cifar10, "IMAGES", 20):
        return cifar10.read(folder)


SMALL = {name: (20, *shape[1:]) for name, shape in mnist.FILES.items()}


def make_mnist(folder: Path) -> None:
    for name, shape in SMALL.items():
        values = idx(draw().integers(10, size=shape).astype(np.uint8))
        (folder / f"{name}.gz").write_bytes(gzip.compress(values, 1))


def read_mnist(folder: Path) -> object:
    with patch.object(mnist, "FILES", SMALL):
        return mnist.read(folder)


def make_mice(folder: Path) -> None:
    lines = ["MouseID,A_N,B_N,Genotype,Treatment,Behavior"]
    for i in range(8):
        lines.append(f"{i}_1,{i}.5,{-i},{'Control'},Saline,{('S/C', 'C/S')[i % 2]}")
    (folder / mice.NAME).write_text("\n".join(lines) + "\n")


# Tables of rows, and arrays


def columns() -> dict[str, np.ndarray]:
    rng = draw()
    return {
        "id": np.array([f"s{i}" for i in range(N)]),
        "dx": np.tile(["control", "case"], N // 2),
        "age": rng.normal(50, 10, N).round(1),
        "site": np.repeat(["a", "b"], N // 2),
        "x0": rng.normal(size=N).round(3),
        "x1": rng.normal(size=N).round(3),
    }


def write_table(path: Path) -> None:
    values = columns()
    if path.suffix == ".npz":
        rows = np.stack([values.pop("x0"), values.pop("x1")], 1)
        np.savez(path, **values, x=rows)
    elif path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.table(values), path, row_group_size=10)
    else:
        mark = "," if path.suffix == ".csv" else "\t"
        path.write_text("\n".join(mark.join(map(str, line)) for line in [[*values], *zip(*values.values(), strict=True)]) + "\n")


def row_study(table: Path) -> RowStudy:
    roles = {"group": "dx", "background": ("control",), "target": ("case",), "subject": "id", "common": ("age",), "covariates": ("site",)}
    return RowStudy(table=str(table), **roles, folds=3, impute="mean")


def make_rows(suffix: str) -> Callable[[Path], None]:
    return lambda folder: write_table(folder / f"rows{suffix}")


def read_rows(suffix: str) -> Callable[[Path], object]:
    return lambda folder: row_cohorts.cohorts(row_study(folder / f"rows{suffix}"), 0, folder / "cache")


def make_samples(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        x = draw().integers(256, size=(3, 1, 8, 8)).astype(np.uint8)
        if name.endswith(".npz"):
            (np.savez_compressed if "packed" in name else np.savez)(folder / name, x=x)
        elif name.endswith(".parquet"):
            pyarrow.parquet.write_table(pyarrow.table({f"p{i}": column for i, column in enumerate(x.reshape(3, -1).T)}), folder / name)
        else:
            np.save(folder / name, x)

    return make


def read_array(name: str) -> Callable[[Path], object]:
    return lambda folder: read_samples(folder / name, (1, 8, 8))


def npy_of(packed: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        return file.read("x.npy")


def npz_of(npy: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.npy", npy)
    return made.getvalue()


# Images


FORMATS = {".png": "PNG", ".jpg": "JPEG", ".tif": "TIFF", ".webp": "WEBP", ".bmp": "BMP", ".gif": "GIF"}


def write_images(folder: Path, first: str = ".png") -> None:
    for group in ("background", "target"):
        for kind in ("round", "square") if group == "target" else ("",):
            (folder / group / kind).mkdir(parents=True, exist_ok=True)
            for i in range(4):
                pixels = draw().integers(256, size=(16, 12, 3)).astype(np.uint8)
                suffix = first if i == 0 else ".png"
                Image.fromarray(pixels).save(folder / group / kind / f"{i}{suffix}", FORMATS[suffix])


def image_study(folder: Path, **more: str) -> ImageStudy:
    return ImageStudy(background=str(folder / "background"), target=(str(folder / "target"),), size=8, folds=2, **more)


def read_images(folder: Path) -> object:
    return image_files.cohorts(image_study(folder), 0, folder / "cache")


def make_image_cache(folder: Path) -> None:
    write_images(folder)
    read_images(folder)


def with_checksums(png: bytes) -> bytes:
    """Give each chunk of a PNG the checksum of its content, as far as there are chunks."""
    made, at = png[:8], 8
    while at + 8 <= len(png):
        size = struct.unpack(">I", png[at : at + 4])[0]
        inside = png[at + 4 : at + 8 + size]
        made += png[at : at + 4] + inside + struct.pack(">I", zlib.crc32(inside))
        at += 12 + size
    return made + png[at:]


def make_image_table(folder: Path) -> None:
    write_images(folder)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    lines = ["file,age,sex", *(f"{name},{20 + 3 * i},{'fm'[i % 2]}" for i, name in enumerate(files))]
    (folder / "attributes.csv").write_text("\n".join(lines) + "\n")


def read_image_table(folder: Path) -> object:
    return image_study(folder, attributes=str(folder / "attributes.csv")).members()


# Volumes, tables of volumes and BIDS trees


AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def volume(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 10, (6, 7, 8)).astype(np.float32)


def make_volume(name: str) -> Callable[[Path], object]:
    if name.endswith(".npy"):
        return lambda folder: np.save(folder / name, volume())
    return lambda folder: nibabel.save(nibabel.Nifti1Image(volume(), AFFINE), folder / name)


def read_one_volume(name: str) -> Callable[[Path], object]:
    def read(folder: Path) -> None:
        read_volume(folder / name)
        on_grid(folder / name, Grid((2.0, 2.0, 2.0), (8, 8, 8)))

    return read


def make_participants(folder: Path) -> None:
    for i in range(4):
        np.save(folder / f"{i}.npy", volume(i))
    rows = [
        "participant_id\timage\tgroup\tage\tsplit",
        *(f"sub-{i}\t{i}.npy\t{'ab'[i % 2]}\t{30 + i}\t{('train', 'test')[i // 2]}" for i in range(4)),
    ]
    (folder / "participants.tsv").write_text("\n".join(rows) + "\n")


def read_participants_table(folder: Path) -> object:
    return read_participants(folder / "participants.tsv", Columns("image", "group", ("a",), ("b",), {"age": None}, split="split"))


def read_pattern_table(folder: Path) -> object:
    return read_participants(folder / "participants.tsv", Columns("./{image}", "group", ("a",), ("b",)))


BIDS = [f"sub-{number}_ses-{session}_run-1_T1w.nii" for number in ("01", "02") for session in ("a", "b")]


def make_bids(folder: Path) -> None:
    for name in BIDS:
        subject, session, *_ = name.split("_")
        place = folder / "tree" / subject / session / "anat"
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"volume")
    (folder / "tree" / "participants.tsv").write_text("participant_id\tgroup\tage\nsub-01\ta\t30\n02\tb\t40\n")
    for subject in ("sub-01", "sub-02"):
        (folder / "tree" / subject / f"{subject}_sessions.tsv").write_text("session_id\tscore\nses-a\t1\nses-b\t2\n")


def read_bids(folder: Path) -> object:
    study = BrainStudy(bids=str(folder / "tree"), group="group", background=("a",), target=("b",), common=("age",), salient=("score",))
    return read_tree(study, ("age", "score"))


def read_bids_names(folder: Path) -> None:
    root = folder / "cache" / "tree"
    shutil.rmtree(root, ignore_errors=True)
    tree = root / "sub-01" / "anat"
    tree.mkdir(parents=True)
    for name in (folder / "names").read_bytes().decode().split("\0"):
        with suppress(OSError):
            (tree / name.replace("/", "")).touch()
    new_images(root)


# Cells


def make_cells(folder: Path) -> None:
    import anndata
    import pandas
    from scipy.sparse import csr_array

    rng = draw()
    obs = {
        "dx": pandas.Categorical(np.tile(["control", "case"], N // 2)),
        "age": rng.normal(50, 10, N),
        "site": np.repeat(["a", "b"], N // 2),
    }
    frame = pandas.DataFrame(obs, index=[f"c{i}" for i in range(N)])
    names_of_genes = pandas.DataFrame(index=[f"g{i}" for i in range(5)])
    counts = csr_array(rng.poisson(1.0, (N, 5)).astype(np.float32))
    anndata.AnnData(counts, obs=frame, var=names_of_genes).write_h5ad(folder / "cells.h5ad")


def cell_study(file: Path) -> CellStudy:
    return CellStudy(file=str(file), group="dx", background=("control",), target=("case",), common=("age",), normalise=True, folds=3)


def read_cells(folder: Path) -> object:
    train, _, _ = cell_cohorts.cohorts(cell_study(folder / "cells.h5ad"), 0, folder / "cache")
    return train.x[:]


# Runs


def finished(out: Path, recipe: Recipe, shape: Sequence[int], root: Path, preparation: Preparation | None = None, **noted: object) -> None:
    """Write the folder of a run as training would, with the weights before the first step."""
    study = recipe.study
    folder = open_folder(
        out,
        recipe,
        resume=False,
        root=root,
        folds=None if study is None else dict(zip([f"s{i}" for i in range(N)], [0, 1, 2] * N, strict=False)),
    )
    if preparation is not None:
        preparation.save(folder.preparation)
    weights = dict(make_method(recipe, shape).state_dict())  # type: ignore[attr-defined]
    save_file(weights, folder.model, metadata={"samples": json.dumps({"sample_shape": list(shape)} | noted)})
    folder.metrics.write_text("".join(json.dumps({"epoch": i, "loss": -0.1 * i, "seconds": 0.5}) + "\n" for i in range(2)))
    row = {"attribute": "age", "space": "c", "encoder": "trained", "protocol": "strict", "metric": "mae"}
    numbers = {"score": 0.5, "low": 0.4, "high": 0.6, "chance": 0.1, "n_train": 16, "n_test": 8}
    folder.write_rows([row | numbers, row | numbers | {"space": "s"}])


def make_row_run(folder: Path) -> None:
    write_table(folder / "rows.csv")
    study = row_study(folder / "rows.csv")
    _, _, preparation = row_cohorts.cohorts(study, 0)
    recipe = usual("rows", width=8, common_dim=3, salient_dim=2).of(study)
    finished(folder / "run", recipe, (2,), folder / "cache", preparation)


def make_array_run(folder: Path) -> None:
    """Write a run on images in arrays, and samples for it."""
    recipe = usual("marked-digits", width=2, common_dim=3, salient_dim=2)
    finished(folder / "run", recipe, (1, 8, 8), folder / "cache")
    make_samples("x.npy")(folder)


def make_brain_run(folder: Path) -> None:
    make_participants(folder)
    study = BrainStudy(
        table=str(folder / "participants.tsv"), images="image", group="group", background=("a",), target=("b",), split="split"
    )
    recipe = usual("mri", width=2, common_dim=3, salient_dim=2).of(study)
    finished(folder / "run", recipe, (1, 8, 8, 8), folder / "cache", grid=[[1.0, 1.0, 1.0], np.eye(4).tolist()])


def encode_rows(folder: Path) -> object:
    return encode_file(folder / "run", folder / "rows.csv", folder / "codes.npz", cache=folder / "cache")


def encode_array(folder: Path) -> object:
    return encode_file(folder / "run", folder / "x.npy", folder / "codes.npz")


def encode_brains(folder: Path) -> object:
    return encode_file(folder / "run", folder / "participants.tsv", folder / "codes.npz", cache=folder / "cache")


def read_records(folder: Path) -> object:
    """Read what a finished run records, as a resumed benchmark does."""
    run = RunFolder(folder / "run")
    whole = read_finished(run, load_data(run.recipe(), run.root()))
    return result(whole, "strict"), whole.signs


def make_decoder(folder: Path) -> None:
    from sepclr.runs.decoder import _own, decoder_folder
    from sepclr.runs.trained import load_method
    from sepclr.training.decoder import fresh_decoder
    from sepclr.types import Codes

    make_array_run(folder)
    options = DecoderOptions(width=8)
    place = decoder_folder(folder / "run")
    place.path.mkdir()
    place.config.write_text(yaml.safe_dump(asdict(options)))
    method, shape = load_method(RunFolder(folder / "run"))
    flow = fresh_decoder(method, shape, options, Codes(torch.randn(4, 3), torch.randn(4, 2)), torch.tensor([False, True] * 2))
    save_file(_own(flow), place.model)


def make_config(folder: Path) -> None:
    make_row_run(folder)
    (folder / "taken").mkdir()
    (folder / "taken" / "file").touch()


def read_config(folder: Path) -> None:
    """Give the config of a run to ``fit``, which then finds that ``--out`` is taken."""
    said = io.StringIO()
    with patch("sys.stderr", said):
        who = ["--table", str(folder / "rows.csv"), "--group", "dx", "--background", "control", "--target", "case"]
        try:
            status = main(["fit", "rows", "--config", str(folder / "run" / "config.yaml"), *who, "--out", str(folder / "taken")])
        except SystemExit as error:
            status = error.code
    assert status == 2, status
    assert "Traceback" not in said.getvalue()
    assert not said.getvalue().startswith("sepclr: error: ") or len(said.getvalue().splitlines()) == 1, said.getvalue()


def make_estimator(folder: Path) -> None:
    values = columns()
    model = SepCLR(common_dim=3, salient_dim=2, max_epochs=1, batch_size=12, random_state=0)
    model.fit(np.stack([values["x0"], values["x1"]], 1), values["dx"] == "case").save(folder / "model")


def read_estimator(folder: Path) -> object:
    return load(folder / "model").transform(np.zeros((2, 2)))


def make_results(folder: Path) -> None:
    (folder / "results.jsonl").write_text("".join(json.dumps({"key": f"k{i}", "scores": {"age_common": 0.5}}) + "\n" for i in range(2)))


def study_of(make: Callable[[Path], Study]) -> Callable[[Path], object]:
    return lambda folder: make(folder).members()


TARGETS = (
    Target("cifar-10", make_cifar, f"{cifar10.FOLDER}/data_batch_1", read_cifar),
    Target("mnist", make_mnist, "train-images-idx3-ubyte.gz", read_mnist),
    Target("mnist-unpacked", make_mnist, "train-images-idx3-ubyte.gz", read_mnist, False, gzip.decompress, gzip.compress),
    Target("mice", make_mice, mice.NAME, lambda folder: mice.load(folder), True),
    *(
        Target(f"rows{suffix}", make_rows(suffix), f"rows{suffix}", read_rows(suffix), suffix in (".csv", ".tsv"))
        for suffix in (".csv", ".tsv", ".parquet", ".npz")
    ),
    *(Target(f"samples-{name}", make_samples(name), name, read_array(name)) for name in ("x.npy", "x.npz", "packed.npz", "x.parquet")),
    Target("samples-unpacked.npz", make_samples("x.npz"), "x.npz", read_array("x.npz"), False, npy_of, npz_of),
    *(
        Target(f"images{suffix}", lambda folder, suffix=suffix: write_images(folder, suffix), f"background/0{suffix}", read_images)
        for suffix in FORMATS
    ),
    Target("images-checksums.png", write_images, "background/0.png", read_images, False, bytes, with_checksums),
    *(Target(f"images-cache-{name}", make_image_cache, f"cache/{name}.json", read_images, True) for name in ("contents", "pictures-1")),
    Target("images-table", make_image_table, "attributes.csv", read_image_table, True),
    *(Target(f"volume-{name}", make_volume(name), name, read_one_volume(name)) for name in ("a.nii", "a.nii.gz", "a.npy")),
    Target(
        "volume-unpacked.nii.gz",
        make_volume("a.nii.gz"),
        "a.nii.gz",
        read_one_volume("a.nii.gz"),
        False,
        gzip.decompress,
        lambda nii: gzip.compress(nii, 1),
    ),
    Target("participants", make_participants, "participants.tsv", read_participants_table, True),
    Target("participants-pattern", make_participants, "participants.tsv", read_pattern_table, True),
    Target("bids-participants", make_bids, "tree/participants.tsv", read_bids, True),
    Target("bids-sessions", make_bids, "tree/sub-02/sub-02_sessions.tsv", read_bids, True),
    Target("bids-names", lambda folder: None, "names", read_bids_names),
    Target("cells", make_cells, "cells.h5ad", read_cells),
    Target("config", make_config, "run/config.yaml", read_config, True, examples=2),
    Target("run-config", make_array_run, "run/config.yaml", encode_array, True),
    Target("run-config-rows", make_row_run, "run/config.yaml", encode_rows, True),
    Target("run-model", make_array_run, "run/model.safetensors", encode_array),
    Target("run-model-rows", make_row_run, "run/model.safetensors", encode_rows),
    Target("run-preparation", make_row_run, "run/preparation.safetensors", encode_rows),
    Target("run-environment", make_row_run, "run/environment.json", read_records, True),
    Target("run-metrics", make_row_run, "run/metrics.jsonl", read_records, True),
    Target("run-rows", make_row_run, "run/rows.jsonl", read_records, True),
    Target("run-folds", make_row_run, "run/folds.tsv", read_records, True),
    Target("run-volumes", make_brain_run, "run/model.safetensors", encode_brains),
    Target("new-table-of-volumes", make_brain_run, "participants.tsv", encode_brains, True),
    Target("decoder-config", make_decoder, "run/decoder/config.yaml", lambda folder: load_decoder(folder / "run"), True),
    Target("decoder-model", make_decoder, "run/decoder/model.safetensors", lambda folder: load_decoder(folder / "run")),
    Target("estimator", make_estimator, "model/estimator.json", read_estimator, True),
    Target("estimator-tensors", make_estimator, "model/tensors.safetensors", read_estimator),
    Target("results", make_results, "results.jsonl", lambda folder: done(folder / "results.jsonl"), True),
)
BY_NAME = {target.name: target for target in TARGETS}

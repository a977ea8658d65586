"""Encoders in other programs: ONNX by onnxruntime and torch.export give the codes of ``sepclr encode``."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from tests import test_methods
from tests.runs.test_rows import SHORT, WHO, table  # noqa: F401  # a fixture

from sepclr.cli import main
from sepclr.runs.encode import encode_file
from sepclr.runs.export import Encoding, examples, export_run, traced, write_onnx, write_program
from sepclr.runs.folder import RunFolder
from sepclr.runs.linear import LinearCodes
from sepclr.runs.trained import load_method
from sepclr.training import encode

TOLERANCE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-4}
METHODS = test_methods.METHODS | {"linear": lambda shape: LinearCodes(math.prod(shape), (5, 4))}
ALL = [(name, shape) for name in METHODS for shape in test_methods.SHAPES]


def by_onnxruntime(path: Path, **inputs: np.ndarray) -> list[np.ndarray]:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(["c", "s"], inputs)


def check_equal(name: str, kind: str, folder: Path) -> None:
    """A method exported both ways gives its own codes, of one sample and of five, of samples that tracing has not seen."""
    shape = test_methods.SHAPES[kind]
    torch.manual_seed(0)
    method = METHODS[name](shape)
    test_methods.outputs_of(method, shape, test_methods.MIXED)  # moves the statistics of batch normalisation
    program = traced(Encoding(method), examples(shape, None))
    onnx, pt2 = folder / "model.onnx", folder / "model.pt2"
    write_onnx(program, {"version": "0"}, onnx)
    write_program(program, {"version": "0"}, pt2)
    loaded = torch.export.load(pt2).module()
    for n in (1, 5):
        x = torch.rand(n, *shape) if len(shape) != 3 else torch.randint(256, (n, *shape), dtype=torch.uint8)
        expected = encode(method, x)
        for found in (by_onnxruntime(onnx, x=x.numpy()), [each.numpy() for each in loaded(x)]):
            for mine, theirs in zip(found, expected, strict=True):
                assert mine.shape == theirs.shape
                np.testing.assert_allclose(mine, theirs, **TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), ALL)
def test_every_exported_method_gives_the_same_codes(name: str, kind: str, tmp_path: Path):
    check_equal(name, kind, tmp_path)


def test_an_image_run_is_exported_with_its_pixels_and_facts(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    x = np.random.default_rng(0).integers(256, size=(5, 1, 12, 12)).astype(np.uint8)
    expected = encode(load_method(RunFolder(tiny_run))[0], torch.from_numpy(x))
    assert main(["export", str(tiny_run), "--out", str(tmp_path / "a.onnx")]) == 0
    assert "x n x 1 x 12 x 12 (uint8) to c n x 4 (float32), s n x 3 (float32)" in capsys.readouterr().out
    assert main(["export", str(tiny_run), "--out", str(tmp_path / "b.pt2"), "--pixels", "float32"]) == 0
    of_floats = torch.export.load(tmp_path / "b.pt2").module()(torch.from_numpy(x.astype(np.float32) / 255))
    for found in (by_onnxruntime(tmp_path / "a.onnx", x=x), of_floats):
        for mine, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine, theirs, **TOLERANCE)
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    facts = json.loads(session.get_modelmeta().custom_metadata_map["sepclr"])
    assert facts["recipe"]["method"]["name"] == "sepclr"
    assert facts["sample_shape"] == [1, 12, 12]
    assert [*facts["inputs"]] == ["x"]
    assert session.get_inputs()[0].shape[0] == session.get_outputs()[1].shape[0] == "n"


@pytest.mark.slow
def test_a_program_needs_only_torch(tiny_run: Path, tmp_path: Path):
    export_run(tiny_run, tmp_path / "model.pt2")
    code = (
        "import sys, torch; files = {'sepclr.json': ''}; program = torch.export.load(sys.argv[1], extra_files=files).module(); "
        "c, s = program(torch.zeros(3, 1, 12, 12, dtype=torch.uint8)); print(c.shape, s.shape, len(files['sepclr.json']) > 100, "
        "'sepclr' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code, str(tmp_path / "model.pt2")], capture_output=True, text=True, check=True)
    assert said.stdout.split("\n")[0] == "torch.Size([3, 4]) torch.Size([3, 3]) True False"


def test_the_preparation_of_rows_is_in_the_graph(table: Path, tmp_path: Path):  # noqa: F811
    lines = [line.split(",") for line in table.read_text().splitlines()]
    for number, line in enumerate(lines[1:]):
        line[5] = "" if number % 7 == 0 else str(1e6 + float(line[5]))  # float32 would lose what varies
    table.write_text("\n".join(map(",".join, lines)))
    run = tmp_path / "run"
    words = ["--table", str(table), *WHO, "--features", "f*", "--covariates", "site,age", "--impute", "mean", "--folds", "3"]
    assert main(["fit", "rows", *words, *SHORT, "--out", str(run)]) == 0
    facts = export_run(run, tmp_path / "model.onnx")
    assert facts["features"] == ["f0", "f1", "f2"]
    assert facts["levels"] == {"site": ["a", "b"]}
    assert facts["quantities"] == ["age"]
    assert str(tmp_path) not in json.dumps(facts)
    columns = {name: [line[lines[0].index(name)] for line in lines[1:]] for name in lines[0]}
    features = np.array([[float(value or "nan") for value in columns[name]] for name in facts["features"]]).T
    found = by_onnxruntime(
        tmp_path / "model.onnx",
        x=features,
        classes=np.array([[facts["levels"]["site"].index(value)] for value in columns["site"]]),
        quantities=np.array([[float(value)] for value in columns["age"]]),
    )
    expected = encode_file(run, table, tmp_path / "codes.npz")
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, **TOLERANCE)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["model.h5"], "unknown file type; use .onnx or .pt2, or a new folder for a MONAI bundle"),
        (["nowhere/model.onnx"], "no such folder"),
        (["full"], "not empty; choose another --out"),
        (["bundle"], "a folder is a MONAI bundle, for runs on mri"),
        (["bundle", "--pixels", "uint8"], "pixels: is for .onnx and .pt2"),
    ],
)
def test_an_output_that_cannot_be_used_is_named(tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words, says):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert main(["export", str(tiny_run), "--out", str(tmp_path / words[0]), *words[1:]]) == 2
    assert says in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]


def test_a_missing_package_and_an_option_of_images_are_named(tiny_run: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sepclr.extras.find_spec", lambda name: None if name == "onnxscript" else name)
    assert main(["export", str(tiny_run), "--out", str(tmp_path / "model.onnx")]) == 2
    assert "model.onnx: needs onnxscript; pip install 'sepclr[onnx]'" in capsys.readouterr().err

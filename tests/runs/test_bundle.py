"""A MONAI bundle encodes NIfTI files as ``sepclr encode`` does, without this library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from sepclr.cli import main
from sepclr.data.tables import read_cells
from sepclr.imaging.phantom import write_phantoms

pytestmark = pytest.mark.slow

WHO = ["--images", "image", "--group", "group", "--background", "control", "--target", "patient", "--folds", "2"]
SMALL = ["--method", "sepvae", "--width", "8", "--max-epochs", "1", "--batch-size", "8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on volumes of 8 mm, from images of 4 mm with a mask, and its bundle."""
    folder = tmp_path_factory.mktemp("bundle")
    table = write_phantoms(folder / "study", 16, seed=1)
    first = nibabel.load(table.parent / read_cells(table)["image"][0])
    inside = np.zeros(first.shape, np.uint8)
    inside[2:-2, 2:-4, 3:-2] = 1
    nibabel.save(nibabel.Nifti1Image(inside, first.affine), folder / "mask.nii.gz")
    words = ["--table", str(table), *WHO, "--spacing", "8", "--mask", str(folder / "mask.nii.gz"), "--cache", str(folder / "cache")]
    assert main(["fit", "mri", *words, *SMALL, "--out", str(folder / "run")]) == 0
    assert main(["export", str(folder / "run"), "--out", str(folder / "bundle")]) == 0
    return folder


def test_the_bundle_gives_the_codes_of_encode(folder: Path, monkeypatch: pytest.MonkeyPatch):
    from monai.bundle import ConfigParser

    table, run, bundle = folder / "study" / "participants.tsv", folder / "run", folder / "bundle"
    assert main(["encode", str(run), "--input", str(table), "--cache", str(folder / "cache"), "--out", str(folder / "codes.npz")]) == 0
    images = [table.parent / name for name in read_cells(table)["image"]]
    parser = ConfigParser()
    parser.read_config(bundle / "configs" / "inference.json")
    parser.read_meta(bundle / "configs" / "metadata.json")
    parser.update({"bundle_root": str(bundle), "dataset_dir": str(images[0].parent), "output_file": str(folder / "by_monai.npz")})
    parser.get_parsed_content("run")
    with np.load(folder / "by_monai.npz") as found, np.load(folder / "codes.npz") as expected:
        place = {name: row for row, name in enumerate(found["path"].tolist())}
        rows = [place[image.name] for image in images]
        assert np.ptp(expected["c"], 0).min() > 1e-3
        for name in "cs":
            np.testing.assert_allclose(found[name][rows], expected[name], rtol=1e-4, atol=1e-4)


def test_the_bundle_says_what_it_is(folder: Path):
    bundle = folder / "bundle"
    assert sorted(str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file()) == [
        "configs/inference.json",
        "configs/metadata.json",
        "configs/sepclr.json",
        "docs/README.md",
        "models/mask.npy",
        "models/model.pt",
        "models/model.pt2",
    ]
    facts: dict[str, Any] = json.loads((bundle / "configs" / "metadata.json").read_text())
    # The mandatory keys of MONAI's specification.
    asked = {"version", "monai_version", "pytorch_version", "numpy_version", "task", "description", "authors", "copyright"}
    assert asked | {"network_data_format"} <= facts.keys()
    of_tensors = {"type", "format", "num_channels", "spatial_shape", "dtype", "value_range", "is_patch_data", "channel_def"}
    data = facts["network_data_format"]
    assert all(of_tensors <= each.keys() for each in (*data["inputs"].values(), *data["outputs"].values()))
    assert data["inputs"]["image"]["spatial_shape"] == json.loads((bundle / "configs" / "sepclr.json").read_text())["sample_shape"][1:]
    for path in bundle.rglob("*"):
        assert path.is_dir() or str(folder).encode() not in path.read_bytes(), path

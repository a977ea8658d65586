"""MONAI bundle of a run on mri: from NIfTI files to codes with MONAI and torch alone.

The layout is that of MONAI's bundle specification (https://docs.monai.io/en/stable/mb_specification.html). ``models/model.pt2`` holds the
encoders as a ``torch.export`` program, ``models/model.pt`` its weights alone, as the specification asks for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import torch

from sepclr.imaging.grid import BRIGHTEST, Grid, mask_on_grid
from sepclr.imaging.study import BrainStudy
from sepclr.imaging.subjects import grid_spec_of
from sepclr.runs.export import exported, write_program
from sepclr.runs.folder import RunFolder, make_folder
from sepclr.types import InputError

SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"

COMMAND = "python -m monai.bundle run --bundle_root . --meta_file configs/metadata.json --config_file configs/inference.json"

README = """# {title}

Encodes {modality} volumes to two codes: c, what background and target share, and s, what only the target has.
Written by sepclr {version}; running it needs MONAI, nibabel and torch, not sepclr.

    {command} --dataset_dir FOLDER --output_file codes.npz

`FOLDER` holds NIfTI files. `codes.npz` has the arrays `path`, `c` ({c} dimensions) and `s` ({s} dimensions). Volumes are turned to RAS,
resampled to {spacing} mm, cropped or padded to {shape} voxels{scaled}, exactly as at training. Images that were not aligned as those of
the training are encoded without a warning.

The recipe of the run is in `configs/sepclr.json`. Not for clinical use.
"""


def write_bundle(folder: RunFolder, out: Path) -> dict[str, Any]:
    """Write the bundle of a run.

    Args:
        folder: folder of a finished run on mri.
        out: new folder.

    Returns:
        The facts of ``sepclr.runs.export.facts_of``.

    Raises:
        InputError: a run on other data, a mask that cannot be read, or a folder that cannot be written.
    """
    study, noted = folder.recipe().study, folder.samples()
    if not isinstance(study, BrainStudy) or "grid" not in noted:
        raise InputError(f"{out}: a folder is a MONAI bundle, for runs on mri; give a file .onnx or .pt2")
    wanted = grid_spec_of(study)
    (_, *shape), (spacing, _) = noted["sample_shape"], noted["grid"]
    grid = Grid(tuple(spacing), cast(Any, tuple(shape)), wanted.scaling, wanted.mask)
    program, facts = exported(folder)
    make_folder(out.parent, "choose another --out")
    try:
        with TemporaryDirectory(dir=out.parent, prefix=f"{out.name}.") as part:
            made = Path(part) / "bundle"
            for name in ("configs", "models", "docs"):
                (made / name).mkdir(parents=True)
            write_program(program, facts, made / "models" / "model.pt2")
            torch.save(program.state_dict, made / "models" / "model.pt")
            if grid.mask is not None:
                np.save(made / "models" / "mask.npy", mask_on_grid(grid))
            for name, content in (("metadata", metadata(facts, grid)), ("inference", inference(grid)), ("sepclr", facts)):
                (made / "configs" / f"{name}.json").write_text(json.dumps(content, indent=1))
            (made / "docs" / "README.md").write_text(_readme(facts, grid))
            made.replace(out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error}); choose another --out") from None
    return facts


def inference(grid: Grid) -> dict[str, Any]:
    """Return the config that encodes the volumes of a folder: the steps of ``on_grid`` as MONAI's transforms, then the encoders."""
    return {
        "imports": ["$import functools", "$import glob", "$import os", "$import monai", "$import numpy as np", "$import torch"],
        "bundle_root": ".",
        "device": "$torch.device('cpu')",
        "dataset_dir": "$os.path.join(@bundle_root, 'data')",
        "output_file": "$os.path.join(@bundle_root, 'codes.npz')",
        "files": "$sorted(glob.glob(os.path.join(@dataset_dir, '*.nii')) + glob.glob(os.path.join(@dataset_dir, '*.nii.gz')))",
        "network_def": "$torch.export.load(os.path.join(@bundle_root, 'models', 'model.pt2')).module().to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": _transforms(grid)},
        "dataset": {"_target_": "Dataset", "data": "@files", "transform": "@preprocessing"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1},
        "inferer": {"_target_": "SimpleInferer"},
        "codes": "$[*map(functools.partial(@inferer, network=@network_def), @dataloader)]",
        "c": "$np.concatenate([c.cpu().numpy() for c, _ in @codes])",
        "s": "$np.concatenate([s.cpu().numpy() for _, s in @codes])",
        "names": "$np.array([os.path.basename(path) for path in @files])",
        "run": ["$np.savez(@output_file, path=@names, c=@c, s=@s)"],
    }


def _transforms(grid: Grid) -> list[dict[str, Any]]:
    """Return the steps of ``on_grid``; those that depend on the voxels of a file are expressions."""
    ratio = f"np.array({list(grid.spacing)}) / np.linalg.norm(np.asarray(x.affine)[:3, :3], axis=0)"
    sigma = f"[max((r - 1) / 2, 1e-3) for r in {ratio}]"
    smooth = f"$lambda x: monai.transforms.GaussianSmooth({sigma})(x) if ({ratio} > 1.01).any() else x"
    spaced = f"monai.transforms.Spacing({list(grid.spacing)}, mode='bilinear', padding_mode='zeros')(x)"
    steps: list[dict[str, Any]] = [
        {"_target_": "LoadImage", "image_only": True, "ensure_channel_first": True, "dtype": "$np.float32"},
        {"_target_": "Orientation", "axcodes": "RAS", "labels": [["L", "R"], ["P", "A"], ["I", "S"]]},
        {"_target_": "Lambda", "func": smooth},
        {"_target_": "Lambda", "func": f"$lambda x: x if np.allclose({ratio}, 1, atol=1e-3) else {spaced}"},
        {"_target_": "ResizeWithPadOrCrop", "spatial_size": list(grid.shape)},
    ]
    if grid.mask is not None:
        stored = "$np.load(os.path.join(@bundle_root, 'models', 'mask.npy'))"
        steps.append({"_target_": "MaskIntensity", "mask_data": stored})
    if grid.scaling == "percentiles":
        steps.append({"_target_": "ScaleIntensityRangePercentiles", "lower": 0, "upper": BRIGHTEST, "b_min": 0, "b_max": 1, "clip": True})
    # Training saw 16 bits.
    ends = {"dtype": "$torch.float32", "track_meta": False, "device": "@device"}
    return [*steps, {"_target_": "CastToType", "dtype": "$np.float16"}, {"_target_": "EnsureType", **ends}]


def metadata(facts: dict[str, Any], grid: Grid) -> dict[str, Any]:
    """Return the metadata that MONAI's specification asks for."""
    image = {
        "type": "image",
        "format": "magnitude",
        "modality": "MR",
        "num_channels": 1,
        "spatial_shape": list(grid.shape),
        "dtype": "float32",
        "value_range": [0, 1] if grid.scaling == "percentiles" else [],
        "is_patch_data": False,
        "channel_def": {"0": "image"},
    }
    return {
        "schema": SCHEMA,
        "version": "0.1.0",
        "changelog": {"0.1.0": f"exported by sepclr {facts['version']}"},
        **{f"{name}_version": version(package) for name, package in (("monai", "monai"), ("pytorch", "torch"), ("numpy", "numpy"))},
        "required_packages_version": {"nibabel": version("nibabel")},
        "task": "Contrastive analysis",
        "description": f"Two codes of a brain, c and s, by {facts['recipe']['method']['name']}",
        "authors": "see the publisher of this bundle",
        "copyright": "see the publisher of this bundle",
        "intended_use": "research, not clinical use",
        "network_data_format": {
            "inputs": {"image": image},
            "outputs": {name: _latent(each["shape"], about) for (name, each), about in zip(facts["outputs"].items(), ABOUT, strict=True)},
        },
    }


ABOUT = ("what background and target share", "what only the target has")


def _latent(shape: Sequence[int], about: str) -> dict[str, Any]:
    return {
        "type": "tuples",
        "format": "latent",
        "num_channels": shape[0],
        "spatial_shape": [],
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": False,
        "channel_def": {str(place): about for place in range(shape[0])},
    }


def _readme(facts: dict[str, Any], grid: Grid) -> str:
    scaled = " and scaled to 0..1 by percentiles" if grid.scaling == "percentiles" else ""
    sizes = {name: each["shape"][0] for name, each in facts["outputs"].items()}
    places = {name: " x ".join(f"{side:g}" for side in getattr(grid, name)) for name in ("spacing", "shape")}
    title = f"Codes of brains by {facts['recipe']['method']['name']}"
    return README.format(title=title, modality="MR", version=facts["version"], command=COMMAND, scaled=scaled, **sizes, **places)

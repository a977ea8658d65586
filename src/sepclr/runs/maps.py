"""Maps of where in a volume a code comes from: occlusion and integrated gradients, per subject and averaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import nibabel
import numpy as np
import torch
from jaxtyping import Float
from nibabel.processing import resample_from_to
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from sepclr.data import Cohort, Lazy
from sepclr.data.attributes import is_quantity, known
from sepclr.data.folds import test_rows
from sepclr.extras import need
from sepclr.imaging.participants import as_file_name
from sepclr.imaging.study import BrainStudy
from sepclr.imaging.subjects import volumes
from sepclr.imaging.volumes import inside_brain, read_volume
from sepclr.probes import GROUP, harmonised, reader
from sepclr.reports.maps_page import MapsPage, write_maps_page
from sepclr.runs.folder import RunFolder, made_with, make_folder
from sepclr.runs.leftovers import remove_own
from sepclr.runs.lock import held
from sepclr.runs.recipe import Recipe, shared
from sepclr.runs.results import write_results
from sepclr.runs.trained import load_method, probed
from sepclr.types import InputError, Method

TOP = 0.05
"""Fraction of the brain's voxels, the strongest of a map, that is compared with a known region."""

STEPS = 32
"""Number of steps along the path of integrated gradients."""

OWN = (
    *("occlusion/[0-9][0-9][0-9][0-9]_*.nii.gz", "integrated-gradients/[0-9][0-9][0-9][0-9]_*.nii.gz", "occlusion.nii.gz"),
    *("integrated-gradients.nii.gz", "background.nii.gz", "results.jsonl", "results.jsonl.part", "maps.html", "maps.html.part"),
)
"""Patterns of the files that ``make_maps`` writes."""

WINDOW = 1 / 6
"""Side of the occluded box as a fraction of the volume's side; the box moves by half its side."""


def make_maps(run: Path, *, attribute: str = GROUP, truth: Path | None = None, cache: Path | None = None, out: Path | None = None) -> Path:
    """Map where the salient code of a run's test targets comes from.

    The maps explain a linear probe on s: its logit for the group, its prediction for a quantity, or the logit of the subject's own
    class. Both methods compare a volume with the mean of the training background. Occlusion replaces a box of the volume by the mean and
    measures how much the probe's output falls. Integrated gradients distribute the difference between the two outputs over the voxels
    (Sundararajan et al. 2017, arXiv 1703.01365). Both are computed by captum. If the study corrects for site, the probe is fitted to
    corrected codes.

    Args:
        run: folder of a run on ``mri``.
        attribute: what is decoded from s: the group, or an attribute of the study.
        truth: volume that is 1 where the pattern is known to be, on the grid of the first image.
        cache: cache of resampled volumes; that of the run if None.
        out: new folder for the maps; ``maps`` in the run folder if None.

    Returns:
        Path of the page. Its folder also holds a NIfTI file for each subject and method, on the grid of the subject's image; the average
        over subjects for each method; and ``results.jsonl``, one line in the format of ``results/``.

    Raises:
        InputError: if the run is on another data set or not finished, another process writes to it, the attribute is unknown, or a
            library is not installed.
    """
    began = perf_counter()
    need("brains", "maps")
    folder = RunFolder(run)
    recipe = folder.recipe()
    study = recipe.study
    if not isinstance(study, BrainStudy):
        raise InputError(f"{run}: a run on {recipe.data.name}, which has no volumes; give a run of sepclr fit mri")
    out = out or folder.path / "maps"
    with held(folder.path) if out.absolute().parent == folder.path.absolute() else nullcontext():
        method, _ = load_method(folder)
        people, x, affines = volumes(study, cache or folder.root())
        values = people.is_target.astype(int) if attribute == GROUP else people.attributes.get(attribute)
        if values is None:
            raise InputError(f"attribute: {attribute!r} is unknown; choose {', '.join([GROUP, *people.attributes])}")
        tested = test_rows(people, study, recipe.fold)
        if out.is_dir() and any(out.iterdir()):
            raise InputError(f"{out}: not empty; choose another --out")
        first = _space(people.images[0])
        region = None if truth is None else _region(truth, people.images[0], first)
        train = Cohort(x, torch.from_numpy(people.is_target), people.attributes).where(~tested)
        answer = readout(method, salient_codes(method, train, study), values[~tested])
        background = ~tested & ~people.is_target
        healthy = mean_volume(x.where(background), affines[background], affines[0])
        make_folder(out, "choose another --out")
        part = out.with_name(out.name + ".part")  # files of an interrupted call stay here until the next one
        remove_own(part, OWN, "choose another --out")
        part.mkdir()
        shown = np.flatnonzero(tested & people.is_target & known(values)).tolist()
        sums: dict[str, NDArray[Any]] = {}
        for row in shown:
            volume = x[torch.tensor([row])].float()
            onto = _space(people.images[row])
            baseline = torch.from_numpy(in_space(healthy, affines[0], affines[row])).float()[None, None]
            for way, found in explain(answer(values[row]), volume, baseline).items():
                sums[way] = sums.get(way, 0.0) + in_space(found, affines[row], affines[0]) / len(shown)
                _write(part / way / f"{row:04d}_{as_file_name(people.subjects[row])}.nii.gz", found, affines[row], onto)
        groups = {way: _write(part / f"{way}.nii.gz", total * inside_brain(healthy), affines[0], first) for way, total in sums.items()}
        anatomy = _write(part / "background.nii.gz", healthy, affines[0], first)
        scores = {} if region is None else {way: agreement(image, anatomy, region) for way, image in groups.items()}
        write_results(part / "results.jsonl", [_line(recipe, attribute, len(shown), scores, perf_counter() - began)])
        write_maps_page(part / "maps.html", MapsPage(recipe.label, attribute, len(shown), anatomy, groups, scores, TOP))
        part.replace(out)
        return out / "maps.html"


def salient_codes(method: Method, train: Cohort, study: BrainStudy) -> Float[np.ndarray, "n d_s"]:
    """Return the salient codes of training subjects, with the site correction of the study's probes."""
    seen = probed(method, train, everyone=True)
    if study.site is not None and study.harmonise != "none":
        seen, _ = harmonised(seen, seen, study.site, study.harmonise)
    return seen.spaces["s"]


def _line(recipe: Recipe, attribute: str, targets: int, scores: Mapping[str, Mapping[str, float]], seconds: float) -> Mapping[str, Any]:
    """Summarise maps as a line for ``results/``; ``cells`` holds what the documentation shows."""
    words = {way: way.replace("-", " ") for way in scores}
    cells: dict[str, Any] = {"run": f"{recipe.label}, fold {recipe.fold}", "targets": targets}
    cells |= {f"Dice, {words[way]}": f"{score['dice']:.2f}" for way, score in scores.items()}
    for score in scores.values():  # the same for both methods
        cells["Dice, voxels at random"] = f"{score['chance']:.2f}"
    cells |= {f"peak, {words[way]}": "inside" if score["peak_inside"] else "outside" for way, score in scores.items()}
    found = {"recipe": shared(recipe), "seed": recipe.seed, "attribute": attribute, "targets": targets, "top": TOP, "scores": scores}
    return found | {"cells": cells, "seconds": seconds} | made_with()


def readout(method: Method, codes: Float[np.ndarray, "n d_s"], values: NDArray[Any]) -> Callable[[Any], Callable[[Tensor], Tensor]]:
    """Fit a linear probe on the salient codes of training samples.

    Args:
        method: the trained method.
        codes: salient codes of training samples, shape (n, d_s).
        values: what is decoded, shape (n,).

    Returns:
        A function of a sample's own value. It returns the differentiable function from samples (n, ...) to outputs of the probe (n,).

    Raises:
        InputError: if the salient code is the same for all samples.
    """
    told = known(values)
    codes = codes[told]
    if not np.ptp(codes, 0).any():
        raise InputError(f"maps: the salient code of {type(method).__name__} is the same for all subjects, so there is nothing to map")
    scaler = StandardScaler().fit(codes)
    model = reader(values)
    model.fit(scaler.transform(codes), values[told])
    classes = [] if is_quantity(values) else model.classes_.tolist()
    weights = np.atleast_2d(model.coef_) / scaler.scale_
    device = next(cast(nn.Module, method).parameters()).device

    def answer(value: Any) -> Callable[[Tensor], Tensor]:
        if len(weights) > 1:
            weight = weights[classes.index(value)]
        elif classes and value == classes[0]:  # with two classes, the logit is that of the second
            weight = -weights[0]
        else:
            weight = weights[0]
        direction = torch.tensor(weight, dtype=torch.float32, device=device)
        # Samples and outputs stay on the CPU, where they are compared; the network may be on another device.
        return lambda samples: (method.encode(samples.to(device)).s @ direction).cpu()

    return answer


def mean_volume(x: Lazy, affines: Float[np.ndarray, "n 4 4"], first: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "x y z"]:
    """Compute the mean of single-channel volumes on the grid of the affine ``first``, reading one volume at a time."""
    total = np.zeros(x.shape[2:])
    for row in range(len(x)):
        total += in_space(x[row : row + 1][0, 0].float().numpy(), affines[row], first)
    return total / len(x)


def in_space(found: Float[np.ndarray, "x y z"], affine: Float[np.ndarray, "4 4"], first: Float[np.ndarray, "4 4"]) -> NDArray[Any]:
    """Resample a map to the grid of the first volume, so that maps of several subjects can be added.

    Args:
        found: the map.
        affine: affine of the map, from voxels to millimetres.
        first: affine of the first volume, which has the same shape.

    Returns:
        The map on the grid of the first volume, 0 outside its own volume.
    """
    if np.allclose(affine, first, atol=1e-3):
        return found
    return np.asarray(resample_from_to(nibabel.Nifti1Image(found, affine), (found.shape, first), order=1).dataobj)


def explain(
    answer: Callable[[Tensor], Tensor], volume: Float[Tensor, "1 channels x y z"], healthy: Float[Tensor, "1 channels x y z"]
) -> Mapping[str, Float[np.ndarray, "x y z"]]:
    """Compute maps by ``occlusion`` and ``integrated-gradients``, positive where the volume raises the probe's output."""
    from captum.attr import IntegratedGradients, Occlusion

    window = [max(2, round(WINDOW * side)) for side in volume.shape[2:]]
    strides = [max(1, side // 2) for side in window]
    with torch.no_grad():
        occluded = Occlusion(answer).attribute(
            volume,
            sliding_window_shapes=(volume.shape[1], *window),
            strides=(volume.shape[1], *strides),
            baselines=healthy,
            perturbations_per_eval=16,
        )
    shared = IntegratedGradients(answer).attribute(volume, baselines=healthy, n_steps=STEPS, internal_batch_size=8)
    maps = {"occlusion": occluded, "integrated-gradients": shared}
    return {way: found[0].sum(0).detach().numpy().astype(np.float32) for way, found in maps.items()}


def _space(image: Path) -> tuple[tuple[int, ...], Float[np.ndarray, "4 4"]]:
    """Return the shape and the affine of an image."""
    voxels, affine = read_volume(image)
    return voxels.shape, affine


def _write(path: Path, found: NDArray[Any], affine: NDArray[Any], onto: tuple[tuple[int, ...], Float[np.ndarray, "4 4"]]) -> Any:
    """Write a map, resampled to the grid of an image, and return it."""
    path.parent.mkdir(exist_ok=True)
    image = resample_from_to(nibabel.Nifti1Image(found.astype(np.float32), affine), onto, order=1)
    nibabel.save(image, path)
    return image


def _region(truth: Path, like: Path, space: tuple[tuple[int, ...], Float[np.ndarray, "4 4"]]) -> NDArray[np.bool_]:
    voxels, affine = read_volume(truth)
    shape, images = space
    if voxels.shape != shape or not np.allclose(affine, images, atol=1e-3):
        raise InputError(f"truth: {truth} does not have shape and affine of {like}; resample it to the grid of the images")
    region = np.asarray(voxels > 0.5)
    if not region.any():
        raise InputError(f"truth: {truth} has no voxel above 0.5; set the voxels of the pattern to 1")
    return region


def agreement(image: Any, anatomy: Any, region: NDArray[np.bool_]) -> Mapping[str, float]:
    """Compare the strongest voxels of a map with a known region.

    Args:
        image: the map.
        anatomy: the mean brain, on the grid of the map.
        region: True where the pattern is, on the grid of the map.

    Returns:
        ``dice`` of the top 5 % of the brain's voxels with the region; ``peak_inside``, 1 or 0; and ``chance``, the expected Dice of
        randomly drawn voxels.
    """
    values, healthy = (np.asarray(each.dataobj) for each in (image, anatomy))
    brain = inside_brain(healthy)
    strength = np.where(brain, values, -np.inf)
    count = round(TOP * brain.sum())
    top = np.zeros(values.size, dtype=bool)
    top[np.argsort(strength, axis=None)[-count:]] = True
    inside = region & brain
    dice = 2 * (top.reshape(values.shape) & inside).sum() / (count + inside.sum())
    chance = 2 * TOP * inside.sum() / (count + inside.sum())
    return {"dice": float(dice), "peak_inside": float(region.flat[strength.argmax()]), "chance": float(chance)}


__all__ = ["agreement", "explain", "in_space", "make_maps", "mean_volume", "readout", "salient_codes"]

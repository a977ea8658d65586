"""Where in the volume a code is read from: occlusion and integrated gradients, for subjects and groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

from sepclr.data import Cohort, VolumeCache
from sepclr.data.attributes import is_quantity, known
from sepclr.imaging.participants import as_file_name
from sepclr.imaging.study import Study
from sepclr.imaging.subjects import test_rows, volumes
from sepclr.imaging.volumes import inside_brain, read_volume
from sepclr.probes import GROUP, harmonised, reader
from sepclr.reports.maps_page import MapsPage, write_maps_page
from sepclr.runs.folder import RunFolder, made_with, make_folder
from sepclr.runs.leftovers import remove_own
from sepclr.runs.recipe import Recipe, shared
from sepclr.runs.results import write_results
from sepclr.runs.trained import load_method, probed
from sepclr.types import InputError, Method

TOP = 0.05
"""Share of the brain's voxels that a map is compared with a known region by."""

STEPS = 32
"""Of the path of integrated gradients."""

OWN = (
    *("occlusion/[0-9][0-9][0-9][0-9]_*.nii.gz", "integrated-gradients/[0-9][0-9][0-9][0-9]_*.nii.gz", "occlusion.nii.gz"),
    *("integrated-gradients.nii.gz", "background.nii.gz", "results.jsonl", "results.jsonl.part", "maps.html", "maps.html.part"),
)
"""Files that maps consist of, as patterns."""

WINDOW = 1 / 6
"""Side of the occluded box as a fraction of the volume's; it moves by half of itself."""


def make_maps(run: Path, *, attribute: str = GROUP, truth: Path | None = None, cache: Path | None = None, out: Path | None = None) -> Path:
    """Show where the salient code of a run's test targets is read from.

    What is explained is a linear probe on s: of the group its logit, of a quantity its prediction, of several classes the logit of the
    subject's own. Both ways compare a volume with the mean of the training background: occlusion puts a box of it into the volume and
    notes how much the probe's answer falls; integrated gradients share the difference between both answers out among the voxels
    (Sundararajan et al. 2017, arXiv 1703.01365). Both by captum. Where the study evens sites out, the probe is fitted on
    codes without them.

    Args:
        run: folder of a run on ``mri``.
        attribute: what is read; the group, or an attribute of the study.
        truth: a volume that is 1 where the pattern is known to lie, in the space of the images.
        cache: folder of volumes on their grid; where it was at training if None.
        out: new folder of the maps; ``maps`` in the run's if None.

    Returns:
        The page. Beside it lie a NIfTI file for each subject and way, in the space and on the grid of the subject's image, the groups'
        averages and ``results.jsonl``, a line as ``results/`` collects them.

    Raises:
        InputError: a run of another data set or that is not finished, an unknown attribute, or libraries that are not installed.
    """
    began = perf_counter()
    _libraries()
    folder = RunFolder(run)
    recipe = folder.recipe()
    study = recipe.study
    if study is None:
        raise InputError(f"{run}: a run on {recipe.data.name}, which has no volumes; give one of sepclr fit mri")
    method, _ = load_method(folder)
    people, x, affines = volumes(study, cache or folder.root())
    values = people.is_target.astype(int) if attribute == GROUP else people.attributes.get(attribute)
    if values is None:
        raise InputError(f"attribute: {attribute!r} is unknown; choose {', '.join([GROUP, *people.attributes])}")
    tested = test_rows(people, study, recipe.fold)
    out = out or folder.path / "maps"
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out}: not empty; choose another --out")
    first = _space(people.images[0])
    region = None if truth is None else _region(truth, people.images[0], first)
    train = Cohort(x, torch.from_numpy(people.is_target), people.attributes).where(~tested)
    answer = readout(method, salient_codes(method, train, study), values[~tested])
    background = ~tested & ~people.is_target
    healthy = mean_volume(x.where(background), affines[background], affines[0])
    make_folder(out, "choose another --out")
    part = out.with_name(out.name + ".part")  # what an interrupted try wrote stays there until the next one
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


def salient_codes(method: Method, train: Cohort, study: Study) -> Float[np.ndarray, "n d_s"]:
    """Encode training subjects into s, sites evened out as in the study's probes."""
    seen = probed(method, train, everyone=True)
    if study.site is not None and study.harmonise != "none":
        seen, _ = harmonised(seen, seen, study.site, study.harmonise)
    return seen.spaces["s"]


def _line(recipe: Recipe, attribute: str, targets: int, scores: Mapping[str, Mapping[str, float]], seconds: float) -> Mapping[str, Any]:
    """Summarise maps as a line for ``results/``; ``cells`` is what the documentation shows of it."""
    words = {way: way.replace("-", " ") for way in scores}
    cells: dict[str, Any] = {"run": f"{recipe.label}, fold {recipe.fold}", "targets": targets}
    cells |= {f"Dice, {words[way]}": f"{score['dice']:.2f}" for way, score in scores.items()}
    for score in scores.values():  # the same for both ways
        cells["Dice, voxels at random"] = f"{score['chance']:.2f}"
    cells |= {f"peak, {words[way]}": "inside" if score["peak_inside"] else "outside" for way, score in scores.items()}
    found = {"recipe": shared(recipe), "seed": recipe.seed, "attribute": attribute, "targets": targets, "top": TOP, "scores": scores}
    return found | {"cells": cells, "seconds": seconds} | made_with()


def _libraries() -> None:
    try:
        import captum.attr  # noqa: F401
        import nilearn.plotting  # noqa: F401
    except ImportError as error:
        raise InputError(f"maps: need {error.name}; pip install 'sepclr[brains]'") from None


def readout(method: Method, codes: Float[np.ndarray, "n d_s"], values: NDArray[Any]) -> Callable[[Any], Callable[[Tensor], Tensor]]:
    """Fit a linear probe on the salient codes of training samples.

    Args:
        method: the trained method.
        codes: salient codes of training samples, shape (n, d_s).
        values: what is read, shape (n,).

    Returns:
        Of a sample's own value the function from samples (n, ...) to the probe's answers (n,), with gradient.

    Raises:
        InputError: a salient code that is the same for all.
    """
    told = known(values)
    codes = codes[told]
    if not np.ptp(codes, 0).any():
        raise InputError(f"maps: the salient code of {type(method).__name__} is the same for everybody; there is nothing to explain")
    scaler = StandardScaler().fit(codes)
    model = reader(values)
    model.fit(scaler.transform(codes), values[told])
    classes = [] if is_quantity(values) else model.classes_.tolist()
    weights = np.atleast_2d(model.coef_) / scaler.scale_
    device = next(cast(nn.Module, method).parameters()).device

    def answer(value: Any) -> Callable[[Tensor], Tensor]:
        if len(weights) > 1:
            weight = weights[classes.index(value)]
        elif classes and value == classes[0]:  # the logit is that of the second of two classes
            weight = -weights[0]
        else:
            weight = weights[0]
        direction = torch.tensor(weight, dtype=torch.float32, device=device)
        # Samples and answers stay on the CPU, where they are compared; the network may compute elsewhere.
        return lambda samples: (method.encode(samples.to(device)).s @ direction).cpu()

    return answer


def mean_volume(x: VolumeCache, affines: Float[np.ndarray, "n 4 4"], first: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "x y z"]:
    """Average volumes of one channel on the voxels of the space ``first``, one at a time."""
    total = np.zeros(x.shape[2:])
    for row in range(len(x)):
        total += in_space(x[row : row + 1][0, 0].float().numpy(), affines[row], first)
    return total / len(x)


def in_space(found: Float[np.ndarray, "x y z"], affine: Float[np.ndarray, "4 4"], first: Float[np.ndarray, "4 4"]) -> NDArray[Any]:
    """Bring a map from the space of its own volume into that of the first, so that voxels of several subjects can be added.

    Args:
        found: the map.
        affine: from its voxels to millimetres.
        first: from voxels to millimetres of the first volume, which has the same shape.

    Returns:
        The map on the voxels of the first volume, 0 where its own volume ends.
    """
    if np.allclose(affine, first, atol=1e-3):
        return found
    return np.asarray(resample_from_to(nibabel.Nifti1Image(found, affine), (found.shape, first), order=1).dataobj)


def explain(
    answer: Callable[[Tensor], Tensor], volume: Float[Tensor, "1 channels x y z"], healthy: Float[Tensor, "1 channels x y z"]
) -> Mapping[str, Float[np.ndarray, "x y z"]]:
    """Explain an answer by ``occlusion`` and ``integrated-gradients``; both are positive where the volume raises it."""
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
    """Say on which grid an image lies: its shape and its affine."""
    voxels, affine = read_volume(image)
    return voxels.shape, affine


def _write(path: Path, found: NDArray[Any], affine: NDArray[Any], onto: tuple[tuple[int, ...], Float[np.ndarray, "4 4"]]) -> Any:
    """Write a map on the grid of an image."""
    path.parent.mkdir(exist_ok=True)
    image = resample_from_to(nibabel.Nifti1Image(found.astype(np.float32), affine), onto, order=1)
    nibabel.save(image, path)
    return image


def _region(truth: Path, like: Path, space: tuple[tuple[int, ...], Float[np.ndarray, "4 4"]]) -> NDArray[np.bool_]:
    voxels, affine = read_volume(truth)
    shape, images = space
    if voxels.shape != shape or not np.allclose(affine, images, atol=1e-3):
        raise InputError(f"truth: {truth} does not have shape and affine of {like}; bring it onto the grid of the images")
    region = np.asarray(voxels > 0.5)
    if not region.any():
        raise InputError(f"truth: {truth} is above 0.5 nowhere; give 1 where the pattern lies")
    return region


def agreement(image: Any, anatomy: Any, region: NDArray[np.bool_]) -> Mapping[str, float]:
    """Compare the strongest voxels of a map with a known region.

    Args:
        image: the map.
        anatomy: on its grid, the mean brain.
        region: on its grid, True where the pattern lies.

    Returns:
        ``dice`` of the strongest twentieth of the brain's voxels with the region, ``peak_inside`` (1 or 0), and ``chance``, the Dice of
        voxels drawn at random.
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

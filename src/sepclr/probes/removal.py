"""Evaluation of counterfactuals, targets with their salient pattern removed, beside the true images without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired, Protocol, TypedDict, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from numpy.typing import NDArray
from scipy.linalg import eigvals
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from sepclr.types import InputError
from sepclr.views import pixels

Images = Tensor | NDArray[Any]
"""Images or volumes, shape (n, channels, *space); uint8, or floating point in 0..1."""

TOLERANCE = 1e-6
"""How far values may be outside 0..1, because of rounding."""

VISIBLE = 0.05
"""Smallest change of a value, in 0..1, that belongs to the mask of a pattern."""

SMALLEST = 6
"""Smallest side of an image for SSIM, whose window of 11 is reflected at the edges."""

AT_ONCE = 2**22
"""Maximum number of values to compare at once; SSIM needs about ten times the memory."""


@runtime_checkable
class RemovalJudge(Protocol):
    """A classifier of group and of one attribute, trained on real images (``sepclr.runs.judge``)."""

    @property
    def name(self) -> str:
        """Name of the attribute."""
        ...

    def group(self, x: Tensor) -> Bool[np.ndarray, " n"]:
        """Return whether each image is judged to be a target."""
        ...

    def attribute(self, x: Tensor) -> Shaped[np.ndarray, " n"]:
        """Return the judged value of the attribute of each image."""
        ...

    def features(self, x: Tensor) -> Float[np.ndarray, "n d"]:
        """Return the features from which it judges."""
        ...


class Removal(TypedDict):
    """Scores of one set of counterfactuals."""

    name: str
    psnr: float
    """Peak signal-to-noise ratio in dB, mean over samples; infinite if a sample is the true image."""
    ssim: float
    """Structural similarity, mean over samples; 1 is best."""
    inside: float
    """Mean absolute error within the mask of the pattern, relative to that of the targets: 0 is best, 1 leaves the pattern as it is."""
    outside: float
    """Mean absolute error outside of the mask, in 0..1; NaN if the pattern covers everything."""
    background: NotRequired[float]
    """Share of samples judged to be background."""
    kept: NotRequired[dict[str, float]]
    """Share of samples judged to have the true value of an attribute, by its name."""
    frechet: NotRequired[float]
    """Fréchet distance between the judge's features of the counterfactuals and of the true images; 0 is best."""
    controls: NotRequired[float | None]
    """Change of background, see ``change_of_background``; of counterfactuals from a decoder only."""


def removal(
    made: Mapping[str, Images],
    x: Images,
    truth: Images,
    judge: RemovalJudge | None = None,
    attributes: Mapping[str, NDArray[Any]] | None = None,
) -> list[Removal]:
    """Score counterfactuals of targets beside the true images without the pattern.

    Args:
        made: counterfactuals by name, each of shape (n, channels, *space), as images in 2-D or 3-D.
        x: the targets, in the same shape.
        truth: the true images without the pattern, in the same shape.
        judge: classifier trained on real images; without one, ``background``, ``kept`` and ``frechet`` are left out.
        attributes: true values, shape (n,), of the attribute that the judge knows, by its name; without it, ``kept`` is empty.

    Returns:
        One row per name, in the order of ``made``.

    Raises:
        InputError: shapes that differ, values that are NaN or outside 0..1, a pattern that is not visible anywhere, or true values that do
            not fit the judge or the samples.
    """
    target, clean = _image("x", x), _image("truth", truth, like=x)
    mask = pattern_mask(target, clean)
    attributes = attributes or {}
    if judge is not None:
        _check_attributes(attributes, judge.name, len(target))
    unchanged = float((target - clean).abs()[mask].mean())
    seen = None if judge is None else judge.features(clean)
    rows = []
    for name, images in made.items():
        image = _image(f"made {name!r}", images, like=x)
        error = (image - clean).abs()
        psnr, ssim = _similarity(image, clean)
        row = Removal(
            name=name,
            psnr=psnr,
            ssim=ssim,
            inside=float(error[mask].mean()) / unchanged,
            outside=float(error[~mask].mean()),
        )
        if judge is not None and seen is not None:
            row["background"] = float(np.mean(~judge.group(image)))
            row["kept"] = {attribute: float(np.mean(judge.attribute(image) == values)) for attribute, values in attributes.items()}
            row["frechet"] = frechet(judge.features(image), seen)
        rows.append(row)
    return rows


def pattern_mask(x: Tensor, truth: Tensor) -> Bool[Tensor, "n ..."]:
    """Return where targets visibly differ from the true images without the pattern; both are floating point in 0..1, in one shape.

    Raises:
        InputError: a pattern that is not visible anywhere.
    """
    mask = (x - truth).abs() > VISIBLE
    if not mask.any():
        raise InputError(f"x: differs from truth by more than {VISIBLE} nowhere; give targets with a visible pattern")
    return mask


def change_of_background(of_background: Mapping[str, Tensor], of_targets: Mapping[str, Tensor]) -> float | None:
    """Compute how much a decoder changes background, which has no pattern to remove.

    Args:
        of_background: ``reconstruction`` and ``without_salient`` of background, in one shape.
        of_targets: the same of targets.

    Returns:
        Mean absolute difference of the two for background, relative to that for targets: 0 if nothing is changed, 1 if as much is as in
        targets; None if nothing is changed in targets.
    """
    background, targets = (float((made["without_salient"] - made["reconstruction"]).abs().mean()) for made in (of_background, of_targets))
    return background / targets if targets else None


def frechet(one: Float[np.ndarray, "n d"], two: Float[np.ndarray, "m d"]) -> float:
    """Compute the Fréchet distance between normal distributions with the means and covariances of two sets of features.

    Args:
        one: features, shape (n, d), n at least 2.
        two: features, shape (m, d), m at least 2.

    Returns:
        The squared distance |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½).

    Raises:
        InputError: fewer than two samples.

    Source: Dowson & Landau (1982); of features of images, Heusel et al. (2017), arXiv 1706.08500.
    """
    if min(len(one), len(two)) < 2:
        raise InputError("features: a Fréchet distance needs at least two samples; give more images")
    shift = one.mean(0, dtype=np.float64) - two.mean(0, dtype=np.float64)
    covariances = [np.atleast_2d(np.cov(features.astype(np.float64), rowvar=False)) for features in (one, two)]
    # The trace of the root from eigenvalues, which are real and at least 0. sqrtm is inaccurate for features that are collinear.
    root = np.sqrt(np.clip(eigvals(covariances[0] @ covariances[1]).real, 0, None)).sum()
    return max(0.0, float(shift @ shift + np.trace(covariances[0] + covariances[1]) - 2 * root))


def baselines(x: Images, train_background: Images, codes_c_of_x: Images, codes_c_of_background: Images) -> dict[str, Tensor]:
    """Make counterfactuals that need no decoder.

    Args:
        x: targets, shape (n, channels, *space).
        train_background: training samples of background, shape (m, channels, *space).
        codes_c_of_x: common codes of the targets, shape (n, d).
        codes_c_of_background: common codes of those background samples, shape (m, d).

    Returns:
        Images in the shape of x, floating point in 0..1: ``target itself``, ``mean background``, and ``nearest background``, the one with
        the smallest Euclidean distance of c.

    Raises:
        InputError: shapes that do not fit, values that are NaN or outside 0..1, or codes that are not finite.
    """
    targets, background = _image("x", x), _image("train_background", train_background)
    if targets.shape[1:] != background.shape[1:]:
        shapes = tuple(background.shape[1:]), tuple(targets.shape[1:])
        raise InputError(f"train_background: samples have shape {shapes[0]}, those of x {shapes[1]}; give images on the same grid")
    codes = [np.asarray(each) for each in (codes_c_of_x, codes_c_of_background)]
    for name, each, samples in zip(("codes_c_of_x", "codes_c_of_background"), codes, (targets, background), strict=True):
        if each.ndim != 2 or len(each) != len(samples) or each.shape[1] != codes[0].shape[-1]:
            wanted = len(samples), codes[0].shape[-1]
            raise InputError(f"{name}: shape {each.shape} does not fit; give one code per sample, here {wanted}")
        if not np.isfinite(each).all():
            raise InputError(f"{name}: sample {np.argwhere(~np.isfinite(each))[0][0]} contains NaN or infinite values; encode it again")
    nearest = NearestNeighbors(n_neighbors=1).fit(codes[1]).kneighbors(codes[0], return_distance=False)[:, 0]
    return {
        "target itself": targets,
        "mean background": background.mean(0).expand_as(targets),
        "nearest background": background[torch.from_numpy(nearest)],
    }


def _image(name: str, given: Images, like: Images | None = None) -> Tensor:
    """Return images as floating point in 0..1 on the CPU, after checks of shape and values."""
    shape, wanted = tuple(given.shape), None if like is None else tuple(like.shape)
    if wanted is not None and shape != wanted:
        raise InputError(f"{name}: shape {shape}, but x has {wanted}; give one image per target, on the same grid")
    if len(shape) not in (4, 5) or not len(given) or min(shape[2:]) < SMALLEST:
        raise InputError(f"{name}: shape {shape}; give images (n, channels, *space) in 2-D or 3-D with sides of at least {SMALLEST}")
    x = torch.as_tensor(given).detach().cpu()
    if not (x.is_floating_point() or x.dtype == torch.uint8):
        raise InputError(f"{name}: values of type {given.dtype}; give uint8 0..255 or floating point 0..1")
    x = pixels(x).float()
    low, high = float(x.min()), float(x.max())
    if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):  # false for NaN, too
        raise InputError(f"{name}: values range from {low:g} to {high:g}; give uint8 0..255 or floating point in 0..1 without NaN")
    return x


def _check_attributes(attributes: Mapping[str, NDArray[Any]], known: str, n: int) -> None:
    for name, values in attributes.items():
        if name != known:
            raise InputError(f"attributes: {name!r} given, but the judge was trained for {known!r}; give {known!r} only")
        if len(values) != n:
            raise InputError(f"attribute {name!r}: {len(values)} values for {n} samples; give one per sample")


def _similarity(image: Tensor, clean: Tensor) -> tuple[float, float]:
    """Return PSNR in dB and SSIM, means over samples."""
    # torchmetrics takes a second to import, and the linear probes do not need it
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    at_once = max(1, AT_ONCE // clean[0].numel())
    ratios, similarities = [], []
    for one, two in zip(torch.split(image, at_once), torch.split(clean, at_once), strict=True):
        every = tuple(range(1, one.ndim))
        ratios.append(peak_signal_noise_ratio(one, two, data_range=1.0, reduction="none", dim=every))
        similarity = structural_similarity_index_measure(one, two, data_range=1.0, reduction="none")
        similarities.append(torch.as_tensor(similarity).reshape(-1))
    return float(torch.cat(ratios).mean()), float(torch.cat(similarities).mean())

"""Range checks of options, each written once: the command line runs them before it imports torch, the library when it is called."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.util import find_spec

from sepclr.errors import InputError


def check_at_least(least: int, **values: float) -> None:
    """Check that numbers are at least ``least``.

    Raises:
        InputError: a number below ``least``.
    """
    for name, value in values.items():
        if not value >= least:
            raise InputError(f"{name}: {value} is not at least {least}")


def either(words: Sequence[str]) -> str:
    """Join words for a message: "a, b or c"."""
    return " or ".join([", ".join(words[:-1]), words[-1]][-len(words) :])


def check_choice(choices: Sequence[str], **values: str) -> None:
    """Check that values are among their choices.

    Raises:
        InputError: a value that is not among them.
    """
    for name, value in values.items():
        if value not in choices:
            raise InputError(f"{name}: {value!r} is unknown; choose {either(choices)}")


def check_positive(**values: float) -> None:
    """Check that numbers are positive and finite.

    Raises:
        InputError: a number of 0 or below, or one that is not finite.
    """
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise InputError(f"{name}: {value} is not positive" + (" and finite" if value == math.inf else ""))


def check_weights(**values: float) -> None:
    """Check that multipliers of terms are finite and at least 0.

    Raises:
        InputError: a number that is negative or not finite.
    """
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise InputError(f"{name}: {value} is not a finite number of at least 0")


def check_probability(**values: float) -> None:
    """Check that numbers are probabilities.

    Raises:
        InputError: a number outside 0..1.
    """
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise InputError(f"{name}: {value} is not a probability between 0 and 1")


def check_image_views(
    crop: int,
    crop_scale: tuple[float, float],
    crop_ratio: float,
    flip: float,
    jitter: tuple[float, float, float, float],
    jitter_probability: float,
    grey: float,
) -> None:
    """Check the strengths of random views of images, the arguments of ``sepclr.views.ImageViews``.

    Raises:
        InputError: a value outside its range.
    """
    if not 0 < crop_scale[0] <= crop_scale[1] <= 1:
        raise InputError(f"crop_scale: {tuple(crop_scale)} does not satisfy 0 < smallest <= largest <= 1")
    check_probability(flip=flip, jitter_probability=jitter_probability, grey=grey)
    if not 1 <= crop_ratio < math.inf:
        raise InputError(f"crop_ratio: {crop_ratio} is not a ratio of at least 1")
    if crop < 1:
        raise InputError(f"crop: {crop} is not at least 1 pixel")
    if not all(0 <= strength < math.inf for strength in jitter) or jitter[3] > 0.5:
        raise InputError(f"jitter: {tuple(jitter)} must be finite and at least 0, the last (hue) at most 0.5")


def check_volume_views(flip: float, shift: float, rotation: float, blur: float, gamma: float, noise: float, cutout: float) -> None:
    """Check the strengths of random views of volumes, the arguments of ``sepclr.views.VolumeViews``.

    Raises:
        InputError: a value outside its range.
    """
    check_probability(flip=flip, cutout=cutout)
    for name, value in (("shift", shift), ("rotation", rotation), ("blur", blur), ("gamma", gamma), ("noise", noise)):
        if not 0 <= value < math.inf:
            raise InputError(f"{name}: {value} is not a finite number of at least 0")


def check_row_views(corruption: float, noise: float) -> None:
    """Check the options of views of rows.

    Raises:
        InputError: a value outside its range.
    """
    if not 0 <= corruption < 1:
        raise InputError(f"corruption: {corruption} is not a probability in [0, 1)")
    if not 0 <= noise < math.inf:
        raise InputError(f"noise: {noise} is not a finite standard deviation of at least 0")


def check_installed(packages: Sequence[str], name: str, extra: str) -> None:
    """Check that optional packages are installed, without importing them.

    Args:
        packages: names under which they are imported.
        name: option that needs them.
        extra: what to install.

    Raises:
        InputError: if one is missing.
    """
    if missing := [package for package in packages if find_spec(package) is None]:
        raise InputError(f"{name}: needs {missing[0]}, which is not installed; pip install '{extra}'")


def check_loggers(names: Sequence[str]) -> None:
    """Check that the packages of loggers are installed; that of each but ``csv`` has its name.

    Raises:
        InputError: if one is missing.
    """
    for name in names:
        if name != "csv":
            check_installed((name,), "loggers", name)

"""The data sets that recipes name, with what a report needs to know of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from sepclr.benchmark.brains import cohorts
from sepclr.benchmark.preflight import check_root
from sepclr.benchmark.recipes import Recipe
from sepclr.benchmark.study import Harmonise
from sepclr.data import Cohort, digits_on_cifar, marked_digits
from sepclr.probes import ProbeProtocol
from sepclr.types import InputError


@dataclass(frozen=True)
class Source:
    """A data set with its test protocols.

    Attributes:
        title: for people.
        lead: what the samples are, in two sentences.
        train: training samples.
        tests: test samples of each protocol.
        common_attributes: names of the attributes that belong in c.
        salient_attributes: names of the attributes that belong in s.
        class_names: names of integer classes, for the attributes that have them.
        columns: what published tables call an attribute, where they call it something else.
        everyone: whether background has attributes, too; they are then read from all samples of which they are known.
        site: the attribute that sites are evened out by before anything is read; None where they are left alone.
        harmonise: how.
    """

    title: str
    lead: str
    train: Cohort
    tests: Mapping[ProbeProtocol, Cohort]
    common_attributes: Sequence[str]
    salient_attributes: Sequence[str]
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    everyone: bool = False
    site: str | None = None
    harmonise: Harmonise = "none"


ABOUT: Mapping[str, tuple[str, str]] = {
    "marked-digits": (
        "Marked digits",
        "Background is a handwritten digit. Target is a digit with one of ten marks on top: both groups share the digit, "
        "only the target has the mark.",
    ),
    "digits-on-cifar": (
        "Digits on CIFAR-10",
        "Background is a photograph of CIFAR-10. Target is one with an MNIST digit on top: both groups share the object, "
        "only the target has the digit.",
    ),
    "mri": (
        "Brains",
        "Background and target are groups of subjects with a volume of the brain each. What both groups have belongs in c, "
        "what only the target has in s.",
    ),
}
"""Title and lead of each data set."""


def load(recipe: Recipe, root: Path | None = None, *, download: bool = False) -> Source:
    """Load the data set of a recipe.

    Args:
        recipe: names the data set, and the study and its fold where there is one.
        root: folder of the publishers' files, for ``mri`` of volumes on their grid; ``marked-digits`` needs none.
        download: fetch missing files into ``root``.

    Returns:
        The data set.

    Raises:
        InputError: unknown name, no folder, or files that are missing or damaged.
    """
    name = recipe.data
    check_root(recipe, root, download=download)
    if name == "marked-digits":
        digits = marked_digits.load()
        return Source(
            *ABOUT[name],
            train=digits.train,
            tests={"strict": digits.test},
            common_attributes=marked_digits.COMMON_ATTRIBUTES,
            salient_attributes=marked_digits.SALIENT_ATTRIBUTES,
            class_names={"mark": marked_digits.MARKS},
        )
    if name == "digits-on-cifar":
        photographs = digits_on_cifar.load(cast(Path, root), download=download)
        return Source(
            *ABOUT[name],
            train=photographs.train,
            tests={"strict": photographs.strict, "published": photographs.published},
            common_attributes=("object",),
            salient_attributes=("digit",),
            class_names={"object": digits_on_cifar.CLASSES},
            columns={"digit": "digits", "object": "objects"},
        )
    if name == "mri":
        return _study(recipe, root)
    raise InputError(f"data: {name!r} is unknown; choose {', '.join(ABOUT)}")


def _study(recipe: Recipe, cache: Path | None) -> Source:
    study = recipe.study
    if study is None:
        raise InputError("study: mri needs a table of subjects; give --table and what its columns mean")
    train, test = cohorts(study, recipe.fold, cache)
    title, lead = ABOUT["mri"]
    site = [study.site] if study.site else []
    names = f"{' or '.join(study.target)} against {' or '.join(study.background)}"
    return Source(
        f"{title}: {names}",
        lead,
        train=train,
        tests={"strict": test},
        common_attributes=[*study.common, *site],
        salient_attributes=study.salient,
        everyone=True,
        site=study.site if study.harmonise != "none" else None,
        harmonise=study.harmonise,
    )

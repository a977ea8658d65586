"""The data sets that recipes name, with what a report needs to know of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

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
        common_attributes: names of the attributes that belong into c.
        salient_attributes: names of the attributes that belong into s.
        class_names: names of integer classes, for the attributes that have them.
        columns: what published tables call an attribute, where they call it something else.
    """

    title: str
    lead: str
    train: Cohort
    tests: Mapping[ProbeProtocol, Cohort]
    common_attributes: Sequence[str]
    salient_attributes: Sequence[str]
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)


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
}
"""Title and lead of each data set."""


def load(name: str, root: Path | None = None, *, download: bool = False) -> Source:
    """Load a data set by its name in a recipe.

    Args:
        name: ``marked-digits`` or ``digits-on-cifar``.
        root: folder of the publishers' files; ``marked-digits`` needs none.
        download: fetch missing files into ``root``.

    Returns:
        The data set.

    Raises:
        InputError: unknown name, no folder, or files that are missing or damaged.
    """
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
        if root is None:
            raise InputError("root: digits-on-cifar needs the folder of CIFAR-10 and MNIST; give --root DIR, with --download to fetch them")
        photographs = digits_on_cifar.load(root, download=download)
        return Source(
            *ABOUT[name],
            train=photographs.train,
            tests={"strict": photographs.strict, "published": photographs.published},
            common_attributes=("object",),
            salient_attributes=("digit",),
            class_names={"object": digits_on_cifar.CLASSES},
            columns={"digit": "digits", "object": "objects"},
        )
    raise InputError(f"data: {name!r} is unknown; choose marked-digits or digits-on-cifar")

"""What a study of images looks like before training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sepclr.data.facts import counted, group_sizes
from sepclr.data.image_study import ImageStudy
from sepclr.data.pictures import Frame, Seen, decode_all, frame_of, inspected
from sepclr.data.tables import listed
from sepclr.reports import CheckPage
from sepclr.reports.check_page import SHOWN
from sepclr.runs.check_facts import confounders, copies, subjects_of

DARK = 0.25
"""Share of the range of 16-bit images below which their largest value is reported."""


def page_of(study: ImageStudy, cache: Path | None) -> CheckPage:
    """Inspect every image of a study.

    Args:
        study: the study.
        cache: folder of what is known about files; one in the user's cache if None.

    Raises:
        InputError: as ``inspected``, which names all unusable files.
    """
    members, looked = inspected(study, cache)
    frame = frame_of(study, looked.seen)
    return CheckPage(
        title=f"{' and '.join(Path(each).name for each in study.target)} against {Path(study.background).name}",
        problems=[],
        is_target=members.is_target,
        attributes=members.attributes,
        confounding=confounders(members),
        subjects=subjects_of(members) if study.subject else None,
        names=members.names,
        what="images",
        facts=[
            ("Images", group_sizes(members.is_target, "images")),
            ("Files", _files(looked.seen)),
            ("Read as", f"{frame.side} x {frame.side} pixels in {'grey' if frame.channels == 1 else 'RGB'}; {_fit(frame)}"),
            ("Attributes", f"{_roles(members.common)} expected in c; {_roles(members.salient)} in s"),
        ],
        warnings=[*copies(study, members, np.array(looked.hashes), "images"), *_dark(looked.seen, frame)],
        pictures=_pictures(members.is_target, list(map(str, members.paths)), frame),
        caption="Images as a method sees them.",
    )


def _files(seen: Sequence[Seen]) -> str:
    """Describe sizes and colours of the files."""
    shorter = sorted(each.shorter for each in seen)
    grey = sum(each.grey for each in seen)
    same = shorter[0] == shorter[-1]
    sides = f"of {shorter[0]} pixels" if same else f"from {shorter[0]} to {shorter[-1]} pixels, median {shorter[len(shorter) // 2]}"
    return f"shorter side {sides}; {grey} grey, {len(seen) - grey} in colour"


def _fit(frame: Frame) -> str:
    return {"crop": "centre cropped", "pad": "padded with black", "stretch": "stretched"}[frame.fit] + " to a square"


def _roles(names: Sequence[str]) -> str:
    return listed(names) if names else "no attribute"


def _dark(seen: Sequence[Seen], frame: Frame) -> list[str]:
    """Return a sentence if 16-bit images use a small part of the range that becomes black to white."""
    deep = Counter(each.top for each in seen if each.top)
    if not deep or max(deep) >= DARK * 2**frame.bits:
        return []
    bits = int(max(deep)).bit_length()
    return [f"{counted(sum(deep.values()), '16-bit images')} have values up to {max(deep)} only; give --bits {max(bits, 8)}"]


def _pictures(is_target: NDArray[np.bool_], paths: Sequence[str], frame: Frame) -> list[NDArray[np.uint8] | None]:
    """Decode as many images of each group as a page shows, evenly spaced."""
    pictures: list[NDArray[np.uint8] | None] = [None] * len(paths)
    for group in (np.flatnonzero(~is_target), np.flatnonzero(is_target)):
        rows = group[np.linspace(0, len(group) - 1, min(SHOWN, len(group))).astype(int)].tolist()
        for row, image in zip(rows, decode_all([paths[row] for row in rows], frame), strict=True):
            pictures[row] = image
    return pictures

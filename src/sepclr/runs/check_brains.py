"""What a study of brains looks like before training."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from nibabel.affines import voxel_sizes

from sepclr.data.facts import counted
from sepclr.imaging.study import BrainStudy
from sepclr.imaging.volumes import Volume, look_into, problems
from sepclr.reports import CheckPage
from sepclr.runs.check_facts import confounders


def page_of(study: BrainStudy, cache: Path | None) -> CheckPage:
    """Look into every volume of a study.

    Args:
        study: the study.
        cache: not used; volumes are read where they are.

    Raises:
        InputError: a table that cannot be used.
    """
    people = study.members()
    volumes = look_into(people.images)
    return CheckPage(
        title=f"{Path(study.source).name}: {' or '.join(study.target)} against {' or '.join(study.background)}",
        problems=problems(volumes, people.subjects.tolist(), resample=study.resample),
        is_target=people.is_target,
        subjects=people.subjects,
        attributes=people.attributes,
        confounding=confounders(people),
        facts=[("Volumes", _grid(volumes))],
        pictures=[volume.middle for volume in volumes],
        caption="The middle slice of each image along the last axis, scaled from its minimum to its maximum.",
        left_out=people.left_out,
        warnings=people.notes,
    )


def _grid(volumes: list[Volume]) -> str:
    """Describe the most frequent shape and voxel size."""
    whole = [volume for volume in volumes if volume.affine is not None]
    if not whole:
        return "No image could be read."
    shapes = Counter((volume.shape, tuple(voxel_sizes(volume.affine).round(2))) for volume in whole)
    (shape, voxel), count = shapes.most_common(1)[0]
    return f"{counted(count, 'volumes')} of {' x '.join(map(str, shape))} voxels of {' x '.join(f'{side:g}' for side in voxel)} mm."

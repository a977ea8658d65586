"""Check a table of subjects and their volumes, and summarise it on a page."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
from nibabel.affines import voxel_sizes

from sepclr.data.facts import counted
from sepclr.imaging.participants import Columns, Participants, read_participants
from sepclr.imaging.volumes import Volume, look_into, problems
from sepclr.probes import confounding
from sepclr.reports import CheckPage, write_check_page
from sepclr.types import InputError


def check_table(table: Path, columns: Columns, out: Path, *, resample: bool = False) -> list[str]:
    """Check a table and every image that it lists, and write a page with the findings.

    Args:
        table: TSV or CSV file.
        columns: meaning of its columns.
        out: HTML file to write.
        resample: whether shapes and affines may differ.

    Returns:
        One line for each problem with the images; empty if there are none.

    Raises:
        InputError: if the table cannot be used, or the page cannot be written.
    """
    if out.is_dir() or not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise InputError(f"out: {out} cannot be written; give --out a file in an existing, writable folder")
    people = read_participants(table, columns)
    volumes = look_into(people.images)
    found = problems(volumes, people.subjects.tolist(), resample=resample)
    once = np.sort(np.unique(people.subjects, return_index=True)[1])  # a subject with several images counts once
    grid = _grid(volumes)
    page = CheckPage(
        title=f"{table.name}: {' or '.join(columns.target)} against {' or '.join(columns.background)}",
        problems=found,
        is_target=people.is_target,
        subjects=people.subjects,
        attributes=people.attributes,
        confounding=confounding(people.is_target[once], {name: values[once] for name, values in people.attributes.items()}),
        facts=[("Volumes", grid)],
        pictures=[volume.middle for volume in volumes],
        caption="The middle slice of each image along the last axis, scaled from its minimum to its maximum.",
        left_out=people.left_out,
    )
    write_check_page(out, page)
    _print(people, page, grid)
    return found


def _grid(volumes: list[Volume]) -> str:
    """Describe the most frequent shape and voxel size."""
    whole = [volume for volume in volumes if volume.affine is not None]
    if not whole:
        return "No image could be read."
    shapes = Counter((volume.shape, tuple(voxel_sizes(volume.affine).round(2))) for volume in whole)
    (shape, voxel), count = shapes.most_common(1)[0]
    return f"{counted(count, 'volumes')} of {' x '.join(map(str, shape))} voxels of {' x '.join(f'{side:g}' for side in voxel)} mm."


def _print(people: Participants, page: CheckPage, grid: str) -> None:
    targets = int(people.is_target.sum())
    sizes = f"{len(people) - targets} background and {counted(targets, 'target images')}"
    print(f"{sizes}; {counted(people.left_out, 'rows')} of neither group. {grid}")
    for each in page.confounding:
        if each.warns:
            print(f"warning: groups differ in {each.attribute} ({each.measure} {each.effect:.2f}, p {each.p:.2g})")
    for problem in page.problems:
        print(f"problem: {problem}")

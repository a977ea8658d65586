"""Page of attribution maps on a glass brain and on slices (nilearn)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.affines import apply_affine

from sepclr.imaging.volumes import inside_brain
from sepclr.reports.drawn import as_png
from sepclr.reports.html import write_html

MNI_MIDDLE = np.array([0.0, -17.0, 4.0])
"""Centre of the bounding box of the MNI152 brain, whose outline the glass brain shows, in millimetres."""

TITLES = {"occlusion": "Occlusion", "integrated-gradients": "Integrated gradients"}


@dataclass(frozen=True, eq=False)
class MapsPage:
    """Contents of the page.

    Attributes:
        run: name of the run.
        attribute: name of the attribute decoded from s.
        targets: number of targets averaged.
        anatomy: mean of the training background, a nibabel image.
        groups: average maps by attribution method, on the same grid.
        agreement: ``dice``, ``peak_inside`` and ``chance`` of each map; empty if the true region is unknown.
        top: fraction of the brain's voxels that is coloured and that ``dice`` compares.
    """

    run: str
    attribute: str
    targets: int
    anatomy: Any
    groups: Mapping[str, Any]
    agreement: Mapping[str, Mapping[str, float]]
    top: float


def write_maps_page(path: Path, page: MapsPage) -> None:
    """Write the page as one HTML file."""
    pictures = [(way, TITLES[way], *_pictures(image, page.anatomy, page.top)) for way, image in page.groups.items()]
    write_html(path, "maps.html.j2", page=page, pictures=pictures)


def _pictures(image: Any, anatomy: Any, top: float) -> tuple[str, str]:
    """Draw a map on the glass brain and on slices, as PNG data URIs; only its strongest voxels are coloured."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from nilearn import plotting

    values, healthy = np.asarray(image.dataobj), np.asarray(anatomy.dataobj)
    brain = inside_brain(healthy)
    threshold = float(np.quantile(np.abs(values[brain]), 1 - top))
    affine = _to_mni(brain, image.affine)
    moved, below = (nibabel.Nifti1Image(each.astype(np.float32), affine) for each in (values, healthy))
    peak = apply_affine(affine, np.unravel_index(np.abs(np.where(brain, values, 0)).argmax(), values.shape))
    highest = float(np.abs(values[brain]).max())
    colours = _without_middle()
    # Keep the colour scale positive for a map of zeros.
    options = {"threshold": max(threshold, 1e-12), "vmax": max(highest, 1e-11), "cmap": colours, "colorbar": False}
    made = []
    for draw, more in (
        (plotting.plot_glass_brain, {"plot_abs": False}),
        (plotting.plot_stat_map, {"bg_img": below, "cut_coords": peak}),
    ):
        figure = Figure(figsize=(9, 3))
        draw(moved, axes=figure.add_axes((0, 0, 0.9, 1)), **options, **more)
        scale = ScalarMappable(Normalize(-1, 1), colours)
        bar = figure.colorbar(scale, cax=figure.add_axes((0.915, 0.15, 0.013, 0.7)), ticks=[-1, 1])
        bar.ax.set_yticklabels(["lowers", "raises"])
        made.append(as_png(partial(figure.savefig, format="png", dpi=110)))
    return made[0], made[1]


def _without_middle() -> Any:
    """Return a blue-to-red colour map without its pale middle, so that weak values stay visible on white and grey."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    return ListedColormap(matplotlib.colormaps["RdBu_r"](np.r_[0:0.25:128j, 0.75:1:128j]))


def _to_mni(brain: Any, affine: Any) -> Any:
    """Return the affine, shifted to centre the brain on that of MNI152 if it is more than 15 mm off along an axis."""
    inside = apply_affine(affine, np.argwhere(brain))
    middle = (inside.min(0) + inside.max(0)) / 2
    moved = np.array(affine, dtype=float)
    if np.abs(middle - MNI_MIDDLE).max() > 15:
        moved[:3, 3] += MNI_MIDDLE - middle
    return moved

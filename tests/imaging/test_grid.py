from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from sepclr.imaging.grid import Grid, GridSpec, choose_grid, on_grid, on_grid_of
from sepclr.imaging.volumes import look
from sepclr.types import InputError


def blob(shape: tuple[int, int, int] = (20, 24, 16)) -> np.ndarray:
    """A bright, smooth thing that is off the middle along every axis."""
    places = np.indices(shape)
    middle = np.array([6, 14, 9])[:, None, None, None]
    return (1000 * np.exp(-((places - middle) ** 2).sum(0) / 8)).astype(np.float32)


def nifti(path: Path, data: np.ndarray, affine: np.ndarray) -> Path:
    nibabel.save(nibabel.Nifti1Image(data, affine), path)
    return path


def millimetres(voxels: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Where the centre of mass lies in space."""
    weights = voxels.astype(float).clip(0)
    index = np.array([(weights * axis).sum() for axis in np.indices(voxels.shape)]) / weights.sum()
    return affine[:3, :3] @ index + affine[:3, 3]


def test_the_most_frequent_grid_is_chosen_in_multiples_of_8(tmp_path: Path):
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    volumes = [look(nifti(tmp_path / f"{i}.nii", blob(), affine)) for i in range(2)]
    assert choose_grid(volumes, GridSpec()) == Grid((2.0, 2.0, 3.0), (24, 24, 16))
    assert choose_grid(volumes, GridSpec(spacing=4.0)) == Grid((4.0, 4.0, 4.0), (16, 16, 16))
    assert choose_grid(volumes, GridSpec(shape=(10, 11, 12), scaling="none")).shape == (10, 11, 12)


def test_shape_follows_the_axes_of_space_not_those_of_the_file(tmp_path: Path):
    affine = np.array([[0, 0, 3, 0], [2, 0, 0, 0], [0, -2, 0, 0], [0, 0, 0, 1.0]])  # the file's axes run to A, I, R
    grid = choose_grid([look(nifti(tmp_path / "a.nii", blob((40, 24, 16)), affine))], GridSpec())
    assert grid == Grid((3.0, 2.0, 2.0), (16, 40, 24))


@pytest.mark.parametrize(
    ("spacing", "shape"), [((2.0, 2.0, 3.0), (24, 24, 16)), ((3.0, 3.0, 3.0), (16, 16, 16)), ((2.0, 2.0, 3.0), (16, 20, 14))]
)
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (1, -1, -1)])
def test_what_lies_somewhere_in_space_lies_there_afterwards(tmp_path: Path, spacing, shape, signs):
    affine = np.diag([2.0 * signs[0], 2.0 * signs[1], 3.0 * signs[2], 1.0])
    affine[:3, 3] = 5, -3, 11
    path = nifti(tmp_path / "a.nii", blob(), affine)
    voxels, found = on_grid(path, Grid(spacing, shape, "none"))
    assert voxels.shape == (1, *shape)
    assert voxels.dtype == np.float16
    assert (np.diag(found)[:3] > 0).all()
    np.testing.assert_allclose(millimetres(voxels[0], found), millimetres(blob(), affine), atol=0.6)


def test_values_are_scaled_to_0_and_1_whatever_their_unit(tmp_path: Path):
    grid = Grid((2.0, 2.0, 2.0), (24, 24, 16))
    one, ten = (on_grid(nifti(tmp_path / f"{k}.nii", k * blob(), np.diag([2.0, 2, 2, 1])), grid)[0] for k in (1, 10))
    np.testing.assert_allclose(one, ten, atol=1e-3)
    assert one.min() == 0
    assert one.max() == 1
    assert 0.002 < (one == 1).mean() < 0.02  # the brightest half percent is cut


def test_a_volume_can_have_the_scale_of_another(tmp_path: Path):
    grid, affine = Grid((2.0, 2.0, 2.0), (24, 24, 16)), np.diag([2.0, 2, 2, 1])
    whole, darker = blob(), blob().copy()
    whole[8:12] *= 2
    target, clean = nifti(tmp_path / "target.nii", darker, affine), nifti(tmp_path / "clean.nii", whole, affine)
    voxels, _ = on_grid(target, grid)
    np.testing.assert_array_equal(on_grid_of(target, target, grid), voxels)
    other = on_grid_of(target, clean, grid)
    # The grid pads by two voxels on either side.
    np.testing.assert_array_equal(np.delete(other, range(10, 14), 1), np.delete(voxels, range(10, 14), 1))
    assert (other[0, 10:14] >= voxels[0, 10:14]).all()
    assert other.mean() > on_grid(clean, grid)[0].mean()  # by its own percentiles it would be darker
    with pytest.raises(InputError, match=r"far\.nii: is not aligned with .*target\.nii; bring both into the same space"):
        on_grid_of(target, nifti(tmp_path / "far.nii", whole, affine + 20 * np.eye(4, k=3)), grid)


def test_maps_keep_their_values(tmp_path: Path):
    path = nifti(tmp_path / "a.nii", blob() / 1000, np.diag([2.0, 2, 2, 1]))
    voxels, _ = on_grid(path, Grid((2.0, 2.0, 2.0), (20, 24, 16), "none"))
    np.testing.assert_allclose(voxels[0], blob() / 1000, atol=1e-3)


def test_what_does_not_fit_into_16_bits_is_named(tmp_path: Path):
    path = nifti(tmp_path / "a.nii", 100 * blob(), np.diag([2.0, 2, 2, 1]))
    with pytest.raises(InputError, match=r"a\.nii: values up to .* do not fit into 16 bits"):
        on_grid(path, Grid((2.0, 2.0, 2.0), (20, 24, 16), "none"))


def test_a_mask_blanks_what_lies_outside(tmp_path: Path):
    affine = np.diag([2.0, 2, 2, 1])
    mask = np.zeros((20, 24, 16), np.uint8)
    mask[4:9] = 1
    grid = Grid((2.0, 2.0, 2.0), (20, 24, 16), "none", nifti(tmp_path / "mask.nii", mask, affine))
    voxels, _ = on_grid(nifti(tmp_path / "a.nii", blob(), affine), grid)
    assert (voxels[0][mask == 0] == 0).all()
    np.testing.assert_allclose(voxels[0][mask == 1], blob()[mask == 1], rtol=1e-3, atol=1e-3)


def test_a_mask_that_lies_elsewhere_is_named(tmp_path: Path):
    affine, moved = np.diag([2.0, 2, 2, 1]), np.diag([2.0, 2, 2, 1])
    moved[:3, 3] = 20
    grid = Grid((2.0, 2.0, 2.0), (20, 24, 16), "none", nifti(tmp_path / "mask.nii", np.ones((20, 24, 16), np.uint8), moved))
    with pytest.raises(InputError, match=r"mask: .*mask.nii is not aligned with .*a.nii"):
        on_grid(nifti(tmp_path / "a.nii", blob(), affine), grid)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"spacing": 0.0}, "spacing: 0.0 is not a positive number of millimetres"),
        ({"shape": (4, 4)}, "shape: 4 x 4 is not three sides"),
        ({"scaling": "zscore"}, "scaling: 'zscore' is unknown"),
        ({"mask": Path("nowhere.nii")}, "mask: nowhere.nii: no such file"),
    ],
)
def test_what_cannot_be_wanted_is_named(given: dict[str, object], named: str, monkeypatch: pytest.MonkeyPatch):
    import jaxtyping

    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(InputError, match=named):
        GridSpec(**given)  # type: ignore[arg-type]

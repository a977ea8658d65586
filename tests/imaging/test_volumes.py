from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from sepclr.imaging.volumes import SLICE_SIDE, Volume, look, look_into, problems, read_volume
from sepclr.types import InputError

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])


def voxels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(1, 9, shape).astype(np.float32)


def nifti(path: Path, data: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    nibabel.save(nibabel.Nifti1Image(data, affine), path)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_nifti_is_read_with_its_affine(tmp_path: Path, name: str):
    data = voxels(4, 5, 6)
    found, affine = read_volume(nifti(tmp_path / name, data))
    np.testing.assert_array_equal(found, data)
    np.testing.assert_array_equal(affine, AFFINE)


def test_numpy_is_read_and_axes_of_length_1_behind_the_third_are_dropped(tmp_path: Path):
    np.save(tmp_path / "a.npy", voxels(4, 5, 6, 1))
    found, affine = read_volume(tmp_path / "a.npy")
    assert found.shape == (4, 5, 6)
    np.testing.assert_array_equal(affine, np.eye(4))


def cut(path: Path) -> Path:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


BAD: list[tuple[Callable[[Path], Path], str]] = [
    (lambda folder: cut(nifti(folder / "a.nii", voxels(9, 9, 9))), "a.nii: cannot be read .*it is damaged or truncated"),
    (lambda folder: cut(nifti(folder / "a.nii.gz", voxels(9, 9, 9))), "a.nii.gz: cannot be read .*it is damaged or truncated"),
    (lambda folder: nifti(folder / "a.nii", voxels(4, 5, 6, 2)), r"a.nii: 4 dimensions \(4, 5, 6, 2\); give one 3-D volume"),
    (lambda folder: nifti(folder / "a.nii", voxels(4, 5, 6).astype(np.complex64)), "voxels are complex64"),
    (lambda folder: (folder / "a.mgz", (folder / "a.mgz").touch())[0], "unknown kind of file; volumes are .nii, .nii.gz, .npy"),
    (lambda folder: (folder / "a.npy", (folder / "a.npy").write_text("no"))[0], "a.npy: cannot be read"),
]


def spoiled(path: Path, at: int, value: bytes) -> Path:
    """Overwrite bytes of a NIfTI header."""
    whole = bytearray(path.read_bytes())
    whole[at : at + len(value)] = value
    path.write_bytes(bytes(whole))
    return path


BAD += [
    (lambda folder: spoiled(nifti(folder / "a.nii", voxels(4, 5, 6)), 70, struct.pack("<h", 9999)), "cannot be read"),  # datatype
    (lambda folder: spoiled(nifti(folder / "a.nii", voxels(4, 5, 6)), 40, struct.pack("<h", 99)), "cannot be read"),  # dimensions
    (lambda folder: spoiled(nifti(folder / "a.nii", voxels(4, 5, 6)), 42, struct.pack("<h", -4)), "cannot be read|no voxels"),
    (lambda folder: spoiled(nifti(folder / "a.nii", voxels(4, 5, 6)), 296, bytes(16)), "does not map voxels to millimetres"),
    (lambda folder: (folder / "a.npy", np.save(folder / "a.npy", np.zeros((0, 5, 6))))[0], "no voxels in shape 0 x 5 x 6"),
    (lambda folder: (np.savez(folder / "a.npz", a=voxels(3, 3, 3)), (folder / "a.npz").rename(folder / "a.npy"))[1], "cannot be read"),
]


@pytest.mark.parametrize(("make", "named"), BAD)
def test_files_that_hold_no_volume_are_named(tmp_path: Path, make: Callable[[Path], Path], named: str):
    path = make(tmp_path)
    with pytest.raises(InputError, match=named):
        read_volume(path)
    found = look(path)
    assert found.problem
    assert found.middle is None


@pytest.mark.parametrize(("value", "named"), [(np.nan, "3 voxels are NaN or infinite"), (np.inf, "3 voxels are NaN or infinite")])
def test_voxels_that_are_no_numbers_are_counted(tmp_path: Path, value: float, named: str):
    data = voxels(4, 5, 6)
    data[0, 0, :3] = value
    found = look(nifti(tmp_path / "a.nii", data))
    assert named in found.problem
    assert found.shape == (4, 5, 6)


def test_an_empty_image_is_a_problem(tmp_path: Path):
    assert "every voxel is 7" in look(nifti(tmp_path / "a.nii", np.full((3, 3, 3), 7.0))).problem


def test_a_look_keeps_a_small_slice_scaled_to_the_range_of_the_volume(tmp_path: Path):
    data = voxels(100, 150, 8)
    data[0, 0, 0], data[-1, -1, -1] = 0, 10
    middle = look(nifti(tmp_path / "a.nii", data)).middle
    assert middle is not None
    assert max(middle.shape) <= SLICE_SIDE
    assert middle.shape == (50, 34)  # turned, so that the second axis points up; every third voxel
    np.testing.assert_allclose(middle[-1, 0] / 255, data[0, 0, 4] / 10, atol=1 / 255)


def test_other_shapes_and_affines_are_problems_that_name_whose_they_are(tmp_path: Path):
    turned = AFFINE.copy()
    turned[0, 3] = 5
    paths = [
        nifti(tmp_path / "a.nii", voxels(4, 5, 6)),
        nifti(tmp_path / "b.nii", voxels(4, 5, 6)),
        nifti(tmp_path / "c.nii", voxels(4, 5, 7)),
        nifti(tmp_path / "d.nii", voxels(4, 5, 6), turned),
        nifti(tmp_path / "e.nii", voxels(4, 5, 6), AFFINE + 1e-6),
    ]
    found = problems(look_into(paths), ["A", "B", "C", "D", "E"])
    assert len(found) == 2
    assert "1 of 5 have a different shape than the others (4 x 5 x 6): C; " in found[0]
    assert "1 of 5 have a different affine than the others: D; " in found[1]
    assert all("--resample" in line for line in found)
    assert problems(look_into(paths), list("ABCDE"), resample=True) == []
    assert problems(look_into(paths[:2]), ["A", "B"]) == []


def test_affines_are_compared_with_a_tolerance_and_with_the_most_frequent_one():
    def volume(offset: float) -> Volume:
        affine = AFFINE.copy()
        affine[0, 3] = offset
        return Volume(Path("a.nii"), "", (4, 5, 6), affine)

    # 1e-8 apart, on both sides of where three decimals are rounded.
    pair = [volume(0.0005 - 5e-9), volume(0.0005 + 5e-9)]
    assert problems(pair, ["A", "B"]) == []
    found = problems([*pair, volume(9.0), volume(9.0), *pair], list("ABCDEF"))
    assert len(found) == 1
    assert "2 of 6 have a different affine than the others: C, D; " in found[0]

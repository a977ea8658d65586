from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
import torch

from sepclr.data import Cohort, VolumeCache, contents
from sepclr.imaging import cache as stored
from sepclr.imaging.cache import images_digest, store
from sepclr.imaging.grid import GridSpec
from sepclr.types import InputError

NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    draw = np.random.default_rng(0)
    paths = [tmp_path / f"{name}.nii.gz" for name in NAMES]
    for path in paths:
        nibabel.save(nibabel.Nifti1Image(draw.uniform(0, 9, (8, 8, 8)).astype(np.float32), np.eye(4)), path)
    return paths


def test_volumes_are_those_of_the_files_in_their_order(images: list[Path], tmp_path: Path):
    x, affines = store(images, NAMES, GridSpec(scaling="none"), tmp_path / "cache")
    assert x.shape == (4, 1, 8, 8, 8)
    assert affines.shape == (4, 4, 4)
    for row, path in enumerate(images):
        np.testing.assert_allclose(x[row : row + 1][0, 0], nibabel.load(path).get_fdata(), atol=0.01)


def test_a_disk_without_room_is_named_before_anything_is_written(images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=100))
    with pytest.raises(InputError, match=r"cache: 0\.0 GiB free, and .* needs .*; give another cache folder"):
        store(images, NAMES, GridSpec(), tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.npy*.part"))


def test_rows_are_read_by_slice_index_and_mask_and_chosen_without_reading(images: list[Path], tmp_path: Path):
    x, _ = store(images, NAMES, GridSpec(), tmp_path / "cache")
    everything = x[:]
    assert torch.equal(x[torch.tensor([3, 0])], everything[[3, 0]])
    assert torch.equal(x[torch.tensor([True, False, False, True])], everything[[0, 3]])
    fewer = x.where(np.array([False, True, False, True]))
    assert len(fewer) == 2
    assert torch.equal(fewer[1:], everything[3:])
    assert torch.equal(fewer.where(np.array([False, True]))[:], everything[3:])
    assert len(pickle.dumps(fewer)) < 1000 + everything.element_size()


def test_a_second_call_reads_nothing_and_a_changed_file_is_read_again(images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first, _ = store(images, NAMES, GridSpec(), tmp_path / "cache")
    before = first[:]
    reads = []
    real = stored.on_grid
    monkeypatch.setattr(stored, "on_grid", lambda path, grid: (reads.append(path), real(path, grid))[1])
    again, _ = store(images, NAMES, GridSpec(), tmp_path / "cache")
    assert not reads
    assert again.path == first.path
    nibabel.save(nibabel.Nifti1Image(np.random.default_rng(1).uniform(0, 9, (8, 8, 8)), np.eye(4)), images[2])
    changed, _ = store(images, NAMES, GridSpec(), tmp_path / "cache")
    assert len(reads) == 4
    assert not torch.equal(changed[2:3], before[2:3])
    assert torch.equal(changed[:2], before[:2])
    assert store(images, NAMES, GridSpec(spacing=2.0), tmp_path / "cache")[0].path != changed.path


def test_touched_and_copied_images_are_found_and_replaced_ones_are_not(images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cache = tmp_path / "cache"
    first, _ = store(images, NAMES, GridSpec(), cache)
    with monkeypatch.context() as patch:
        patch.setattr(stored, "on_grid", pytest.fail)
        os.utime(images[0], ns=(0, 0))
        assert store(images, NAMES, GridSpec(), cache)[0].path == first.path
        moved = [Path(shutil.copy(path, tmp_path / f"moved-{path.name}")) for path in images]
        assert store(moved, NAMES, GridSpec(), cache)[0].path == first.path
        patch.setattr(contents, "_hash", pytest.fail)  # size and time tell
        assert store(moved, NAMES, GridSpec(), cache)[0].path == first.path
    before, digest = images[1].stat(), images_digest(images, None, cache)
    spoilt = bytearray(images[1].read_bytes())
    spoilt[4] ^= 1  # the time in gzip's header: another file of the same size
    images[1].write_bytes(spoilt)
    os.utime(images[1], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert images[1].stat().st_size == before.st_size
    assert images_digest(images, None, cache) != digest
    assert store(images, NAMES, GridSpec(), cache)[0].path != first.path


def test_the_content_of_the_mask_counts(images: list[Path], tmp_path: Path):
    mask = tmp_path / "mask.nii"
    nibabel.save(nibabel.Nifti1Image(np.ones((8, 8, 8), np.uint8), np.eye(4)), mask)
    copy = Path(shutil.copy(mask, tmp_path / "copy.nii"))
    whole, same = (store(images, NAMES, GridSpec(mask=path), tmp_path / "cache")[0] for path in (mask, copy))
    assert whole.path == same.path
    nibabel.save(nibabel.Nifti1Image(np.eye(8, dtype=np.uint8)[None] * np.ones((8, 1, 1), np.uint8), np.eye(4)), mask)
    assert not torch.equal(store(images, NAMES, GridSpec(mask=mask), tmp_path / "cache")[0][:], whole[:])


def test_a_call_that_was_killed_leaves_nothing_that_is_taken_for_whole(images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = stored.on_grid

    def killed(path: Path, grid: object) -> object:
        if path == images[3]:
            raise KeyboardInterrupt
        return real(path, grid)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(stored, "on_grid", killed)
        with pytest.raises(KeyboardInterrupt):
            store(images, NAMES, GridSpec(), tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.npy"))
    x, _ = store(images, NAMES, GridSpec(), tmp_path / "cache")
    assert all(x[row : row + 1].any() for row in range(4))
    assert not list((tmp_path / "cache").glob("*.part"))


def test_every_image_that_cannot_be_used_is_named_before_anything_is_written(images: list[Path], tmp_path: Path):
    images[1].write_bytes(images[1].read_bytes()[:100])
    nibabel.save(nibabel.Nifti1Image(np.ones((8, 8, 9)) * np.arange(9), np.eye(4)), images[3])
    with pytest.raises(InputError) as error:
        store(images, NAMES, GridSpec(), tmp_path / "cache")
    assert "b.nii.gz: cannot be read" in str(error.value)
    assert "1 of 3 have a different shape" in str(error.value)
    assert "d;" in str(error.value)
    assert not list((tmp_path / "cache").glob("*.npy"))


def test_other_grids_are_brought_onto_one_where_that_is_wanted(images: list[Path], tmp_path: Path):
    nibabel.save(nibabel.Nifti1Image(np.random.default_rng(2).uniform(0, 9, (16, 16, 16)), np.diag([0.5, 0.5, 0.5, 1])), images[3])
    x, _ = store(images, NAMES, GridSpec(resample=True), tmp_path / "cache")
    assert x.shape == (4, 1, 8, 8, 8)
    assert x[3:].std() > 0


def test_a_folder_that_cannot_be_written_is_named(images: list[Path], tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cache: .*file.* cannot be written .*; choose another folder for volumes"):
        store(images, NAMES, GridSpec(), tmp_path / "file" / "cache")


def test_a_cohort_of_stored_volumes_is_chosen_from_without_reading(images: list[Path], tmp_path: Path):
    x, _ = store(images, NAMES, GridSpec(), tmp_path / "cache")
    cohort = Cohort(x, torch.tensor([True, False, True, False]), {"age": np.arange(4.0)})
    assert isinstance(cohort.targets.x, VolumeCache)
    assert cohort.targets.attributes["age"].tolist() == [0.0, 2.0]
    assert torch.equal(cohort.targets.x[:], x[:][[0, 2]])

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from sepclr.data import Cohort, Lazy, VolumeCache


def test_a_volume_cache_is_lazy_and_an_array_is_not(tmp_path: Path):
    np.save(tmp_path / "x.npy", np.zeros((3, 1, 2, 2, 2), np.float16))
    assert isinstance(VolumeCache(tmp_path / "x.npy"), Lazy)
    assert not isinstance(np.zeros((3, 2)), Lazy)


class Squares:
    """Rows of one number, the square of their index, that can be read once each."""

    def __init__(self, index: np.ndarray) -> None:
        self.index, self.shape, self.device, self.ndim = index, torch.Size((len(index), 1)), torch.device("cpu"), 2

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, chosen: slice | torch.Tensor) -> torch.Tensor:
        at = self.index[chosen if isinstance(chosen, slice) else chosen.numpy()]
        return torch.from_numpy(at).float()[:, None] ** 2

    def where(self, chosen: np.ndarray) -> Squares:
        return Squares(self.index[chosen])


def test_a_cohort_holds_whatever_is_lazy():
    cohort = Cohort(Squares(np.arange(5)), torch.tensor([False, True, False, True, True]))
    assert cohort.targets.x[:].flatten().tolist() == [1, 9, 16]
    assert cohort.targets.where(np.array([True, False, True])).x[torch.tensor([1])].item() == 16

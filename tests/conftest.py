"""What all tests share: one thread per worker, and small cohorts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import settings

from sepclr.data import Cohort

settings.register_profile("sepclr", deadline=None, max_examples=50)
settings.load_profile("sepclr")
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def rows() -> Cohort:
    """60 rows of 6 features: a class that both groups share in the first three, one that only targets have in the others."""
    draw = np.random.default_rng(0)
    is_target = np.arange(60) >= 30
    shared, own = draw.integers(3, size=60), np.where(is_target, draw.integers(2, size=60), -1)
    x = 0.1 * draw.normal(size=(60, 6))
    x[np.arange(60), shared] += 1
    x[is_target, 4 + own[is_target]] += 1
    return Cohort(torch.from_numpy(x).float(), torch.from_numpy(is_target), {"shared": shared, "own": own})


@pytest.fixture(scope="session")
def images() -> Cohort:
    """24 random colour images of 12 × 12 pixels."""
    draw = np.random.default_rng(0)
    x = draw.integers(256, size=(24, 3, 12, 12)).astype(np.uint8)
    return Cohort(torch.from_numpy(x), torch.arange(24) >= 10, {"kind": np.arange(24) % 2})

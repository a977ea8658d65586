"""Estimators on samples that do not have to fit into memory: datasets, batches, lazily read rows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import drawn_rows
from torch.utils.data import DataLoader, Dataset, TensorDataset

from sepclr import Cohort, ContrastivePCA, InputError, SepCLR, SepVAE, SimCLR
from sepclr.data.dataset import DatasetSamples
from sepclr.estimators import ESTIMATORS
from sepclr.methods.options import METHODS

FAST = {"common_dim": 4, "salient_dim": 3, "width": 16, "max_epochs": 2, "batch_size": 20, "random_state": 0}


class Items(Dataset):
    """Rows or images with their groups, which count how often they are read."""

    def __init__(self, cohort: Cohort) -> None:
        self.cohort, self.read = cohort, 0

    def __len__(self) -> int:
        return len(self.cohort)

    def __getitem__(self, row: int) -> tuple[np.ndarray, bool]:
        self.read += 1
        return self.cohort.x[row].numpy(), bool(self.cohort.is_target[row])


class Batched:
    """The same batches each time it is iterated, every one with samples of both groups."""

    def __init__(self, x: torch.Tensor, is_target: torch.Tensor, n: int) -> None:
        self.parts = [(x[first::n], is_target[first::n]) for first in range(n)]

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        return iter(self.parts)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_dataset_trains_as_the_same_samples_in_memory_do(rows: Cohort, workers: int):
    model = SepCLR(**FAST, workers=workers).fit(Items(rows))
    same = SepCLR(**FAST).fit(rows)
    np.testing.assert_allclose(model.transform(Items(rows)), same.transform(rows), rtol=1e-3, atol=1e-4)
    assert model.classes_.tolist() == [False, True]
    np.testing.assert_allclose(model.transform(rows.x.numpy()), model.transform(Items(rows)), rtol=1e-9)


def test_images_of_a_dataset_give_scores_a_report_and_decoded_images(images: Cohort, tmp_path: Path):
    items = Items(images)
    model = SepVAE(**FAST | {"width": 4}).fit(items)
    np.testing.assert_array_equal(model.transform(items), SepVAE(**FAST | {"width": 4}).fit(images).transform(images))
    assert model.score_separation(items, attributes=images.attributes) == model.score_separation(images)
    assert model.report(tmp_path / "report.html", items, attributes=images.attributes, salient=("kind",))
    np.testing.assert_array_equal(model.swap(items, items), model.swap(images, images))


def test_groups_are_read_from_an_attribute_that_fits_the_items(rows: Cohort):
    items = Items(rows)
    items.targets = rows.is_target.tolist()
    assert torch.equal(DatasetSamples(items).is_target(), rows.is_target)
    assert items.read == 3  # the first, and one of each group
    items.targets = (~rows.is_target).tolist()  # changed by a transformation
    assert torch.equal(DatasetSamples(items).is_target(), rows.is_target)
    items.targets = np.arange(60)  # class labels
    assert torch.equal(DatasetSamples(items).is_target(workers=1), rows.is_target)


def test_lazily_read_rows_of_a_cohort_are_standardised(rows: Cohort):
    cohort = Cohort(DatasetSamples(Items(Cohort(rows.x * 50 + 7, rows.is_target))), rows.is_target, rows.attributes)
    model = SepVAE(**FAST).fit(cohort)
    np.testing.assert_allclose(model.transform(cohort), SepVAE(**FAST).fit(rows).transform(rows), rtol=1e-2, atol=1e-2)
    assert model.reconstruct(cohort).mean() == pytest.approx(cohort.x[:].mean().item(), rel=0.2)
    assert {row["attribute"] for row in model.score_separation(cohort)} == {"group", "shared", "own"}


def test_batches_train_and_what_separates_is_found():
    train, test = drawn_rows(400, 0), drawn_rows(400, 1)
    batches = Batched(train.x * 9 - 4, train.is_target, 2)
    model = SepCLR(8, 8, max_epochs=60, learning_rate=3e-3, random_state=0).fit(batches)
    np.testing.assert_allclose(model.mean_, (train.x * 9 - 4).mean(0), rtol=1e-4)
    np.testing.assert_allclose(model.scale_, (train.x * 9).std(0, correction=0), rtol=1e-4)
    assert len(model.history_) == 60
    held = Cohort(test.x * 9 - 4, test.is_target, test.attributes)
    rows = model.score_separation(held)
    scores = {(row["encoder"], row["attribute"], row["space"]): row["score"] for row in rows if row["metric"] == "balanced_accuracy"}
    assert scores["trained", "own", "s"] > 0.85
    assert scores["trained", "shared", "c"] > 0.8
    loader = DataLoader(TensorDataset(held.x, held.is_target), batch_size=64)
    np.testing.assert_allclose(model.transform(loader), model.transform(held), rtol=1e-6)
    assert model.score_separation(loader) == [row for row in rows if row["attribute"] == "group"]


@pytest.mark.parametrize("name", [kind.where.rpartition(".")[2] for kind in METHODS.values() if kind.trained and kind.task == "contrast"])
def test_every_contrastive_method_takes_batches_of_images(images: Cohort, name: str):
    both = {} if "salient_dim" in ESTIMATORS[name]().get_params() else {"salient_dim"}
    options = {option: value for option, value in FAST.items() if option not in both}
    model = ESTIMATORS[name](**options | {"width": 4, "max_epochs": 1}).fit(list(Batched(images.x, images.is_target, 2)))
    assert np.isfinite(model.transform(images)).all()


X, MEMBERS = torch.zeros(8, 3), torch.arange(8) % 2


@pytest.mark.parametrize(
    ("batches", "named"),
    [
        (((X, MEMBERS) for _ in range(3)), "X: a generator yields its batches only once.*give a DataLoader, a list"),
        (DataLoader(TensorDataset(X)), "X: batch 0 is a list; give a pair"),
        (DataLoader(TensorDataset(X, MEMBERS), batch_size=6), r"X: batch 1: 1 background sample\(s\); every batch needs at least 2"),
        ([(X, MEMBERS), (X, MEMBERS * 0)], r"X: batch 1: 0 target sample\(s\)"),
        ([(X, MEMBERS), (X[:, :2], MEMBERS)], r"X: batch 1: samples have shape \(2,\); the first has \(3,\)"),
        ([(X, MEMBERS), (X.byte(), MEMBERS)], "X: batch 1: torch.uint8 after torch.float64"),
        ([(X, MEMBERS + 1)], "X: batch 0: is_target is 2; give True or 1"),
        ([(X, MEMBERS[:3])], r"X: batch 0: is_target has shape \(3,\) for 8 sample\(s\)"),
        ([(X, MEMBERS), (X / 0, MEMBERS)], "X: batch 1: contains NaN or infinite"),
        ([(X[:, 0], MEMBERS)], r"X: batch 0: shape \(8,\) for n samples; give rows"),
        ([(torch.full((8, 1, 8, 8), 255.0), MEMBERS)], "X: batch 0: pixels range from 255 to 255; give uint8"),
        (DataLoader(TensorDataset(X[:0], MEMBERS[:0])), "X: there are no batches"),
        (TensorDataset(X[:0], MEMBERS[:0]), "X: the Dataset is empty"),
        (TensorDataset(X), "X: item 0 of the Dataset is no pair; give"),
        (TensorDataset(X, MEMBERS + 5), "X: item 0: is_target is 5; give True or 1"),
        (TensorDataset(X, MEMBERS * 0), r"is_target: 0 target sample\(s\)"),
        (TensorDataset(X / 0, MEMBERS), "X: sample 0: contains NaN"),
    ],
)
def test_what_cannot_be_streamed_is_named(batches: Any, named: str):
    with pytest.raises(InputError, match=named) as caught:
        SepCLR(**FAST).fit(batches)
    assert "\n" not in str(caught.value)


def test_labels_and_other_shapes_do_not_go_with_streams(rows: Cohort):
    batches, items = Batched(rows.x, rows.is_target, 3), TensorDataset(rows.x, rows.is_target)
    for given, whose in ((batches, "batches have their"), (items, "a Dataset has its")):
        with pytest.raises(InputError, match=f"y: {whose} own groups; omit y"):
            SepCLR(**FAST).fit(given, rows.is_target.numpy())
        with pytest.raises(InputError, match=f"age: {whose} items"):
            SepCLR(**FAST, free_of="age").fit(given)
    model = SimCLR(3, width=8, max_epochs=1).fit(batches)
    with pytest.raises(InputError, match=r"samples have shape \(3,\); fit saw \(6,\)"):
        model.transform(Batched(rows.x[:, :3], rows.is_target, 3))
    with pytest.raises(InputError, match="X: batches cannot be read by index; give arrays, a Cohort or a Dataset"):
        model.report("report.html", batches)
    with pytest.raises(InputError, match="workers: -1"):
        SepCLR(**FAST, workers=-1).fit(items)


def test_nested_lists_are_arrays_as_before(rows: Cohort):
    x, y = rows.x.numpy(), rows.is_target.numpy()
    assert np.array_equal(SimCLR(3, width=8, max_epochs=1, random_state=0).fit(x.tolist(), y).transform(x.tolist()).shape, (60, 3))
    assert ContrastivePCA(alpha=1).fit(x.tolist(), y).transform(x).shape == (60, 2)


UNDER_A_LIMIT = """
import resource, sys
import numpy as np, torch
from torch.utils.data import Dataset
from sepclr import SepCLR
torch.set_num_threads(1)
LIMIT, FEATURES, ROWS = 16 * 2**20, 4096, 32
N = 10 * LIMIT // (4 * FEATURES) // ROWS * ROWS

def part(begin, n=ROWS):
    x = np.random.default_rng(begin).standard_normal((n, FEATURES), np.float32)
    return torch.from_numpy(x), torch.arange(n) % 2 == 0

class Batches:
    def __init__(self, n): self.n = n
    def __iter__(self): return (part(begin) for begin in range(0, self.n, ROWS))

class Items(Dataset):
    is_target = [row % 2 == 0 for row in range(N)]
    def __len__(self): return N
    def __getitem__(self, row): return np.full(FEATURES, row % 1000, np.float32), row % 2 == 0

model = SepCLR(4, 4, width=2, max_epochs=1, batch_size=ROWS, device="cpu", random_state=0)
model.fit(Batches(4 * ROWS))  # what starts once: threads, libraries
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + LIMIT, used + LIMIT))
try:
    if sys.argv[1] == "memory":
        x, y = (torch.cat(each) for each in zip(*Batches(N)))
        model.fit(x.numpy(), y.numpy())
    else:
        model.fit({"batches": Batches(N), "dataset": Items()}[sys.argv[1]])
except (MemoryError, RuntimeError) as error:
    print("out of memory" if isinstance(error, MemoryError) or "allocate" in str(error) else error)
else:
    print("fitted", np.isfinite(model.history_[0]["loss"]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="address space is read from /proc and limited with RLIMIT_AS")
@pytest.mark.parametrize(("how", "ends"), [("batches", "fitted True"), ("dataset", "fitted True"), ("memory", "out of memory")])
def test_ten_times_more_than_the_limit_is_fitted_from_batches_and_a_dataset(how: str, ends: str):
    # Address space counts, used or not: without arenas of 64 MiB for each thread, and returning what is freed at once.
    alone = os.environ | {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", UNDER_A_LIMIT, how], env=alone, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == ends, done.stderr[-2000:]

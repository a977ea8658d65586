from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sepclr.data import Batches, Cohort
from sepclr.types import InputError


def cohort(background: int, target: int) -> Cohort:
    n = background + target
    return Cohort(torch.arange(n, dtype=torch.float32)[:, None], torch.arange(n) >= background)


@given(
    background=st.integers(4, 60),
    target=st.integers(4, 60),
    batch_size=st.integers(8, 140),
    seed=st.integers(0, 5),
    world_size=st.integers(1, 2),
)
def test_every_batch_of_every_process_holds_both_groups_and_no_sample_twice(background, target, batch_size, seed, world_size):
    samples = cohort(background, target)
    steps = []
    for rank in range(world_size):
        batches = Batches(samples, batch_size, seed=seed, epoch=0, rank=rank, world_size=world_size)
        drawn = list(batches)
        assert len(drawn) == len(batches) >= 1
        for batch in drawn:
            assert 2 <= batch.is_target.sum() <= len(batch.x) - 2
            assert (batch.is_target == (batch.x[:, 0] >= background)).all()
            assert len(batch.x) == len(drawn[0].x)
            assert len(batch.x) * world_size <= batch_size
        steps.append([batch.x[:, 0].long() for batch in drawn])
    whole = [torch.cat(parts) for parts in zip(*steps, strict=True)]
    for step in whole:
        assert len(step) == len(step.unique())
    # Within a group every sample is seen as often as the others, or once more; in one group at most once, all but a part of it.
    seen = torch.bincount(torch.cat(whole), minlength=background + target)
    groups = [seen[:background], seen[background:]]
    assert all(group.max() - group.min() <= 1 for group in groups)
    sizes = [int((whole[0] < background).sum()), int((whole[0] >= background).sum())]
    assert any(group.max() == 1 and (group == 0).sum() < size for group, size in zip(groups, sizes, strict=True))
    assert all((group == 0).sum() < size for group, size in zip(groups, sizes, strict=True))


def test_an_epoch_sees_the_larger_group_once_and_repeats_the_smaller():
    samples = cohort(10_000, 4)
    batches = Batches(samples, 128, seed=0, epoch=0)
    drawn = [batch.x[:, 0].long() for batch in batches]
    seen = torch.bincount(torch.cat(drawn), minlength=10_004)
    assert len(batches) == len(drawn) == 79  # of 126 background samples and 2 targets
    assert seen[:10_000].max() == 1
    assert seen[:10_000].sum() == 79 * 126
    assert sorted(seen[10_000:].tolist()) == [39, 39, 40, 40]
    pairs = {tuple(sorted(step[step >= 10_000].tolist())) for step in drawn}
    assert len(pairs) == 6, "targets are paired anew each time all have been seen"


def test_equal_groups_that_fill_their_batches_are_drawn_as_they_always_were():
    samples, draw = cohort(40, 40), np.random.default_rng([3, 5])
    orders = [draw.permutation(40), draw.permutation(40) + 40]
    expected = [np.concatenate([order[start : start + 10] for order in orders]) for start in range(0, 40, 10)]
    drawn = [batch.x[:, 0].numpy() for batch in Batches(samples, 20, seed=3, epoch=5)]
    np.testing.assert_array_equal(drawn, expected)


def test_a_batch_has_the_proportion_of_the_cohort():
    for batch in Batches(cohort(300, 100), 40, seed=0, epoch=0):
        assert batch.is_target.sum() == 10
        assert len(batch.x) == 40


def test_an_epoch_uses_all_samples_that_fill_batches():
    drawn = torch.cat([batch.x[:, 0] for batch in Batches(cohort(50, 50), 20, seed=0, epoch=0)])
    assert sorted(drawn.tolist()) == list(range(100))


def test_same_seed_and_epoch_give_the_same_batches_and_others_differ():
    def drawn(seed: int, epoch: int) -> list[float]:
        return [value for batch in Batches(cohort(20, 20), 10, seed=seed, epoch=epoch) for value in batch.x[:, 0].tolist()]

    assert drawn(0, 0) == drawn(0, 0)
    assert drawn(0, 0) != drawn(0, 1)
    assert drawn(0, 0) != drawn(1, 0)


@pytest.mark.parametrize(("background", "target", "names"), [(0, 9, "0 background"), (9, 1, "1 target")])
def test_a_group_that_is_too_small_is_named(background, target, names):
    with pytest.raises(InputError, match=f"is_target: {names}"):
        Batches(cohort(background, target), 4, seed=0, epoch=0)


def test_a_batch_that_is_too_small_is_named():
    with pytest.raises(InputError, match="batch_size: 3 cannot hold 2 samples of each group"):
        Batches(cohort(9, 9), 3, seed=0, epoch=0)


def test_batches_keep_the_type_of_the_samples():
    x = torch.randint(256, (10, 1, 4, 4), dtype=torch.uint8)
    batch = next(iter(Batches(Cohort(x, torch.arange(10) % 2 == 0), 4, seed=0, epoch=0)))
    assert batch.x.dtype == torch.uint8
    assert np.isin(batch.x.numpy(), x.numpy()).all()

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


def classes(n: int) -> Cohort:
    """n samples in one group: class 0 and its bias, but for four conflicting samples."""
    label, bias = torch.arange(n) % 2, torch.arange(n) % 2
    bias[:4] = 1 - bias[:4]
    return Cohort(torch.arange(n, dtype=torch.float32)[:, None], torch.ones(n, dtype=torch.bool), extra={"label": label, "bias": bias})


@given(n=st.integers(4, 60), batch_size=st.integers(4, 80), world_size=st.integers(1, 2))
def test_without_groups_an_epoch_passes_once_over_all_samples(n: int, batch_size: int, world_size: int):
    samples = Cohort(torch.arange(n, dtype=torch.float32)[:, None], torch.ones(n, dtype=torch.bool))
    ranks = [Batches(samples, batch_size, seed=0, epoch=0, rank=rank, world_size=world_size, evened=()) for rank in range(world_size)]
    drawn = [[batch.x[:, 0].long() for batch in each] for each in ranks]
    assert all(len(steps) == len(ranks[0]) for steps in drawn)
    assert all(len(part) == len(drawn[0][0]) for steps in drawn for part in steps)
    seen = torch.bincount(torch.cat([part for steps in drawn for part in steps]), minlength=n)
    assert seen.max() == 1
    assert (seen == 0).sum() < len(drawn[0][0]) * world_size + world_size


def test_combinations_of_classes_are_drawn_equally_often_and_extras_belong_to_their_samples():
    samples = classes(200)
    batches = Batches(samples, 100, seed=0, epoch=0, evened=("label", "bias"))
    times = torch.zeros(2, 2)
    for epoch in range(30):
        for batch in Batches(samples, 100, seed=0, epoch=epoch, evened=("label", "bias")):
            times += torch.bincount(2 * batch.extra["label"] + batch.extra["bias"], minlength=4).reshape(2, 2)
            at = batch.x[:, 0].long()
            assert all(torch.equal(batch.extra[name], samples.extra[name][at]) for name in ("label", "bias"))
    assert len(batches) == 2
    # 6,000 draws, a quarter to each cell; the standard deviation of a count is 34.
    assert (times - 1500).abs().max() < 150


def test_processes_share_a_drawn_batch():
    samples = classes(60)
    whole = next(iter(Batches(samples, 20, seed=1, epoch=0, evened=("label", "bias")))).x[:, 0]
    parts = [
        next(iter(Batches(samples, 20, seed=1, epoch=0, evened=("label", "bias"), rank=rank, world_size=2))).x[:, 0] for rank in (0, 1)
    ]
    assert torch.equal(torch.stack(parts, 1).flatten(), whole)


def test_a_batch_of_one_group_that_is_too_small_is_named():
    with pytest.raises(InputError, match=r"batch_size: 1 sample\(s\) for 1 process\(es\); give at least 2"):
        Batches(classes(20), 1, seed=0, epoch=0, evened=())


def several(background: int, *targets: int, degrees: torch.Tensor | None = None) -> Cohort:
    group = torch.repeat_interleave(torch.arange(len(targets) + 1) - 1, torch.tensor([background, *targets]))
    x = torch.arange(len(group), dtype=torch.float32)[:, None]
    return Cohort(x, group >= 0, extra={"target_group": group}, degrees=degrees)


@given(
    sizes=st.lists(st.integers(4, 40), min_size=2, max_size=5),
    batch_size=st.integers(20, 160),
    world_size=st.integers(1, 2),
)
def test_every_batch_of_every_process_holds_every_target_group_and_no_sample_twice(sizes, batch_size, world_size):
    samples = several(*sizes)
    ranks = [list(Batches(samples, batch_size, seed=0, epoch=0, rank=rank, world_size=world_size)) for rank in range(world_size)]
    for drawn in ranks:
        assert len({len(batch.x) for batch in [*drawn, ranks[0][0]]}) == 1
        for batch in drawn:
            assert (torch.bincount(batch.extra["target_group"] + 1, minlength=len(sizes)) >= 2).all()
    for parts in zip(*ranks, strict=True):
        step = torch.cat([batch.x[:, 0] for batch in parts])
        assert len(step) == len(step.unique()) <= batch_size


def test_a_batch_has_the_proportion_of_all_groups_of_the_cohort():
    for batch in Batches(several(200, 120, 60, 20), 40, seed=0, epoch=0):
        assert torch.bincount(batch.extra["target_group"] + 1).tolist() == [20, 12, 6, 2]


def test_one_target_group_is_drawn_as_without_its_name():
    named, plain = (Batches(samples, 20, seed=3, epoch=1) for samples in (several(40, 30), cohort(40, 30)))
    assert all(torch.equal(one.x, two.x) for one, two in zip(named, plain, strict=True))


def test_a_target_group_that_is_too_small_and_a_batch_too_small_for_all_are_named():
    with pytest.raises(InputError, match=r"is_target: 1 target group 1 sample"):
        Batches(several(9, 9, 1), 8, seed=0, epoch=0)
    with pytest.raises(InputError, match="batch_size: 5 cannot hold 2 samples of each group; give at least 6"):
        Batches(several(9, 9, 9), 5, seed=0, epoch=0)


@pytest.mark.parametrize("targets", [(50,), (50, 50)])
def test_targets_are_drawn_in_proportion_to_their_degree_and_background_as_ever(targets):
    n = 50 + sum(targets)
    degrees = 1 + (torch.arange(n) % 5).float()
    degrees[:50] = float("nan")  # that of background is not looked at
    samples, seen, steps = several(50, *targets, degrees=degrees), torch.zeros(n), 0
    for epoch in range(40):
        for batch in Batches(samples, n // 2, seed=0, epoch=epoch):
            seen += torch.bincount(batch.x[:, 0].long(), minlength=n)
            steps += 1
    assert set(seen[:50].tolist()) == {float(steps) / 2}
    for begin in range(50, n, 50):
        share = torch.stack([seen[begin:][:50][degrees[begin:][:50] == degree].sum() for degree in range(1, 6)])
        expected = share.sum() * torch.arange(1, 6) / 15
        assert ((share - expected).abs() < 4 * (expected * (1 - torch.arange(1, 6) / 15)).sqrt()).all(), "binomial, four deviations"
    assert seen[50:].sum() == steps * len(targets) * 25

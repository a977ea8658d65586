from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sepclr.data import Cohort
from sepclr.datasets import marked_digits
from sepclr.probes import removal
from sepclr.runs.judge import Judge, train_judge
from sepclr.types import InputError


def squares(n: int, seed: int, shape: tuple[int, ...] = (1, 16, 16)) -> Cohort:
    """Noise with a bar at the top or at the bottom, and a bright corner for targets."""
    draw = np.random.default_rng(seed)
    is_target, low = np.arange(n) >= n // 2, draw.integers(2, size=n) == 1
    x = draw.integers(100, size=(n, *shape)).astype(np.uint8)
    x[low, :, -5:-2] += 100
    x[~low, :, 2:5] += 100
    x[is_target, ..., 6:10, 6:10] = 255
    return Cohort(torch.from_numpy(x), torch.from_numpy(is_target), {"bar": np.where(low, "low", "high")})


@pytest.fixture(scope="module")
def judge() -> Judge:
    return train_judge(squares(512, 0), "bar", seed=0, epochs=30)


def test_a_judge_knows_group_and_attribute_of_new_samples(judge):
    new = squares(200, 1)
    assert np.mean(judge.group(new.x) == new.is_target.numpy()) >= 0.98
    assert np.mean(judge.attribute(new.x) == new.attributes["bar"]) >= 0.98
    assert judge.features(new.x).shape == (200, 32)
    assert (judge.group(new.x).dtype, judge.name, judge.classes.tolist()) == (bool, "bar", ["high", "low"])


def test_the_verdict_on_a_sample_does_not_depend_on_its_batch(judge):
    x = squares(20, 2).x
    # Nor on a mode that a caller may have switched.
    judge.network.train()
    together = judge.features(x)
    judge.network.train()
    alone = np.concatenate([judge.features(x[i : i + 1]) for i in range(len(x))])
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-4)
    assert not judge.network.training
    assert (np.concatenate([judge.group(x[i : i + 1]) for i in range(len(x))]) == judge.group(x)).all()


def test_a_judge_is_in_evaluation_mode_and_bytes_and_floats_are_the_same(judge):
    x = squares(20, 3).x
    np.testing.assert_allclose(judge.features(x), judge.features(x / 255), rtol=1e-5, atol=1e-5)
    assert not any(parameter.requires_grad for parameter in (*judge.network.parameters(), *judge.heads.parameters()))


def test_many_samples_are_judged_in_parts(judge, monkeypatch):
    x = squares(20, 4).x
    whole = judge.features(x)
    monkeypatch.setattr("sepclr.runs.judge.AT_ONCE", 1000)
    np.testing.assert_allclose(judge.features(x), whole, rtol=1e-4, atol=1e-4)


def test_the_seed_decides_and_the_global_generator_stays():
    cohort = squares(130, 0)
    before = torch.get_rng_state()
    one, same, other = (train_judge(cohort, "bar", seed=seed, epochs=1) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    x = cohort.x[:8]
    assert (one.features(x) == same.features(x)).all()
    assert not (one.features(x) == other.features(x)).all()


def test_volumes_are_judged():
    cohort = squares(24, 0, (1, 10, 12, 12))
    judge = train_judge(cohort, "bar", seed=0, epochs=1, kind="cnn4")
    assert judge.features(cohort.x).shape == (24, 32)
    assert judge.attribute(cohort.x).shape == judge.group(cohort.x).shape == (24,)


def test_a_judge_scores_removal(judge):
    x = squares(40, 5).targets
    truth = x.x.clone()
    truth[..., 6:10, 6:10] = 50
    made = {"truth": truth, "target itself": x.x}
    true, itself = removal(made, x.x, truth, judge, {"bar": x.attributes["bar"]})
    assert true["background"] >= 0.9
    assert true["kept"]["bar"] >= 0.9
    assert itself["background"] <= 0.1
    assert true["frechet"] == pytest.approx(0, abs=1e-3)
    assert itself["frechet"] > 1


@pytest.mark.parametrize(
    ("attribute", "values", "message"),
    [
        ("bar", None, "'bar' not found in the cohort; attributes are none"),
        ("age", np.linspace(0, 1, 24), "'age': is a quantity"),
        ("bar", np.where(np.arange(24) % 5, "low", ""), "'bar': has missing values"),
        ("mark", np.where(np.arange(24) < 12, -1, 3), "'mark': the groups have no class in common"),
        ("bar", np.zeros(24, int), "'bar': all samples are"),
    ],
)
def test_an_attribute_that_cannot_be_judged_is_named(attribute, values, message):
    cohort = replace(squares(24, 0), attributes={} if values is None else {attribute: values})
    with pytest.raises(InputError, match=message):
        train_judge(cohort, attribute, seed=0, epochs=1)


def test_an_attribute_of_targets_alone_is_judged_where_that_is_asked_for():
    cohort = squares(512, 0)
    mark = np.where(cohort.is_target.numpy(), cohort.attributes["bar"], "none")
    judge = train_judge(replace(cohort, attributes={"mark": mark}), "mark", seed=0, shared=False, epochs=30)
    assert set(judge.classes) == set(mark)
    assert np.mean(judge.attribute(cohort.x) == mark) > 0.9


def test_other_bad_input_is_named(judge):
    cohort = squares(24, 0)
    with pytest.raises(InputError, match="epochs: 0"):
        train_judge(cohort, "bar", seed=0, epochs=0)
    with pytest.raises(InputError, match="at least 2 of each group"):
        train_judge(cohort.where(np.arange(24) < 13), "bar", seed=0, epochs=1)
    for x in (cohort.x[..., 1:], cohort.x[:0]):
        with pytest.raises(InputError, match="the judge was trained on"):
            judge.group(x)


@pytest.mark.slow
def test_a_judge_of_marked_digits_is_right():
    train, test = marked_digits.load()
    clean = marked_digits.without_marks()
    judge = train_judge(train, "digit", seed=0)
    is_target, digit = test.is_target.numpy(), test.attributes["digit"]
    for group in (is_target, ~is_target):
        assert np.mean(judge.attribute(test.x)[group] == digit[group]) >= 0.97
    assert np.mean(judge.group(test.x) == is_target) >= 0.995
    # What it will be asked: whether targets without their mark are background, and still the same digit.
    assert np.mean(judge.group(clean[is_target])) <= 0.005
    assert np.mean(judge.attribute(clean)[is_target] == digit[is_target]) >= 0.97

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import check_estimator
from tests.conftest import drawn_rows

from sepclr import Cohort, InputError, SepCLR
from sepclr.probes import Probed, probe

FAST = {"common_dim": 4, "salient_dim": 3, "width": 16, "max_epochs": 3, "random_state": 0}


@pytest.fixture
def X(rows: Cohort) -> np.ndarray:
    return rows.x.numpy()


@pytest.fixture
def y(rows: Cohort) -> np.ndarray:
    return rows.is_target.numpy().astype(int)


@pytest.mark.filterwarnings("default")
def test_scikit_learn_finds_no_fault():
    results = check_estimator(SepCLR(max_epochs=2, random_state=0), on_fail=None, on_skip=None)
    assert {result["check_name"]: repr(result["exception"]) for result in results if result["status"] == "failed"} == {}
    assert sum(result["status"] == "passed" for result in results) > 40


def test_codes_are_named_and_c_comes_first(X, y):
    model = SepCLR(**FAST).fit(X, y)
    codes = model.transform(X)
    assert model.get_feature_names_out().tolist() == ["c0", "c1", "c2", "c3", "s0", "s1", "s2"]
    assert codes.shape == (60, 7)
    assert np.isfinite(codes).all()


def test_pandas_output_carries_the_names(X, y):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = SepCLR(**FAST).set_output(transform="pandas").fit(X, y).transform(X)
    assert isinstance(frame, pandas.DataFrame)
    assert frame.columns.tolist()[:2] == ["c0", "c1"]


def test_the_salient_code_of_background_is_silent_and_that_of_targets_speaks():
    train, test = drawn_rows(400, 0), drawn_rows(400, 1)
    model = SepCLR(common_dim=8, salient_dim=8, max_epochs=100, batch_size=200, learning_rate=3e-3, random_state=0)
    model.fit(train.x.numpy(), train.is_target.numpy())
    sides = []
    for cohort in (train, test):
        codes = model.transform(cohort.x.numpy())
        sides.append(Probed({"c": codes[:, :8], "s": codes[:, 8:]}, cohort.is_target.numpy(), cohort.attributes))
    scores = {
        (row["attribute"], row["space"]): row["score"] for row in probe(*sides, encoder="trained") if row["metric"] == "balanced_accuracy"
    }
    assert scores["own", "s"] > 0.9
    assert scores["shared", "c"] > 0.8
    assert scores["own", "c"] < 0.8
    assert scores["group", "s"] > 0.9


def test_any_two_labels_and_either_background(X, y):
    words = np.where(y == 1, "patient", "zero")
    model = SepCLR(**FAST, background="zero").fit(X, words)
    assert model.classes_.tolist() == ["zero", "patient"]
    assert np.array_equal(model.transform(X), SepCLR(**FAST).fit(X, y).transform(X))
    assert SepCLR(**FAST).fit(X, words).classes_.tolist() == ["patient", "zero"]
    assert SepCLR(**FAST).fit(X, y.astype(bool)).classes_.tolist() == [False, True]


def test_random_state_decides(X, y):
    codes = [SepCLR(**FAST | {"random_state": seed}).fit(X, y).transform(X) for seed in (0, 0, 1)]
    assert np.array_equal(codes[0], codes[1])
    assert not np.array_equal(codes[0], codes[2])


def test_scale_and_offset_of_features_do_not_matter(X, y):
    codes = SepCLR(**FAST).fit(X, y).transform(X)
    scaled = X.astype(float) * [1, 10, 100, 1e-3, 1, 5] + 3
    np.testing.assert_allclose(SepCLR(**FAST).fit(scaled, y).transform(scaled), codes, rtol=1e-2, atol=1e-3)


def test_works_in_a_pipeline_a_clone_and_a_pickle(X, y):
    pipeline = make_pipeline(MinMaxScaler(), SepCLR(**FAST)).fit(X, y)
    codes = pipeline.transform(X)
    assert np.array_equal(clone(pipeline).fit(X, y).transform(X), codes)
    assert np.array_equal(pickle.loads(pickle.dumps(pipeline)).transform(X), codes)
    assert pipeline.get_feature_names_out().tolist()[-1] == "s2"


@pytest.mark.parametrize("channels", [1, 3])
def test_images_as_whole_numbers_and_as_fractions_agree(images: Cohort, channels: int):
    x, y = images.x.numpy()[:, :channels], images.is_target.numpy()
    options = FAST | {"width": 4, "max_epochs": 1}
    codes = SepCLR(**options).fit(x, y).transform(x)
    assert codes.shape == (24, 7)
    np.testing.assert_allclose(SepCLR(**options).fit(x / 255, y).transform(x / 255), codes, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("labels", "options", "names"),
    [
        (np.zeros(60), {}, "y: one class"),
        (np.arange(60) % 3, {}, "y: 3 classes"),
        (np.arange(60) % 2, {"background": "control"}, "background: 'control' is not one of the labels"),
        (np.arange(60) == 7, {}, "is_target: 1 target sample"),
        (np.arange(60) % 2, {"objective": "released", "independence": "k-gem"}, "independence: 'k-gem' is unknown"),
        (np.arange(60) % 2, {"objective": "decorrelated", "independence": "k-jem"}, "objective 'decorrelated' and independence"),
        (np.arange(60) % 2, {"weight_independence": 1.0}, "weight_independence: 'decorrelation' has no such option"),
        (np.arange(60) % 2, {"tau": "median"}, "tau: 'median' is not a number; it is for objective released, published"),
        (np.arange(60) % 2, {"objective": "paper"}, "objective: 'paper' is unknown; choose decorrelated, released or published"),
        (np.arange(60) % 2, {"encoder": "resnet18"}, "encoder: 'resnet18' does not take samples"),
        (np.arange(60) % 2, {"max_epochs": 0}, "max_epochs: 0"),
        (np.arange(60) % 2, {"batch_size": 3}, "batch_size: 3"),
    ],
)
def test_what_cannot_be_used_is_named(X, labels, options, names):
    with pytest.raises(InputError, match=names):
        SepCLR(**FAST | options).fit(X, labels)


def test_pixels_out_of_range_other_shapes_and_volumes_are_named(images: Cohort):
    x, y = images.x.numpy(), images.is_target.numpy()
    with pytest.raises(InputError, match="X: pixels reach from 0 to 255"):
        SepCLR(**FAST).fit(x.astype(float), y)
    with pytest.raises(InputError, match="X: 5 dimensions"):
        SepCLR(**FAST).fit(x[..., None], y)
    model = SepCLR(**FAST | {"width": 4, "max_epochs": 1}).fit(x, y)
    with pytest.raises(InputError, match=r"X: samples have shape \(3, 6, 6\); fit saw \(3, 12, 12\)"):
        model.transform(x[:, :, :6, :6])


def test_nan_is_refused(X, y):
    with pytest.raises(ValueError, match="NaN"):
        SepCLR(**FAST).fit(np.where(X > 1, np.nan, X), y)

from __future__ import annotations

import doctest
import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from pytorch_lightning import Callback
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import check_estimator
from tests.conftest import drawn_rows

import sepclr
from sepclr import Cohort, ContrastivePCA, InputError, SepCLR, SepVAE, SimCLR
from sepclr.data import VolumeCache
from sepclr.estimators import ESTIMATORS
from sepclr.methods.options import METHODS, Declaration
from sepclr.probes import Probed, probe

NAMES = [method.where.rpartition(".")[2] for method in METHODS.values() if method.trained]
GROUPED = [name for name in ESTIMATORS if name not in NAMES or ESTIMATORS[name].declaration.task == "contrast"]
"""Estimators that need no more than samples and groups."""
CHECKED = ("SepCLR", "SepVAE")
"""Trained estimators of both kinds, whose checks by scikit-learn are not left to the slow tests."""
FAST = {"common_dim": 4, "salient_dim": 3, "width": 16, "max_epochs": 3, "random_state": 0}


@pytest.fixture
def X(rows: Cohort) -> np.ndarray:
    return rows.x.numpy()


@pytest.fixture
def y(rows: Cohort) -> np.ndarray:
    return rows.is_target.numpy().astype(int)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in NAMES and name not in CHECKED)) for name in GROUPED]
)
def test_scikit_learn_finds_no_fault(name: str):
    kind = ESTIMATORS[name]
    results = check_estimator(kind(max_epochs=1, width=8) if name in NAMES else kind(), on_fail=None, on_skip=None)
    assert {result["check_name"]: repr(result["exception"]) for result in results if result["status"] == "failed"} == {}
    # The array API needs a variable of the environment that has to be set before scipy is imported.
    assert {result["check_name"] for result in results if result["status"] != "passed"} <= {"check_array_api_input"}


@pytest.mark.parametrize("name", NAMES)
def test_every_trained_method_has_a_class_with_its_options_and_its_documentation(name: str):
    kind = ESTIMATORS[name]
    assert getattr(sepclr, name) is kind
    assert name in sepclr.__all__
    parameters = kind().get_params()
    assert parameters.items() >= kind.declaration.defaults.items()
    documented = re.findall(r"^    (\w+): ", kind.__doc__ or "", re.MULTILINE)
    assert set(parameters) < set(documented)
    assert doctest.DocTestRunner().run(doctest.DocTestFinder(recurse=False).find(kind, name)[0]).failed == 0


def test_an_unknown_parameter_is_an_error():
    with pytest.raises(TypeError, match="unexpected keyword argument 'weight_shared'"):
        SepCLR(weight_shared=1.0)
    with pytest.raises(ValueError, match="Invalid parameter 'lamda'"):
        SepCLR().set_params(lamda=1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(6,), (1, 16, 16), (3, 16, 16), (1, 8, 8, 8)], ids=["rows", "grey", "colour", "volumes"])
def test_every_method_takes_rows_images_and_volumes_and_decodes_where_it_can(name: str, shape: tuple[int, ...]):
    draw = np.random.default_rng(0)
    X = draw.random((24, *shape)).astype(np.float32)
    kind = ESTIMATORS[name]
    y, extra = told(kind.declaration, X)
    both = {"salient_dim": 2} if "salient_dim" in kind.declaration.defaults else {}
    model = kind(common_dim=3, **both, width=8, max_epochs=1, batch_size=12, random_state=0).fit(X, y, **extra)
    assert model.transform_common(X).shape == (24, 3)
    assert hasattr(model, "predict") == bool(kind.declaration.classes)
    if kind.declaration.classes:
        assert {*model.predict(X)} <= {"a", "b", "c"}
    assert hasattr(model, "transform_other") == (kind.declaration.task == "modalities")
    if kind.declaration.task == "modalities":
        assert model.transform_other(extra["weak"]).shape == (24, 3)
    assert model.transform(X).shape[1] == len(model.get_feature_names_out()) == 3 + len(both) * 2
    assert hasattr(model, "transform_salient") == bool(both)
    if both:
        np.testing.assert_array_equal(np.hstack([model.transform_common(X), model.transform_salient(X)]), model.transform(X))
    assert hasattr(model, "reconstruct") == hasattr(model, "swap") == kind.declaration.decoder
    if kind.declaration.decoder:
        assert model.reconstruct(X).shape == model.without_salient(X).shape == X.shape
        # Which other samples are there makes no difference.
        np.testing.assert_allclose(model.swap(X, X[::-1])[3:4], model.swap(X[3:4], X[-4:-3]), rtol=1e-4, atol=1e-5)
        with pytest.raises(InputError, match="donor: 3 samples for 24; give one for each"):
            model.swap(X, X[:3])
        np.testing.assert_allclose(model.add_salient(X, X[::-1]), model.swap(X, X[::-1]), rtol=1e-5, atol=1e-6)


def told(method: Declaration, X: np.ndarray) -> tuple[Any, dict[str, np.ndarray]]:
    """Labels and what else the method trains on."""
    halves, letters = np.arange(len(X)) % 2, np.array(["a", "b", "c"])[np.arange(len(X)) % 3]
    known = {"weak": X[::-1].copy(), "bias": halves, "label": letters, "target_label": letters}
    extra = {name: known[name] for name in method.extra if not (name == "label" and method.task == "debiasing")}
    return {"modalities": None, "debiasing": letters}.get(method.task, halves), extra


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
        (
            np.arange(60) % 2,
            {"objective": "decorrelated", "independence": "k-jem"},
            "objective 'decorrelated' and independence 'k-jem' cannot be combined",
        ),
        (np.arange(60) % 2, {"weight_independence": 1.0}, "weight_independence: 'decorrelation' has no such option"),
        (np.arange(60) % 2, {"tau": "median"}, "tau: 'median' is not a number; it requires objective released, published"),
        (np.arange(60) % 2, {"objective": "paper"}, "objective: 'paper' is unknown; choose decorrelated, released or published"),
        (np.arange(60) % 2, {"encoder": "resnet18"}, "encoder: 'resnet18' does not take samples"),
        (np.arange(60) % 2, {"max_epochs": 0}, "max_epochs: 0"),
        (np.arange(60) % 2, {"batch_size": 3}, "batch_size: 3"),
        (np.arange(60) % 2, {"width": 0}, "width: 0 is not at least 1"),
        (np.arange(60) % 2, {"common_dim": 2.5}, "common_dim: 2.5 is not a whole number"),
        (np.arange(60) % 2, {"device": "tpu"}, "device: 'tpu' is unknown; choose auto, cpu or cuda"),
        (np.arange(60) % 2, {"encoder": 3}, "encoder: 3; give an encoder name"),
        (np.arange(60) % 2, {"encoder": torch.nn.Conv2d(1, 1, 1)}, r"encoder: Conv2d does not take samples of shape \(6,\)"),
    ],
)
def test_what_cannot_be_used_is_named(X, labels, options, names):
    with pytest.raises(InputError, match=names):
        SepCLR(**FAST | options).fit(X, labels)


def test_pixels_out_of_range_and_other_shapes_are_named(images: Cohort):
    x, y = images.x.numpy(), images.is_target.numpy()
    with pytest.raises(InputError, match="X: pixels range from 0 to 255"):
        SepCLR(**FAST).fit(x.astype(float), y)
    with pytest.raises(InputError, match="X: 3 dimensions"):
        SepCLR(**FAST).fit(x[:, 0], y)
    model = SepCLR(**FAST | {"width": 4, "max_epochs": 1}).fit(x, y)
    with pytest.raises(InputError, match=r"X: samples have shape \(3, 6, 6\); fit saw \(3, 12, 12\)"):
        model.transform(x[:, :, :6, :6])


def test_nan_is_refused(X, y):
    with pytest.raises(ValueError, match="NaN"):
        SepCLR(**FAST).fit(np.where(X > 1, np.nan, X), y)


def test_a_cohort_is_taken_as_it_is(rows: Cohort, X, y):
    model = SepCLR(**FAST).fit(rows)
    assert model.classes_.tolist() == [False, True]
    np.testing.assert_array_equal(model.transform(rows), SepCLR(**FAST).fit(X, y).transform(X))
    with pytest.raises(InputError, match="y: a Cohort has its own groups"):
        SepCLR(**FAST).fit(rows, y)
    with pytest.raises(InputError, match="y, attributes: a Cohort has its own"):
        model.score_separation(rows, y)


def test_volumes_in_a_file_are_read_from_it(tmp_path: Path):
    draw = np.random.default_rng(0)
    volumes, y = draw.random((16, 1, 8, 8, 8)).astype(np.float16), np.arange(16) % 2 == 1
    np.save(tmp_path / "volumes.npy", volumes)
    stored = VolumeCache(tmp_path / "volumes.npy")
    options = FAST | {"width": 8, "max_epochs": 1, "batch_size": 8}
    codes = SepVAE(**options).fit(Cohort(stored, torch.from_numpy(y))).transform(Cohort(stored, torch.from_numpy(y)))
    in_memory = SepVAE(**options).fit(volumes.astype(np.float32), y)
    np.testing.assert_allclose(codes, in_memory.transform(volumes.astype(np.float32)), rtol=1e-3, atol=1e-3)


def test_an_encoder_of_one_s_own_starts_from_its_weights_and_is_left_alone(X, y):
    own = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU())
    before = {name: value.clone() for name, value in own.state_dict().items()}
    model = SepCLR(**FAST | {"learning_rate": 1e-8}, encoder=own).fit(X, y)
    assert all(torch.equal(value, before[name]) for name, value in own.state_dict().items())
    for encoder in (model.method_.common, model.method_.salient):
        torch.testing.assert_close(encoder[0][0].weight.float(), own[0].weight, atol=1e-5, rtol=0)
    assert model.transform(X).shape == (60, 7)
    function = SepCLR(**FAST, encoder=lambda dim: torch.nn.Linear(6, dim)).fit(X, y)
    assert isinstance(function.method_.common, torch.nn.Linear)


def test_callbacks_history_and_progress(X, y, capsys: pytest.CaptureFixture[str]):
    class Count(Callback):
        epochs = 0

        def on_train_epoch_end(self, *arguments: Any) -> None:
            self.epochs += 1

    count = Count()
    model = SepCLR(**FAST, callbacks=[count], verbose=True).fit(X, y)
    assert count.epochs == 3
    assert [epoch["epoch"] for epoch in model.history_] == [0, 1, 2]
    assert {"common", "salient", "loss"} <= model.history_[0].keys()
    assert "epoch 3 of 3" in capsys.readouterr().out
    SepCLR(**FAST).fit(X, y)
    assert capsys.readouterr().out == ""


def test_a_grid_is_searched(X, y):
    pipeline = make_pipeline(SepCLR(**FAST | {"max_epochs": 1}), LogisticRegression())
    found = GridSearchCV(pipeline, {"sepclr__common_dim": [2, 3]}, cv=2).fit(X, y)
    assert found.best_params_["sepclr__common_dim"] in (2, 3)


@pytest.mark.slow
def test_workers_share_a_model(X, y):
    model = SepVAE(**FAST).fit(X, y)
    for codes in Parallel(2)(delayed(model.transform)(X) for _ in range(2)):
        np.testing.assert_array_equal(codes, model.transform(X))


def test_what_separates_is_measured_beside_untrained_encoders():
    train, test = drawn_rows(400, 0), drawn_rows(400, 1)
    model = SepCLR(8, 8, max_epochs=60, batch_size=200, learning_rate=3e-3, random_state=0).fit(train)
    rows = model.score_separation(test)
    assert rows == model.score_separation(test)
    x, labels = test.x.numpy(), test.is_target.numpy()
    assert rows == model.score_separation(x, labels, test.attributes)
    scores = {(r["encoder"], r["attribute"], r["space"]): r["score"] for r in rows if r["metric"] == "balanced_accuracy"}
    assert scores["trained", "own", "s"] > 0.9 > scores["trained", "own", "c"]
    assert scores["trained", "group", "s"] > scores["untrained", "group", "c"] - 0.1
    assert {row["n_train"] for row in rows if row["attribute"] == "group"} == {200}
    with pytest.raises(InputError, match="y: 7 is not one of the labels in fit"):
        model.score_separation(x, np.where(labels, 7, 0))
    with pytest.raises(InputError, match="attribute 'own': 3 values for 400 samples"):
        model.score_separation(x, labels, {"own": np.zeros(3)})


def test_subjects_are_not_torn_between_probes_and_scores(rows: Cohort, monkeypatch: pytest.MonkeyPatch):
    model = SepCLR(**FAST | {"max_epochs": 1}).fit(rows)
    sides: list[Probed] = []

    def kept(train: Probed, test: Probed, **options: Any) -> list[Any]:
        sides.extend([train, test])
        return probe(train, test, **options)

    monkeypatch.setattr("sepclr.estimators.separation.probe", kept)
    subjects = np.arange(60) // 3
    rows_of_group = model.score_separation(Cohort(rows.x, rows.is_target, subjects=subjects))
    assert {row["attribute"] for row in rows_of_group} == {"group"}
    for train, test in zip(sides[::2], sides[1::2], strict=True):
        assert not set(train.subjects) & set(test.subjects)
        assert set(train.subjects) | set(test.subjects) == set(subjects)


@pytest.mark.parametrize("name", ["SepVAE", "SimCLR"])
@pytest.mark.parametrize("shape", [(6,), (3, 16, 16), (2, 16, 16)], ids=["rows", "images", "two channels"])
def test_a_report_shows_the_rows(tmp_path: Path, name: str, shape: tuple[int, ...]):
    draw = np.random.default_rng(0)
    X, y = draw.random((40, *shape)), np.where(np.arange(40) % 2, "patient", "control")
    model = ESTIMATORS[name](3, width=8, max_epochs=2, batch_size=20, random_state=0).fit(X, y)
    attributes = {"kind": np.arange(40) // 2 % 2, "age": draw.random(40)}
    rows = model.report(tmp_path / "report.html", X, y, attributes, common=("kind",), salient=("age",))
    assert rows == model.score_separation(X, y, attributes)
    page = (tmp_path / "report.html").read_text()
    assert all(word in page for word in (name, "kind", "age", "patient"))
    assert ("Features from which c is read" in page) == (len(shape) == 1)
    with pytest.raises(InputError, match="attributes: 'sex' not found; attributes are kind, age"):
        model.report(tmp_path / "report.html", X, y, attributes, common=("sex",))
    with pytest.raises(InputError, match="not a file path in an existing folder"):
        model.report(tmp_path / "nowhere" / "report.html", X, y, attributes)


@pytest.mark.parametrize("name", [*ESTIMATORS])
def test_a_saved_estimator_is_the_same_estimator(tmp_path: Path, X, y, name: str):
    kind, words, extra = ESTIMATORS[name], np.where(y, "patient", "control"), {}
    if name not in GROUPED:
        labels, extra = told(kind.declaration, X)
        words = None if labels is None else words
    options = {"max_epochs": 1, "width": 8, "common_dim": np.int64(3), "random_state": 0} if name in NAMES else {}
    model = kind(background="control", **options).fit(X, words, **extra)
    model.save(tmp_path / "model")
    again = sepclr.load(tmp_path / "model")
    assert type(again) is kind
    assert again.get_params() == model.get_params()
    if words is not None:
        assert again.classes_.tolist() == ["control", "patient"]
    if name not in GROUPED:
        assert hasattr(again, "predict") == hasattr(model, "predict")
        if hasattr(model, "predict"):
            assert again.predict(X).tolist() == model.predict(X).tolist()
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    assert again.get_feature_names_out().tolist() == model.get_feature_names_out().tolist()
    again.save(tmp_path / "model")  # in place
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["estimator.json", "tensors.safetensors"]
    np.testing.assert_array_equal(sepclr.load(str(tmp_path / "model")).transform(X), model.transform(X))


def test_names_of_columns_and_pixels_survive_saving(tmp_path: Path, X, y, images: Cohort):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    SepCLR(**FAST).fit(frame, y).save(tmp_path / "rows")
    again = sepclr.load(tmp_path / "rows")
    assert again.feature_names_in_.tolist() == list("abcdef")
    with pytest.raises(ValueError, match="feature names should match"):
        again.transform(frame[list("fedcba")])
    pixels = images.x.numpy()
    model = SepCLR(**FAST | {"width": 4, "max_epochs": 1}).fit(pixels, images.is_target.numpy())
    model.save(tmp_path / "images")
    np.testing.assert_array_equal(sepclr.load(tmp_path / "images").transform(pixels), model.transform(pixels))


def test_an_encoder_of_one_s_own_is_given_again(tmp_path: Path, X, y):
    own = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU())
    model = SepCLR(**FAST, encoder=own, callbacks=[Callback()]).fit(X, y)
    model.save(tmp_path / "model")
    with pytest.raises(InputError, match="encoder: custom objects are not saved"):
        sepclr.load(tmp_path / "model")
    other = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU())
    np.testing.assert_array_equal(sepclr.load(tmp_path / "model", encoder=other).transform(X), model.transform(X))
    with pytest.raises(InputError, match="damaged, or changed since it was saved"):
        sepclr.load(tmp_path / "model", encoder=torch.nn.Linear(6, 9))


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def rewritten(path: Path, **change: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda folder: (folder / "estimator.json").unlink(), r"no saved estimator \(estimator.json is missing\); give a folder"),
        (lambda folder: (folder / "estimator.json").rename(folder / "config.yaml"), "this is a run; read it with `sepclr encode`"),
        (lambda folder: (folder / "tensors.safetensors").unlink(), "damaged, or changed"),
        (lambda folder: cut(folder / "tensors.safetensors", 5000), "damaged, or changed"),
        (lambda folder: cut(folder / "estimator.json", 100), "estimator.json: not valid JSON"),
        (lambda folder: (folder / "estimator.json").write_text("[" * 100_000), "estimator.json: not valid JSON"),
        (lambda folder: (folder / "estimator.json").write_text("[1]"), "not a saved sepclr estimator"),
        (lambda folder: (folder / "tensors.safetensors").write_text("text"), "damaged, or changed"),
        (lambda folder: rewritten(folder / "estimator.json", version=9), "format version 9; this sepclr reads version 1"),
        (lambda folder: rewritten(folder / "estimator.json", **{"class": "Popen"}), "class 'Popen' is unknown; this version has CVAE"),
        (lambda folder: rewritten(folder / "estimator.json", parameters=3), r"damaged \(parameters is missing\)"),
        (lambda folder: rewritten(folder / "estimator.json", parameters={"lamda": 3}), "damaged.*unexpected keyword argument 'lamda'"),
        (lambda folder: rewritten(folder / "estimator.json", parameters={"common_dim": 10**9}), "damaged.*size mismatch|Error"),
        (lambda folder: rewritten(folder / "estimator.json", fitted={}), "damaged.*sample_shape_"),
    ],
)
def test_a_folder_that_is_damaged_or_foreign_is_named(tmp_path: Path, X, y, spoil: Any, named: str):
    SepCLR(**FAST | {"max_epochs": 1}).fit(X, y).save(tmp_path / "model")
    spoil(tmp_path / "model")
    with pytest.raises(InputError, match=named) as error:
        sepclr.load(tmp_path / "model")
    assert "\n" not in str(error.value)


def test_saving_keeps_what_others_wrote(tmp_path: Path, X, y):
    model = ContrastivePCA(random_state=0).fit(X, y)
    (tmp_path / "mine").write_text("mine")
    for place in (tmp_path, tmp_path / "mine"):
        with pytest.raises(InputError, match="exists and is not a saved estimator; choose a new or empty folder"):
            model.save(place)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    with pytest.raises(ValueError, match="not fitted"):
        SimCLR().save(tmp_path / "new")


def test_two_modalities_are_matched_by_their_identifiers():
    draw = np.random.default_rng(0)
    X, weak, order = draw.normal(size=(24, 6)), draw.normal(size=(24, 3)), draw.permutation(24)
    names = np.array([f"sub-{place:02d}" for place in range(24)])
    options = {"common_dim": 3, "salient_dim": 2, "max_epochs": 2, "width": 8, "random_state": 0}
    in_order = sepclr.Modalities(**options).fit(X, weak=weak)
    by_name = sepclr.Modalities(**options).fit(X, weak=weak[order], ids=names, other_ids=names[order])
    np.testing.assert_array_equal(by_name.transform(X), in_order.transform(X))
    np.testing.assert_array_equal(by_name.transform_other(weak), in_order.transform_other(weak))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "weak: missing; modalities trains on the other modality"),
        ({"weak": np.zeros((23, 3))}, "weak: 23 samples, and X has 24; give as many, or ids and other_ids"),
        ({"weak": np.zeros((24, 3)), "ids": np.arange(24)}, "ids, other_ids: give both"),
        ({"weak": np.zeros((24, 3)), "ids": np.arange(24), "other_ids": np.arange(1, 25)}, "other_ids: 0 missing"),
        ({"weak": np.zeros((24, 3)), "ids": np.arange(9), "other_ids": np.arange(24)}, "ids: 9 values for 24 samples"),
        ({"weak": np.zeros((24, 3)), "y": np.arange(24) % 2}, "y: two modalities have no groups"),
        (
            {"weak": np.zeros((24, 3)), "bias": np.arange(24)},
            "bias: Modalities.fit has no such argument; it takes X, y, weak, ids, other_ids",
        ),
    ],
)
def test_a_modality_that_does_not_fit_is_named(given: dict[str, Any], named: str):
    with pytest.raises(InputError, match=re.escape(named)):
        sepclr.Modalities(max_epochs=1, width=8).fit(np.zeros((24, 6)), **given)


def test_modalities_differ_in_shape_and_are_saved_together(tmp_path: Path):
    draw = np.random.default_rng(0)
    small, large = (draw.integers(256, size=(24, 3, side, side)).astype(np.uint8) for side in (12, 16))
    options = {"max_epochs": 1, "width": 4, "batch_size": 12, "random_state": 0}
    for X, weak in ((small, large), (draw.normal(size=(24, 9)), draw.normal(2.0, 3.0, size=(24, 5)))):
        model = sepclr.Modalities(3, 2, **options).fit(X, weak=weak)
        assert (model.transform(X).shape, model.transform_other(weak).shape) == ((24, 5), (24, 3))
        model.save(tmp_path / str(X.ndim))
        again = sepclr.load(tmp_path / str(X.ndim))
        np.testing.assert_array_equal(again.transform(X), model.transform(X))
        np.testing.assert_array_equal(again.transform_other(weak), model.transform_other(weak))
        with pytest.raises(InputError, match=re.escape(f"samples have shape {X.shape[1:]}; fit saw {weak.shape[1:]}")):
            again.transform_other(X)


def test_samples_of_the_other_modality_have_the_shape_that_fit_saw():
    draw = np.random.default_rng(0)
    model = sepclr.Modalities(3, 2, max_epochs=1, width=8, random_state=0).fit(draw.normal(size=(24, 6)), weak=draw.normal(size=(24, 3)))
    with pytest.raises(InputError, match=r"samples have shape \(4,\); fit saw \(3,\)"):
        model.transform_other(np.zeros((2, 4)))
    with pytest.raises(InputError, match="y: the samples have no groups"):
        model.score_separation(draw.normal(size=(24, 6)), np.arange(24) % 2)
    rows = model.score_separation(draw.normal(size=(24, 6)), attributes={"kind": np.arange(24) % 2})
    assert {row["attribute"] for row in rows} == {"kind"}

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from sklearn.exceptions import NotFittedError

from sepclr import ContrastivePCA, FlowDecoder, SepCLR, SepVAE, SimCLR, load
from sepclr.types import InputError

SHORT = {"max_epochs": 1, "random_state": 0}


def rows(n: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows with a pattern that only targets have, and the same rows without it."""
    draw = np.random.default_rng(0)
    y = np.arange(n) % 2
    clean = draw.normal(size=(n, 6)) @ np.diag([1, 1, 1, 1, 0.1, 0.1]) + 100
    pattern = np.zeros((n, 6))
    pattern[:, 4] = 3 * draw.choice([-1, 1], size=n) * y
    return clean + pattern, y, clean


def test_a_pattern_is_removed_from_rows_and_the_rest_is_kept():
    X, y, clean = rows()
    model = SepCLR(common_dim=8, salient_dim=4, max_epochs=60, random_state=0).fit(X, y)
    before = model.transform(X)
    decoder = FlowDecoder(model, max_epochs=120, batch_size=100, random_state=0).fit(X, y)
    targets = X[y == 1]
    without = decoder.without_salient(targets)
    assert np.abs(without - clean[y == 1])[:, 4].mean() < 0.35 * np.abs(targets - clean[y == 1])[:, 4].mean()
    assert np.abs(without - targets)[:, :4].mean() < 0.5
    assert np.abs(decoder.reconstruct(targets) - targets).mean() < 0.2
    assert np.array_equal(model.transform(X), before)


def images() -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(0).integers(256, size=(24, 1, 12, 12)).astype(np.uint8), np.arange(24) % 2


def decoder_of_rows(**options: object) -> tuple[FlowDecoder, np.ndarray]:
    X, y, _ = rows(40)
    model = SepCLR(common_dim=3, salient_dim=2, batch_size=20, **SHORT, **options).fit(X, y)
    return FlowDecoder(model, width=8, steps=2, batch_size=20, **SHORT).fit(X, y), X


def assert_same(one: FlowDecoder, two: FlowDecoder, X: np.ndarray) -> None:
    assert np.array_equal(one.reconstruct(X), two.reconstruct(X))
    assert np.array_equal(one.without_salient(X), two.without_salient(X))
    assert np.array_equal(one.estimator.transform(X), two.estimator.transform(X))


def test_images_come_back_as_pixels_and_the_same_seed_gives_the_same_decoder():
    X, y = images()
    model = SepCLR(common_dim=3, salient_dim=2, encoder="cnn3", width=4, batch_size=12, **SHORT).fit(X, y)
    one, two = (FlowDecoder(model, width=8, steps=2, batch_size=12, **SHORT).fit(X, y).without_salient(X[:3]) for _ in range(2))
    assert one.shape == (3, 1, 12, 12)
    assert one.min() >= 0
    assert one.max() <= 1
    assert np.array_equal(one, two)


def test_a_pattern_of_rows_is_what_is_removed_from_its_donor():
    decoder, X = decoder_of_rows()
    donor, background = X[1:20:2], X[:20:2]
    pattern = decoder.reconstruct(donor) - decoder.without_salient(donor)
    np.testing.assert_allclose(decoder.add_salient(background, donor), background + pattern, rtol=1e-5)
    np.testing.assert_allclose(decoder.swap(donor[::-1], donor), donor[::-1] - pattern[::-1] + pattern, rtol=1e-5)
    with pytest.raises(InputError, match="donor: 3 samples for 10"):
        decoder.swap(donor, donor[:3])


def test_images_get_patterns_within_their_range():
    X, y = images()
    model = SepCLR(encoder="cnn3", width=8, common_dim=3, salient_dim=2, batch_size=20, **SHORT).fit(X, y)
    decoder = FlowDecoder(model, width=8, steps=2, batch_size=20, **SHORT).fit(X, y)
    assert float(decoder.method_.visible) > 0
    for made in (decoder.add_salient(X[::2], X[1::2]), decoder.swap(X[1::2], X[::2])):
        assert made.shape == (12, 1, 12, 12)
        assert made.min() >= 0
        assert made.max() <= 1


def test_what_has_nothing_to_decode_is_named():
    X, y, _ = rows(40)
    with pytest.raises(NotFittedError):
        FlowDecoder(SepCLR()).fit(X, y)
    with pytest.raises(InputError, match="SepVAE has a decoder; use its own"):
        FlowDecoder(SepVAE(common_dim=3, salient_dim=2, batch_size=20, **SHORT).fit(X, y)).fit(X, y)
    with pytest.raises(InputError, match="SimCLR has no salient code"):
        FlowDecoder(SimCLR(common_dim=3, batch_size=20, **SHORT).fit(X, y)).fit(X, y)
    model = SepCLR(common_dim=3, salient_dim=2, batch_size=20, **SHORT).fit(X, y)
    with pytest.raises(InputError, match="width: 12 is not a multiple of 8"):
        FlowDecoder(model, width=12).fit(X, y)
    with pytest.raises(InputError, match="is not one of the labels in fit"):
        FlowDecoder(model).fit(X, y + 3)
    with pytest.raises(NotFittedError):
        FlowDecoder(model).without_salient(X)


def test_a_saved_decoder_is_the_same_decoder(tmp_path: Path):
    X, y = images()
    model = SepCLR(common_dim=3, salient_dim=2, encoder="cnn3", width=4, batch_size=12, **SHORT).fit(X, y)
    decoder = FlowDecoder(model, width=8, steps=2, batch_size=12, **SHORT).fit(X, y)
    decoder.save(tmp_path / "decoder")
    assert_same(load(tmp_path / "decoder"), decoder, X)

    other, X = decoder_of_rows()
    other.save(tmp_path / "decoder")  # replaces a decoder of images
    again = load(str(tmp_path / "decoder"), device="cpu")
    assert_same(again, other, X)
    assert again.device == again.estimator.device == "cpu"
    assert {name: again.get_params()[name] for name in ("width", "steps", "max_epochs")} == {"width": 8, "steps": 2, "max_epochs": 1}
    again.save(tmp_path / "decoder")  # in place
    assert_same(load(tmp_path / "decoder"), other, X)
    files = {str(path.relative_to(tmp_path / "decoder")) for path in (tmp_path / "decoder").rglob("*.*")}
    assert files == {f"{folder}{name}" for folder in ("", "estimator/") for name in ("estimator.json", "tensors.safetensors")}


def test_an_encoder_of_one_s_own_is_given_again(tmp_path: Path):
    own = torch.nn.Linear(6, 5)
    decoder, X = decoder_of_rows(encoder=own)
    decoder.save(tmp_path)
    with pytest.raises(InputError, match="encoder: custom objects are not saved; pass it again"):
        load(tmp_path)
    assert_same(load(tmp_path, encoder=own), decoder, X)


def rewrite(path: Path, **change: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda folder: (folder / "tensors.safetensors").unlink(), "damaged, or changed since it was saved"),
        (lambda folder: (folder / "tensors.safetensors").write_bytes(b"text"), "damaged, or changed since it was saved"),
        (lambda folder: save_file({}, folder / "tensors.safetensors"), "damaged, or changed since it was saved"),
        (lambda folder: shutil.copy(folder / "estimator" / "tensors.safetensors", folder), "damaged, or changed since it was saved"),
        (lambda folder: (folder / "estimator" / "tensors.safetensors").unlink(), "estimator: damaged, or changed since it was saved"),
        (lambda folder: save_file({}, folder / "estimator" / "tensors.safetensors"), "estimator: damaged, or changed since it was saved"),
        (lambda folder: shutil.rmtree(folder / "estimator"), r"estimator: no saved estimator \(estimator.json is missing\)"),
        (lambda folder: (folder / "estimator.json").unlink(), r"no saved estimator \(estimator.json is missing\); give a folder"),
        (lambda folder: rewrite(folder / "estimator.json", parameters={"width": 8 * 10**9}), "damaged, or changed since it was saved"),
        (lambda folder: rewrite(folder / "estimator.json", parameters={"width": 12}), "width: 12 is not a multiple of 8"),
    ],
)
def test_a_decoder_that_is_damaged_is_named(tmp_path: Path, spoil: Callable[[Path], object], named: str):
    decoder, _ = decoder_of_rows()
    decoder.save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(InputError, match=named) as error:
        load(tmp_path)
    assert "\n" not in str(error.value)


def test_a_decoder_whose_estimator_was_replaced_by_a_linear_one_is_named(tmp_path: Path):
    decoder, X = decoder_of_rows()
    decoder.save(tmp_path)
    ContrastivePCA(random_state=0).fit(X, np.arange(len(X)) % 2).save(tmp_path / "estimator")
    with pytest.raises(InputError, match="damaged, or changed since it was saved"):
        load(tmp_path)


def test_saving_a_decoder_keeps_what_others_wrote(tmp_path: Path):
    decoder, _ = decoder_of_rows()
    (tmp_path / "mine").write_text("mine")
    for place in (tmp_path, tmp_path / "mine"):
        with pytest.raises(InputError, match="exists and is not a saved estimator; choose a new or empty folder"):
            decoder.save(place)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    with pytest.raises(NotFittedError):
        FlowDecoder(decoder.estimator).save(tmp_path / "new")
    assert not (tmp_path / "new").exists()

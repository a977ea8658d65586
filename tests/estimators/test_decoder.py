from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sepclr import FlowDecoder, SepCLR, SepVAE, SimCLR
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


def test_images_come_back_as_pixels_and_the_same_seed_gives_the_same_decoder():
    draw = np.random.default_rng(0)
    X, y = draw.integers(256, size=(24, 1, 12, 12)).astype(np.uint8), np.arange(24) % 2
    model = SepCLR(common_dim=3, salient_dim=2, encoder="cnn3", width=4, batch_size=12, **SHORT).fit(X, y)
    one, two = (FlowDecoder(model, width=8, steps=2, batch_size=12, **SHORT).fit(X, y).without_salient(X[:3]) for _ in range(2))
    assert one.shape == (3, 1, 12, 12)
    assert one.min() >= 0
    assert one.max() <= 1
    assert np.array_equal(one, two)


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

"""Counts in the variational methods: what they see, their likelihood, what they decode, and training on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import nbinom
from sklearn.base import clone

import sepclr
from sepclr.methods.make import make
from sepclr.methods.options import METHODS
from sepclr.nets import Networks
from sepclr.types import Batch, InputError

NAMES = ("cvae", "convae", "mm-cvae", "sepvae")
variational = pytest.mark.parametrize("name", NAMES)
IS_TARGET = torch.tensor([True, False, True, False, True])


def built(name: str, shape: tuple[int, ...] = (6,), **options: Any) -> Any:
    asked = METHODS[name].asked({"common_dim": 3, "salient_dim": 2, "reconstruction": "negative-binomial"} | options)
    return make(asked, Networks(shape, "mlp" if len(shape) == 1 else "conv", 8), seed=0)


def counts() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).poisson(4, (5, 6))).double() + 1


@variational
def test_the_error_of_a_sample_is_its_negative_log_likelihood_given_its_library(name: str) -> None:
    method, x = built(name).double().eval(), counts()
    out = method.outputs(Batch(x, IS_TARGET), Batch(x, IS_TARGET))
    logits = method.decoder(torch.cat([out["c"], out["s"] * IS_TARGET[:, None]], 1)).detach().numpy()
    theta = method.likelihood.log_inverse_dispersion.detach().exp().numpy()
    for i, row in enumerate(x.numpy()):
        shares = np.exp(logits[i]) / np.exp(logits[i]).sum()
        mean = row.sum() * shares
        assert out["error"][i].item() == pytest.approx(-nbinom.logpmf(row, theta, theta / (theta + mean)).sum())


@variational
def test_encoders_see_logarithms_and_decoded_counts_have_the_library_of_the_sample(name: str) -> None:
    method, x = built(name).double().eval(), counts()
    torch.testing.assert_close(method.encode(x).c, method.common(torch.log(x + 1))[:, :3])
    for made in (method.reconstruct(x), method.without_salient(x), method.swap(x, x.flip(0)), method.add_salient(x, x.flip(0))):
        assert (made > 0).all()
        torch.testing.assert_close(made.sum(1), x.sum(1))


@variational
def test_every_gene_learns_its_dispersion(name: str) -> None:
    method, x = built(name), counts().float()
    method.outputs(Batch(x, IS_TARGET), Batch(x, IS_TARGET))["error"].sum().backward()
    assert method.likelihood.log_inverse_dispersion.grad.all()


@variational
def test_images_are_no_counts(name: str) -> None:
    with pytest.raises(
        InputError, match=r"reconstruction: 'negative-binomial' is for rows of counts, not for samples of shape \(1, 8, 8\)"
    ):
        built(name, (1, 8, 8))


def cells(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts of 12 genes; three common genes are high in half of the cells, three salient ones in half of the targets."""
    draw = np.random.default_rng(seed)
    y, common, salient = draw.integers(0, 2, (3, n))
    mean = np.full((n, 12), 5.0)
    mean[common == 1, :3] = 40
    mean[(salient & y) == 1, 3:6] = 40
    return draw.poisson(mean * draw.uniform(0.5, 2, (n, 1))).astype(np.float64) + 1, y, common


@pytest.mark.parametrize("kind", ["CVAE", "ConVAE", "MMcVAE", "SepVAE"])
def test_estimators_fit_raw_counts_and_return_expected_counts(kind: str) -> None:
    x, y, common = cells()
    options = {
        "reconstruction": "negative-binomial",
        "width": 32,
        "max_epochs": 60,
        "batch_size": 64,
        "learning_rate": 5e-3,
        "random_state": 0,
        "device": "cpu",
    }
    model = getattr(sepclr, kind)(3, 2, **options)
    model = clone(model).fit(x, y)
    losses = [epoch["reconstruction"] for epoch in model.history_]
    assert losses[-1] < losses[0]
    made = model.reconstruct(x)
    np.testing.assert_allclose(made.sum(1), x.sum(1), rtol=1e-5)
    high = made[:, :3].sum(1) / made.sum(1)
    assert high[common == 1].mean() > 1.5 * high[common == 0].mean()
    assert model.transform(x).shape == (200, 5)
    np.testing.assert_allclose(model.without_salient(x[:3]).sum(1), x[:3].sum(1), rtol=1e-5)


def test_a_saved_model_of_counts_has_its_dispersions(tmp_path: Any) -> None:
    x, y, _ = cells(40)
    model = sepclr.CVAE(3, 2, reconstruction="negative-binomial", max_epochs=1, random_state=0, device="cpu").fit(x, y)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(sepclr.load(tmp_path / "model").reconstruct(x), model.reconstruct(x))


@pytest.mark.parametrize(
    ("value", "said"),
    [(-1, r"x: -1 in sample 3, column 2, is not a count"), (1.5, "x: 1.5 in sample 3, column 2, is not a count; .*squared")],
)
def test_rows_that_are_no_counts_are_refused_in_fit_and_later(value: float, said: str) -> None:
    x, y, _ = cells(40)
    model = sepclr.SepVAE(3, 2, reconstruction="negative-binomial", max_epochs=1, random_state=0, device="cpu").fit(x, y)
    x[3, 2] = value
    with pytest.raises(InputError, match=said):
        model.transform(x)
    with pytest.raises(InputError, match=said):
        clone(model).fit(x, y)
    clone(model).set_params(reconstruction="squared").fit(x, y)
    x[3] = 0
    with pytest.raises(InputError, match="sample 3 has no counts"):
        clone(model).fit(x, y)

"""Principal and contrastive components as rows of a table."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from sepclr.data import Cohort
from sepclr.estimators import ContrastivePCA
from sepclr.runs.linear import LinearCodes, solve
from sepclr.runs.make import make_method
from sepclr.runs.recipe import usual
from sepclr.training import encode


def planted(n: int, shape: tuple[int, ...] = (1, 6, 6)) -> Cohort:
    """Samples with a pattern that varies most in both groups, and a weaker one that varies in targets alone; both are orthogonal."""
    draw = np.random.default_rng(0)
    shared, noise = (np.tile(draw.normal(size=(n // 2, 1)), (2, 1)) for _ in range(2))
    own = draw.normal(size=(n, 1))
    is_target = np.arange(n) >= n // 2
    patterns = np.linalg.qr(draw.normal(size=(int(np.prod(shape)), 3)))[0].T
    x = 5 * shared * patterns[0] + 3 * is_target[:, None] * own * patterns[1] + noise * patterns[2]
    x = x + 0.05 * draw.normal(size=x.shape) + 7
    attributes = {"shared": shared[:, 0], "own": own[:, 0]}
    return Cohort(torch.from_numpy(x.reshape(n, *shape)).float(), torch.from_numpy(is_target), attributes)


def solved(method: str, cohort: Cohort, common: int, salient: int) -> LinearCodes:
    recipe = usual("marked-digits", method=method, common_dim=common, salient_dim=salient)
    made = make_method(recipe, tuple(cohort.x.shape[1:]))
    solve(made, recipe.method, cohort, seed=0)
    return made


def test_pca_s_codes_are_the_components_of_all_samples():
    cohort = planted(300)
    codes = encode(solved("pca", cohort, 3, 2), cohort.x)
    expected = PCA(3).fit_transform(cohort.x.flatten(1).numpy())
    assert np.abs(codes.c.numpy()) == pytest.approx(np.abs(expected), abs=1e-3)
    assert codes.s.numpy() == pytest.approx(codes.c[:, :2].numpy(), abs=1e-3)


@pytest.mark.parametrize("n", [300, 24])  # more samples than pixels, and fewer
def test_contrastive_components_hold_what_the_target_alone_has(n: int):
    cohort = planted(n)
    codes = encode(solved("contrastive-pca", cohort, 1, 1), cohort.x)
    targets = cohort.is_target.numpy()

    def correlation(code: torch.Tensor, attribute: str) -> float:
        return abs(np.corrcoef(code[targets, 0].numpy(), cohort.attributes[attribute][targets])[0, 1])

    assert correlation(codes.s, "own") > 0.8 > 0.6 > correlation(codes.s, "shared")
    assert correlation(codes.c, "shared") > 0.9 > 0.6 > correlation(codes.c, "own")


def test_the_way_over_components_is_contrastive_pca_itself():
    cohort = planted(200)
    x, y = cohort.x.flatten(1).numpy(), cohort.is_target.numpy()
    direct = ContrastivePCA(2, standardise=False, random_state=0).fit(x, y).transform(x)
    codes = encode(solved("contrastive-pca", cohort, 1, 2), cohort.x)
    assert np.abs(codes.s.numpy()) == pytest.approx(np.abs(direct), abs=1e-2)


def test_volumes_of_few_subjects_fill_codes_with_zeros():
    cohort = planted(20, (1, 20, 20, 20))
    recipe = usual("mri", method="contrastive-pca")
    assert (recipe.method.common_dim, recipe.method.salient_dim) == (60, 60)
    made = make_method(recipe, (1, 20, 20, 20))
    solve(made, recipe.method, cohort, seed=0)
    codes = encode(made, cohort.x)
    assert [int((code.std(0) > 1e-3).sum()) for code in codes] == [9, 18]
    assert all((code[:, code.std(0) <= 1e-3] == 0).all() for code in codes)

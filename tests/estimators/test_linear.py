"""Linear contrastive analysis: closed forms by another route, properties, planted directions, and the mice of the cPCA paper."""

from __future__ import annotations

import doctest
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import eigh, subspace_angles
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, silhouette_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator
from torch.distributions import MultivariateNormal

from sepclr import Cohort, ContrastivePCA, GeneralisedContrastivePCA, InputError, ProbabilisticContrastivePCA
from sepclr.datasets import mice
from sepclr.estimators import contrastive_pca, generalised, probabilistic
from sepclr.estimators.contrastive_pca import _affinity, _representatives

TABLE = Path(__file__).resolve().parents[3] / "shared" / "data" / mice.NAME
METHODS = {
    "cpca": ContrastivePCA(alpha=2.0),
    "cpca-auto": ContrastivePCA(random_state=0),
    "gcpca": GeneralisedContrastivePCA(),
    "pcpca": ProbabilisticContrastivePCA(),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
seeds = st.integers(0, 2**32 - 1)


def two_groups(seed: int = 0, n: int = 80, m: int = 60, p: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Correlated rows of features of different scales; background (0) and target (1) have different means and covariances."""
    draw = np.random.default_rng(seed)
    target = draw.normal(size=(n, p)) @ draw.normal(size=(p, p)) + 5
    background = draw.normal(size=(m, p)) @ draw.normal(size=(p, p)) - 3
    order = draw.permutation(n + m)
    return np.concatenate([target, background])[order] * np.logspace(-1, 1, p), np.repeat([1, 0], [n, m])[order]


def planted(seed: int = 0, n: int = 2000, p: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise of variance 1, three shared directions of variance 16 to 25, and one of variance 9 that only targets have; that one."""
    draw = np.random.default_rng(seed)
    directions = np.linalg.qr(draw.normal(size=(p, 4)))[0].T
    codes = draw.normal(size=(2 * n, 4)) * [5, 4.5, 4, 3]
    y = np.arange(2 * n) % 2
    codes[y == 0, 3] = 0
    return codes @ directions + draw.normal(size=(2 * n, p)), y, directions[3]


def covariances(X: np.ndarray, y: np.ndarray, standardise: bool) -> tuple[np.ndarray, np.ndarray]:
    """Target, then background."""
    return tuple(np.cov(StandardScaler(with_std=standardise).fit_transform(X[y == group]).T) for group in (1, 0))


def same_up_to_sign(one: np.ndarray, other: np.ndarray, atol: float = 1e-9) -> None:
    one, other = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (one, other))
    np.testing.assert_allclose(one * np.sign((one * other).sum(1, keepdims=True)), other, atol=atol)


@every_method
@pytest.mark.filterwarnings("default")
def test_scikit_learn_finds_no_fault(method):
    results = check_estimator(clone(method), on_fail=None, on_skip=None)
    assert {result["check_name"]: repr(result["exception"]) for result in results if result["status"] == "failed"} == {}
    assert sum(result["status"] == "passed" for result in results) > 40


@pytest.mark.parametrize("module", [contrastive_pca, generalised, probabilistic])
def test_the_examples_in_docstrings_are_right(module):
    assert doctest.testmod(module) == (0, 5)


# Closed forms by another route


@pytest.mark.parametrize("standardise", [True, False])
@pytest.mark.parametrize("alpha", [0.3, 1.0, 20.0])
def test_cpca_solves_the_dense_eigenproblem(alpha, standardise):
    X, y = two_groups()
    model = ContrastivePCA(3, alpha=alpha, standardise=standardise).fit(X, y)
    target, background = covariances(X, y, standardise)
    values, vectors = np.linalg.eigh(target - alpha * background)
    same_up_to_sign(model.components_, vectors.T[:-4:-1])
    np.testing.assert_allclose(model.eigenvalues_, values[:-4:-1])
    np.testing.assert_allclose(model.components_ @ model.components_.T, np.eye(3), atol=1e-12)


def test_cpca_without_contrast_is_pca_of_the_target():
    X, y = two_groups()
    plain = PCA(3).fit(X[y == 1])
    model = ContrastivePCA(3, alpha=0, standardise=False).fit(X, y)
    same_up_to_sign(model.components_, plain.components_)
    np.testing.assert_allclose(model.eigenvalues_, plain.explained_variance_)
    np.testing.assert_allclose(np.abs(model.transform(X)), np.abs(plain.transform(X)), atol=1e-9)
    np.testing.assert_allclose(model.inverse_transform(model.transform(X)), plain.inverse_transform(plain.transform(X)), atol=1e-9)


@given(seeds, st.floats(0, 50))
def test_no_other_subspace_has_more_contrast(seed, alpha):
    X, y = two_groups(seed % 1000)
    model = ContrastivePCA(2, alpha=alpha).fit(X, y)
    target, background = covariances(X, y, True)
    other = np.linalg.qr(np.random.default_rng(seed).normal(size=(6, 2)))[0]
    assert np.trace(other.T @ (target - alpha * background) @ other) <= model.eigenvalues_.sum() + 1e-9


@pytest.mark.parametrize("standardise", [True, False])
def test_gcpca_solves_the_generalised_eigenproblem(standardise):
    X, y = two_groups()
    model = GeneralisedContrastivePCA(3, standardise=standardise).fit(X, y)
    target, background = covariances(X, y, standardise)
    values, vectors = eigh(target - background, target + background)
    same_up_to_sign(model.components_, vectors.T[:-4:-1])
    np.testing.assert_allclose(model.ratios_, values[:-4:-1])
    np.testing.assert_allclose(np.linalg.norm(model.components_, axis=1), 1)
    assert model.rank_ == 6


@given(seeds)
def test_no_other_direction_has_a_larger_ratio_and_ratios_are_what_they_say(seed):
    X, y = two_groups(seed % 1000)
    model = GeneralisedContrastivePCA(6).fit(X, y)
    target, background = covariances(X, y, True)
    other = np.random.default_rng(seed).normal(size=6)
    along = [(v @ (target - background) @ v) / (v @ (target + background) @ v) for v in (*model.components_, other)]
    np.testing.assert_allclose(model.ratios_, along[:-1], atol=1e-9)
    assert along[-1] <= model.ratios_[0] + 1e-9


def test_gcpca_swaps_the_sign_of_its_ratios_with_the_groups():
    X, y = two_groups()
    forth, back = (GeneralisedContrastivePCA(6, background=label).fit(X, y) for label in (0, 1))
    np.testing.assert_allclose(forth.ratios_, -back.ratios_[::-1], atol=1e-12)
    same_up_to_sign(forth.components_, back.components_[::-1])


def test_gcpca_keeps_to_the_leading_directions_of_both_groups():
    X, y = two_groups()
    model = GeneralisedContrastivePCA(2, rank=3).fit(X, y)
    leading = np.linalg.eigh(sum(covariances(X, y, True)))[1][:, -3:]
    np.testing.assert_allclose(model.components_ @ leading @ leading.T, model.components_, atol=1e-9)
    assert model.rank_ == 3


def contrastive_likelihood(X: np.ndarray, y: np.ndarray, gamma: float, W: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Li, Jones, Engelhardt: log p(target) − γ log p(background), of groups that are standardised each on its own."""
    normal = MultivariateNormal(torch.zeros(len(W), dtype=torch.float64), W @ W.T + noise * torch.eye(len(W), dtype=torch.float64))
    target, background = (torch.from_numpy(StandardScaler().fit_transform(X[y == group])) for group in (1, 0))
    return normal.log_prob(target).sum() - gamma * normal.log_prob(background).sum()


@pytest.mark.parametrize("gamma", [0.0, 0.1, "auto"])
@pytest.mark.parametrize("components", [1, 2, 4])
def test_pcpca_is_at_a_maximum_of_its_likelihood(components, gamma):
    X, y = two_groups(n=200)
    model = ProbabilisticContrastivePCA(components, gamma=gamma).fit(X, y)
    W = torch.from_numpy(model.loadings_).requires_grad_()
    noise = torch.tensor(model.noise_variance_, dtype=torch.float64, requires_grad=True)
    best = contrastive_likelihood(X, y, model.gamma_, W, noise)
    for gradient in torch.autograd.grad(best, [W, noise]):
        np.testing.assert_allclose(gradient.numpy(), 0, atol=1e-8 * len(X))
    draw = np.random.default_rng(0)
    for size in (1e-3, 1e-2, 0.1, 1.0):
        for _ in range(5):
            moved = W.detach() + size * torch.from_numpy(draw.normal(size=W.shape))
            scaled = noise.detach() * float(np.exp(size * draw.normal()))
            assert contrastive_likelihood(X, y, model.gamma_, moved, scaled) < best


def test_pcpca_transforms_to_the_posterior_mean():
    X, y = two_groups()
    model = ProbabilisticContrastivePCA(2).fit(X, y)
    W, identity = model.loadings_, np.eye(2)
    posterior = np.linalg.solve(W.T @ W + model.noise_variance_ * identity, W.T @ ((X - model.mean_) / model.scale_).T).T
    np.testing.assert_allclose(model.transform(X), posterior, atol=1e-12)


def test_pcpca_without_background_is_probabilistic_pca_of_the_target():
    X, y = two_groups()
    n = (y == 1).sum()
    model = ProbabilisticContrastivePCA(2, gamma=0, standardise=False).fit(X, y)
    plain = PCA(2).fit(X[y == 1])
    assert model.noise_variance_ == pytest.approx(plain.noise_variance_ * (n - 1) / n)
    covariance = model.loadings_ @ model.loadings_.T + model.noise_variance_ * np.eye(6)
    np.testing.assert_allclose(covariance, plain.get_covariance() * (n - 1) / n)


@pytest.mark.parametrize(("m", "components"), [(20, 3), (60, 3), (60, 4), (400, 3)])
def test_pcpca_halves_the_weight_until_there_is_a_maximum(m, components):
    X, y = two_groups(m=m)
    model = ProbabilisticContrastivePCA(components).fit(X, y)
    assert model.noise_variance_ > 0
    halvings = round(np.log2(80 / m / model.gamma_))
    assert model.gamma_ == 80 / m / 2**halvings
    assert halvings >= 1
    if halvings > 1:
        with pytest.raises(InputError, match="leaves no positive σ²"):
            ProbabilisticContrastivePCA(components, gamma=2 * model.gamma_).fit(X, y)


def test_pcpca_with_as_many_components_as_features_has_no_noise():
    X, y = two_groups(n=400)
    model = ProbabilisticContrastivePCA(6, gamma=0.1, standardise=False).fit(X, y)
    target, background = (np.cov(X[y == group].T, ddof=0) for group in (1, 0))
    assert model.noise_variance_ == 0
    np.testing.assert_allclose(model.loadings_ @ model.loadings_.T, (400 * target - 0.1 * 60 * background) / (400 - 0.1 * 60))


# More features than samples


@every_method
def test_more_features_than_samples(method):
    X, y = two_groups(n=30, m=20, p=300)
    model = clone(method).fit(X, y)
    for result in (model.components_, model.transform(X), model.inverse_transform(model.transform(X)), model.mean_, model.scale_):
        assert result.dtype == np.float64
        assert np.isfinite(result).all()
    assert model.components_.shape == (2, 300)


def test_cpca_and_pcpca_solve_the_dense_problem_with_more_features_than_samples():
    X, y = two_groups(n=30, m=20, p=300)
    target, background = covariances(X, y, True)
    same_up_to_sign(ContrastivePCA(alpha=2).fit(X, y).components_, np.linalg.eigh(target - 2 * background)[1].T[:-3:-1])
    model = ProbabilisticContrastivePCA(gamma=0.2).fit(X, y)
    values, vectors = np.linalg.eigh((29 * target - 0.2 * 19 * background) / (30 - 0.2 * 20))
    assert model.noise_variance_ == pytest.approx(values[:-2].mean())
    W = vectors[:, :-3:-1] * np.sqrt(values[:-3:-1] - values[:-2].mean())
    same_up_to_sign(model.loadings_.T, W.T)
    np.testing.assert_allclose(model.loadings_ @ model.loadings_.T, W @ W.T, atol=1e-9)


def test_features_that_are_constant_or_repeated_do_no_harm():
    X, y = two_groups()
    for method in METHODS.values():
        codes = clone(method).fit(X, y).transform(X)
        wider = np.hstack([X, np.full((len(X), 1), 7.0)])
        if not isinstance(method, ProbabilisticContrastivePCA):  # there, a feature without variance means less noise
            np.testing.assert_allclose(clone(method).fit(wider, y).transform(wider), codes, atol=1e-8)
        assert np.isfinite(clone(method).fit(np.hstack([X, X]), y).transform(np.hstack([X, X]))).all()


# What all have in common


@every_method
def test_names_shapes_and_types(method):
    X, y = two_groups()
    model = clone(method).fit(X.astype(np.float32), y)
    assert model.get_feature_names_out().tolist() == [f"{type(model).__name__.lower()}{i}" for i in range(2)]
    assert model.transform(X.astype(np.float32)).dtype == np.float64
    assert (model.components_.shape, model.mean_.shape, model.n_features_in_) == ((2, 6), (6,), 6)
    assert (np.take_along_axis(model.components_, np.abs(model.components_).argmax(1)[:, None], 1) > 0).all()


@every_method
def test_held_out_samples_are_transformed_alone_and_with_the_targets_mean(method):
    X, y = two_groups()
    model = clone(method).fit(X[:100], y[:100])
    np.testing.assert_allclose(model.mean_, X[:100][y[:100] == 1].mean(0))
    np.testing.assert_allclose(model.scale_, X[:100][y[:100] == 1].std(0))
    codes = model.transform(X[100:])
    np.testing.assert_allclose(codes, ((X[100:] - model.mean_) / model.scale_) @ model.components_.T)
    np.testing.assert_allclose(codes[:1], model.transform(X[100:101]))


@every_method
def test_the_way_back_is_the_projection_on_the_components(method):
    X, y = two_groups()
    model = clone(method).fit(X, y)
    back = model.inverse_transform(model.transform(X))
    np.testing.assert_allclose(model.transform(back), model.transform(X), atol=1e-9)
    np.testing.assert_allclose((X - back) / model.scale_ @ model.components_.T, 0, atol=1e-9)
    whole = clone(method).set_params(n_components=6).fit(X, y)
    np.testing.assert_allclose(whole.inverse_transform(whole.transform(X)), X, atol=1e-8)


@every_method
def test_scale_offset_and_order_do_not_matter(method):
    X, y = two_groups()
    codes = clone(method).fit(X, y).transform(X)
    moved = X * [1, 10, 100, 1e-3, 1, 5] + 3
    np.testing.assert_allclose(clone(method).fit(moved, y).transform(moved), codes, atol=1e-8)
    np.testing.assert_allclose(clone(method).fit(X[::-1], y[::-1]).transform(X), codes, atol=1e-8)


@every_method
def test_any_two_labels_and_either_background(method):
    X, y = two_groups()
    codes = clone(method).fit(X, y).transform(X)
    words = np.where(y == 1, "patient", "zero")
    model = clone(method).set_params(background="zero").fit(X, words)
    assert model.classes_.tolist() == ["zero", "patient"]
    assert np.array_equal(model.transform(X), codes)
    assert np.array_equal(clone(method).set_params(background=1).fit(X, 1 - y).transform(X), codes)
    assert clone(method).fit(X, words).classes_.tolist() == ["patient", "zero"]


@every_method
def test_works_in_a_pipeline_a_clone_and_a_pickle(method):
    X, y = two_groups()
    holes = np.where(np.random.default_rng(0).random(X.shape) < 0.05, np.nan, X)
    pipeline = make_pipeline(SimpleImputer(), clone(method)).fit(holes, y)
    codes = pipeline.transform(holes)
    assert np.array_equal(clone(pipeline).fit(holes, y).transform(holes), codes)
    assert np.array_equal(pickle.loads(pickle.dumps(pipeline)).transform(holes), codes)
    assert pipeline.get_feature_names_out()[-1] == f"{type(method).__name__.lower()}1"


@pytest.mark.parametrize("standardise", [True, False])
@every_method
def test_finds_what_only_the_target_has_beneath_larger_shared_variance(method, standardise):
    X, y, own = planted()
    model = clone(method).set_params(n_components=1, standardise=standardise)
    if isinstance(model, ProbabilisticContrastivePCA):
        model.set_params(gamma=0.8)

    def found(components: np.ndarray, scale: Any) -> float:
        direction = components[0] / scale  # back in units of X
        codes = (X[y == 1] @ direction, X[y == 1] @ own)
        return abs(np.corrcoef(*codes)[0, 1])

    assert found(PCA(1).fit(X[y == 1]).components_, 1) < 0.2
    fitted = model.fit(X, y)
    assert found(fitted.components_, fitted.scale_) > 0.85


@every_method
@pytest.mark.parametrize(
    ("labels", "options", "names"),
    [
        (np.zeros(140), {}, "y: one class"),
        (np.arange(140) % 3, {}, "y: 3 classes"),
        (np.arange(140) % 2, {"background": "control"}, "background: 'control' is not one of the labels"),
        (np.arange(140) == 7, {}, "y: 1 target sample"),
        (np.arange(140) != 7, {}, "y: 1 background sample"),
        (np.arange(140) % 2, {"n_components": 0}, "n_components: 0; give"),
        (np.arange(140) % 2, {"n_components": 1.5}, "n_components: 1.5; give"),
        (np.arange(140) % 2, {"n_components": 7}, r"n_components: 7, but .* 6 direction\(s\)"),
    ],
)
def test_what_cannot_be_used_is_named(method, labels, options, names):
    with pytest.raises(InputError, match=names):
        clone(method).set_params(**options).fit(two_groups()[0], labels)


@pytest.mark.parametrize(
    ("method", "names"),
    [
        (ContrastivePCA(alpha=-1), "alpha: -1; give"),
        (ContrastivePCA(alpha=np.inf), "alpha: inf; give"),
        (ContrastivePCA(alpha="best"), "alpha: 'best'; give"),
        (ContrastivePCA(n_candidates=1), "n_candidates: 1; give"),
        (ContrastivePCA(n_alphas=3), "n_alphas: 3 for 4 candidates"),
        (ContrastivePCA(max_log_alpha=-1), "max_log_alpha: -1; give"),
        (GeneralisedContrastivePCA(rank=0), "rank: 0; give"),
        (GeneralisedContrastivePCA(rank=1), r"n_components: 2, but the ratio is determined in 1 direction\(s\)"),
        (ProbabilisticContrastivePCA(gamma=-0.1), "gamma: -0.1; give"),
        (ProbabilisticContrastivePCA(gamma=80 / 60), "gamma: 1.33.*less than n/m = 1.33333"),
        (ProbabilisticContrastivePCA(gamma="half"), "gamma: 'half'; give"),
        (ProbabilisticContrastivePCA(gamma=1.3), "gamma: 1.3 leaves no positive σ²"),
    ],
)
def test_options_out_of_range_are_named(method, names):
    with pytest.raises(InputError, match=names):
        method.fit(*two_groups())


def test_pcpca_names_components_that_leave_no_noise():
    X, y = two_groups(n=5, m=60, p=100)
    with pytest.raises(InputError, match="n_components: 4 leaves no positive σ²"):
        ProbabilisticContrastivePCA(4).fit(X, y)


@every_method
def test_missing_values_and_other_widths_are_refused(method):
    X, y = two_groups()
    model = clone(method).fit(X, y)
    with pytest.raises(ValueError, match="X contains NaN"):
        clone(method).fit(np.where(X > 3, np.nan, X), y)
    with pytest.raises(ValueError, match="X contains NaN"):
        model.transform(np.where(X > 3, np.nan, X))
    with pytest.raises(InputError, match="Z: 3 columns; give 2"):
        model.inverse_transform(np.zeros((4, 3)))


# The automatic choice of α


def test_affinity_is_the_product_of_cosines_of_principal_angles():
    spaces = np.stack([np.linalg.qr(np.random.default_rng(seed).normal(size=(7, 3)))[0] for seed in range(4)])
    expected = [[np.cos(subspace_angles(one, other)).prod() for other in spaces] for one in spaces]
    np.testing.assert_allclose(_affinity(spaces), expected, atol=1e-9)


def test_alpha_is_the_medoid_of_the_largest_cluster_between_the_ends():
    alphas = np.arange(10.0)
    labels = np.array([2, 2, 0, 3, 3, 3, 1, 1, 1, 1])
    affinity = np.exp(-np.abs(alphas[:, None] - alphas))
    assert _representatives(alphas, affinity, labels)[0] == 4
    assert _representatives(alphas, affinity, labels)[1].tolist() == [0, 2, 4, 7]
    assert _representatives(alphas, affinity, (alphas > 4).astype(int))[0] == 7  # no cluster between: the far end
    assert _representatives(alphas, affinity, np.array([0, 0, 1, 1, 2, 2, 3, 3, 3, 3]))[0] == 2  # a tie: the lower one
    assert _representatives(alphas, affinity, np.zeros(10, int))[1].tolist() == [0]


def test_candidates_are_of_the_grid_ascend_from_zero_and_hold_the_choice():
    X, y, _ = planted()
    model = ContrastivePCA(2, random_state=0).fit(X, y)
    grid = [0, *np.logspace(-1, 3, 40)]
    assert model.candidate_alphas_[0] == 0
    assert len(model.candidate_alphas_) == 4
    assert (np.diff(model.candidate_alphas_) > 0).all()
    assert model.alpha_ in model.candidate_alphas_[1:]
    assert all(np.isclose(grid, alpha).any() for alpha in model.candidate_alphas_)
    assert np.array_equal(ContrastivePCA(2, alpha=model.alpha_).fit(X, y).components_, model.components_)
    few = ContrastivePCA(2, n_alphas=10, max_log_alpha=1, n_candidates=3, random_state=0).fit(X, y)
    assert len(few.candidate_alphas_) == 3
    assert few.candidate_alphas_.max() <= 10


def test_where_every_contrast_gives_the_same_subspace_none_is_used():
    X, y = two_groups(p=2)
    model = ContrastivePCA(2, random_state=0).fit(X, y)
    assert (model.alpha_, model.candidate_alphas_.tolist()) == (0, [0])


# Figure 2 of the cPCA paper: genotype among shocked mice, contrasted with normal mice that were not shocked


@pytest.fixture(scope="module")
def table() -> mice.Mice:
    if not TABLE.is_file():
        pytest.skip(f"{mice.NAME} is not in shared/data beside the repository: the mice of the cPCA paper stay unchecked")
    return mice.load(TABLE)


def silhouette(table: mice.Mice, method: Any) -> float:
    """Separation of genotypes in two components, each scaled to 1, of the target mice that the method saw."""
    codes = make_pipeline(SimpleImputer(), method).fit(table.x, table.is_target).transform(table.x[table.is_target])
    return float(silhouette_score(codes / codes.std(0), table.genotype[table.is_target]))


def accuracy(table: mice.Mice, method: Any) -> float:
    """Balanced accuracy of genotype by a linear probe of two components, of target mice that neither of them saw."""
    targets, background = np.flatnonzero(table.is_target), np.flatnonzero(~table.is_target)
    predicted = table.genotype.copy()
    folds = StratifiedGroupKFold(9, shuffle=True, random_state=0)
    for seen, held_out in folds.split(targets, table.genotype[targets], table.mouse[targets]):
        train, test = targets[seen], targets[held_out]
        both = np.concatenate([train, background])
        contrast = make_pipeline(SimpleImputer(), clone(method)).fit(table.x[both], table.is_target[both])
        probe = make_pipeline(StandardScaler(), LogisticRegression())
        probe.fit(contrast.transform(table.x[train]), table.genotype[train])
        predicted[test] = probe.predict(contrast.transform(table.x[test]))
    return float(balanced_accuracy_score(table.genotype[targets], predicted[targets]))


@pytest.mark.parametrize("name", ["cpca-auto", "gcpca", "pcpca"])
def test_two_contrastive_components_show_the_genotype_that_two_principal_ones_hide(table, name):
    plain = ContrastivePCA(alpha=0)
    assert silhouette(table, clone(METHODS[name])) > 3 * silhouette(table, plain)
    assert accuracy(table, METHODS[name]) > 0.8 > 0.7 > accuracy(table, plain)


# Beside transform


@every_method
@pytest.mark.parametrize("standardise", [True, False])
def test_corrected_lacks_the_components_and_nothing_else(method, standardise):
    X, y = two_groups()
    model = clone(method).set_params(standardise=standardise).fit(X, y)
    left = model.corrected(X)
    np.testing.assert_allclose(model.transform(left), 0, atol=1e-9)
    np.testing.assert_allclose(model.corrected(left), left, atol=1e-9)
    removed = (X - left) / model.scale_
    assert np.linalg.matrix_rank(removed, tol=1e-8) == 2
    other = np.linalg.svd(model.components_)[2][2:]  # directions orthogonal to all components
    np.testing.assert_allclose(removed @ other.T, 0, atol=1e-9)


@every_method
def test_loadings_are_correlations_with_the_components_or_those_of_the_model(method):
    X, y = two_groups()
    model = clone(method).fit(X, y)
    assert model.loadings_.shape == (6, 2)
    if not isinstance(model, ProbabilisticContrastivePCA):
        codes = model.transform_salient(X[y == 1])
        expected = np.corrcoef(X[y == 1].T, codes.T)[:6, 6:]
        np.testing.assert_allclose(model.loadings_, expected, atol=1e-9)


def test_loadings_without_contrast_are_those_of_pca():
    X, y = two_groups()
    plain = PCA(2).fit(X[y == 1])
    model = ContrastivePCA(2, alpha=0, standardise=False).fit(X, y)
    n = (y == 1).sum()
    same_up_to_sign(model.loadings_.T, plain.components_)
    np.testing.assert_allclose(np.linalg.norm(model.loadings_, axis=0), np.sqrt(plain.explained_variance_ * (n - 1) / n))


@every_method
def test_a_cohort_is_taken_as_its_rows_and_groups(method):
    X, y = two_groups()
    cohort = Cohort(torch.from_numpy(X), torch.from_numpy(y == 1), {"odd": np.arange(140) % 2})
    model = clone(method).set_params(background="unused").fit(cohort)
    assert model.classes_.tolist() == [False, True]
    arrays = clone(method).fit(X, y)
    np.testing.assert_array_equal(model.transform(cohort), arrays.transform(X))
    np.testing.assert_array_equal(model.corrected(cohort), arrays.corrected(X))
    assert model.score_separation(cohort) == arrays.score_separation(X, y, {"odd": np.arange(140) % 2})
    with pytest.raises(InputError, match="y: a Cohort has its own groups"):
        clone(method).fit(cohort, y)
    with pytest.raises(InputError, match=r"X: samples have shape \(1, 2, 2\); linear methods take rows"):
        clone(method).fit(Cohort(torch.zeros(8, 1, 2, 2), torch.arange(8) > 3))


def test_probes_read_planted_components():
    X, y, own = planted()
    high = (X @ own > 0).astype(int)
    rows = ContrastivePCA(1, alpha=2, standardise=False).fit(X, y).score_separation(X, y, {"high": high, "noise": np.arange(4000) // 2 % 2})
    scores = {row["attribute"]: row["score"] for row in rows if row["metric"] == "balanced_accuracy"}
    assert {(row["space"], row["encoder"]) for row in rows} == {("s", "trained")}
    assert scores["high"] > 0.85 > 0.6 > scores["noise"]
    with pytest.raises(InputError, match="y: 5 is not one of the labels in fit"):
        ContrastivePCA(1, alpha=2).fit(X, y).score_separation(X, np.full(4000, 5))

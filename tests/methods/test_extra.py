"""What methods train on besides samples and groups."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sepclr import Debiased, Modalities, SepCLR, SourceOnly
from sepclr.data import Cohort
from sepclr.data.attributes import coded
from sepclr.methods.extra import check_extra, with_free_of
from sepclr.methods.options import METHODS
from sepclr.probes import Probed, probe
from sepclr.types import InputError

N = 12


def cohort(**extra: torch.Tensor) -> Cohort:
    attributes = {
        "site": np.array(["a", "b", ""] * 4),
        "age": np.linspace(20, 80, N),
        "same": np.zeros(N, dtype=int),
        "own": np.where(np.arange(N) < 6, -1, np.arange(N) % 2),
    }
    return Cohort(torch.rand(N, 3, 8, 8), torch.arange(N) >= 6, attributes, extra=extra)


def test_an_attribute_becomes_classes_and_what_is_missing_is_unknown():
    assert with_free_of(cohort(), "site").extra["free_of"].tolist() == [0, 1, -1] * 4


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("scanner", "free_of: 'scanner' is not an attribute; attributes are site, age, same, own"),
        ("age", "free_of: 'age': a quantity"),
        ("own", "free_of: 'own' is unknown in background"),
    ],
)
def test_an_attribute_that_codes_cannot_be_free_of_is_named(name: str, named: str):
    with pytest.raises(InputError, match=named):
        with_free_of(cohort(), name)


def test_one_value_is_nothing_to_be_free_of():
    with pytest.raises(InputError, match="free_of: all samples are 0; give at least two classes"):
        check_extra(METHODS["sepclr"], with_free_of(cohort(), "same"))


@pytest.mark.parametrize(
    ("weak", "named"),
    [
        (None, "weak: missing; modalities trains on the other modality"),
        (torch.rand(N, 1, 8, 8), "weak: 1 channels, and samples have 3"),
        (torch.rand(N, 7), "weak: rows, and samples are images; one kind of encoder is used for both"),
        (torch.rand(N, 3, 8, 8, 8), "weak: volumes, and samples are images"),
    ],
)
def test_a_modality_that_is_missing_or_does_not_fit_is_named(weak: torch.Tensor | None, named: str):
    with pytest.raises(InputError, match=named):
        check_extra(METHODS["modalities"], cohort(**({} if weak is None else {"weak": weak})))


def test_modalities_of_rows_may_have_different_lengths():
    rows = Cohort(torch.rand(N, 5), torch.ones(N, dtype=torch.bool), extra={"weak": torch.rand(N, 3)})
    check_extra(METHODS["modalities"], rows)


def test_lengths_and_values_are_checked():
    with pytest.raises(InputError, match="weak: 11 values for 12 samples"):
        cohort(weak=torch.rand(11, 3, 8, 8))
    with pytest.raises(InputError, match="weak: sample 3 contains NaN"):
        cohort(weak=torch.rand(N, 2).index_fill(0, torch.tensor(3), torch.nan))


def scores(free_of: str | None, **options: str) -> dict[tuple[str, str], float]:
    """How well each attribute is read from each code of rows with a scanner that shifts two features."""
    draw = np.random.default_rng(0)
    n = 600
    y, site, shared, own = np.repeat([0, 1], n // 2), draw.integers(2, size=n), draw.integers(3, size=n), draw.integers(2, size=n)
    X = 0.3 * draw.normal(size=(n, 10))
    X[np.arange(n), shared] += 1
    X[y == 1, 4] += 2 * own[y == 1] - 1
    X[:, 6:8] += (2 * site - 1)[:, None]
    model = SepCLR(8, 8, max_epochs=60, batch_size=200, learning_rate=3e-3, random_state=0, free_of=free_of, **options)
    codes = model.fit(X, y, **({free_of: site} if free_of else {})).transform(X)
    attributes = {"site": site, "shared": shared, "own": own}
    sides = [
        Probed({"c": codes[half, :8], "s": codes[half, 8:]}, y[half] == 1, {name: values[half] for name, values in attributes.items()})
        for half in (np.arange(n) % 2 == 0, np.arange(n) % 2 == 1)
    ]
    rows = [row for row in probe(*sides, encoder="trained") if row["metric"] == "balanced_accuracy"]
    return {(row["attribute"], row["space"]): row["score"] for row in rows}


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"independence": "k-jem"}], ids=["decorrelation", "k-jem"])
def test_a_scanner_leaves_the_codes(options: dict[str, str]):
    plain, free = scores(None, **options), scores("site", **options)
    assert plain["site", "c"] > 0.85
    assert free["site", "c"] < 0.72
    assert free["site", "s"] < 0.72
    assert free["own", "s"] > 0.9
    assert free["shared", "c"] > plain["shared", "c"] - 0.1


def test_fit_names_the_attribute_that_it_needs():
    X, y = np.random.default_rng(0).normal(size=(20, 4)), np.arange(20) % 2
    with pytest.raises(InputError, match="site: missing; free_of names it"):
        SepCLR(free_of="site").fit(X, y)
    with pytest.raises(InputError, match=r"site: SepCLR\.fit has no such argument; it takes X, y"):
        SepCLR().fit(X, y, site=y)
    with pytest.raises(InputError, match="site: 3 values for 20 samples"):
        SepCLR(free_of="site").fit(X, y, site=y[:3])


X, HALVES = np.random.default_rng(0).normal(size=(24, 4)), np.arange(24) % 2
FAST = {"common_dim": 3, "width": 8, "max_epochs": 2, "random_state": 0}


@pytest.mark.parametrize("missing", [-1, None])
def test_unknown_labels_of_the_source_are_no_class(missing: object):
    label = np.array(["a", "b"] * 12, dtype=object) if missing is None else np.array([0, 1] * 12)
    label[0] = missing
    model = SourceOnly(**FAST).fit(X, np.arange(24) >= 12, label=label)
    assert model.labels_.tolist() == (["a", "b"] if missing is None else [0, 1])


def test_labels_of_the_target_domain_are_not_looked_at_in_a_cohort_either():
    x, is_target, labels = torch.from_numpy(X).float(), torch.arange(24) >= 12, torch.arange(24) % 3
    hidden = torch.where(is_target, -1, labels)
    one, two = (SourceOnly(**FAST).fit(Cohort(x, is_target, extra={"label": each})) for each in (labels, hidden))
    np.testing.assert_array_equal(one.transform(X), two.transform(X))


@pytest.mark.parametrize(
    ("bias", "named"),
    [
        (np.where(np.arange(24) == 3, -1, HALVES), r"bias: unknown \(-1\) for 1 sample"),
        (np.where(np.arange(24) == 3, np.nan, HALVES), "bias: a quantity, or classes with missing values as numbers"),
        (HALVES[:, None], r"bias: shape \(24, 1\)"),
        (np.zeros(24, dtype=int), "bias: all samples are 0"),
    ],
)
def test_a_bias_that_is_unknown_or_misshapen_is_named(bias: np.ndarray, named: str):
    with pytest.raises(InputError, match=named):
        Debiased(**FAST).fit(X, np.arange(24) % 3, bias=bias)


def test_an_attribute_unknown_in_one_group_is_named_from_arrays_too():
    site = np.where(HALVES == 1, "", np.where(np.arange(24) % 4 == 0, "a", "b"))
    with pytest.raises(InputError, match="free_of: 'site' is unknown in target"):
        SepCLR(**FAST, free_of="site").fit(X, HALVES, site=site)


def test_missing_values_of_a_table_are_unknown():
    assert coded("site", np.array(["b", None, "a", float("nan")], dtype=object))[0].tolist() == [1, -1, 0, -1]


def test_a_cohort_of_two_modalities_is_fitted_as_arrays_are():
    weak = np.random.default_rng(1).normal(size=(24, 3)) * 5
    by_arrays = Modalities(**FAST).fit(X, weak=weak)
    extra = {"weak": torch.from_numpy(weak)}
    by_cohort = Modalities(**FAST).fit(Cohort(torch.from_numpy(X), torch.ones(24, dtype=torch.bool), extra=extra))
    np.testing.assert_allclose(by_cohort.transform_other(weak), by_arrays.transform_other(weak), rtol=1e-5, atol=1e-6)
    assert [epoch["epoch"] for epoch in by_arrays.history_] == [0, 1]

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepclr.extras import EXTRAS
from sepclr.probes import Probed, harmonised, probe
from sepclr.types import InputError


def scanned(n: int = 300, seed: int = 0) -> tuple[Probed, Probed]:
    """Codes to which each of three sites adds something of its own, and with a spread of its own."""
    draw = np.random.default_rng(seed)
    offsets = 3 * draw.normal(size=(3, 4))
    sides = []
    for _ in range(2):
        site, age = draw.integers(3, size=n), draw.normal(50, 10, n)
        codes = draw.normal(size=(n, 4)) * np.array([1.0, 2.0, 1.5])[site][:, None] + offsets[site]
        codes[:, 0] += age / 5
        is_target = np.arange(n) % 2 == 0
        attributes = {"site": np.array(["a", "b", "c"])[site], "age": age}
        sides.append(Probed({"c": codes, "s": np.zeros((n, 2))}, is_target, attributes, everyone=True))
    return sides[0], sides[1]


def read(train: Probed, test: Probed, attribute: str, space: str = "c") -> float:
    rows = probe(train, test, encoder="trained")
    return next(row["score"] for row in rows if (row["attribute"], row["space"]) == (attribute, space) and row["metric"] != "accuracy")


@pytest.mark.parametrize("how", ["residualise", "combat"])
def test_the_site_is_no_longer_read_and_the_age_still_is(how: str):
    train, test = scanned()
    assert read(train, test, "site") > 0.8
    evened = harmonised(train, test, "site", how)
    assert read(*evened, "site") < 0.45
    assert read(*evened, "age") < read(train, test, "age")
    assert not evened[0].spaces["s"].any()


def test_residuals_are_the_loop_over_sites():
    train, test = scanned(40)
    one, two = harmonised(train, test, "site", "residualise")
    middle = train.spaces["c"].mean(0)
    for before, after in ((train, one), (test, two)):
        for row, site in enumerate(before.attributes["site"]):
            of_site = train.spaces["c"][train.attributes["site"] == site].mean(0)
            np.testing.assert_allclose(after.spaces["c"][row], before.spaces["c"][row] - of_site + middle)


@given(st.integers(0, 1000))
def test_nothing_is_learnt_from_test_samples(seed: int):
    train, test = scanned(30, seed)
    fewer = Probed(
        {space: codes[:5] for space, codes in test.spaces.items()}, test.is_target[:5], {k: v[:5] for k, v in test.attributes.items()}, True
    )
    whole, part = harmonised(train, test, "site", "residualise")[1], harmonised(train, fewer, "site", "residualise")[1]
    np.testing.assert_allclose(whole.spaces["c"][:5], part.spaces["c"])


def with_site(side: Probed, at: int, name: str) -> Probed:
    sites = side.attributes["site"].astype("U9")
    sites[at] = name
    return Probed(side.spaces, side.is_target, {**side.attributes, "site": sites}, side.everyone)


def test_sites_that_cannot_be_evened_out_are_named():
    train, test = scanned(30)
    with pytest.raises(InputError, match="site: no training samples from d"):
        harmonised(train, with_site(test, 0, "d"), "site", "residualise")
    with pytest.raises(InputError, match="site: only one training sample from d"):
        harmonised(with_site(train, 0, "d"), test, "site", "residualise")
    with pytest.raises(InputError, match="site: 'site' has missing values"):
        harmonised(train, with_site(test, 3, ""), "site", "residualise")
    with pytest.raises(InputError, match="harmonise: 'magic' is unknown"):
        harmonised(train, test, "site", "magic")


def test_combat_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(EXTRAS, "combat", ("no_such_package",))
    with pytest.raises(InputError, match=r"combat: needs no_such_package; pip install 'sepclr\[combat\]'"):
        harmonised(*scanned(30), "site", "combat")


def test_attributes_of_everyone_are_read_from_all_who_are_known():
    train, test = scanned(100)
    train.attributes["age"][::5] = np.nan
    test.attributes["age"][:90] = np.nan
    row = next(row for row in probe(train, test, encoder="trained") if row["attribute"] == "age" and row["space"] == "c")
    assert (row["n_train"], row["n_test"]) == (80, 10)
    alone = [Probed(side.spaces, side.is_target, side.attributes) for side in (train, test)]
    row = next(row for row in probe(*alone, encoder="trained") if row["attribute"] == "age" and row["space"] == "c")
    assert (row["n_train"], row["n_test"]) == (40, 5)

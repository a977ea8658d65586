"""Feature importance on rows whose codes are read from known features."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sepclr.probes import Probed, by_permutation, by_weights, importance, most_read
from sepclr.runs.linear import LinearCodes
from sepclr.training import saliency
from sepclr.types import Codes, InputError

NAMES = [f"gene {j}" for j in range(8)]
SALIENT = np.array([0, 2, 0, 0, 0, 1, 0, 3.0])  # s is read from genes 1, 5 and 7, although 7 is constant


class Known(LinearCodes):
    """c is gene 0, and s a curved function of genes 1, 5 and 7."""

    def __init__(self) -> None:
        super().__init__(8, (1, 2))

    def encode(self, x: torch.Tensor) -> Codes:
        return Codes(x[:, :1], torch.tanh(x @ torch.from_numpy(SALIENT) / 10)[:, None].repeat(1, 2))


def rows(n: int = 400) -> NDArray[np.float64]:
    x = np.random.default_rng(0).normal(size=(n, 8))
    x[:, 7] = 4.0
    return x


def encode(x: NDArray[np.floating]) -> Mapping[str, NDArray[np.floating]]:
    with torch.no_grad():
        return {space: code.numpy() for space, code in Known().encode(torch.from_numpy(x))._asdict().items()}


def test_both_ways_rank_the_features_first_from_which_s_is_read():
    found = by_permutation(encode, rows(), NAMES) + by_weights(saliency(Known(), torch.from_numpy(rows())), NAMES)
    for how in ("permutation", "weights"):
        values = {row["name"]: row["value"] for row in found if row["space"] == "s" and row["how"] == how}
        assert sorted(values, key=values.get, reverse=True)[:2] == ["gene 1", "gene 5"]  # type: ignore[arg-type]
        assert values["gene 7"] == 0  # constant
        assert values["gene 0"] == pytest.approx(0, abs=1e-12)
    common = {row["name"]: row["value"] for row in found if row["space"] == "c" and row["how"] == "permutation"}
    assert common["gene 0"] == pytest.approx(1, abs=0.1)  # c depends on nothing else
    assert all(row["low"] <= row["value"] <= row["high"] for row in found)


def test_total_effects_of_a_linear_code_are_shares_of_its_variance():
    x = np.random.default_rng(1).normal(size=(5000, 2))
    found = by_permutation(lambda x: {"s": x @ [[3.0], [1.0]]}, x, ["a", "b"])
    assert [row["value"] for row in found] == pytest.approx([0.9, 0.1], abs=0.03)


def test_a_probe_loses_its_score_without_the_feature_of_its_attribute():
    x, is_target = rows(), np.arange(400) % 2 == 1
    x[:, 5] += 4 * is_target
    kind = (x[:, 1] > 0).astype(int)
    fitted, asked = (
        Probed(encode(x[half]), is_target[half], {"kind": kind[half], "dose": x[half, 0], "same": np.ones(200, dtype=int)})
        for half in (slice(200), slice(200, None))
    )
    found = by_permutation(encode, x[200:], NAMES, probes=(fitted, asked))
    lost = {(row["attribute"], row["space"], row["name"]): row["value"] for row in found if row["how"] == "probe"}
    assert lost["kind", "s", "gene 1"] > 0.2 > lost["kind", "s", "gene 0"]
    assert lost["group", "s", "gene 5"] > 0.2
    assert lost["dose", "c", "gene 0"] == pytest.approx(2, abs=0.4)  # R² falls from 1 to -1
    assert not any(attribute == "same" for attribute, _, _ in lost)  # a single class


def test_weights_of_linear_codes_are_loadings_times_standard_deviations():
    method, x = LinearCodes(8, (2, 3)), torch.from_numpy(rows()).float()
    expected = method.salient.weight.abs().mean(0).numpy() * x.numpy().std(0)
    assert saliency(method, x)["s"] == pytest.approx(expected, rel=1e-5)


def test_only_chosen_features_are_permuted_in_chunks_of_any_size(monkeypatch: pytest.MonkeyPatch):
    weights = saliency(Known(), torch.from_numpy(rows()))
    chosen = most_read(weights, 3)
    assert chosen.tolist() == [0, 1, 5]
    whole = by_permutation(encode, rows(), NAMES, chosen=chosen)
    assert {row["name"] for row in whole} == {"gene 0", "gene 1", "gene 5"}
    monkeypatch.setattr(importance, "AT_ONCE", 1)
    for one, other in zip(whole, by_permutation(encode, rows(), NAMES, chosen=chosen), strict=True):
        assert one["value"] == pytest.approx(other["value"])


def test_a_code_that_reads_nothing_has_no_importance():
    constant = by_permutation(lambda x: {"s": np.zeros((len(x), 2))}, rows(), NAMES)
    assert all(row["value"] == 0 for row in constant)
    with pytest.raises(InputError, match="7 names for 8 features"):
        by_permutation(encode, rows(), NAMES[1:])
    with pytest.raises(InputError, match="1 sample"):
        by_permutation(encode, rows(1), NAMES)

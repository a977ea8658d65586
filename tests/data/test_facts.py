"""What a reviewer would ask about samples, as sentences."""

from __future__ import annotations

import numpy as np
import pytest

from sepclr.data.facts import constant, counted, digests, duplicates, group_sizes, missing, shared_copies, value_range

GROUPS = np.array(["background", "background", "target", "target", "target"])
X = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0], [5.0, 4.0], [5.0, 4.0]])


def test_copies_count_across_parts_and_not_within_one():
    (same,) = shared_copies(digests(X), GROUPS)
    assert same.tolist() == [0, 2]
    names = ["a.png", "b.png", "c.png", "d.png", "e.png"]
    assert duplicates(digests(X), GROUPS, names, "images") == "2 images in background and target are identical: a.png = c.png"
    assert duplicates(digests(X[1:]), GROUPS[1:], names[1:]) == ""


def test_the_same_bytes_of_another_shape_or_type_are_no_copy():
    zeros = np.zeros(8, dtype=np.uint8)
    assert len(set(digests([zeros, zeros.reshape(2, 4), zeros.astype(np.int8), zeros[::1], zeros]))) == 3
    cut = np.arange(12).reshape(3, 4)[:, ::2]
    assert digests([cut])[0] == digests([cut.copy()])[0]  # not contiguous


def test_many_copies_are_counted_and_a_few_named():
    x, parts = np.tile(np.arange(8.0), 2)[:, None], np.repeat(["train", "test"], 8)
    said = duplicates(digests(x), parts, [f"s{i}" for i in range(16)])
    assert said.startswith("16 samples in test and train are identical: s0 = s8; s1 = s9")
    assert said.endswith("s4 = s12 and 3 more")


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (10, "10 background and 10 target images"),
        (1, "10 background and 1 target image; target is 10 times smaller, so its codes are learnt from few samples"),
        (200, "10 background and 200 target images; background is 20 times smaller, so its codes are learnt from few samples"),
        (0, "10 background and 0 target images"),
    ],
)
def test_unequal_groups_are_named(targets: int, said: str):
    assert group_sizes(np.arange(10 + targets) >= 10, "images") == said


def test_ranges_missing_values_and_constants():
    x = np.array([[1.0, np.nan, 7.0], [2.0, np.inf, 7.0], [3.0, 5.0, 7.0]])
    assert value_range(x) == "float64, 1 to 7, mean 4.57"
    assert value_range(x[:1, 1:2]) == "float64, no finite values"
    assert value_range(np.array([[0, 255]], dtype=np.uint8)) == "uint8, 0 to 255, mean 128"
    assert missing(x, ["a", "b", "c"]) == "2 values in 1 of 3 features: b 2"
    assert constant(x, ["a", "b", "c"]) == "1 of 3 features: c"
    assert missing(x[:, :1], ["a"]) == constant(x[:, :1], ["a"]) == "none"
    assert [counted(n, "target subjects") for n in (0, 1, 2)] == ["0 target subjects", "1 target subject", "2 target subjects"]

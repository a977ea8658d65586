"""Numbers that others published, in percent, by method and way to independence."""

from __future__ import annotations

from collections.abc import Mapping

COLUMNS = ("digits_salient", "digits_common", "objects_salient", "objects_common", "delta_tot")

_ROWS: Mapping[tuple[str, str], tuple[float, float, float, float, float]] = {
    ("cvae", ""): (90.6, 23.0, 11.2, 33.4, 90.2),
    ("convae", ""): (86.2, 21.0, 10.6, 35.6, 89.8),
    ("mm-cvae", ""): (88.8, 19.6, 12.2, 32.0, 93.6),
    ("sepvae", ""): (90.6, 17.8, 10.6, 36.6, 81.2),
    ("sepclr", "vclub-sym"): (94.4, 18.0, 8.0, 14.6, 97.0),
    ("sepclr", "vclub-c2s"): (95.2, 39.4, 9.2, 27.2, 106.2),
    ("sepclr", "vclub-s2c"): (95.2, 57.0, 8.8, 31.8, 118.8),
    ("sepclr", "vl1out-sym"): (95.0, 18.4, 8.4, 15.4, 96.4),
    ("sepclr", "vl1out-c2s"): (94.0, 23.0, 10.0, 31.8, 87.2),
    ("sepclr", "vl1out-s2c"): (95.4, 41.0, 9.2, 28.8, 106.0),
    ("sepclr", "vub-sym"): (94.6, 42.0, 8.2, 29.0, 106.6),
    ("sepclr", "vub-c2s"): (92.8, 23.4, 7.8, 22.6, 95.8),
    ("sepclr", "vub-s2c"): (96.6, 41.8, 8.6, 28.6, 105.2),
    ("sepclr", "tc"): (95.2, 68.6, 10.2, 24.2, 139.4),
    ("sepclr", "mmd"): (94.6, 21.2, 9.0, 62.2, 53.4),
    ("sepclr", "none"): (95.6, 94.4, 9.0, 42.0, 145.8),
    ("sepclr", "k-mi"): (96.2, 19.8, 8.0, 65.8, 45.8),
    ("sepclr", "k-jem"): (96.2, 11.0, 10.4, 73.2, 32.0),
}

TABLE_1: Mapping[tuple[str, str], Mapping[str, float]] = {row: dict(zip(COLUMNS, numbers, strict=True)) for row, numbers in _ROWS.items()}
"""Digits on CIFAR-10: accuracy of logistic regression on 500 test targets, one run a row, two ResNet-18s trained for 250 epochs.

δ_tot is signed, so that a score below chance lowers it; that of MM-cVAE does not follow from its scores (it would be 91.0).
Source: SepCLR (arXiv 2402.11928), Table 1.
"""

PUBLISHED: Mapping[str, Mapping[tuple[str, str], Mapping[str, float]]] = {"digits-on-cifar": TABLE_1}
"""Published tables by data set."""

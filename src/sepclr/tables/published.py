"""Published numbers, by method and independence term."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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
"""Digits on CIFAR-10: accuracy in percent of logistic regression on 500 test targets, one run a row, two ResNet-18s trained for 250 epochs.

δ_tot is signed, so that a score below chance lowers it; that of MM-cVAE does not follow from its scores (it would be 91.0).
Source: SepCLR (arXiv 2402.11928), Table 1.
"""

COLUMNS_3 = tuple(f"{name}_{place}" for name in ("age", "sex", "site", "sans", "saps", "diagnosis") for place in ("common", "salient"))
ERRORS_3 = ("age", "sans", "saps")
COMMON_3 = ("age", "sex", "site")

_ROWS_3 = """
cvae 6.43±0.18 7.27±0.25 75.06±3.48 74.99±2.15 65.12±4.06 59.62±5.42 5.89±0.67 4.35±0.26 4.65±0.34 2.98±0.18 60.66±2.63 68.24±5.42
convae 6.40±0.26 7.46±0.18 74.45±1.80 72.72±1.32 60.42±3.67 54.46±2.46 6.17±0.45 3.95±0.28 4.50±0.37 2.76±0.18 61.85±2.60 58.53±4.87
mm-cvae 6.55±0.18 7.10±0.34 72.80±3.95 72.15±2.47 63.24±1.41 56.69±9.84 6.78±0.54 4.92±0.58 4.52±0.33 3.16±0.05 64.25±2.98 70.94±4.08
sepvae 6.40±0.13 7.98±0.25 74.19±1.81 72.61±2.19 63.89±2.16 44.10±5.78 7.05±0.67 4.14±0.39 4.79±0.67 2.60±0.27 60.90±1.75 79.15±3.39
sepclr 6.64±0.21 7.72±0.45 76.5±1.98 70.85±1.89 66.94±5.06 42.40±4.91 9.17±2.49 3.74±0.12 5.54±0.70 2.52±0.16 60.16±1.19 79.90±1.57
"""

TABLE_3: Mapping[tuple[str, str], Mapping[str, str]] = {
    (method, "k-jem" if method == "sepclr" else ""): dict(zip(COLUMNS_3, numbers, strict=True))
    for method, *numbers in map(str.split, _ROWS_3.strip().splitlines())
}
"""Brain volumes, schizophrenia against controls, mean±deviation as printed: mean absolute errors of age, SANS and SAPS, balanced
accuracies in percent of the others.

Source: SepCLR (arXiv 2402.11928), Table 3.
"""


def beside_study(columns: Iterable[str]) -> dict[tuple[str, str], dict[str, float]]:
    """Return the numbers of Table 3 to show beside those of a study with other subjects, by column name.

    Only a study with SANS or SAPS, symptom scores of schizophrenia, gets any. Case is ignored, and ``diagnosis`` is ``group``.

    Args:
        columns: names of the study's scores, such as ``age_common``.

    Returns:
        Published means by method and by the study's own names; empty for a study without such scores.
    """
    same = {name: name.lower().replace("group_", "diagnosis_") for name in columns}
    if not any(name.startswith(("sans_", "saps_")) for name in same.values()):
        return {}
    return {
        row: {name: float(texts[column].partition("±")[0]) for name, column in same.items() if column in texts}
        for row, texts in TABLE_3.items()
    }


def table_3() -> list[dict[str, dict[str, str]]]:
    """Return the rows of Table 3 with their headings, as input of ``sepclr.reports.plain``."""
    order = [f"{column.rpartition('_')[0]}_{place}" for column in COLUMNS_3[::2] for place in ("salient", "common")]
    return [
        {"cells": {"published, other data": way or method} | {_heading(column): texts[column].replace("±", " ± ") for column in order}}
        for (method, way), texts in TABLE_3.items()
    ]


def _heading(column: str) -> str:
    """Return the heading of a column of Table 3: where an attribute belongs, errors should be low and balanced accuracies high."""
    name, _, place = column.rpartition("_")
    error, belongs = name in ERRORS_3, (name in COMMON_3) == (place == "common")
    return f"{name}{' MAE' if error else ''} from {'s' if place == 'salient' else 'c'} {'↓' if error == belongs else '↑'}"


PUBLISHED: Mapping[str, Mapping[tuple[str, str], Mapping[str, float]]] = {"digits-on-cifar": TABLE_1}
"""Published tables of the same data, by data set."""

"""The separation table in a terminal of 80 columns."""

from __future__ import annotations

import pytest

from sepclr.reports import print_separation
from sepclr.types import Row


def row(attribute: str, space: str, encoder: str, score: float, metric: str = "balanced_accuracy", protocol: str = "strict") -> Row:
    return Row(
        attribute=attribute,
        space=space,
        encoder=encoder,
        protocol=protocol,
        metric=metric,
        score=score,
        low=score - 0.02,
        high=score + 0.02,
        chance=0.1,
        n_train=100,
        n_test=100,
    )


def rows(protocol: str = "strict") -> list[Row]:
    readings = {("digit", "c"): 0.824, ("digit", "s"): 0.341, ("mark", "c"): 0.289, ("mark", "s"): 0.635}
    return [
        row(
            attribute,
            space,
            encoder,
            score - (0.2 if encoder == "untrained" else 0) + (0.05 if metric == "accuracy" else 0),
            metric,
            protocol,
        )
        for (attribute, space), score in readings.items()
        for encoder in ("trained", "untrained")
        for metric in ("balanced_accuracy", "accuracy")
    ]


def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, **runs: list[Row]) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    print_separation(runs, common=["digit"], salient=["mark"])
    return capsys.readouterr().out


def test_a_line_per_run_and_attribute_fits_into_80_columns(capsys, monkeypatch):
    lines = printed(capsys, monkeypatch, **{"k-jem": rows(), "none": rows()}).splitlines()
    assert max(map(len, lines)) <= 80
    (digit,) = (line for line in lines if "k-jem" in line and "digit" in line)
    assert all(cell in digit for cell in ("82.4 (80–84)", "34.1 (32–36)", "10.0", "62.4, 14.1"))
    assert sum("mark" in line for line in lines) == 2


def test_each_protocol_shows_its_own_metric(capsys, monkeypatch):
    text = printed(capsys, monkeypatch, run=[*rows(), *rows("published")])
    strict, published = text.split("published")
    assert "82.4" in strict
    assert "87.4" not in strict
    assert "87.4" in published
    assert "82.4" not in published


def test_errors_of_quantities_keep_their_units(capsys, monkeypatch):
    ages = [row("age", space, encoder, 7.253, "mae") for space in "cs" for encoder in ("trained", "untrained")]
    text = printed(capsys, monkeypatch, run=ages)
    assert "7.25 (7.23–7.27)" in text
    assert "errors (MAE) in their units" in " ".join(text.split())

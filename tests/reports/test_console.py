"""The separation table in a terminal of 80 columns."""

from __future__ import annotations

import pytest

from sepclr.reports import compare, print_comparison, print_separation
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


def test_small_errors_keep_their_digits_and_large_ones_no_exponent(capsys, monkeypatch):
    small = [row("tiny", space, "trained", 0.0031, "mae") | {"low": 0.0021, "high": 0.0045} for space in "cs"]
    large = [row("large", space, "trained", 12345.6, "mae") for space in "cs"]
    text = printed(capsys, monkeypatch, run=[*small, *large])
    assert "0.0031" in text
    assert "12346" in text
    assert "e+" not in text


def test_a_name_in_brackets_is_printed_as_it_is(capsys, monkeypatch):
    text = printed(capsys, monkeypatch, **{"[/bold]": [row("[red]age", space, "trained", 0.5) for space in "cs"]})
    assert "[/bold]" in text
    assert "[red]age" in text


def test_a_comparison_prints_attributes_in_brackets_as_they_are(capsys, monkeypatch):
    scores = {"[/red]_common": 0.5, "[/red]_salient": 0.6}
    line = {
        "protocol": "strict", "method": "sepvae", "independence": "", "seed": 0, "recipe": {}, "scores": scores, "best_expected": scores,
        "intervals": {}, "untrained": {}, "chance": {"[/red]": 0.5}, "seconds": 1.0,
    }  # fmt: skip
    print_comparison(compare([line], {}))
    assert "[/red]" in capsys.readouterr().out

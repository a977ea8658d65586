"""Model card of a published run, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from sepclr.reports.scores import METRICS, PROTOCOLS, SPACES, number, span
from sepclr.types import Row

NOT_CERTIFIED = "Not available: `sepclr certify` was not run."

LIMITS = """- Scores are those of linear probes on the test samples of this data set.
  A score at chance means that such a probe found nothing, not that the code holds nothing.
- Codes of samples that differ from the training data, such as another scanner, population or preprocessing, can mean something else.
- A salient code describes how targets differ from this background, whatever the cause: confounders of the group are part of it.
- Not a medical device, and not for decisions about people."""

LEFT_OUT = """The training data, names of samples and subjects and their folds, file paths, host names, checkpoints and the report, which
shows samples, are not part of this repository."""


@dataclass(frozen=True, eq=False)
class Card:
    """Contents of a model card.

    Attributes:
        title: heading.
        method: name, paper and link of the method.
        data: what it was trained on, in a few sentences.
        rows: rows of the evaluation.
        belongs: the space in which each attribute is expected, ``c`` or ``s``, where there is one.
        dims: lengths of c and s.
        takes: what a sample is.
        recipe: options by name.
        command: command that makes such a run.
        repository: name on the hub, for the example.
        versions: versions of the packages used for training.
        certificates: certificates as plain values, one for each target group; none if it was not certified.
    """

    title: str
    method: str
    data: str
    rows: Sequence[Row]
    belongs: Mapping[str, str]
    dims: tuple[int, int]
    takes: str
    recipe: Mapping[str, Any]
    command: str
    repository: str
    versions: Mapping[str, str | None]
    certificates: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def card_text(card: Card) -> str:
    """Return the body of a model card, without its YAML header."""
    parts = [
        f"# {card.title}\n\nTwo codes of every sample: **c** ({card.dims[0]} dimensions), what background and target share, and **s** "
        f"({card.dims[1]} dimensions), what only the target has. Method: {card.method}.",
        f"## Use\n\n```python\nfrom sepclr import from_pretrained\n\nmodel = from_pretrained({card.repository!r})\n"
        f"codes = model.encode(x)  # codes.c, codes.s\n```\n\n{card.takes}\n"
        "`sepclr encode FOLDER --input FILE` reads a downloaded copy, too.",
        f"## Data\n\n{card.data}",
        f"## Separation\n\n{separation_table(card.rows, card.belongs)}",
        f"## Certificate\n\n{_certificates(card.certificates)}",
        f"## Recipe\n\n    {card.command}\n\n{_recipe(card.recipe)}\n\nVersions: {_listed(card.versions)}.",
        f"## Limits\n\n{LIMITS}\n\n{LEFT_OUT}",
    ]
    return "\n\n".join(parts) + "\n"


def separation_table(rows: Sequence[Row], belongs: Mapping[str, str]) -> str:
    """Return the scores of linear probes on c and s as a Markdown table; those in the space where an attribute belongs are bold."""
    protocols = {row["protocol"] for row in rows}
    protocol = next((each for each in PROTOCOLS if each in protocols), "")
    cells = {
        (row.get("target", ""), row["attribute"], row["encoder"], row["space"]): row
        for metric in reversed(METRICS)  # the most preferred metric last, so that it stays
        for row in rows
        if row["protocol"] == protocol and row["metric"] == metric and row["space"] in SPACES
    }
    lines = ["| attribute | belongs in | from c | from s | chance | untrained c | untrained s |", "| --- | --- " + "| --: " * 5 + "|"]
    for target, attribute in dict.fromkeys(key[:2] for key in cells):
        here = {(encoder, space): row for (*of, encoder, space), row in cells.items() if of == [target, attribute]}
        words = [f"{attribute} ({target})" if target else attribute, belongs.get(attribute, "")]
        words += [_score(here.get(("trained", space)), space == words[1]) for space in SPACES]
        words += [number(row["chance"], row["metric"], 1) for row in [next(iter(here.values()))]]
        words += [number(row["score"], row["metric"], 1) if (row := here.get(("untrained", space))) else "" for space in SPACES]
        lines.append(f"| {' | '.join(words)} |")
    said = f"Linear probes, protocol `{protocol}`: balanced accuracy, or mean absolute error in the units of the attribute (95 % interval)."
    return "\n".join([*lines, "", said])


def _score(row: Row | None, bold: bool) -> str:
    if row is None:
        return ""
    text = f"{number(row['score'], row['metric'], 1)} ({span(row)})"
    return f"**{text}**" if bold else text


def _certificates(certificates: Sequence[Mapping[str, Any]]) -> str:
    return "\n\n".join(map(_certificate, certificates)) or NOT_CERTIFIED


def _certificate(certificate: Mapping[str, Any]) -> str:
    said = certificate.get("verdict", "")
    parts = [f"### {certificate['target']}"] if certificate.get("target") else []
    parts.append(" ".join([said] if isinstance(said, str) else map(str, said)))
    tests = [test for test in certificate.get("tests", ()) if isinstance(test, Mapping)]
    if tests:
        names = [name for name in tests[0] if all(isinstance(test.get(name), str | Real | None) for test in tests)]
        lines = [names, ["---"] * len(names), *([_cell(test.get(name)) for name in names] for test in tests)]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(parts)


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _recipe(recipe: Mapping[str, Any]) -> str:
    return "| option | value |\n| --- | --- |\n" + "\n".join(f"| {name} | {_worded(value)} |" for name, value in recipe.items())


def _worded(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _listed(versions: Mapping[str, str | None]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items() if number)

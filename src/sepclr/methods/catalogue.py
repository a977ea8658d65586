"""Tables of all methods from their declarations, for docs/methods.md."""

from __future__ import annotations

import re
from typing import NamedTuple

from sepclr.methods.options import METHODS
from sepclr.methods.options.base import Declaration, Paper


class LinearMethod(NamedTuple):
    """A linear method that exists only as an estimator.

    Attributes:
        paper: where it was published.
        strengths: what speaks for it, as in ``Declaration``.
        limits: what speaks against it.
    """

    paper: Paper
    strengths: tuple[str, ...]
    limits: tuple[str, ...]


ESTIMATORS = {
    "GeneralisedContrastivePCA": LinearMethod(
        Paper(
            "de Oliveira, Garg, Hjerling-Leffler, Batista-Brito, Sjulson: Identifying patterns differing between high-dimensional datasets "
            "with generalized contrastive PCA",
            2025,
            "https://doi.org/10.1371/journal.pcbi.1012747",
        ),
        strengths=(
            "It has no contrast to choose: directions maximise a ratio of variances, from −1 to 1.",
            "On the proteins of mice, it shows the genotype that PCA hides (docs/methods.md).",
        ),
        limits=(
            "The ratio overfits where background hardly varies; with more features than samples, choose a low `rank`.",
            "Directions are not orthogonal to each other.",
            "It is linear, and a pattern that only shifts the mean of the target is not found.",
        ),
    ),
    "ProbabilisticContrastivePCA": LinearMethod(
        Paper("Li, Jones, Engelhardt: Probabilistic contrastive principal component analysis", 2020, "https://arxiv.org/abs/2012.07977"),
        strengths=(
            "It is a model of the target with noise: `transform` is the posterior mean of its code.",
            "On the proteins of mice, it shows the genotype that PCA hides (docs/methods.md).",
        ),
        limits=(
            "Its maximum exists only for a limited weight γ of background; shared variance shrinks, but may still come first.",
            "It is linear, and a pattern that only shifts the mean of the target is not found.",
        ),
    ),
}
"""Linear methods that exist only as estimators."""


def table() -> str:
    """Return a Markdown table of all methods."""
    lines = ["| method | for | paper | decoder | critic | linear | object |", "| --- | --- | --- | --- | --- | --- | --- |"]
    contrast = [method for method in METHODS.values() if method.task == "contrast"]
    lines += map(_declared, contrast)
    lines += [_line(name, "contrast", each.paper, (True, False, True), f"sepclr.{name}") for name, each in ESTIMATORS.items()]
    lines += [_declared(method) for method in METHODS.values() if method not in contrast]
    return "\n".join(lines) + "\n"


def facts() -> str:
    """Return a Markdown table of what speaks for and against each method, with links to the pages of ``docs`` that show it."""
    lines = ["| method | advantages | limitations |", "| --- | --- | --- |"]
    every: dict[str, Declaration | LinearMethod] = {**METHODS, **ESTIMATORS}
    lines += [f"| {name} | {' '.join(each.strengths)} | {' '.join(each.limits)} |" for name, each in every.items()]
    return cited("\n".join(lines) + "\n", "")


def cited(text: str, docs: str) -> str:
    """Make links of pages that facts cite, such as ``(docs/table1.md)``.

    Args:
        text: facts.
        docs: path from the page of the text to ``docs``, with a slash at its end unless it is empty.
    """
    return re.sub(r"\(docs/(\w+)\.md(?=[,)])", rf"([\1]({docs}\1.md)", text)


def _declared(method: Declaration) -> str:
    return _line(method.name, method.task, method.paper, (method.decoder, method.critic, not method.trained), method.where)


def _line(name: str, task: str, paper: Paper, has: tuple[bool, bool, bool], where: str) -> str:
    flags = " | ".join("yes" if flag else "" for flag in has)
    return f"| {name} | {task} | [{paper.title}, {paper.year}]({paper.link}) | {flags} | `{where}` |"

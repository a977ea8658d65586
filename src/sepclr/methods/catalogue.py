"""Table of all methods from their declarations, for docs/methods.md."""

from __future__ import annotations

from sepclr.methods.options import METHODS
from sepclr.methods.options.base import Declaration, Paper

ESTIMATORS = {
    "GeneralisedContrastivePCA": Paper(
        "de Oliveira, Garg, Hjerling-Leffler, Batista-Brito, Sjulson: Identifying patterns differing between high-dimensional datasets "
        "with generalized contrastive PCA",
        2025,
        "https://doi.org/10.1371/journal.pcbi.1012747",
    ),
    "ProbabilisticContrastivePCA": Paper(
        "Li, Jones, Engelhardt: Probabilistic contrastive principal component analysis", 2020, "https://arxiv.org/abs/2012.07977"
    ),
}
"""Linear methods that exist only as estimators."""


def table() -> str:
    """Return a Markdown table of all methods."""
    lines = ["| method | for | paper | decoder | critic | linear | object |", "| --- | --- | --- | --- | --- | --- | --- |"]
    contrast = [method for method in METHODS.values() if method.task == "contrast"]
    lines += map(_declared, contrast)
    lines += [_line(name, "contrast", paper, (True, False, True), f"sepclr.{name}") for name, paper in ESTIMATORS.items()]
    lines += [_declared(method) for method in METHODS.values() if method not in contrast]
    return "\n".join(lines) + "\n"


def _declared(method: Declaration) -> str:
    return _line(method.name, method.task, method.paper, (method.decoder, method.critic, not method.trained), method.where)


def _line(name: str, task: str, paper: Paper, has: tuple[bool, bool, bool], where: str) -> str:
    flags = " | ".join("yes" if flag else "" for flag in has)
    return f"| {name} | {task} | [{paper.title}, {paper.year}]({paper.link}) | {flags} | `{where}` |"

"""Which method suits which data: rules for ``preflight`` and for docs/which_method.md. This module imports nothing heavy.

A rule rests on rows of ``results/`` where there are any; its page shows them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

FEW = 200
"""Samples of the smaller group below which networks have little to learn from."""
SMALL_STUDY = 500
"""Volumes below which a study is small."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is known about data before training.

    Attributes:
        kind: kind of samples.
        samples: number of independent samples (subjects) of the smaller group.
        counts: whether the values are counts.
        targets: number of target groups.
        nuisances: attributes with classes, known in both groups, that go with the group.
        decode: whether samples without their salient pattern are wanted.
        gpu: whether there is a GPU.
    """

    kind: Literal["rows", "images", "volumes"]
    samples: int
    counts: bool = False
    targets: int = 1
    nuisances: tuple[str, ...] = ()
    decode: bool = False
    gpu: bool = False


@dataclass(frozen=True)
class Rule:
    """A recommendation.

    Attributes:
        when: the condition in words.
        applies: the condition.
        method: name of a method, or of an estimator of ``sepclr``.
        options: options of ``sepclr fit``, or command, if not the defaults.
        reason: why, in a sentence.
        page: page of docs/ that shows it.
        rows: results that it rests on, without their extension; empty if there are none.
    """

    when: str
    applies: Callable[[Setting], bool]
    method: str
    options: str
    reason: str
    page: str
    rows: tuple[str, ...] = ()


RULES = (
    Rule(
        f"rows, fewer than {FEW} samples in the smaller group",
        lambda data: data.kind == "rows" and data.samples < FEW and data.targets == 1,
        "contrastive-pca",
        "",
        "few directions fitted in closed form instead of thousands of weights; its loadings name the features",
        "methods.md",
    ),
    Rule(
        f"rows that are not counts, at least {FEW} samples in the smaller group",
        lambda data: data.kind == "rows" and data.samples >= FEW and not data.counts,
        "sepclr",
        "",
        "the default objective separates best on rows with known clusters, by a wide margin over k-JEM",
        "objective.md",
        ("objective-ablation",),
    ),
    Rule(
        f"counts, such as genes of cells, at least {FEW} samples in the smaller group",
        lambda data: data.counts and data.samples >= FEW,
        "sepclr",
        "--normalise",
        "on simulated cells the default objective, on log counts, keeps types and responses apart best",
        "own_data.md",
        ("cells",),
    ),
    Rule(
        "counts, and counts are wanted back",
        lambda data: data.counts and data.decode,
        "cvae",
        "--counts --reconstruction negative-binomial",
        "models counts and the library size; on simulated cells its codes are less separate than those of the default objective",
        "own_data.md",
        ("cells",),
    ),
    Rule(
        "images",
        lambda data: data.kind == "images",
        "sepclr",
        "",
        "the default objective separates best on marked digits and on digits over photographs",
        "table1.md",
        ("marked-digits", "digits-on-cifar-cpu"),
    ),
    Rule(
        "volumes",
        lambda data: data.kind == "volumes",
        "sepclr",
        "",
        "on brains with implanted patterns s holds group and subtype, and less of age and sex than k-JEM's",
        "mri.md",
        ("ixi-implants",),
    ),
    Rule(
        f"volumes, fewer than {SMALL_STUDY} in the smaller group",
        lambda data: data.kind == "volumes" and data.samples < SMALL_STUDY,
        "sepclr",
        "--objective released",
        "where the pattern was weaker, k-JEM's s held group and severity better: run both",
        "mri.md",
        ("ixi-weak-implants",),
    ),
    Rule(
        "one target group",
        lambda data: data.targets == 1,
        "contrastive-pca",
        "",
        "a baseline in seconds: on digits over photographs no method of the paper separates better in minutes of training",
        "table1.md",
        ("digits-on-cifar-cpu",),
    ),
    Rule(
        "several target groups",
        lambda data: data.targets > 1,
        "sepclr",
        "",
        "one common code and a salient code for each target; linear methods take one target group",
        "own_data.md",
    ),
    Rule(
        "an attribute such as the scanner goes with the group",
        lambda data: bool(data.nuisances),
        "sepclr",
        "--free_of ATTRIBUTE",
        "keeps most of a scanner out of s where it goes with the group, at a price; matched groups are better",
        "mri.md",
        ("scanners",),
    ),
    Rule(
        "samples without their salient pattern are wanted",
        lambda data: data.decode and not data.counts,
        "sepclr",
        "sepclr decode fit RUN",
        "a flow on the codes comes closer to the true image than variational decoders do",
        "counterfactuals.md",
        ("removal-marked-digits", "removal-digits-on-cifar"),
    ),
    Rule(
        "images or volumes, and no GPU",
        lambda data: data.kind != "rows" and not data.gpu,
        "sepclr",
        "--profile cpu",
        "narrow encoders: minutes on a core; more epochs help the default objective and ConVAE",
        "table1.md",
        ("digits-on-cifar-length",),
    ),
)
"""All rules, most specific to the samples first."""


def advise(data: Setting) -> tuple[Rule, ...]:
    """Return the rules that apply to data, in order."""
    return tuple(rule for rule in RULES if rule.applies(data))


def rules_table() -> str:
    """Return a Markdown table of all rules."""
    lines = ["| if | method | options | because | shown in |", "| --- | --- | --- | --- | --- |"]
    for rule in RULES:
        rows = f" (rows: {', '.join(f'`{name}`' for name in rule.rows)})" if rule.rows else " (no rows)"
        options = f"`{rule.options}`" if rule.options else ""
        lines.append(f"| {rule.when} | {rule.method} | {options} | {rule.reason} | [{rule.page}]({rule.page}){rows} |")
    return "\n".join(lines) + "\n"

"""The rows of a table: which recipes it is made of, and the name by which each is found again."""

from __future__ import annotations

import hashlib
import itertools
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sepclr.benchmark.profiles import PROFILES, adapted
from sepclr.benchmark.recipes import (
    MACHINE_FIELDS,
    METHOD_FIELDS,
    NEED_ROOT,
    DataName,
    Independence,
    MethodName,
    Profile,
    Recipe,
    changed,
    declared,
    method_options,
    resolved,
    shared,
)
from sepclr.benchmark.study import NOTED, Study
from sepclr.errors import InputError
from sepclr.methods.options import METHODS
from sepclr.methods.options.fields import flat

TABLE_1: tuple[MethodName, ...] = tuple(name for name in METHODS if name != "simclr-target")
"""Methods of a table: those of Table 1 in SepCLR (arXiv 2402.11928), SimCLR, which separates nothing, and two without training."""

INDEPENDENCE: tuple[Independence, ...] = tuple(name for name in METHODS["sepclr"].selectors["independence"] if name != "hsic")
"""Ways to independence of a table: those of Table 1, and decorrelation."""

TABLE_3: tuple[tuple[MethodName, ...], tuple[Independence, ...]] = (
    ("cvae", "convae", "mm-cvae", "sepvae", "sepclr", "pca", "contrastive-pca"),
    ("decorrelation", "k-jem"),
)
"""Methods and ways of a table of brains: those of Table 3, two without training, and decorrelation."""


@dataclass(frozen=True)
class Job:
    """One run of a table.

    Attributes:
        recipe: what is run, with its seed.
        profile: the size of machine that it is meant for.
    """

    recipe: Recipe
    profile: Profile

    @property
    def key(self) -> str:
        """Hash of the recipe, its weights resolved: whatever the machine and whatever fields later versions add.

        ``precision: auto`` is a fact of the machine, too: the row says which it was.

        Raises:
            InputError: a weight that the method does not have.
        """
        standing = asdict(Recipe(self.recipe.data))
        whole = shared(resolved(self.recipe))
        deciding = {name: value for name, value in whole.items() if name not in MACHINE_FIELDS and value != standing[name]}
        return hashlib.sha256(json.dumps({"data": self.recipe.data} | deciding, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """Name of its folder."""
        fold = f"fold{self.recipe.fold}-" if self.recipe.study is not None else ""
        return f"{self.recipe.label}-{self.recipe.seed}-{fold}{self.key}"

    @property
    def command(self) -> str:
        """The command that makes this row alone, ``DIR`` for the folder of the data."""
        recipe = self.recipe
        words = ["sepclr benchmark", recipe.data, f"--profile {self.profile}", f"--methods {recipe.method}", f"--seeds {recipe.seed}"]
        if recipe.data in NEED_ROOT:
            words.append("--root DIR")
        if recipe.study is not None:
            words += [f"--only_folds {recipe.fold}", *_words(recipe.study, Study("", "", "", (), ()))]
        if recipe.method == "sepclr":
            words.append(f"--independence {recipe.independence}")
        usual = _recipe(recipe.data, self.profile, recipe.method, recipe.independence, recipe.seed)
        return " ".join([*words, *_words(replace(recipe, study=None, fold=0), usual)])


def _words(given: Any, usual: Any) -> list[str]:
    """Write the fields in which one dataclass differs from another as options."""
    words = []
    for field in fields(given):
        if isinstance(given, Study) and field.name in NOTED:
            continue
        value = getattr(given, field.name)
        if value != getattr(usual, field.name):
            several = isinstance(value, tuple) and isinstance(given, Study)
            text = ",".join(map(str, value)) if several else value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
            words.append(f"--{field.name}" if value is True else f"--{field.name} {shlex.quote(text)}")
    return words


def plan(
    data: DataName,
    profile: Profile = "cpu",
    *,
    methods: Sequence[MethodName] = (),
    independence: Sequence[Independence] = (),
    seeds: Iterable[int] = (0,),
    folds: Iterable[int] = (0,),
    study: Study | None = None,
    options: Mapping[str, Any] | None = None,
) -> list[Job]:
    """List the runs of a table, every row's first seed before the second of any, and its first fold before the second.

    Args:
        data: name of the data set.
        profile: size of machine.
        methods: which methods; all of the table if none is given, or SepCLR alone where ``independence`` is.
        independence: SepCLR's independence terms; all of the table if none is given.
        seeds: seeds of each row.
        folds: folds of the study.
        study: the study, for ``mri``.
        options: fields of every recipe that differ from its profile; None stands for the profile's own.

    Returns:
        The runs.

    Raises:
        InputError: no such profile, a seed that is given twice or is negative, or independence terms without SepCLR.
    """
    if (data, profile) not in PROFILES:
        known = ", ".join(size for name, size in PROFILES if name == data)
        raise InputError(f"profile: {data} has no recipe for {profile!r}; choose {known}")
    seeds = list(seeds)
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise InputError(f"seeds: {', '.join(map(str, seeds)) or 'none'}; give one or more different ones, 0 or larger")
    table, ways = TABLE_3 if data == "mri" else (TABLE_1, INDEPENDENCE)
    chosen = methods or (("sepclr",) if independence else table)
    if independence and "sepclr" not in chosen:
        raise InputError(f"independence: {', '.join(chosen)} keep c and s apart in their own way; add sepclr to --methods")
    rows: list[tuple[MethodName, Independence]] = []
    if objective := (options or {}).get("objective"):
        ways = tuple(way for way in ways if (way == "decorrelation") == (objective == "decorrelated"))
    for method in dict.fromkeys(chosen):
        kept_apart: Sequence[Independence] = (independence or ways) if method == "sepclr" else ("none",)
        rows += [(method, way) for way in dict.fromkeys(kept_apart)]
    jobs = []
    for seed, fold in itertools.product(seeds, dict.fromkeys(folds)):
        for method, way in rows:
            recipe = replace(_recipe(data, profile, method, way, seed), study=study, fold=fold)
            alone = len(rows) == 1 or not any(METHODS[name].trained for name, _ in rows)  # then an option that does not apply is an error
            jobs.append(Job(changed(recipe, dict(options or {}) if alone else _meant(dict(options or {}), recipe)), profile))
    return jobs


def _meant(options: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """Leave out options that are meant for other rows of the table: of networks for a row without any, of a critic for one without."""
    if not declared(recipe).trained:
        return {}
    critic = {name for name in METHOD_FIELDS if name.startswith("critic_")} - {*flat(method_options(recipe))}
    return {name: value for name, value in options.items() if name not in critic}


def _recipe(data: DataName, profile: Profile, method: MethodName, independence: Independence, seed: int) -> Recipe:
    recipe = replace(adapted(PROFILES[data, profile], method, independence), seed=seed)
    # By its paper's intent cVAE is ConVAE; as its authors released it, it is a row of its own.
    return replace(recipe, fidelity="released") if method == "cvae" else recipe

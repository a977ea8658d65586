"""Plan the rows of a table: their recipes, and the keys that identify them."""

from __future__ import annotations

import hashlib
import itertools
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sepclr.data.study import NOTED, Study
from sepclr.datasets import DATA_SETS
from sepclr.errors import InputError
from sepclr.fields import flat, flattened
from sepclr.methods.options import METHODS, of_task
from sepclr.parts import MACHINE_FIELDS, Encoder, ImageAugmentation, RowAugmentation, VolumeAugmentation
from sepclr.runs.recipe import METHOD_FIELDS, Recipe, as_options, flat_values, shared, usual

LEFT_OUT = ("simclr-target", "hsic")
"""Methods and independence terms that a table has only on request. Without them, a table of contrastive analysis holds Table 1 of SepCLR
(arXiv 2402.11928), decorrelation, SimCLR, and two methods without training."""

TABLE_3: tuple[tuple[str, ...], tuple[str, ...]] = (
    ("cvae", "convae", "mm-cvae", "sepvae", "sepclr", "pca", "contrastive-pca"),
    ("decorrelation", "k-jem"),
)
"""Methods and independence terms of a table of brains: those of Table 3, two methods without training, and decorrelation."""


@dataclass(frozen=True)
class Job:
    """One run of a table.

    Attributes:
        recipe: recipe of the run, with its seed.
        profile: size of machine that it is meant for.
    """

    recipe: Recipe
    profile: str

    @property
    def key(self) -> str:
        """Hash of the recipe, with its weights resolved; does not depend on the machine or on fields that later versions add.

        ``precision: auto`` depends on the machine, so it does not count; the row records the precision.

        Raises:
            InputError: if the method does not have a weight.
        """
        values = flattened(shared(self.recipe))
        usual = {
            name: value
            for part in (type(self.recipe.method)(), Encoder(), ImageAugmentation(), VolumeAugmentation(), RowAugmentation())
            for name, value in flat(part).items()
            if not name.startswith(("weight_", "critic_"))
        } | {"precision": "auto", "attributes": (), "merge": False}
        deciding = {
            name: value
            for name, value in values.items()
            if name not in MACHINE_FIELDS and value is not None and (name not in usual or value != usual[name])
        }
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """Name of its folder."""
        fold = f"fold{self.recipe.fold}-" if self.recipe.study is not None else ""
        return f"{self.recipe.label}-{self.recipe.seed}-{fold}{self.key}"

    @property
    def command(self) -> str:
        """Command that reproduces this row alone, with ``DIR`` for the data folder."""
        recipe = self.recipe
        data = recipe.data.name
        which = {"profile": self.profile, "methods": recipe.method.name, "seeds": recipe.seed}
        words = ["sepclr", "benchmark", data, *as_options(which)]
        if recipe.data_set.files:
            words += ["--root", "DIR"]
        if recipe.study is not None:
            unset = {field.name: field.default for field in fields(recipe.study)}
            study = {name: value for name, value in flat(recipe.study).items() if name not in NOTED and value != unset[name]}
            words += as_options({"only_folds": recipe.fold} | study)
        if recipe.independence:
            words += ["--independence", recipe.independence]
        there = flat_values(
            _recipe(data, self.profile, recipe.method.name, recipe.independence, seed=recipe.seed, fold=recipe.fold or None)
        )
        here = flat_values(recipe.of(None))
        return shlex.join([*words, *as_options({name: value for name, value in here.items() if value != there.get(name)})])


def plan(
    data: str,
    profile: str = "cpu",
    *,
    methods: Sequence[str] = (),
    independence: Sequence[str] = (),
    seeds: Iterable[int] = (0,),
    folds: Iterable[int] = (0,),
    study: Study | None = None,
    options: Mapping[str, Any] | None = None,
) -> list[Job]:
    """Return the runs of a table: all rows of the first fold of the first seed, then of its next fold, then of the next seed.

    Args:
        data: name of the data set.
        profile: size of machine.
        methods: methods to run; if empty, those of the table, or those with independence terms if ``independence`` is given.
        independence: independence terms of the methods that have them; if empty, those of the table.
        seeds: random seeds of each row.
        folds: cross-validation folds of the study.
        study: the study, for a user's own data.
        options: options of every recipe that replace those of its profile; None keeps the profile's.

    Returns:
        The runs.

    Raises:
        InputError: if the profile is unknown, seeds are missing, repeated or negative, or independence terms are given for methods
            without any.
    """
    data_set = DATA_SETS[data]
    data_set.profile(profile)
    seeds = list(seeds)
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise InputError(f"seeds: {', '.join(map(str, seeds)) or 'none'}; give one or more distinct seeds of at least 0")
    known = of_task(data_set.task)
    usual, ways = TABLE_3 if data == "mri" else (tuple(name for name in known if name not in LEFT_OUT), ())
    terms = {name: method.selectors["independence"] for name, method in known.items() if "independence" in method.selectors}
    chosen = methods or (tuple(terms) if independence else usual)
    if independence and not terms.keys() & {*chosen}:
        raise InputError(f"independence: only {', '.join(terms)} has such terms, not {', '.join(chosen)}; add it to --methods")
    given = {name: value for name, value in (options or {}).items() if value is not None}
    rows: list[tuple[str, str]] = []
    for method in dict.fromkeys(chosen):
        own = independence or ways or tuple(way for way in terms.get(method, ()) if way not in LEFT_OUT)
        if objective := given.get("objective"):
            own = tuple(way for way in own if (way == "decorrelation") == (objective == "decorrelated"))
        rows += [(method, way) for way in dict.fromkeys(own if method in terms else ("",))]
    alone = len(rows) == 1 or not any(METHODS[name].trained for name, _ in rows)  # then an option that does not apply is an error
    jobs = []
    for seed, fold in itertools.product(seeds, dict.fromkeys(folds)):
        of_data = {"study": study, "fold": fold} if DATA_SETS[data].study else {}
        for method, way in rows:
            meant = given if alone else _meant(given, _recipe(data, profile, method, way))
            jobs.append(Job(_recipe(data, profile, method, way, seed=seed, **of_data, **meant), profile))
    return jobs


def _meant(options: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """Return the options without those meant for other rows of the table: of networks, views or a critic that this row lacks."""
    if not recipe.declared.trained:
        return {}
    others = {name for name in METHOD_FIELDS if name.startswith("critic_")} - {*flat(recipe.method)}
    if recipe.views is None and options.get("views") != "random":
        others |= {*flat(recipe.data_set.views)}
    return {name: value for name, value in options.items() if name not in others}


def _recipe(data: str, profile: str, method: str, independence: str, **options: Any) -> Recipe:
    # As intended by its paper, cVAE equals ConVAE; as released by its authors, it is a separate row.
    of_method = {"independence": independence} if independence else {"fidelity": "released"} if method == "cvae" else {}
    return usual(data, profile, **{"method": method} | of_method | options)

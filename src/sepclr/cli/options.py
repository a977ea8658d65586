"""Options of the commands: one for every field of a recipe and of a study, with the field's docstring line as help."""

from __future__ import annotations

import json
from argparse import Action
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from functools import cache, partial
from typing import Any, Literal, get_args, get_type_hints

from jsonargparse import ArgumentParser, DefaultHelpFormatter

from sepclr.data.study import NOTED, Study
from sepclr.datasets import DATA_SETS, DataSet
from sepclr.fields import described, literals, options_of
from sepclr.methods.options import of_task
from sepclr.parts import Encoder, Settings, Task
from sepclr.runs.recipe import default_method, flat_values, usual
from sepclr.tables.workers import Backend


class _Help(DefaultHelpFormatter):
    """Show the help of an option unchanged, because it already states the default."""

    def _get_help_string(self, action: Action) -> str:
        said = action.help or ""
        return said + (" (required)" if action.required and "(required)" not in said else "")


# No abbreviations: --method would mean --methods in one command and itself in another.
Parser = partial(ArgumentParser, allow_abbrev=False, formatter_class=_Help)

PROFILES = "size of machine; cpu: narrow encoders, minutes; paper: ResNet-18s as published, for a GPU (default: cpu)"


def recipe_parser(about: str, data_set: DataSet, *, demo: bool = False) -> ArgumentParser:
    """Make the parser of ``sepclr fit`` or ``sepclr demo``, with every option of a recipe."""
    parser = Parser(description=about)
    parser.add_argument("--config", type=str, default=None, help="YAML file with options, such as the config.yaml of a run")
    parser.add_argument("--out", type=str, default=None, help="folder of the run (default: a new one under runs/)")
    parser.add_argument("--resume", action="store_true", help="resume the run in --out")
    if not demo:
        said = "comma-separated random seeds, instead of --seed: a run for each, and a report on whether they agree"
        parser.add_argument("--seeds", type=several(None), default=[], help=said)
        _add_data(parser, data_set, required=True)
    _add_recipe(parser, data_set)
    return parser


def benchmark_parser(about: str, data_set: DataSet) -> ArgumentParser:
    """Make the parser of ``sepclr benchmark``."""
    parser = Parser(description=about)
    parser.add_argument("--config", type=str, default=None, help="YAML file with any of the options below")
    methods = of_task(data_set.task)
    terms = {name: method.selectors["independence"] for name, method in methods.items() if "independence" in method.selectors}
    of_methods = tuple(dict.fromkeys(term for each in terms.values() for term in each))
    for name, what, known in (
        ("methods", "methods", [*methods]),
        ("independence", f"independence terms of {', '.join(terms)}", of_methods),
    ):
        said = f"comma-separated {what}: {', '.join(known)} (default: the table's)"
        parser.add_argument(f"--{name}", type=several(known), default=[], help=said)
    parser.add_argument("--seeds", type=several(None), default=[0], help="comma-separated random seeds of each row (default: 0)")
    parser.add_argument("--jobs", type=int, default=1, help="number of parallel runs, which share the cores (default: 1)")
    parser.add_argument("--backend", type=Backend, default="loky", help="loky: processes on this machine; dask: workers of a scheduler")
    parser.add_argument("--scheduler", type=str, default=None, help="address of the dask scheduler")
    parser.add_argument("--runs", type=str, default=None, help="folder of the runs (default: one under runs/)")
    parser.add_argument("--results", type=str, default=None, help="results file (default: one in results/)")
    parser.add_argument("--status", action="store_true", help="show status only; start no runs")
    if hasattr(data_set.options, "fold"):
        parser.add_argument(
            "--only_folds", type=several(None), default=[], help="comma-separated cross-validation folds, from 0 (default: all)"
        )
    _add_data(parser, data_set, required=False)
    _add_recipe(parser, data_set, without=("method", "independence", "seed", "fold"))
    return parser


def _add_data(parser: ArgumentParser, data_set: DataSet, *, required: bool) -> None:
    """Add the options of a data set: its folder, its study and its profiles."""
    parser.add_argument("--profile", type=str, default="cpu", metavar="{" + ",".join(data_set.profiles) + "}", help=PROFILES)
    if data_set.files:
        parser.add_argument("--root", type=str, required=required, default=None, help=f"folder of {data_set.files}")
    if data_set.download:
        parser.add_argument("--download", action="store_true", help="fetch missing data into --root and verify them")
    if data_set.study is not None:
        add_study(parser, data_set.study)


def recipe_options(data_set: DataSet) -> dict[str, tuple[Any, str]]:
    """Return the options of all recipes on a data set by flat name, each with its type and help."""
    methods = tuple(of_task(data_set.task))
    found: dict[str, tuple[Any, str]] = {"method": (Literal[methods], "method to train"), **_of_methods(data_set.task)}
    for part in (Encoder(), data_set.views, Settings(1, 1, 1.0), data_set.options):
        found |= {option.name: (option.hint, option.about) for option in options_of(part) if option.name not in ("name", "study")}
    found["encoder"] = found.pop("kind")
    found["views"] = (Literal["random", "none"], "random views of samples, or none, for methods that reconstruct")
    found["seed"] = (int, "random seed of weights, batches, views and bootstrap")
    return found


@cache
def _of_methods(task: Task) -> dict[str, tuple[Any, str]]:
    """Return the options of all methods of a task, those of SepCLR first; help that differs between methods names them."""
    hints: dict[str, Any] = {}
    about: dict[str, dict[str, list[str]]] = {}
    for method in sorted(of_task(task).values(), key=lambda method: method.name != "sepclr"):
        for option in (option for each in method.options for option in options_of(each.default)):
            hint = hints.setdefault(option.name, option.hint)
            hints[option.name] = hint if hint == option.hint else hint | option.hint
        for name, said in method.about.items():
            about.setdefault(name, {}).setdefault(said.rstrip("."), []).append(method.name)
    several = {name: [f"{text} ({', '.join(methods)})" for text, methods in texts.items()] for name, texts in about.items()}
    return {name: (hint, "; ".join(several[name]) if len(several[name]) > 1 else next(iter(about[name]))) for name, hint in hints.items()}


def _add_recipe(parser: ArgumentParser, data_set: DataSet, without: Sequence[str] = ()) -> None:
    """Add an option for every field of every part of a recipe."""
    defaults = _defaults(data_set.name)
    for name, (hint, about) in recipe_options(data_set).items():
        if name not in without:
            how: dict[str, Any] = {"action": "store_true"} if hint is bool else {"type": hint | None}
            default = "" if hint is bool else _default(name, defaults)
            said = f"{about.rstrip('.').replace('`', '')}{default and f' (default: {default})'}"
            if choices := _choices(hint):
                how["metavar"] = "{" + ",".join(choices) + "}"
            parser.add_argument(f"--{name}", default=None, help=said, **how)


def _choices(hint: Any) -> list[Any]:
    """Return the choices of an option; empty if it takes other values, too."""
    parts = [hint] if literals(hint) else [part for part in get_args(hint) if part is not type(None)]
    return [choice for part in parts for choice in literals(part)] if all(map(literals, parts)) else []


@cache
def _defaults(name: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Return, by profile and label, the options of each method's default recipes, that of the default method first."""
    data_set = DATA_SETS[name]
    rows = [{"method": default_method(data_set)}] + [
        {"method": method.name} | ({"independence": term} if (term := getattr(each.default, "independence", "")) else {})
        for method in of_task(data_set.task).values()
        for each in (method.options if "independence" in method.selectors else method.options[:1])
    ]
    made = {profile: [usual(name, profile, **row) for row in rows] for profile in data_set.profiles}
    return {profile: {recipe.label: flat_values(recipe) for recipe in recipes} for profile, recipes in made.items()}


def _default(name: str, defaults: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Format the default of an option: that of the default method, by profile if they differ, or those of the methods that have it."""
    usual = {profile: next(iter(methods.values())).get(name) for profile, methods in defaults.items()}
    if None not in usual.values():
        values = dict.fromkeys(map(_worded, usual.values()))
        return ", ".join(values) if len(values) == 1 else "; ".join(f"{profile}: {_worded(value)}" for profile, value in usual.items())
    having: dict[str, list[str]] = {}
    for method, options in next(iter(defaults.values())).items():
        if options.get(name) is not None:
            having.setdefault(_worded(options[name]), []).append(method)
    return "; ".join(f"{value} for {', '.join(methods)}" for value, methods in having.items())


def _worded(value: Any) -> str:
    return json.dumps(value, separators=(",", ":")).strip('"') if not isinstance(value, float) else f"{value:.4g}"


def check_parser(about: str, data_set: DataSet) -> ArgumentParser:
    """Make the parser of ``sepclr check``."""
    parser = Parser(description=about)
    if data_set.study is not None:
        add_study(parser, data_set.study)
    parser.add_argument("--out", type=str, default=None, help="page to write (default: check.html)")
    return parser


def maps_parser(about: str | None) -> ArgumentParser:
    """Make the parser of ``sepclr maps``."""
    parser = Parser(description=about)
    parser.add_argument("run", type=str, help="folder of the run")
    parser.add_argument("--attribute", type=str, default="group", help="what is decoded from s: group, or an attribute of the study")
    parser.add_argument("--truth", type=str, default=None, help="volume that is 1 where the pattern is known to be")
    parser.add_argument("--cache", type=str, default=None, help="cache of resampled volumes (default: that of the run)")
    parser.add_argument("--out", type=str, default=None, help="folder of the maps (default: maps in the run folder)")
    return parser


def _add_images(parser: ArgumentParser) -> None:
    """Add the options of a command that writes changed images of a table."""
    parser.add_argument("table", type=str, help="TSV or CSV with a row for each image")
    parser.add_argument("--images", type=str, required=True, help="column of paths, or a pattern with {COLUMN} in it")
    parser.add_argument("--out", type=str, required=True, help="new folder for the images and their table")
    parser.add_argument("--subject", type=str, default=None, help="subject column (default: participant_id)")


def implant_parser(about: str | None) -> ArgumentParser:
    """Make the parser of ``sepclr implant``."""
    parser = Parser(description=about)
    _add_images(parser)
    parser.add_argument("--share", type=float, default=0.5, help="share of subjects that become patients (default: 0.5)")
    parser.add_argument("--strength", type=float, default=0.5, help="largest share of the signal that is lost (default: 0.5)")
    parser.add_argument("--seed", type=int, default=0, help="random seed for assigning patterns (default: 0)")
    return parser


def rescan_parser(about: str | None) -> ArgumentParser:
    """Make the parser of ``sepclr rescan``."""
    parser = Parser(description=about)
    _add_images(parser)
    parser.add_argument("--sites", type=int, default=2, help="number of scanners (default: 2)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    return parser


def phantom_parser(about: str | None) -> ArgumentParser:
    """Make the parser of ``sepclr phantom``."""
    parser = Parser(description=about)
    parser.add_argument("out", type=str, help="new folder")
    parser.add_argument("--subjects", type=int, default=60, help="number of subjects (default: 60)")
    parser.add_argument("--sites", type=int, default=2, help="number of scanners (default: 2)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    parser.add_argument("--bids", action="store_true", help="write a BIDS tree")
    return parser


def encode_parser(about: str | None) -> ArgumentParser:
    """Make the parser of ``sepclr encode``."""
    parser = Parser(description=about)
    parser.add_argument("run", type=str, help="folder of the run, or of several seeds, whose codes are averaged")
    taken = ".npy, .npz (array x), .parquet (a column per value); a table of rows or of volumes, a BIDS tree, a folder of images"
    parser.add_argument("--input", type=str, required=True, help=taken)
    parser.add_argument("--out", type=str, default="codes.npz", help="codes file: .npz (arrays c and s), .parquet or .tsv")
    add_table(parser)
    return parser


def add_table(parser: ArgumentParser) -> None:
    """Add the options of a table of images or of a BIDS tree that a finished run reads."""
    parser.add_argument("--images", type=str, default=None, help="column of paths in the table, or a pattern (default: as at training)")
    parser.add_argument("--subject", type=str, default=None, help="subject column (default: as at training)")
    parser.add_argument("--suffix", type=str, default=None, help="last part of names in a BIDS tree (default: as at training, or T1w)")
    parser.add_argument("--entities", type=several(()), default=None, help="parts of names in a BIDS tree (default: as at training)")
    parser.add_argument("--cache", type=str, default=None, help="cache of resampled volumes (default: that of the run)")


def evaluate_parser(about: str | None) -> ArgumentParser:
    """Make the parser of ``sepclr evaluate``."""
    parser = Parser(description=about)
    parser.add_argument("run", type=str, help="folder of the run")
    parser.add_argument("--root", type=str, default=None, help="data folder (MRI: volume cache), if moved")
    return parser


def several(known: Sequence[str] | None) -> Callable[[Any], list[Any]]:
    """Make an argument type for comma-separated values: of a known set, any words (an empty set), or whole numbers (None)."""

    def words(given: Any) -> list[Any]:
        parts = given if isinstance(given, list) else [word.strip() for word in str(given).split(",")]
        for part in parts:
            if known is None and not str(part).isdecimal():
                raise ValueError(f"{part!r} is not a whole number of at least 0")
            if known and part not in known:
                raise ValueError(f"{part!r} is unknown; choose from {', '.join(known)}")
        return [int(part) for part in parts] if known is None else parts

    words.__name__ = "numbers" if known is None else "names"
    return words


def add_study(parser: ArgumentParser, kind: type[Study]) -> None:
    """Add an option for every field of a kind of study; several values are comma-separated."""
    parser.add_argument("--cache", type=str, default=None, help="folder for prepared samples (default: in the user's cache)")
    hints, about = get_type_hints(kind), described(Study) | described(kind)
    for field in fields(kind):
        if field.name in NOTED:
            continue
        needed = field.default is MISSING
        how: dict[str, Any] = {"type": hints[field.name]}
        if hints[field.name] in (bool, bool | None):
            how = {"action": "store_true", "default": field.default}
        elif "tuple" in str(hints[field.name]):
            how = {"type": several(None if "tuple[int" in str(hints[field.name]) else ())}
        elif field.default is not None and not needed:
            how["default"] = field.default
        parser.add_argument(f"--{field.name}", required=needed, help=about[field.name], **how)


def underscored(word: str) -> str:
    """Return --max-epochs as --max_epochs."""
    name, equals, value = word.partition("=")
    return f"--{name[2:].replace('-', '_')}{equals}{value}" if word.startswith("--") else word


def placed(words: Sequence[str]) -> list[str]:
    """Return ``fit cells FILE …`` as ``fit cells --file FILE …``."""
    study = DATA_SETS[words[1]].study if len(words) > 2 and words[1] in DATA_SETS else None
    if study is None or not study.PLACED or words[2].startswith("-"):
        return list(words)
    return [*words[:2], f"--{study.PLACED}", *words[2:]]

"""Options of the commands: every field of a recipe and of a study is one, with its line of the docstring as help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from functools import partial
from typing import Any, get_args, get_type_hints

from jsonargparse import ArgumentParser

from sepclr.benchmark.recipes import Backend, Independence, MethodName, Profile, Recipe
from sepclr.benchmark.study import NOTED, Study

# No abbreviations: --method would mean --methods in one command and itself in another.
Parser = partial(ArgumentParser, allow_abbrev=False)


def recipe_parser(about: str | None, default: str, *, mri: bool = False) -> ArgumentParser:
    """Make the options of a run: its folder and every field of a recipe."""
    parser = Parser(description=about)
    parser.add_argument("--config", action="config", help="YAML file with any of the options below")
    parser.add_argument("--out", type=str, default=None, help="folder of the run (default: a new one under runs/)")
    parser.add_argument("--resume", action="store_true", help="resume the run in --out")
    _add_fields(parser, default, without=() if mri else ("fold",))
    return parser


def benchmark_parser(about: str | None, *, mri: bool = False) -> ArgumentParser:
    """Make the options of a table."""
    parser = Parser(description=about)
    parser.add_argument("--config", action="config", help="YAML file with any of the options below")
    names, ways = get_args(MethodName), get_args(Independence)
    parser.add_argument(
        "--methods", type=several(names), default=[], help=f"comma-separated methods, of {', '.join(names)} (default: the table's)"
    )
    parser.add_argument(
        "--independence",
        type=several(ways),
        default=[],
        help=f"comma-separated independence terms, of {', '.join(ways)} (default: the table's)",
    )
    parser.add_argument("--seeds", type=several(None), default=[0], help="comma-separated random seeds of each row (default: 0)")
    parser.add_argument("--profile", type=Profile, default="cpu", help="cpu: narrow encoders, minutes; paper: ResNet-18s as published")
    parser.add_argument("--jobs", type=int, default=1, help="number of parallel runs, which share the cores (default: 1)")
    parser.add_argument("--backend", type=Backend, default="loky", help="loky: processes on this machine; dask: workers of a scheduler")
    parser.add_argument("--scheduler", type=str, default=None, help="address of the dask scheduler")
    if not mri:
        parser.add_argument("--root", type=str, default=None, help="data folder, for data sets that need one")
        parser.add_argument("--download", action="store_true", help="fetch missing data into --root and verify them")
    parser.add_argument("--runs", type=str, default=None, help="folder of the runs (default: one under runs/)")
    parser.add_argument("--results", type=str, default=None, help="results file (default: one in results/)")
    parser.add_argument("--status", action="store_true", help="show status only; start no runs")
    _add_fields(parser, "the profile", without=("method", "independence", "seed", "fold"))
    return parser


def check_parser(about: str | None) -> ArgumentParser:
    """Make the options of ``sepclr check``."""
    parser = Parser(description=about)
    parser.add_argument("table", type=str, help="TSV or CSV with a row for each image, such as participants.tsv")
    parser.add_argument("--images", type=str, required=True, help="column of paths, or a pattern with {COLUMN} in it")
    parser.add_argument("--group", type=str, required=True, help="group column")
    parser.add_argument("--background", type=several(()), required=True, help="comma-separated --group values for background")
    parser.add_argument("--target", type=several(()), required=True, help="comma-separated --group values for target")
    parser.add_argument("--attributes", type=several(()), default=[], help="comma-separated attribute columns; type inferred from values")
    parser.add_argument("--numeric", type=several(()), default=[], help="comma-separated attribute columns to treat as quantities")
    parser.add_argument("--categorical", type=several(()), default=[], help="comma-separated attribute columns to treat as classes")
    parser.add_argument("--subject", type=str, default=None, help="subject column (default: participant_id)")
    parser.add_argument("--split", type=str, default=None, help="column of train and test")
    parser.add_argument("--resample", action="store_true", help="allow shapes and affines to differ")
    parser.add_argument("--out", type=str, default=None, help="page to write (default: check.html)")
    return parser


def maps_parser(about: str | None) -> ArgumentParser:
    """Make the options of ``sepclr maps``."""
    parser = Parser(description=about)
    parser.add_argument("run", type=str, help="folder of the run")
    parser.add_argument("--attribute", type=str, default="group", help="what is decoded from s: group, or an attribute of the study")
    parser.add_argument("--truth", type=str, default=None, help="volume that is 1 where the pattern is known to be")
    parser.add_argument("--cache", type=str, default=None, help="cache of resampled volumes (default: that of the run)")
    parser.add_argument("--out", type=str, default=None, help="folder of the maps (default: maps in the run folder)")
    return parser


def implant_parser(about: str | None) -> ArgumentParser:
    """Make the options of ``sepclr implant``."""
    parser = Parser(description=about)
    parser.add_argument("table", type=str, help="TSV or CSV with a row for each image")
    parser.add_argument("--images", type=str, required=True, help="column of paths, or a pattern with {COLUMN} in it")
    parser.add_argument("--out", type=str, required=True, help="new folder for the images and their table")
    parser.add_argument("--subject", type=str, default=None, help="subject column (default: participant_id)")
    parser.add_argument("--share", type=float, default=0.5, help="share of subjects that become patients (default: 0.5)")
    parser.add_argument("--strength", type=float, default=0.5, help="largest share of the signal that is lost (default: 0.5)")
    parser.add_argument("--seed", type=int, default=0, help="random seed for assigning patterns (default: 0)")
    return parser


def phantom_parser(about: str | None) -> ArgumentParser:
    """Make the options of ``sepclr phantom``."""
    parser = Parser(description=about)
    parser.add_argument("out", type=str, help="new folder")
    parser.add_argument("--subjects", type=int, default=60, help="number of subjects (default: 60)")
    parser.add_argument("--sites", type=int, default=2, help="number of scanners (default: 2)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    return parser


def encode_parser(about: str | None) -> ArgumentParser:
    """Make the options of ``sepclr encode``."""
    parser = Parser(description=about)
    parser.add_argument("run", type=str, help="folder of the run")
    parser.add_argument(
        "--input",
        type=str,
        required=True,
        help=".npy, .npz (array x), .parquet (a column per value); for mri also a table of images",
    )
    parser.add_argument("--out", type=str, default="codes.npz", help="codes file: .npz (arrays c and s), .parquet or .tsv")
    parser.add_argument("--images", type=str, default=None, help="column of paths in the table, or a pattern (default: as at training)")
    parser.add_argument("--subject", type=str, default=None, help="subject column (default: as at training)")
    parser.add_argument("--cache", type=str, default=None, help="cache of resampled volumes (default: that of the run)")
    return parser


def evaluate_parser(about: str | None) -> ArgumentParser:
    """Make the options of ``sepclr evaluate``."""
    parser = Parser(description=about)
    parser.add_argument("run", type=str, help="folder of the run")
    parser.add_argument("--root", type=str, default=None, help="data folder (MRI: volume cache), if moved")
    return parser


def several(known: Sequence[str] | None) -> Callable[[Any], list[Any]]:
    """Make a type for comma-separated words: of a known set, any words (an empty set), or whole numbers (None)."""

    def words(given: Any) -> list[Any]:
        parts = given if isinstance(given, list) else [word.strip() for word in str(given).split(",")]
        for part in parts:
            if known is None and not str(part).isdecimal():
                raise ValueError(f"{part!r} is not a whole number of 0 or larger")
            if known and part not in known:
                raise ValueError(f"{part!r} is unknown; choose from {', '.join(known)}")
        return [int(part) for part in parts] if known is None else parts

    words.__name__ = "numbers" if known is None else "names"
    return words


def _add_fields(parser: ArgumentParser, default: str, without: Sequence[str] = ()) -> None:
    """Add an option for every field of a recipe, so that a new field needs no line here."""
    hints, about = get_type_hints(Recipe), _about(Recipe)
    for field in fields(Recipe):
        if field.name not in ("data", "study", *without):
            said = f"{about[field.name]} (default: that of {default})"
            how: dict[str, Any] = {"action": "store_true"} if hints[field.name] is bool else {"type": hints[field.name] | None}
            parser.add_argument(f"--{field.name}", default=None, help=said, **how)


def add_study(parser: ArgumentParser) -> None:
    """Add an option for every field of a study; several values are comma-separated."""
    parser.add_argument("--cache", type=str, default=None, help="cache of resampled volumes (default: in the user's cache)")
    hints, about = get_type_hints(Study), _about(Study)
    for field in fields(Study):
        if field.name in NOTED:
            continue
        needed = field.default is MISSING
        how: dict[str, Any] = {"type": hints[field.name]}
        if hints[field.name] is bool:
            how = {"action": "store_true"}
        elif field.name in ("spacing", "folds"):
            how["default"] = field.default
        elif "tuple" in str(hints[field.name]):
            how = {"type": several(None if field.name == "shape" else ())}
        parser.add_argument(f"--{field.name}", required=needed, help=about[field.name], **how)


def _about(kind: type) -> dict[str, str]:
    """Read the docstring line of each field of a dataclass."""
    lines = [line.strip() for line in (kind.__doc__ or "").splitlines()]
    return {
        name: next(line.partition(": ")[2] for line in lines if line.startswith(f"{name}: ")) for name in (f.name for f in fields(kind))
    }


def underscored(word: str) -> str:
    """Take --max-epochs for --max_epochs."""
    name, equals, value = word.partition("=")
    return f"--{name[2:].replace('-', '_')}{equals}{value}" if word.startswith("--") else word

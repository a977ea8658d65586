"""The command line. Each command imports the heavy libraries that it needs only after checking its options."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from sepclr.cli import decode, export, push
from sepclr.cli.certify import certify
from sepclr.cli.config import with_config
from sepclr.cli.ending import ended
from sepclr.cli.options import (
    Parser,
    benchmark_parser,
    check_parser,
    encode_parser,
    evaluate_parser,
    implant_parser,
    maps_parser,
    phantom_parser,
    placed,
    recipe_options,
    recipe_parser,
    rescan_parser,
    underscored,
)
from sepclr.cli.preflight import preflight, preflight_parser
from sepclr.cli.study import cache_of, plain_study, root_of
from sepclr.data.study import Study
from sepclr.datasets import DATA_SETS, DataSet
from sepclr.errors import InputError
from sepclr.extras import need
from sepclr.runs import usable
from sepclr.runs.recipe import compared, usual
from sepclr.runs.seeds_folder import one_run
from sepclr.tables.plan import plan
from sepclr.tables.workers import check_workers


@ended
def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command with the given arguments, those of the process if None.

    Returns:
        0, or 2 if an input cannot be used; the reason is then on standard error. Codes of signals are those of ``ended``.
    """
    words = placed([underscored(word) for word in (sys.argv[1:] if arguments is None else arguments)])
    parser, commands, known = _parser(words)
    words, noted = with_config(words, known)
    options = parser.parse_args(words)
    name = options.command
    options = options[name]
    if name in ("fit", "benchmark", "check", "preflight"):
        data = options.data
        name, options = f"{name} {data}", options[data]
    elif name == "decode":
        name, options = f"{name} {options.action}", options[options.action]
    options.noted = noted
    commands[name](options)
    return 0


def demo(options: Namespace) -> None:
    """Train on marked digits, with decorrelation and with k-JEM, and compare them in a report; takes about three minutes on two cores."""
    recipes, out = compared("marked-digits", **_given(DATA_SETS["marked-digits"], options)), _out(options, "demo")
    usable.check_demo(recipes, out, resume=options.resume)
    from sepclr.runs.demo import demo as run

    print(f"report: {run(recipes, out, resume=options.resume)}")


def fit(data_set: DataSet, options: Namespace) -> None:
    """Train and evaluate a method on a data set."""
    recipe = usual(data_set.name, options.profile, **_given(data_set, options))
    fold = f"-fold{recipe.fold}" if hasattr(recipe.data, "fold") else ""
    several = f"seeds-{'-'.join(map(str, options.seeds))}" if options.seeds else recipe.seed
    out = _out(options, f"{data_set.name}-{options.profile}-{recipe.label}-{several}{fold}")
    how = {"resume": options.resume, "root": root_of(options), "download": options.get("download", False)}
    check = partial(usable.check_seeds, seeds=options.seeds, seed=options.seed) if options.seeds else usable.check_run
    check(recipe, out, **how)
    if data_set.study is not None:
        recipe = recipe.of(_study(data_set, options))
    if options.seeds:
        from sepclr.runs.seeds import run_seeds

        print(f"report: {run_seeds(recipe, options.seeds, out, **how)}")
        return
    from sepclr.runs.run import run

    _show(run(recipe, out, **how))


def encode(options: Namespace) -> None:
    """Write the codes c and s of new samples."""
    places = Path(options.run), Path(options.input), Path(options.out)
    of_table = {name: getattr(options, name) for name in ("images", "subject", "suffix", "entities")} | {"cache": cache_of(options)}
    usable.check_codes(one_run(places[0]), *places[1:], **of_table)
    from sepclr.data.facts import counted
    from sepclr.runs.encode import encode_file

    codes = encode_file(*places, **of_table)
    print(f"{options.out}: {counted(len(codes.c), 'samples')}, c with {codes.c.shape[1]} and s with {codes.s.shape[1]} dimensions")


def evaluate(options: Namespace) -> None:
    """Repeat the evaluation of a finished run: print its scores, and rewrite its rows and report."""
    usable.check_finished(Path(options.run))
    from sepclr.runs.run import evaluate_again

    _show(evaluate_again(Path(options.run), Path(options.root) if options.root else None))


def benchmark(data_set: DataSet, options: Namespace) -> None:
    """Run the rows of a table; skip finished runs, resume interrupted ones."""
    given = {name: value for name, value in _given(data_set, options).items() if name != "independence"}
    rows = {"methods": options.methods, "independence": options.independence, "seeds": options.seeds, "options": given}
    jobs = plan(data_set.name, options.profile, **rows)
    name = f"{data_set.name}-{options.profile}"
    runs = Path(options.runs or f"runs/benchmark-{name}").absolute()
    results = Path(options.results or f"results/{name}.jsonl").absolute()
    root, download = root_of(options), options.get("download", False)
    if not options.status:
        check_workers(options.jobs, options.backend, options.scheduler)
        need("report", "benchmark")
        usable.check_rows([job.recipe for job in jobs], root, download=download)
        usable.check_table_places(runs, results)
    if data_set.study is not None:
        study = _study(data_set, options)
        from sepclr.data.folds import with_drawn_folds_beside

        folds = options.only_folds or range(1 if study.split else study.folds)
        jobs = plan(data_set.name, options.profile, **rows, folds=folds, study=with_drawn_folds_beside(study, runs))
    from sepclr.tables.jobs import Places, check_jobs, run_jobs
    from sepclr.tables.table import print_status, show_table

    places = Places(runs, results, root)
    if options.status:
        print_status(jobs, places)
        return
    check_jobs(jobs, places, download=download)
    how = {"workers": options.jobs, "backend": options.backend, "scheduler": options.scheduler}
    failed = run_jobs(jobs, places, **how, say=lambda text: print(f"{datetime.now():%H:%M:%S} {text}", flush=True))
    show_table(jobs, places)
    if failed:
        raise InputError(f"{len(failed)} runs failed; rerun the command to resume: " + "; ".join(failed))


def check(data_set: DataSet, options: Namespace) -> None:
    """Check data before training: what is wrong with them, and what a reviewer would ask."""
    data_set.check_packages()
    study = plain_study(data_set, options)
    study.members()  # raises InputError before torch is imported
    from sepclr.data.facts import counted
    from sepclr.runs.check import check_study

    out = Path(options.out or "check.html")
    found = check_study(study, out, cache_of(options))
    print(f"page: {out}")
    if found:
        raise InputError(f"{study.source}: {counted(len(found), 'problems')}, listed above and on the page")


def maps(options: Namespace) -> None:
    """Map where in the brain the salient code of an mri run comes from, as NIfTI files and a page."""
    usable.check_finished(Path(options.run))
    need("brains", "maps")
    from sepclr.runs.maps import make_maps

    truth, out = (Path(given) if given else None for given in (options.truth, options.out))
    print(f"page: {make_maps(Path(options.run), attribute=options.attribute, truth=truth, cache=cache_of(options), out=out)}")


def implant(options: Namespace) -> None:
    """Implant a known pattern in the volumes of some subjects, to test whether a method finds it."""
    need("brains", "implant")
    from sepclr.imaging.implant import implant_table

    given = {name: getattr(options, name) for name in ("subject", "share", "strength", "seed")}
    print(f"table: {implant_table(Path(options.table), options.images, Path(options.out), **given)}")


def rescan(options: Namespace) -> None:
    """Assign the subjects of a table to simulated scanners, to test whether a method is free of them."""
    need("brains", "rescan")
    from sepclr.imaging.sites import rescan_table

    given = {name: getattr(options, name) for name in ("subject", "sites", "seed")}
    print(f"table: {rescan_table(Path(options.table), options.images, Path(options.out), **given)}")


def phantom(options: Namespace) -> None:
    """Write a study of small synthetic brains, half of them with a known pattern."""
    need("brains", "phantom")
    from sepclr.imaging.phantom import write_bids_phantoms, write_phantoms

    write = write_bids_phantoms if options.bids else write_phantoms
    print(f"table: {write(Path(options.out), options.subjects, sites=options.sites, seed=options.seed)}")


def _study(data_set: DataSet, options: Namespace) -> Study:
    """Make a study from its options, with hashes of its content.

    Raises:
        InputError: if its files cannot be used, or differ from those of ``--config``.
    """
    study = plain_study(data_set, options).noted(cache_of(options))
    for name, what in (
        ("content", "its samples or their values"),
        ("volumes", "the content of its images"),
        ("pictures", "the content of its images"),
    ):
        if options.noted.get(name, there := getattr(study, name, None)) != there:
            raise InputError(f"{study.source}: {what} changed since the run of --config; restore what changed, or leave --config out")
    return replace(study, folds_file=options.noted.get("folds_file"))


def _given(data_set: DataSet, options: Namespace) -> dict[str, Any]:
    """Return the recipe options that were given."""
    return {name: options[name] for name in recipe_options(data_set) if options.get(name) is not None}


def _show(finished: Any) -> None:
    from sepclr.runs.run import print_rows

    if finished is None:  # one of several processes: only the first reports
        return
    print_rows([finished])
    print(f"report: {finished.folder.report}")


def _out(options: Namespace, name: str) -> Path:
    """Return the folder of a run: the one given, or a new one under runs/."""
    return Path(options.out) if options.out else Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"


def _parser(words: Sequence[str] = ()) -> tuple[ArgumentParser, dict[str, Callable[[Namespace], None]], dict[str, list[str]]]:
    """Return the parser, and the function and the options of each command.

    Args:
        words: arguments of a command, which alone gets its options, since those of all take a third of a second; all do if empty.
    """
    parser = Parser(prog="sepclr", description="Contrastive analysis: what two data sets share, and what only one of them has.")
    parser.add_argument("--version", action="version", version=f"sepclr {version('sepclr')}")
    commands = parser.add_subcommands(dest="command")
    known: dict[str, list[str]] = {}
    functions: dict[str, Callable[[Namespace], None]] = {}

    def add(under: Any, path: str, about: str | None, make: Callable[[], ArgumentParser], function: Callable[[Namespace], None]) -> None:
        named = not words or path.split() == list(words[: path.count(" ") + 1])
        one = make() if named else Parser(description=about)
        under.add_subcommand(path.rpartition(" ")[2], one, help=about)
        functions[path], known[path] = function, [action.dest for action in one._actions]

    add(commands, "demo", demo.__doc__, partial(recipe_parser, demo.__doc__ or "", DATA_SETS["marked-digits"], demo=True), demo)
    of_data: tuple[tuple[Any, Any, str], ...] = (
        (fit, recipe_parser, "Train on"),
        (benchmark, benchmark_parser, "Run a table of methods on"),
        (check, check_parser, "Check, before training,"),
        (preflight, preflight_parser, "Look, before training, for signal in"),
    )
    for command, options_of, what in of_data:
        group: ArgumentParser = Parser(description=command.__doc__)
        commands.add_subcommand(command.__name__, group, help=group.description)
        data = group.add_subcommands(dest="data")
        for name, data_set in DATA_SETS.items():
            if command is check and data_set.study is None:
                continue
            about = f"{what} {data_set.about}."
            add(data, f"{command.__name__} {name}", about, partial(options_of, about, data_set), partial(command, data_set))
    simple = ((maps, maps_parser), (implant, implant_parser), (rescan, rescan_parser), (phantom, phantom_parser))
    shared = ((export.export, export.parser), (push.push, push.parser))
    of_runs = ((encode, encode_parser), (evaluate, evaluate_parser), (certify, evaluate_parser))
    for function, options in (*simple, *shared, *of_runs):
        add(commands, function.__name__, function.__doc__, partial(options, function.__doc__), function)
    group = Parser(description=decode.__doc__.partition(": ")[2].capitalize())
    commands.add_subcommand("decode", group, help=group.description)
    actions = group.add_subcommands(dest="action")
    for name, (make, action) in decode.ACTIONS.items():
        add(actions, f"decode {name}", action.__doc__, make, action)
    return parser, functions, known

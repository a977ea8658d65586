"""The command line: parses and hands over; each command imports the heavy libraries that it needs after checking its options."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from sepclr.benchmark import preflight
from sepclr.benchmark.plan import plan
from sepclr.benchmark.profiles import DEMO, PROFILES, asked, compared
from sepclr.benchmark.recipes import DataName, Profile, Recipe
from sepclr.benchmark.study import Study, study_from
from sepclr.benchmark.workers import check_workers
from sepclr.cli.options import (
    Parser,
    add_study,
    benchmark_parser,
    check_parser,
    encode_parser,
    evaluate_parser,
    implant_parser,
    maps_parser,
    phantom_parser,
    recipe_parser,
    several,
    underscored,
)
from sepclr.errors import InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, given as words, those of the process if None.

    Returns:
        0, or 2 where something that was given cannot be used; the reason is then one line on standard error.
    """
    parser, commands = _parser()
    options = parser.parse_args([underscored(word) for word in (sys.argv[1:] if arguments is None else arguments)])
    name = options.command
    options = options[name]
    if name in ("fit", "benchmark"):
        data = options.data
        name, options = f"{name} {data}", options[data]
    try:
        commands[name](options)
    except InputError as error:
        print(f"sepclr: error: {error}", file=sys.stderr)
        return 2
    return 0


def demo(options: Namespace) -> None:
    """Train on marked digits, decorrelated and with k-JEM: some three minutes on two cores; write a report of how well they separate."""
    recipes, out = compared(DEMO, vars(options)), _out(options, "demo")
    preflight.check_demo(recipes, out, resume=options.resume)
    from sepclr.benchmark.demo import demo as run

    print(f"report: {run(recipes, out, resume=options.resume)}")


def fit_digits_on_cifar(options: Namespace) -> None:
    """Train on digits over CIFAR-10 photographs, in the layouts of their publishers."""
    recipe = asked(PROFILES["digits-on-cifar", options.profile], vars(options))
    name = f"digits-on-cifar-{options.profile}-{recipe.label}-{recipe.seed}"
    _fit(recipe, _out(options, name), resume=options.resume, root=Path(options.root), download=options.download)


def fit_marked_digits(options: Namespace) -> None:
    """Train on marked digits, the data of the demo, which ship with scikit-learn."""
    recipe = asked(DEMO, vars(options))
    _fit(recipe, _out(options, f"marked-digits-{recipe.label}-{recipe.seed}"), resume=options.resume)


def fit_mri(options: Namespace) -> None:
    """Train on brain volumes, with groups and attributes of the subjects from a table."""
    recipe = asked(PROFILES["mri", options.profile], vars(options))
    out = _out(options, f"mri-{options.profile}-{recipe.label}-{recipe.seed}-fold{recipe.fold}")
    preflight.check_run(recipe, out, resume=options.resume)
    _fit(replace(recipe, study=_study(options)), out, resume=options.resume, root=_cache(options))


def _fit(recipe: Recipe, out: Path, **how: Any) -> None:
    preflight.check_run(recipe, out, **how)
    from sepclr.benchmark.runner import run

    _show(run(recipe, out, **how))


def benchmark_mri(options: Namespace) -> None:
    """Run Table 3 of the paper on your own volumes: its methods, all cross-validation folds."""
    _benchmark("mri", options)


def benchmark_digits_on_cifar(options: Namespace) -> None:
    """Run Table 1 of the paper: all methods and independence terms on digits over CIFAR-10 photographs."""
    _benchmark("digits-on-cifar", options)


def benchmark_marked_digits(options: Namespace) -> None:
    """Run the same methods on marked digits, which ship with scikit-learn."""
    _benchmark("marked-digits", options)


def encode(options: Namespace) -> None:
    """Write the codes c and s of new samples."""
    places = Path(options.run), Path(options.input), Path(options.out)
    preflight.check_codes(*places)
    from sepclr.benchmark.files import encode_file

    of_table = {"images": options.images, "subject": options.subject, "cache": _cache(options)}
    codes = encode_file(*places, **of_table)
    print(f"{options.out}: {len(codes.c)} samples, c of {codes.c.shape[1]} and s of {codes.s.shape[1]} numbers each")


def evaluate(options: Namespace) -> None:
    """Probe a finished run again, print its rows and store them with the report."""
    preflight.check_finished(Path(options.run))
    from sepclr.benchmark.runner import evaluate_again

    _show(evaluate_again(Path(options.run), Path(options.root) if options.root else None))


def _benchmark(data: DataName, options: Namespace) -> None:
    given = {name: value for name, value in vars(options).items() if name != "independence"}
    rows = {"methods": options.methods, "independence": options.independence, "seeds": options.seeds, "options": given}
    jobs = plan(data, options.profile, **rows)
    name = f"{data}-{options.profile}"
    runs = Path(options.runs or f"runs/benchmark-{name}").absolute()
    results = Path(options.results or f"results/{name}.jsonl").absolute()
    root = _cache(options) if data == "mri" else Path(options.root).absolute() if options.root else None
    download = "download" in options and options.download
    if not options.status:
        check_workers(options.jobs, options.backend, options.scheduler)
        preflight.check_rows([job.recipe for job in jobs], root, download=download)
        preflight.check_table_places(runs, results)
    if data == "mri":
        study = _study(options)
        from sepclr.benchmark.brains import with_drawn_folds_beside

        folds = options.only_folds or range(1 if study.split else study.folds)
        jobs = plan(data, options.profile, **rows, folds=folds, study=with_drawn_folds_beside(study, runs))
    from sepclr.benchmark.jobs import Places, check_jobs, run_jobs
    from sepclr.benchmark.table import print_status, show_table

    places = Places(runs, results, root)
    if options.status:
        print_status(jobs, places)
        return
    check_jobs(jobs, places, download=download)
    how = {"workers": options.jobs, "backend": options.backend, "scheduler": options.scheduler}
    failed = run_jobs(jobs, places, **how, say=lambda text: print(f"{datetime.now():%H:%M:%S} {text}", flush=True))
    show_table(jobs, places)
    if failed:
        raise InputError(f"{len(failed)} runs failed; rerun the command to resume\n" + "\n".join(failed))


def check(options: Namespace) -> None:
    """Check a table of subjects and their volumes, and write a page of what is in it."""
    from sepclr.data.participants import Columns, kinds, read_participants

    attributes = kinds(options.attributes, options.numeric, options.categorical)
    columns = Columns(options.images, options.group, options.background, options.target, attributes, options.subject, options.split)
    out = Path(options.out or "check.html")
    read_participants(Path(options.table), columns)  # raises InputError before torch is imported
    from sepclr.benchmark.check import check_table

    found = check_table(Path(options.table), columns, out, resample=options.resample)
    print(f"page: {out}")
    if found:
        raise InputError(f"{options.table}: {len(found)} problems with its images, listed above and on the page")


def maps(options: Namespace) -> None:
    """Map where in the brain the salient code of an mri run comes from, as NIfTI files and a page."""
    preflight.check_finished(Path(options.run))
    from sepclr.benchmark.maps import make_maps

    truth, out = (Path(given) if given else None for given in (options.truth, options.out))
    print(f"page: {make_maps(Path(options.run), attribute=options.attribute, truth=truth, cache=_cache(options), out=out)}")


def implant(options: Namespace) -> None:
    """Implant a known pattern into the volumes of some of a table's subjects, to test whether a method finds it."""
    from sepclr.data.implant import implant_table

    given = {name: getattr(options, name) for name in ("subject", "share", "strength", "seed")}
    print(f"table: {implant_table(Path(options.table), options.images, Path(options.out), **given)}")


def phantom(options: Namespace) -> None:
    """Write a study of small synthetic brains, half of them with a known pattern."""
    from sepclr.data.phantom import write_phantoms

    print(f"table: {write_phantoms(Path(options.out), options.subjects, sites=options.sites, seed=options.seed)}")


def _study(options: Namespace) -> Study:
    """Collect the options of a study; its paths become absolute, because workers may run in other folders."""
    values = dict(vars(options))
    for name in ("table", "mask"):
        values[name] = str(Path(values[name]).absolute()) if values[name] else None
    preflight.check_table_exists(Path(values["table"]))
    from sepclr.benchmark.brains import known_by_content

    return known_by_content(study_from(values), _cache(options))


def _cache(options: Namespace) -> Path | None:
    return Path(options.cache).absolute() if options.cache else None


def _show(finished: Any) -> None:
    from sepclr.benchmark.runner import print_rows

    if finished is None:  # one of several processes, of which the first reports
        return
    print_rows([finished])
    print(f"report: {finished.folder.report}")


def _out(options: Namespace, name: str) -> Path:
    """Choose the folder of a run: the one given, or a new one under runs/."""
    return Path(options.out) if options.out else Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"


def _fit_commands(commands: Any) -> None:
    """Add ``fit`` with a command for each data set."""
    fit = Parser(description="Train and evaluate into a folder.")
    commands.add_subcommand("fit", fit, help=fit.description)
    data = fit.add_subcommands(dest="data")
    cifar = recipe_parser(fit_digits_on_cifar.__doc__, "the profile")
    cifar.add_argument("--root", type=str, required=True, help="folder with cifar-10-batches-py and MNIST/raw")
    cifar.add_argument("--profile", type=Profile, default="cpu", help="cpu: narrow encoders, minutes; paper: ResNet-18s as published")
    cifar.add_argument("--download", action="store_true", help="fetch missing data into --root and verify them")
    data.add_subcommand("digits-on-cifar", cifar, help=fit_digits_on_cifar.__doc__)
    data.add_subcommand("marked-digits", recipe_parser(fit_marked_digits.__doc__, "DEMO"), help=fit_marked_digits.__doc__)
    mri = recipe_parser(fit_mri.__doc__, "the profile", mri=True)
    mri.add_argument("--profile", type=Profile, default="cpu", help="cpu: narrow encoders; paper: ResNet-18s, for a GPU")
    add_study(mri)
    data.add_subcommand("mri", mri, help=fit_mri.__doc__)


def _benchmark_commands(commands: Any) -> None:
    """Add ``benchmark`` with a command for each data set."""
    benchmark = Parser(description="Run the rows of a table; skip finished runs, resume interrupted ones.")
    commands.add_subcommand("benchmark", benchmark, help=benchmark.description)
    data = benchmark.add_subcommands(dest="data")
    data.add_subcommand("digits-on-cifar", benchmark_parser(benchmark_digits_on_cifar.__doc__), help=benchmark_digits_on_cifar.__doc__)
    data.add_subcommand("marked-digits", benchmark_parser(benchmark_marked_digits.__doc__), help=benchmark_marked_digits.__doc__)
    mri = benchmark_parser(benchmark_mri.__doc__, mri=True)
    mri.add_argument("--only_folds", type=several(None), default=[], help="comma-separated cross-validation folds, from 0 (default: all)")
    add_study(mri)
    data.add_subcommand("mri", mri, help=benchmark_mri.__doc__)


def _parser() -> tuple[ArgumentParser, dict[str, Callable[[Namespace], None]]]:
    parser = Parser(prog="sepclr", description="Contrastive analysis: what two data sets share, and what only one of them has.")
    parser.add_argument("--version", action="version", version=f"sepclr {version('sepclr')}")
    commands = parser.add_subcommands(dest="command")

    demo_parser = recipe_parser(demo.__doc__, "DEMO")
    commands.add_subcommand("demo", demo_parser, help=demo.__doc__)

    _fit_commands(commands)
    _benchmark_commands(commands)
    options = {
        check: check_parser,
        maps: maps_parser,
        implant: implant_parser,
        phantom: phantom_parser,
        encode: encode_parser,
        evaluate: evaluate_parser,
    }
    for command, options_of in options.items():
        commands.add_subcommand(command.__name__, options_of(command.__doc__), help=command.__doc__)

    return parser, {
        "demo": demo,
        "fit digits-on-cifar": fit_digits_on_cifar,
        "fit marked-digits": fit_marked_digits,
        "fit mri": fit_mri,
        "benchmark digits-on-cifar": benchmark_digits_on_cifar,
        "benchmark marked-digits": benchmark_marked_digits,
        "benchmark mri": benchmark_mri,
        "check": check,
        "maps": maps,
        "implant": implant,
        "phantom": phantom,
        "encode": encode,
        "evaluate": evaluate,
    }

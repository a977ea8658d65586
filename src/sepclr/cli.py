"""The command line: parses and hands over; heavy imports are paid for by the command that needs them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields, replace
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args, get_type_hints

from jsonargparse import ArgumentParser, Namespace

from sepclr.benchmark.recipes import DEMO, PROFILES, Backend, DataName, Independence, MethodName, Profile, Recipe, adapted, changed
from sepclr.benchmark.study import Study, study_from


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: words of the command line, those of the process where None.

    Returns:
        0, or 2 where something that was given cannot be used; the reason is then one line on standard error.
    """
    parser, commands = _parser()
    options = parser.parse_args(arguments)
    name = options.command
    options = options[name]
    if name in ("fit", "benchmark"):
        data = options.data
        name, options = f"{name} {data}", options[data]
    from sepclr.types import InputError

    try:
        commands[name](options)
    except InputError as error:
        print(f"sepclr: error: {error}", file=sys.stderr)
        return 2
    return 0


def demo(options: Namespace) -> None:
    """Train on marked digits with k-JEM and without: some three minutes on two cores; write a report of what is pulled apart."""
    from sepclr.benchmark.demo import demo as run

    print(f"report: {run(changed(DEMO, vars(options)), _out(options, 'demo'), resume=options.resume)}")


def fit_digits_on_cifar(options: Namespace) -> None:
    """Train on digits over CIFAR-10 photographs, in the layouts of their publishers."""
    from sepclr.benchmark.runner import run

    recipe = changed(adapted(PROFILES["digits-on-cifar", options.profile], options.method or "sepclr"), vars(options))
    name = f"digits-on-cifar-{options.profile}-{recipe.label}-{recipe.seed}"
    _show(run(recipe, _out(options, name), root=Path(options.root), download=options.download, resume=options.resume))


def fit_marked_digits(options: Namespace) -> None:
    """Train on marked digits, the data of the demo, which ship with scikit-learn."""
    from sepclr.benchmark.runner import run

    recipe = changed(adapted(DEMO, options.method or "sepclr"), vars(options))
    _show(run(recipe, _out(options, f"marked-digits-{recipe.label}-{recipe.seed}"), resume=options.resume))


def fit_mri(options: Namespace) -> None:
    """Train on volumes of the brain: a table says whose they are, who is target, and what is known of the subjects."""
    from sepclr.benchmark.runner import run

    recipe = changed(adapted(PROFILES["mri", options.profile], options.method or "sepclr"), vars(options))
    recipe = replace(recipe, study=_study(options))
    out = _out(options, f"mri-{options.profile}-{recipe.label}-{recipe.seed}-fold{recipe.fold}")
    _show(run(recipe, out, root=_cache(options), resume=options.resume))


def benchmark_mri(options: Namespace) -> None:
    """Table 3 of the paper on volumes of your own: its methods, every fold of the subjects."""
    study = _study(options)
    _benchmark("mri", options, study, options.only_folds or range(1 if study.split else study.folds))


def benchmark_digits_on_cifar(options: Namespace) -> None:
    """Table 1 of the paper: all methods and all ways to independence on digits over CIFAR-10 photographs."""
    _benchmark("digits-on-cifar", options)


def benchmark_marked_digits(options: Namespace) -> None:
    """The same methods on marked digits, which ship with scikit-learn."""
    _benchmark("marked-digits", options)


def encode(options: Namespace) -> None:
    """Write the codes c and s of new samples."""
    from sepclr.benchmark.files import encode_file

    codes = encode_file(Path(options.run), Path(options.input), Path(options.output))
    print(f"{options.output}: {len(codes.c)} samples, c of {codes.c.shape[1]} and s of {codes.s.shape[1]} numbers each")


def evaluate(options: Namespace) -> None:
    """Probe a finished run again, print its rows and store them with the report."""
    from sepclr.benchmark.runner import evaluate_again

    _show(evaluate_again(Path(options.run), Path(options.root) if options.root else None))


def _benchmark(data: DataName, options: Namespace, study: Study | None = None, folds: Sequence[int] = (0,)) -> None:
    from sepclr.benchmark.jobs import Places, check_jobs, run_jobs
    from sepclr.benchmark.plan import plan
    from sepclr.benchmark.table import print_status, show_table
    from sepclr.benchmark.workers import check_workers
    from sepclr.types import InputError

    given = {name: value for name, value in vars(options).items() if name != "independence"}
    rows = {"methods": options.methods, "independence": options.independence, "seeds": options.seeds}
    jobs = plan(data, options.profile, **rows, folds=folds, study=study, options=given)
    name = f"{data}-{options.profile}"
    places = Places(
        Path(options.runs or f"runs/benchmark-{name}").absolute(),
        Path(options.results or f"results/{name}.jsonl").absolute(),
        _cache(options) if study else Path(options.root).absolute() if options.root else None,
    )
    if options.status:
        print_status(jobs, places)
        return
    check_workers(options.jobs, options.backend, options.scheduler)
    check_jobs(jobs, places, download="download" in options and options.download)
    failed = run_jobs(jobs, places, workers=options.jobs, backend=options.backend, scheduler=options.scheduler)
    show_table(jobs, places)
    if failed:
        raise InputError(f"{len(failed)} runs failed; the same command goes on with them\n" + "\n".join(failed))


def check(options: Namespace) -> None:
    """See whether a table of subjects and their volumes can be used, and write a page that shows what is in it."""
    from sepclr.benchmark.check import check_table
    from sepclr.data.participants import Columns
    from sepclr.types import InputError

    if both := set(options.numeric) & set(options.categorical):
        raise InputError(f"numeric, categorical: {', '.join(sorted(both))} cannot be both")
    kinds: dict[str, Any] = dict.fromkeys(options.attributes)
    kinds |= dict.fromkeys(options.numeric, "numeric") | dict.fromkeys(options.categorical, "categorical")
    columns = Columns(options.images, options.group, options.background, options.target, kinds, options.subject, options.split)
    out = Path(options.out or "check.html")
    found = check_table(Path(options.table), columns, out, resample=options.resample)
    print(f"page: {out}")
    if found:
        raise InputError(f"{options.table}: {len(found)} problems with its images; they are listed above and on the page")


def maps(options: Namespace) -> None:
    """Show where in the brain the salient code of a run on mri is read from, as NIfTI files and a page."""
    from sepclr.benchmark.maps import make_maps

    truth, out = (Path(given) if given else None for given in (options.truth, options.out))
    print(f"page: {make_maps(Path(options.run), attribute=options.attribute, truth=truth, cache=_cache(options), out=out)}")


def implant(options: Namespace) -> None:
    """Make targets with a known pattern out of some of a table's subjects, to see whether a method finds it."""
    from sepclr.data.implant import implant_table

    given = {name: getattr(options, name) for name in ("subject", "share", "strength", "seed")}
    print(f"table: {implant_table(Path(options.table), options.images, Path(options.out), **given)}")


def phantom(options: Namespace) -> None:
    """Write a study of small synthetic brains, half of them with a known pattern, to try things out on."""
    from sepclr.data.phantom import write_phantoms

    print(f"table: {write_phantoms(Path(options.out), options.subjects, sites=options.sites, seed=options.seed)}")


def _study(options: Namespace) -> Study:
    """Collect what the options say of a study; its paths are made absolute, for runs may be made elsewhere."""
    values = dict(vars(options))
    for name in ("table", "mask"):
        values[name] = str(Path(values[name]).absolute()) if values[name] else None
    return study_from(values)


def _cache(options: Namespace) -> Path | None:
    return Path(options.cache).absolute() if options.cache else None


def _show(finished: Any) -> None:
    from sepclr.benchmark.runner import print_rows

    print_rows([finished])
    print(f"report: {finished.folder.report}")


def _out(options: Namespace, name: str) -> Path:
    """Choose the folder of a run: the one given, or a new one under runs/."""
    return Path(options.out) if options.out else Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"


# A word that is cut short is unknown, too: --method would else be --methods here and itself there.
_Parser = partial(ArgumentParser, allow_abbrev=False)


def _parser() -> tuple[ArgumentParser, dict[str, Callable[[Namespace], None]]]:
    parser = _Parser(prog="sepclr", description="Contrastive analysis: what two data sets share, and what only one of them has.")
    parser.add_argument("--version", action="version", version=f"sepclr {version('sepclr')}")
    commands = parser.add_subcommands(dest="command")

    demo_parser = _recipe_parser(demo, "DEMO")
    commands.add_subcommand("demo", demo_parser, help=demo.__doc__)

    fit = _Parser(description="Train and evaluate into a folder.")
    commands.add_subcommand("fit", fit, help=fit.description)
    data = fit.add_subcommands(dest="data")
    cifar = _recipe_parser(fit_digits_on_cifar, "the profile")
    cifar.add_argument("--root", type=str, required=True, help="folder with cifar-10-batches-py and MNIST/raw")
    cifar.add_argument("--profile", type=Profile, default="cpu", help="cpu: narrow encoders, minutes; paper: ResNet-18s as published")
    cifar.add_argument("--download", action="store_true", help="fetch missing data into --root and verify them")
    data.add_subcommand("digits-on-cifar", cifar, help=fit_digits_on_cifar.__doc__)
    data.add_subcommand("marked-digits", _recipe_parser(fit_marked_digits, "DEMO"), help=fit_marked_digits.__doc__)
    mri = _recipe_parser(fit_mri, "the profile")
    mri.add_argument("--profile", type=Profile, default="cpu", help="cpu: narrow encoders; paper: ResNet-18s, for a GPU")
    _add_study(mri)
    data.add_subcommand("mri", mri, help=fit_mri.__doc__)

    benchmark = _Parser(description="Run the rows of a table, each once; what is there is kept, what was cut goes on.")
    commands.add_subcommand("benchmark", benchmark, help=benchmark.description)
    data = benchmark.add_subcommands(dest="data")
    data.add_subcommand("digits-on-cifar", _benchmark_parser(benchmark_digits_on_cifar), help=benchmark_digits_on_cifar.__doc__)
    data.add_subcommand("marked-digits", _benchmark_parser(benchmark_marked_digits), help=benchmark_marked_digits.__doc__)
    mri = _benchmark_parser(benchmark_mri, mri=True)
    mri.add_argument("--only_folds", type=_several(None), default=[], help="some of the folds, with commas, from 0 (default: all)")
    _add_study(mri)
    data.add_subcommand("mri", mri, help=benchmark_mri.__doc__)

    commands.add_subcommand("check", _check_parser(), help=check.__doc__)

    maps_parser = _Parser(description=maps.__doc__)
    maps_parser.add_argument("run", type=str, help="folder of the run")
    maps_parser.add_argument("--attribute", type=str, default="group", help="what is read from s: group, or an attribute of the study")
    maps_parser.add_argument("--truth", type=str, default=None, help="volume that is 1 where the pattern is known to lie")
    maps_parser.add_argument("--cache", type=str, default=None, help="folder of volumes on their grid (default: that of the run)")
    maps_parser.add_argument("--out", type=str, default=None, help="folder of the maps (default: maps in the run's)")
    commands.add_subcommand("maps", maps_parser, help=maps.__doc__)

    implant_parser = _Parser(description=implant.__doc__)
    implant_parser.add_argument("table", type=str, help="TSV or CSV with a row for each image")
    implant_parser.add_argument("--images", type=str, required=True, help="column of paths, or a pattern with {COLUMN} in it")
    implant_parser.add_argument("--out", type=str, required=True, help="new folder for the images and their table")
    implant_parser.add_argument("--subject", type=str, default=None, help="column that says whose image it is (default: participant_id)")
    implant_parser.add_argument("--share", type=float, default=0.5, help="share of subjects that get a pattern (default: 0.5)")
    implant_parser.add_argument("--strength", type=float, default=0.5, help="share of the signal that is lost at most (default: 0.5)")
    implant_parser.add_argument("--seed", type=int, default=0, help="of who gets what (default: 0)")
    commands.add_subcommand("implant", implant_parser, help=implant.__doc__)

    phantom_parser = _Parser(description=phantom.__doc__)
    phantom_parser.add_argument("out", type=str, help="new folder")
    phantom_parser.add_argument("--subjects", type=int, default=60, help="how many (default: 60)")
    phantom_parser.add_argument("--sites", type=int, default=2, help="scanners (default: 2)")
    phantom_parser.add_argument("--seed", type=int, default=0, help="of everybody (default: 0)")
    commands.add_subcommand("phantom", phantom_parser, help=phantom.__doc__)

    encode_parser = _Parser(description=encode.__doc__)
    encode_parser.add_argument("run", type=str, help="folder of the run")
    encode_parser.add_argument("--input", type=str, required=True, help="samples: .npy, .npz (array x) or .parquet (a column per value)")
    encode_parser.add_argument("--output", type=str, default="codes.npz", help="codes: .npz (arrays c and s) or .parquet")
    commands.add_subcommand("encode", encode_parser, help=encode.__doc__)

    evaluate_parser = _Parser(description=evaluate.__doc__)
    evaluate_parser.add_argument("run", type=str, help="folder of the run")
    evaluate_parser.add_argument("--root", type=str, default=None, help="folder of the data, where it moved since training")
    commands.add_subcommand("evaluate", evaluate_parser, help=evaluate.__doc__)

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


def _recipe_parser(command: Callable[[Namespace], None], default: str) -> ArgumentParser:
    parser = _Parser(description=command.__doc__)
    parser.add_argument("--config", action="config", help="YAML file with any of the options below")
    parser.add_argument("--out", type=str, default=None, help="folder of the run (default: a new one under runs/)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    _add_fields(parser, default)
    return parser


def _benchmark_parser(command: Callable[[Namespace], None], *, mri: bool = False) -> ArgumentParser:
    parser = _Parser(description=command.__doc__)
    parser.add_argument("--config", action="config", help="YAML file with any of the options below")
    names, ways = get_args(MethodName), get_args(Independence)
    parser.add_argument(
        "--methods", type=_several(names), default=[], help=f"some of {', '.join(names)}, with commas (default: the table's)"
    )
    parser.add_argument("--independence", type=_several(ways), default=[], help=f"of {', '.join(ways)} (default: the table's)")
    parser.add_argument("--seeds", type=_several(None), default=[0], help="seeds of each row, with commas (default: 0)")
    parser.add_argument("--profile", type=Profile, default="cpu", help="cpu: narrow encoders, minutes; paper: ResNet-18s as published")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, which share the cores (default: 1)")
    parser.add_argument("--backend", type=Backend, default="loky", help="processes on this machine, or dask's workers")
    parser.add_argument("--scheduler", type=str, default=None, help="address of dask's scheduler")
    if not mri:
        parser.add_argument("--root", type=str, default=None, help="folder of the data, for data sets that need one")
        parser.add_argument("--download", action="store_true", help="fetch missing data into --root and verify them")
    parser.add_argument("--runs", type=str, default=None, help="folder of the runs (default: one under runs/)")
    parser.add_argument("--results", type=str, default=None, help="file of the rows (default: one in results/)")
    parser.add_argument("--status", action="store_true", help="show what is done, running, cut or missing, and start nothing")
    _add_fields(parser, "the profile", without=("method", "independence", "seed", "fold"))
    return parser


def _check_parser() -> ArgumentParser:
    parser = _Parser(description=check.__doc__)
    parser.add_argument("table", type=str, help="TSV or CSV with a row for each image, such as participants.tsv")
    parser.add_argument("--images", type=str, required=True, help="column of paths, or a pattern with {COLUMN} in it")
    parser.add_argument("--group", type=str, required=True, help="column that says who belongs to which group")
    parser.add_argument("--background", type=_several(()), required=True, help="its values for background, with commas")
    parser.add_argument("--target", type=_several(()), required=True, help="its values for target, with commas")
    parser.add_argument("--attributes", type=_several(()), default=[], help="columns of what is known; their values decide the kind")
    parser.add_argument("--numeric", type=_several(()), default=[], help="columns of quantities")
    parser.add_argument("--categorical", type=_several(()), default=[], help="columns of classes")
    parser.add_argument("--subject", type=str, default=None, help="column that says whose image it is (default: participant_id)")
    parser.add_argument("--split", type=str, default=None, help="column that says train or test")
    parser.add_argument("--resample", action="store_true", help="shapes and affines may differ")
    parser.add_argument("--out", type=str, default=None, help="the page (default: check.html)")
    return parser


def _several(known: Sequence[str] | None) -> Callable[[Any], list[Any]]:
    """Make a type for words with commas between them: of a known set, any (an empty one), or whole numbers (None)."""

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
    """Add an option for every field of a recipe, so that a new field is an option without a line here."""
    hints, about = get_type_hints(Recipe), _about(Recipe)
    for field in fields(Recipe):
        if field.name not in ("data", "study", *without):
            said = f"{about[field.name]} (default: of {default})"
            parser.add_argument(f"--{field.name}", type=hints[field.name] | None, default=None, help=said)


def _add_study(parser: ArgumentParser) -> None:
    """Add an option for every field of a study; where words can be several there are commas between them."""
    parser.add_argument("--cache", type=str, default=None, help="folder for volumes on their grid (default: the user's cache)")
    hints, about = get_type_hints(Study), _about(Study)
    for field in fields(Study):
        needed = field.default is MISSING
        how: dict[str, Any] = {"type": hints[field.name]}
        if hints[field.name] is bool:
            how = {"action": "store_true"}
        elif field.name in ("spacing", "folds"):
            how["default"] = field.default
        elif "tuple" in str(hints[field.name]):
            how = {"type": _several(None if field.name == "shape" else ())}
        parser.add_argument(f"--{field.name}", required=needed, help=about[field.name], **how)


def _about(kind: type) -> dict[str, str]:
    """Read what the docstring of a dataclass says of each field."""
    lines = [line.strip() for line in (kind.__doc__ or "").splitlines()]
    return {
        name: next(line.partition(": ")[2] for line in lines if line.startswith(f"{name}: ")) for name in (f.name for f in fields(kind))
    }


if __name__ == "__main__":
    sys.exit(main())

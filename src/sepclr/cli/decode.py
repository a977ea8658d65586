"""``sepclr decode``: train, apply and score decoders of runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from sepclr.cli.options import Parser, add_table
from sepclr.fields import options_of
from sepclr.parts import DecoderOptions
from sepclr.runs import usable
from sepclr.runs.folder import check_place


def train(options: Namespace) -> None:
    """Train a decoder on the codes of a finished run."""
    given = {each.name: options[each.name] for each in fields(DecoderOptions) if options.get(each.name) is not None}
    decoder = DecoderOptions(**given)
    usable.check_finished(Path(options.run))
    from sepclr.runs.decoder import fit_decoder

    if options.truth is not None:
        from sepclr.runs.removal import check_truth

        check_truth(Path(options.run), options.truth, root=_root(options))
    place = fit_decoder(Path(options.run), decoder, root=_root(options), resume=options.resume)
    print(f"decoder: {place.path}")
    evaluate(options)


def evaluate(options: Namespace) -> None:
    """Score the removal of the salient pattern, where the true image without it is known, and write a page of pictures."""
    usable.check_finished(Path(options.run))
    from sepclr.runs.removal import evaluate_removal

    print(f"page: {evaluate_removal(Path(options.run), root=_root(options), truth=options.truth)}")


def remove(options: Namespace) -> None:
    """Write samples as they would look, according to the model, without their salient pattern."""
    run, source, out = Path(options.run), Path(options.input), Path(options.out)
    of_table = {name: getattr(options, name) for name in ("images", "subject", "suffix", "entities")}
    of_table["cache"] = Path(options.cache).absolute() if options.cache else None
    if usable.lists_volumes(run, source):
        usable.check_finished(run)
        usable.check_input(source, **of_table)
        check_place(out, "choose another --out")
        from sepclr.runs.removal_volumes import remove_volumes

        print(f"{out}: {remove_volumes(run, source, out, **of_table)} images")
        return
    usable.check_codes(run, source, out, kinds=usable.kinds_without(run), **of_table)
    from sepclr.runs.removal import remove_file

    print(f"{out}: {remove_file(run, source, out)} samples")


def train_parser() -> ArgumentParser:
    """Make the parser of ``sepclr decode fit``."""
    parser = _parser(train)
    for option in options_of(DecoderOptions()):
        default = "" if option.value is None else f" (default: {option.value})"
        how: dict[str, Any] = {"type": option.hint, "default": None}
        parser.add_argument(f"--{option.name}", help=option.about.rstrip(".").replace("`", "") + default, **how)
    parser.add_argument("--resume", action="store_true", help="resume an interrupted training")
    return _with_truth(parser)


def evaluate_parser() -> ArgumentParser:
    """Make the parser of ``sepclr decode evaluate``."""
    return _with_truth(_parser(evaluate))


def remove_parser() -> ArgumentParser:
    """Make the parser of ``sepclr decode remove``."""
    parser = _parser(remove)
    parser.add_argument(
        "--input",
        type=str,
        required=True,
        help="targets: arrays (.npy, .npz, .parquet), a table of volumes or of rows, a BIDS tree, a folder of images, an .h5ad file",
    )
    made = "file: .npz (array x), of rows and cells also .parquet or .tsv; of a table or tree of volumes a new folder"
    parser.add_argument("--out", type=str, required=True, help=made)
    add_table(parser)
    return parser


ACTIONS: dict[str, tuple[Callable[[], ArgumentParser], Callable[[Namespace], None]]] = {
    "fit": (train_parser, train),
    "evaluate": (evaluate_parser, evaluate),
    "remove": (remove_parser, remove),
}
"""The parser and the function of each action."""


def _with_truth(parser: ArgumentParser) -> ArgumentParser:
    parser.add_argument("--root", type=str, default=None, help="data folder, if moved")
    said = "for mri: column of the table with images without the pattern, or a pattern with {COLUMN} in it"
    parser.add_argument("--truth", type=str, default=None, help=said)
    return parser


def _parser(function: Callable[[Namespace], None]) -> ArgumentParser:
    parser: ArgumentParser = Parser(description=function.__doc__)
    parser.add_argument("run", type=str, help="folder of the run")
    return parser


def _root(options: Namespace) -> Path | None:
    return Path(options.root).absolute() if options.get("root") else None

"""``sepclr push``: publish a run on the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from sepclr.cli.options import Parser
from sepclr.extras import need
from sepclr.runs import usable


def push(options: Namespace) -> None:
    """Upload a finished run with a model card to the Hugging Face Hub; no samples, names, folds, paths or report."""
    usable.check_repository(options.repository)
    need("hub", "push")
    usable.check_evaluated(Path(options.run))
    from sepclr.runs.hub import push_to_hub

    print(f"pushed: {push_to_hub(Path(options.run), options.repository, private=options.private)}")


def parser(about: str | None) -> ArgumentParser:
    """Make the parser of ``sepclr push``."""
    made: ArgumentParser = Parser(description=about)
    made.add_argument("run", type=str, help="folder of the run")
    made.add_argument("repository", type=str, help="repository on the hub, OWNER/NAME; created if missing")
    made.add_argument("--private", action="store_true", help="only its owner may see the repository")
    return made

"""``sepclr export``: write the encoders of a run for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace

from sepclr.cli.options import Parser
from sepclr.runs import usable


def export(options: Namespace) -> None:
    """Write the encoders of a finished run as an ONNX model, a torch.export program or, for mri, a MONAI bundle."""
    run, out = Path(options.run), Path(options.out)
    usable.check_export(run, out, options.pixels)
    from sepclr.runs.export import export_run

    facts = export_run(run, out, pixels=options.pixels)
    inputs, outputs = (
        ", ".join(
            f"{name} {'n x ' + ' x '.join(map(str, each['shape'])) if each['shape'] else 'n'} ({each['type']})"
            for name, each in facts[kind].items()
        )
        for kind in ("inputs", "outputs")
    )
    print(f"{out}: {inputs} to {outputs}")


def parser(about: str | None) -> ArgumentParser:
    """Make the parser of ``sepclr export``."""
    made: ArgumentParser = Parser(description=about)
    made.add_argument("run", type=str, help="folder of the run")
    made.add_argument("--out", type=str, required=True, help="model.onnx, model.pt2 or, for a run on mri, a new folder: a MONAI bundle")
    kinds = "pixels of the input of image runs: uint8 0..255, or float32 0..1 (default: uint8)"
    made.add_argument("--pixels", type=Literal["uint8", "float32"] | None, default=None, metavar="{uint8,float32}", help=kinds)
    return made

"""Export the encoders of a run to ONNX or a ``torch.export`` program, which give the codes of samples without this library."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, cast

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from sepclr.atomic import replacing
from sepclr.data.preparation import Preparation, load_preparation
from sepclr.runs.folder import RunFolder
from sepclr.runs.recipe import published
from sepclr.runs.trained import load_method
from sepclr.types import InputError, Method
from sepclr.views import pixels

Pixels = Literal["uint8", "float32"]

FACTS = "sepclr"
"""Key of the facts in the metadata of an ONNX model."""

FACTS_FILE = "sepclr.json"
"""Name of the file with the same facts in a ``torch.export`` archive."""

NAMES = ("c", "s")
"""Names of the outputs."""

ABOUT = {
    "float64": "features in the units of the table, in the order of `features`, NaN where missing",
    "uint8": "pixels in 0..255",
    "float32": "samples as the encoders take them: pixels in 0..1, volumes on the grid of the run, standardised rows",
    "totals": "sum of the counts of each cell over all its genes, not only over `features`",
    "classes": "place of the class of each sample in `levels`, a column for each of these covariates",
    "quantities": "numeric covariates, in the order of `quantities`",
}


class PreparedRows(nn.Module):
    """The steps of a ``Preparation`` in tensors, so that they can be part of a graph.

    Args:
        made: what is done to rows.
    """

    def __init__(self, made: Preparation) -> None:
        super().__init__()
        self.library, self.logged = made.library, made.logged
        self.levels = list(made.levels)
        arrays = {"fill": made.fill, "mean": made.mean, "scale": made.scale}
        for place, name in enumerate(made.levels):
            arrays |= {f"slope{place}": made.slope[name], f"shift{place}": made.shift[name]}
        for place, name in enumerate(made.effects):
            arrays |= {f"effect{place}": made.effects[name]}
        for name, values in arrays.items():
            self.register_buffer(name, torch.as_tensor(values, dtype=torch.float64))
        self.centres = list(made.centres.values())

    def forward(
        self,
        x: Float[Tensor, "n p"],
        totals: Float[Tensor, " n"] | None = None,
        classes: Int64[Tensor, "n k"] | None = None,
        quantities: Float[Tensor, "n q"] | None = None,
    ) -> Float[Tensor, "n p"]:
        """Prepare rows, float64; the arguments beyond x are needed if the preparation uses them. Missing values stay NaN if not imputed."""
        if self.library is not None and totals is not None:
            x = x * (self.library / torch.where(totals > 0, totals, 1.0))[:, None]
        if self.logged:
            x = x.log1p()
        x = torch.where(x.isnan(), self.get_buffer("fill"), x)
        if classes is not None:
            for place in range(len(self.levels)):
                slope, shift = (self.get_buffer(f"{kind}{place}") for kind in ("slope", "shift"))
                x = x * slope[classes[:, place]] + shift[classes[:, place]]
        if quantities is not None:
            for place, centre in enumerate(self.centres):
                x = x - (quantities[:, place] - centre)[:, None] * self.get_buffer(f"effect{place}")
        return ((x - self.get_buffer("mean")) / self.get_buffer("scale")).float()


class Encoding(nn.Module):
    """The way from samples as users have them to codes: pixels are scaled and rows prepared, then encoded.

    Args:
        method: the method.
        preparation: what is done to rows; None for other samples.
    """

    def __init__(self, method: Method, preparation: Preparation | None = None) -> None:
        super().__init__()
        self.method = cast(nn.Module, method)
        self.preparation = None if preparation is None else PreparedRows(preparation)

    def forward(
        self,
        x: Shaped[Tensor, "n ..."],
        totals: Float[Tensor, " n"] | None = None,
        classes: Int64[Tensor, "n k"] | None = None,
        quantities: Float[Tensor, "n q"] | None = None,
    ) -> tuple[Float[Tensor, "n d_c"], Float[Tensor, "n d_s"]]:
        """Compute c and s of samples; arguments beyond x as ``PreparedRows``."""
        x = pixels(x) if self.preparation is None else self.preparation(x, totals, classes, quantities)
        return tuple(cast(Method, self.method).encode(x))  # type: ignore[return-value]


def export_run(run: Path, out: Path, *, pixels: Pixels | None = None) -> dict[str, Any]:
    """Write the encoders of a run to a file that needs neither this library nor, for ONNX, torch.

    The first axis of every input and output is free. Metadata of the file hold what ``facts_of`` returns, as JSON under ``sepclr``.

    Args:
        run: folder of the run.
        out: ``.onnx``, an ONNX model; ``.pt2``, an archive of ``torch.export.load``; a new folder, a MONAI bundle of a run on mri.
        pixels: type of the pixels of images, ``uint8`` in 0..255, the default for images, or ``float32`` in 0..1. None for others.

    Returns:
        The facts.

    Raises:
        InputError: a folder that is not a finished run, an option that does not apply, or a file that cannot be written.
    """
    folder = RunFolder(run)
    if out.suffix not in (".onnx", ".pt2"):
        from sepclr.runs.bundle import write_bundle

        return write_bundle(folder, out)
    program, facts = exported(folder, pixels)
    try:
        with replacing(out) as part:
            (write_onnx if out.suffix == ".onnx" else write_program)(program, facts, part)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error}); choose another --out") from None
    return facts


def exported(folder: RunFolder, pixels: Pixels | None = None) -> tuple[ExportedProgram, dict[str, Any]]:
    """Trace the encoders of a run, on the CPU, and return the program with its facts; arguments and errors as ``export_run``."""
    method, shape = load_method(folder)
    if pixels is not None and len(shape) != 3:
        raise InputError(f"pixels: is for images, and samples of {folder.path} have shape {shape}; leave it out")
    made = load_preparation(folder.preparation) if folder.preparation.exists() else None
    module = Encoding(cast(Method, cast(nn.Module, method).cpu()), made)
    program = traced(module, examples(shape, made, pixels))
    return program, facts_of(folder, program, made)


def examples(shape: tuple[int, ...], made: Preparation | None, pixels: Pixels | None = None) -> dict[str, Tensor]:
    """Return two samples of zeros for each input of an encoding, by name."""
    if made is None:
        return {"x": torch.zeros(2, *shape, dtype=torch.uint8 if (pixels or "uint8") == "uint8" and len(shape) == 3 else torch.float32)}
    found = {"x": torch.zeros(2, *shape, dtype=torch.float64)}
    if made.library is not None:
        found["totals"] = torch.ones(2, dtype=torch.float64)
    if made.levels:
        found["classes"] = torch.zeros(2, len(made.levels), dtype=torch.int64)
    if made.effects:
        found["quantities"] = torch.zeros(2, len(made.effects), dtype=torch.float64)
    return found


def traced(module: Encoding, inputs: dict[str, Tensor]) -> ExportedProgram:
    """Trace an encoding for any number of samples, on examples of its inputs by name."""
    n = Dim("n", min=1)
    more = {name: values for name, values in inputs.items() if name != "x"}
    shapes = {name: {0: n} for name in inputs}
    with _quiet():
        return torch.export.export(module.eval().requires_grad_(False), (inputs["x"],), more, dynamic_shapes=shapes)


def facts_of(folder: RunFolder, program: ExportedProgram, made: Preparation | None) -> dict[str, Any]:
    """Return what a file says about itself.

    Returns:
        ``version`` of sepclr; ``recipe``, nested, without folders; ``sample_shape``; ``inputs`` and ``outputs``, each with its type, its
        shape after the axis of samples and, for inputs, what it holds; ``target_groups`` and ``classes`` if there are several; of rows
        ``features``, ``levels`` by covariate and ``quantities``.
    """
    noted = folder.samples()
    nodes = {node.name: node.meta["val"] for node in program.graph.nodes if node.name in program.graph_signature.user_inputs}
    outputs = dict(zip(NAMES, (each.meta["val"] for each in program.graph.output_node().args[0]), strict=True))
    described = {name: {"type": _type(value), "shape": list(value.shape[1:])} for name, value in {**nodes, **outputs}.items()}
    inputs = {name: described[name] | {"about": ABOUT[name if name in ABOUT else _type(value)]} for name, value in nodes.items()}
    facts: dict[str, Any] = {
        "version": version("sepclr"),
        "recipe": published(folder.recipe()),
        "sample_shape": noted["sample_shape"],
        "inputs": inputs,
        "outputs": {name: described[name] for name in NAMES},
    }
    facts |= {name: noted[name] for name in ("target_groups", "classes") if noted.get(name)}
    if made is not None:
        facts |= {"features": list(made.features), "levels": {name: list(values) for name, values in made.levels.items()}}
        facts |= {"quantities": list(made.effects)}
    return facts


def _type(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def write_onnx(program: ExportedProgram, facts: dict[str, Any], path: Path) -> None:
    """Write a program as an ONNX model with outputs ``c`` and ``s``."""
    with _quiet():
        model = torch.onnx.export(program, output_names=list(NAMES), dynamo=True, verbose=False)
    assert model is not None
    _name_axis(model.model.graph)
    model.model.metadata_props[FACTS] = json.dumps(facts)
    model.model.doc_string = f"Common code c and salient code s of samples, by sepclr {facts['version']}"
    model.save(path, external_data=False)


def _name_axis(graph: Any) -> None:
    """Call the free axis n; tracing gave it a number."""
    traced = str(graph.inputs[0].shape[0])
    for value in (*graph.inputs, *(each for node in graph for each in node.outputs)):
        for axis, side in enumerate(value.shape or ()):
            if str(side) == traced:
                value.shape[axis] = "n"


def write_program(program: ExportedProgram, facts: dict[str, Any], path: Path) -> None:
    """Write a program for ``torch.export.load``; it returns the tuple (c, s)."""
    with _quiet(), path.open("wb") as file:
        torch.export.save(program, file, extra_files={FACTS_FILE: json.dumps(facts)})


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporters: they warn of each other's deprecations and of operators of packages that are not installed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

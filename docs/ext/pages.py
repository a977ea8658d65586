"""Pages that are generated: one for each method, from its declaration and docstrings; the API; and the list of results.

Sphinx writes them before it reads any page.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any

import sepclr
import sepclr.losses
from sepclr.fields import options_of
from sepclr.methods.catalogue import ESTIMATORS, cited
from sepclr.methods.options import METHODS, Declaration
from sepclr.reports import Comparison, comparison_markdown
from sepclr.reports.comparison import run_name
from sepclr.tables.pages import MARKER, compared

ROOT = Path(__file__).parents[2]
API = (
    "sepclr",
    "sepclr.losses",
    "sepclr.estimators",
    "sepclr.cells",
    "sepclr.probes",
    "sepclr.views",
    "sepclr.nets",
    "sepclr.data",
    "sepclr.datasets",
    "sepclr.methods",
    "sepclr.methods.options",
    "sepclr.training",
    "sepclr.reports",
    "sepclr.types",
)
"""Modules with a page of their own, those of users first."""

BASES = {"sepclr.estimators": ("sepclr.estimators.contrast.Contrast", "sepclr.estimators.linear.LinearContrast")}
"""Classes that a module does not export, although what it exports inherits their methods."""

SYMBOLS = {
    "x": "sample of background",
    "y": "sample of the target; for classifiers, the class",
    "c": "common code, what both groups share",
    "s": "salient code, what only the target has",
    "s′": "salient code without information, 0",
    "s̃": "s with the rows of background set to 0",
    "w": "code of the weak modality, or the weight of a term or pair",
    "p": "private code of a domain, or a probability",
    "b": "known attribute that a code should not hold, such as a bias or a scanner",
    "D": "critic that tells pairs of codes apart; in the decorrelated objective, the sum of squared canonical correlations",
    "τ": "kernel bandwidth: k_τ(a, b) = exp(−‖a − b‖²/2τ)",
    "A": "alignment of two views of a sample",
    "U": "uniformity, an estimate of the negative entropy of a code",
    "J": "k-JEM, an estimate of the negative joint entropy of two codes",
    "I": "mutual information",
    "KL": "Kullback–Leibler divergence",
    "MMD": "maximum mean discrepancy",
    "CE": "cross-entropy",
    "N": "number of samples",
}
"""Symbols of the objectives."""

COMMANDS = {
    "contrast": "sepclr fit marked-digits --method {name}",
    "modalities": "sepclr fit quadrants --method {name} --root DIR --download",
    "debiasing": "sepclr fit coloured-mnist --method {name} --root DIR --download",
    "domains": "sepclr fit mnist-to-digits --method {name} --root DIR --download",
}
TITLES = {
    "contrast": "Contrastive analysis",
    "modalities": "Two modalities",
    "debiasing": "Prediction without a known bias",
    "domains": "Prediction in a second domain",
}


def write(folder: Path) -> None:
    """Write all pages; those that have not changed are left alone, so that Sphinx does not read them again."""
    pages = {f"methods/{name}.md": method_page(name) for name in (*METHODS, *ESTIMATORS)}
    pages |= {f"api/{module}.rst": api_page(module) for module in API} | {"results.md": results_page()}
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)


def setup(app: Any) -> None:
    """Write the pages, and connect what completes other pages."""
    write(ROOT / "docs" / "generated")
    app.connect("source-read", complete)
    app.connect("autodoc-process-docstring", escape, priority=0)


def complete(app: Any, page: str, source: list[str]) -> None:
    """Add to the table of methods a link to the page of each."""
    if page == "methods":
        names = "|".join((*METHODS, *ESTIMATORS))
        source[0] = re.sub(rf"^\| ({names}) \|", r"| [\1](generated/methods/\1.md) |", source[0], flags=re.MULTILINE)
        source[0] += "\n```{toctree}\n:hidden:\n\n" + "\n".join(f"generated/methods/{name}" for name in (*METHODS, *ESTIMATORS)) + "\n```\n"


def escape(app: Any, kind: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Take asterisks and bars of a docstring literally, outside of code: they are products and conditions."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith(">>>"):
            lines[i] = "".join(part if part.startswith("``") else re.sub(r"([*|])", r"\\\1", part) for part in re.split("(``.*?``)", line))


def method_page(name: str) -> str:
    """Return the page of a method or of a linear estimator."""
    if name in METHODS:
        method = METHODS[name]
        task, paper, strengths, limits = TITLES[method.task], method.paper, method.strengths, method.limits
        commands = COMMANDS[method.task].format(name=name)
        kind = method.where
    else:
        kind, task, (paper, strengths, limits) = f"sepclr.{name}", TITLES["contrast"], ESTIMATORS[name]
        commands = ""
    objectives = [(module, dedent(inspect.getdoc(import_module(module)) or "")) for module in objective_modules(name)]
    symbols = "\n".join(f"- **{symbol}**: {meaning}" for symbol, meaning in SYMBOLS.items() if used(symbol, objectives))
    return "\n\n".join(
        [
            f"# {name}",
            f"{task}. Class: `{kind}`. Paper: [{paper.title}, {paper.year}]({paper.link}).",
            "## Objective",
            *(f"{markdown(text)}\n\n*From `{module}`.*" for module, text in objectives),
            *(["### Symbols", symbols] if symbols else []),
            "## Advantages",
            listed(strengths),
            "## Limitations",
            listed(limits),
            "## Use",
            *([f"```sh\n{commands}\n```"] if commands else []),
            f"```pycon\n{example(kind)}\n```",
            *(["## Options", options_table(METHODS[name])] if name in METHODS else []),
            "## Results",
            results_of(name),
        ]
    )


def objective_modules(name: str) -> list[str]:
    """Return the modules whose docstrings state the objectives of a method, that of the default first."""
    if name not in METHODS:
        return [_home(f"sepclr.{name}").__module__]
    if not METHODS[name].trained:
        kind = METHODS[name].where
        return [*([_home(kind).__module__] if kind.startswith("sepclr.") else []), "sepclr.runs.linear"]
    methods, found = import_module("sepclr.methods"), []
    for each in METHODS[name].options:
        kind = type(each.default)
        public = kind.__name__.removesuffix("Options")
        file = kind.__module__.rpartition(".")[2]  # the options and the class are in files of the same name
        found.append(getattr(methods, public).__module__ if public in methods.__all__ else f"sepclr.methods.{file}")
    return list(dict.fromkeys(found))


def used(symbol: str, objectives: Sequence[tuple[str, str]]) -> bool:
    """Tell whether a symbol occurs in the indented equations of some objectives."""
    equations = "\n".join(line for _, text in objectives for line in text.splitlines() if line.startswith("    ")).replace("D_KL", "KL")
    return re.search(rf"(?<![A-Za-z]){re.escape(symbol)}(?![A-Za-z′\u0303])", equations) is not None


def markdown(docstring: str) -> str:
    """Return a docstring in Markdown: indented equations become blocks of text, and code has single backticks."""
    made: list[str] = []
    for paragraph in docstring.split("\n\n"):
        if paragraph.startswith("    "):
            joined = "\n\n" if made and made[-1].endswith("\n```") else ""
            made += [f"```text\n{dedent(paragraph)}\n```"] if not joined else [made.pop()[:-4] + f"\n\n{dedent(paragraph)}\n```"]
        else:
            made.append(paragraph.replace("``", "`"))
    return "\n\n".join(made)


def listed(facts: Sequence[str]) -> str:
    """Return facts as a list."""
    return cited("\n".join(f"- {fact}" for fact in facts), "../../")


def example(kind: str) -> str:
    """Return the example of an estimator's docstring, which the tests run."""
    lines = (inspect.getdoc(_home(kind)) or "").splitlines()
    if kind.startswith("sklearn."):
        return f">>> from {kind.rpartition('.')[0]} import {kind.rpartition('.')[2]}"
    name, first = kind.rpartition(".")[2], next(i for i, line in enumerate(lines) if line.startswith(">>>"))
    code = "\n".join(lines[first:])
    return code if f"import {name}" in code else f">>> from sepclr import {name}\n{code}"


def options_table(method: Declaration) -> str:
    """Return the options of a method with their defaults, a column for each alternative set of options."""
    alternatives = [each.default for each in method.options]
    heads = [", ".join(dict.fromkeys(str(getattr(each, name)) for name in method.selectors)) or "default" for each in alternatives]
    tables = [{option.name: option for option in options_of(each)} for each in alternatives]
    names = dict.fromkeys(name for table in tables for name in table)
    lines = [f"| option | {' | '.join(heads)} | what it is |", f"| --- |{' --- |' * len(heads)} --- |"]
    for name in names:
        values = [f"`{table[name].value}`" if name in table else "" for table in tables]
        about = next(table[name].about for table in tables if name in table).replace("``", "`")
        lines.append(f"| `{name}` | {' | '.join(values)} | {about} |")
    return "\n".join(lines)


def results_of(name: str) -> str:
    """Return the rows of a method in ``results/``, one table for each file: codes, protocol ``strict``."""
    made = []
    for file, rows in _results().items():
        mine = {run_name(row) for row in rows if row["method"] == name}
        for table in _tables(file) if mine else ():
            untrained = {names: scores for names, scores in table.untrained.items() if name in names.split(", ")}
            mini = replace(table, lines=[line for line in table.lines if line.name in mine], untrained=untrained)
            text = comparison_markdown([mini]).partition("\n\n")[0]
            page, section = _shown()[file][0]
            made.append(f"### {title_of(rows)}: {section}\n\n{text.strip()}\n\nAll methods on these data: [{title(page)}](../../{page}).")
    if not made:
        return "There are no rows of it in `results/`.\n"
    return "In bold, the best of all methods on these data that separate.\n\n" + "\n\n".join(made) + "\n"


def title_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the title of the data of some rows."""
    from sepclr.datasets import DATA_SETS

    data = rows[0]["recipe"]["data"]
    details = [f"{name} {data[name]}" for name in ("alignment", "weak") if name in data]
    return ", ".join([DATA_SETS[data["name"]].title, *details])


def results_page() -> str:
    """Return the list of all files of results, with the pages that show them."""
    lines = ["| file | rows | shown in |", "| --- | --: | --- |"]
    for path in sorted((ROOT / "results").glob("*.jsonl")):
        pages = ", ".join(f"[{title(page)}](../{page}): {section}" for page, section in _shown()[path.name])
        lines.append(f"| `{path.name}` | {len(path.read_text().splitlines())} | {pages} |")
    return "# Files of results\n\nEvery number of these pages is generated from a file in `results/`.\n\n" + "\n".join(lines) + "\n"


def title(page: str) -> str:
    """Return the title of a page of ``docs``."""
    return (ROOT / "docs" / page).read_text().splitlines()[0].removeprefix("# ")


def api_page(module: str) -> str:
    """Return the API of a module: what it exports, and where what it shares with an earlier page is documented."""
    about = inspect.getdoc(import_module(module)) or ""
    parts = [f"{module}\n{'=' * len(module)}", about, f".. py:module:: {module}"]
    elsewhere = []
    for name in exported(module):
        full, thing = _documented_as(module, name)
        if documented().get(full) is thing and full in _own(module):
            if autodocumented(thing):
                parts.append(f".. auto{'class' if isinstance(thing, type) else 'function'}:: {full}")
            else:
                lines = described(full).splitlines()
                escape(None, "data", full, thing, None, lines)
                parts.append(f".. py:data:: {full}\n\n" + "\n".join(f"   {line}" for line in lines))
        else:
            elsewhere.append(f":py:obj:`{name} <{_first(thing)}>`")
    parts += [f".. autoclass:: {name}" for name in BASES.get(module, ())]
    if elsewhere:
        parts.append(f"Documented elsewhere: {', '.join(elsewhere)}.")
    return "\n\n".join(parts) + "\n"


def described(full: str) -> str:
    """Return the text below the assignment of a constant or type, by its full name."""
    module, _, name = full.rpartition(".")
    body = ast.parse(Path(import_module(module).__file__ or "").read_text()).body
    for node, following in zip(body, [*body[1:], None], strict=True):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            text = following.value if isinstance(following, ast.Expr) else None
            return inspect.cleandoc(str(text.value)) if isinstance(text, ast.Constant) else ""
    return ""


def exported(module: str) -> list[str]:
    """Return the public names of a module: those of ``__all__``, or what it defines."""
    there = import_module(module)
    if hasattr(there, "__all__"):
        return list(there.__all__)
    return [name for name, thing in vars(there).items() if not name.startswith("_") and getattr(thing, "__module__", None) == module]


def autodocumented(thing: Any) -> bool:
    """Tell whether autodoc finds the documentation of a thing: not that of constants and types."""
    return isinstance(thing, type) or inspect.isfunction(thing)


SHORT = {name: f"sepclr.{name}" for name in sepclr.__all__ if name != "load"} | {
    name: f"sepclr.losses.{name}" for name in sepclr.losses.__all__ if autodocumented(getattr(sepclr.losses, name))
}
"""Names that mean the same object wherever they occur without a module."""


def target(text: str) -> str | None:
    """Return the full name of the object of the API that a piece of code names, such as ``SepCLR.fit(X, y)``; None if it names none."""
    if not (match := re.fullmatch(r"(?P<name>[A-Za-z_][\w.]*)(\(.*\))?", text)):
        return None
    name = match["name"]
    if (full := name if name in documented() else SHORT.get(name)) is not None:
        return full
    owner, _, method = name.rpartition(".")
    owner = SHORT.get(owner, owner)
    for kind in getattr(documented().get(owner), "__mro__", ()):
        full = f"{owner if kind is documented()[owner] else f'{kind.__module__}.{kind.__qualname__}'}.{method}"
        if method in vars(kind) and full.rpartition(".")[0] in documented():
            return full
    return None


@cache
def documented() -> dict[str, Any]:
    """Return everything that the API documents, by full name, each thing once."""
    found: dict[str, Any] = {}
    for module in API:
        for name in exported(module):
            full, thing = _documented_as(module, name)
            if not any(thing is other for other in found.values()):
                found[full] = thing
        found |= {name: _home(name) for name in BASES.get(module, ())}
    return found


def _own(module: str) -> set[str]:
    return {name for name in documented() if name.startswith(f"{module}.")}


def _first(thing: Any) -> str:
    return next(name for name, other in documented().items() if other is thing)


def _documented_as(module: str, name: str) -> tuple[str, Any]:
    """Return the full name under which autodoc finds the documentation of a name: data are documented where they are defined."""
    thing = getattr(import_module(module), name)
    if autodocumented(thing):
        return f"{module}.{name}", thing
    for node in ast.parse(Path(import_module(module).__file__ or "").read_text()).body:
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
            return f"{node.module}.{name}", thing
    return f"{module}.{name}", thing


def _home(full: str) -> Any:
    module, _, name = full.rpartition(".")
    return getattr(import_module(module), name)


@cache
def _results() -> dict[str, list[dict[str, Any]]]:
    """Return the rows of runs, by file: those that pages compare."""
    names = {match["name"] for _, match in _markers() if match["kind"] == "comparison"}
    return {name: [json.loads(line) for line in (ROOT / "results" / name).read_text().splitlines()] for name in sorted(names)}


@cache
def _tables(file: str) -> list[Comparison]:
    """Return the table of codes of a file, protocol ``strict``."""
    return [table for table in compared(_results()[file]) if (table.protocol, table.of) == ("strict", "codes")]


@cache
def _shown() -> dict[str, list[tuple[str, str]]]:
    """Return where each file of results is shown: pages of ``docs``, and the headings of their sections."""
    found: dict[str, list[tuple[str, str]]] = {path.name: [] for path in (ROOT / "results").glob("*.jsonl")}
    for page, match in _markers():
        section = re.findall(r"^#+ (.*)", match.string[: match.start()], re.MULTILINE)[-1]
        if (page, section) not in found.setdefault(match["name"], []):
            found[match["name"]].append((page, section))
    return found


def _markers() -> list[tuple[str, re.Match[str]]]:
    """Return the markers of results in the pages of ``docs``; those of the README are on the page of benchmarks, and come last."""
    pages = {path.name: path for path in sorted((ROOT / "docs").glob("*.md"))} | {"benchmarks.md": ROOT / "README.md"}
    return [(name, match) for name, path in pages.items() for match in MARKER.finditer(path.read_text())]

"""The site is complete: its generated pages, its API, the commands and programs on its pages."""

from __future__ import annotations

import inspect
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from docs.ext import links, pages

import sepclr
from sepclr import cli
from sepclr.methods.catalogue import ESTIMATORS
from sepclr.methods.options import METHODS
from sepclr.runs.recipe import usual

ROOT = Path(__file__).parents[1]
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "howto").glob("*.md"))]
SECTIONS = ("Objective", "Advantages", "Limitations", "Use", "Results")


@pytest.mark.parametrize("name", [*METHODS, *ESTIMATORS])
def test_every_method_has_a_page(name: str):
    page = pages.method_page(name)
    parts = dict(re.findall(r"^## (\w+)\n\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    assert set(SECTIONS) <= parts.keys()
    assert all(parts[section].strip() for section in SECTIONS)
    assert ">>> from sep" in parts["Use"] or name == "pca"
    assert (ROOT / "docs" / "methods.md").read_text().count(f"\n| {name} |") == 2
    if name in METHODS:
        assert METHODS[name].paper.link in page
        assert all(f"| `{option}` |" in parts["Options"] for option in METHODS[name].defaults)
        command = re.findall(r"```sh\nsepclr fit (\S+) --method (\S+)", parts["Use"])[0]
        assert usual(command[0], method=command[1]).method.name == name


def test_every_page_that_a_fact_cites_is_there():
    facts = " ".join(fact for each in (*METHODS.values(), *ESTIMATORS.values()) for fact in (*each.strengths, *each.limits))
    cited = set(re.findall(r"docs/\w+\.md", facts))
    assert cited
    assert all((ROOT / page).is_file() for page in cited)


def exporting() -> Iterator[str]:
    """Find the modules that export names; what no user imports is not for the API."""
    for found in pkgutil.walk_packages(sepclr.__path__, "sepclr."):
        if found.ispkg and found.name not in ("sepclr.cli", "sepclr.runs", "sepclr.tables", "sepclr.imaging"):
            yield found.name


def test_every_public_name_is_in_the_api():
    modules = ["sepclr", *exporting()]
    assert set(modules) <= set(pages.API)
    for module in modules:
        page = pages.api_page(module)
        for name in import_module(module).__all__:
            assert re.search(rf"[.`]{name}( <|$)", page, re.MULTILINE), f"{module}.{name}"
    assert all(
        inspect.getdoc(thing) if pages.autodocumented(thing) else pages.described(name) for name, thing in pages.documented().items()
    )


def test_every_equation_stands_beside_a_function():
    text = (ROOT / "docs" / "losses.md").read_text()
    for header, row in re.findall(r"^\| [^\n]*function[^\n]*\n\|[- |]*\n((?:\|[^\n]*\n)*)()", text, re.MULTILINE):
        for line in header.splitlines():
            cells = line.split(" | ")
            named = re.findall(r"`(\w[\w.]*)`", " ".join(cells[-2:]))
            if "rows below" not in line:
                assert any(pages.target(name) for name in named), line
        assert not row
    assert text.count("$") % 2 == 0


def test_what_a_page_names_is_found_in_the_api():
    assert pages.target("SepCLR.fit(X, y)") == "sepclr.estimators.contrast.Contrast.fit"
    assert pages.target("FlowDecoder.swap(X, donor)") == "sepclr.FlowDecoder.swap"
    assert pages.target("hide_background") == "sepclr.losses.hide_background"
    assert pages.target("sepclr.losses") is None
    assert pages.target("fit") is None


def commands() -> list[str]:
    """Collect the commands on all pages that are whole: without an ellipsis or the name of options given elsewhere."""
    found = []
    for path in TEXTS:
        text = path.read_text().replace("\\\n", " ")
        found += re.findall(r"^(?:    |srun )(sepclr (?!-)[a-z].*)", text, re.MULTILINE)
    lines = {line.partition(" # ")[0].strip().replace("$SLURM_ARRAY_TASK_ID", "0") for line in found}
    return sorted(line for line in lines if not re.search(r"…|\bWHO\b|\bKIND\b|\bRUN\b|run:|\$\(", line))


def test_every_command_on_the_pages_is_understood(monkeypatch: pytest.MonkeyPatch):
    made = cli._parser()
    called: list[str] = []
    functions = {name: lambda options, name=name: called.append(name) for name in made[1]}
    monkeypatch.setattr(cli, "_parser", lambda words: (made[0], functions, made[2]))
    lines = commands()
    assert len(lines) > 40
    for line in lines:
        assert cli.main(shlex.split(line)[1:]) == 0, line
    assert len(called) == len(lines)


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "howto").glob("*.md")), ids=lambda path: path.stem)
def test_the_programs_of_how_tos_run(path: Path):
    for program in re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL):
        exec(program, {})


def test_the_parts_of_a_report_are_called_what_the_how_to_calls_them():
    template = (ROOT / "src" / "sepclr" / "reports" / "page.html.j2").read_text()
    parts = re.findall(r"^\d\. \*\*(.+?)\*\*", (ROOT / "docs" / "howto" / "report.md").read_text(), re.MULTILINE)
    assert len(parts) == 6
    assert all(part in template for part in parts[1:])


def test_links_that_lead_nowhere_are_found(tmp_path: Path):
    (tmp_path / "a.html").write_text('<a href="b.html#here"><a href="b.html#there"><img src="c.png"><a href="https://example.org">')
    (tmp_path / "b.html").write_text('<p id="here">')
    assert links.broken(tmp_path) == ["a.html: b.html#there", "a.html: c.png"]


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path):
    for name in ("docs", "examples", "results"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("_build", "generated", "__pycache__"))
    shutil.copy(ROOT / "README.md", tmp_path)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "docs", "html"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"GALLERY": "none"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert links.broken(tmp_path / "html") == []

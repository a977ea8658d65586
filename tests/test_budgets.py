"""Small and plain, held by a test: sizes of files and functions, depth of inheritance, documentation of public names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "sepclr"
FILES = sorted(SOURCE.rglob("*.py"))
IDS = [str(path.relative_to(SOURCE)) for path in FILES]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def public(body: list[ast.stmt]) -> Iterator[Function | ast.ClassDef]:
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_a_file_has_at_most_300_lines(path: Path):
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_a_function_has_at_most_50_lines_of_code(path: Path):
    def code(function: Function) -> int:
        first = function.body[1] if ast.get_docstring(function) and len(function.body) > 1 else function.body[0]
        return (function.end_lineno or 0) - first.lineno + 1

    assert {function.name: code(function) for function in functions(ast.parse(path.read_text())) if code(function) > 50} == {}


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_every_public_name_is_documented(path: Path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module has no docstring"
    assert [node.name for node in public(tree.body) if not ast.get_docstring(node)] == []


def test_no_class_of_ours_inherits_from_one_that_inherits_from_ours():
    classes = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }
    deep = {name for name, bases in classes.items() for base in bases & classes.keys() if classes[base] & (classes.keys() - {base})}
    assert deep == set()


def test_there_is_no_utils():
    assert [path for path in FILES if "util" in path.name] == []

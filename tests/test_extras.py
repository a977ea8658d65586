import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sepclr.cli import main
from sepclr.errors import InputError
from sepclr.extras import EXTRAS, need

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
OF_ONE_PART = sorted({package for packages in EXTRAS.values() for package in packages})

WITHOUT = """
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, PackageNotFoundError

found, of_name = PathFinder.find_spec, Distribution.from_name

def distribution(name):
    if name in {hidden}:
        raise PackageNotFoundError(name)
    return of_name(name)

PathFinder.find_spec = lambda name, *more: None if name.partition(".")[0] in {hidden} else found(name, *more)
Distribution.from_name = distribution
for module in {modules}:
    __import__(module)
"""

CORE = [
    "sepclr.estimators",
    "sepclr.runs.run",
    "sepclr.runs.encode",
    "sepclr.runs.demo",
    "sepclr.runs.removal",
    "sepclr.runs.check",
    "sepclr.tables.jobs",
]


def _names(requirements: list[str]) -> set[str]:
    return {requirement.partition(">")[0].replace("-", "_") for requirement in requirements}


def test_extras_are_those_of_the_package():
    declared = PROJECT["optional-dependencies"]
    assert {name: set(packages) for name, packages in EXTRAS.items()} == {name: _names(declared[name]) for name in EXTRAS}
    assert not {*OF_ONE_PART} & _names(PROJECT["dependencies"])


def test_what_is_missing_is_named():
    need("cells", "cells")  # installed for tests
    EXTRAS["test"] = ("sys", "no_such_package")
    try:
        with pytest.raises(InputError, match=r"^cells: needs no_such_package; pip install 'sepclr\[test\]'$"):
            need("test", "cells")
    finally:
        del EXTRAS["test"]


def test_the_core_imports_without_extras():
    code = WITHOUT.format(hidden=OF_ONE_PART, modules=CORE)
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        ("benchmark marked-digits", "report"),
        ("check cells cells.h5ad --group g --background a --target b", "cells"),
        ("fit cells cells.h5ad --group g --background a --target b", "cells"),
        ("check mri --table t.tsv --images i --group g --background a --target b", "brains"),
        ("phantom DIR", "brains"),
        ("fit mri --table t.tsv --images i --group g --background a --target b --site s --harmonise combat", "combat"),
    ],
)
def test_commands_name_the_extra_that_they_need(words, extra, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.tsv").write_text("subject\ti\tg\ts\n")
    monkeypatch.setitem(EXTRAS, extra, (*EXTRAS[extra], "no_such_package"))
    assert main(words.split()) == 2
    assert capsys.readouterr().err.endswith(f"needs no_such_package; pip install 'sepclr[{extra}]'\n")
    assert [path.name for path in tmp_path.iterdir()] == ["t.tsv"]

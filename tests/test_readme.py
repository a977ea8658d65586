from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(example, names)
    assert names["c"].shape == (400, 8)
    assert {row["space"] for row in names["rows"]} == {"c", "s"}
    assert (names["load"]("model").transform_salient(names["X"]) == names["s"]).all()

"""The examples run from the command line as their docstrings say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_mice_are_plotted_from_a_table_of_the_published_layout(tmp_path: Path):
    draw = np.random.default_rng(0)
    lines = ["MouseID," + ",".join(f"P{i}_N" for i in range(8)) + ",Genotype,Treatment,Behavior"]
    for i in range(60):
        genotype, behaviour = ("Control", "C/S") if i < 20 else (("Control", "Ts65Dn")[i % 2], "S/C")
        values = draw.normal(size=8) * ([4] * 4 + [1] * 4) + 3 * (genotype == "Ts65Dn") * np.array([0] * 6 + [1, 1])
        lines.append(f"{i // 5}_{i % 5}," + ",".join(f"{value:.4f}" for value in values) + f",{genotype},Saline,{behaviour}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    command = [sys.executable, str(EXAMPLES / "plot_mice.py"), "table.csv", "mice.png"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"MPLBACKEND": "agg"}, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("silhouette") == 4
    assert (tmp_path / "mice.png").read_bytes().startswith(b"\x89PNG")

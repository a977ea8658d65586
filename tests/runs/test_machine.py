from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from sepclr.runs.machine import machine, processor


def test_the_model_of_the_processor_is_told_and_its_architecture_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\nprocessor\t: 1\nmodel name\t: Some CPU @ 2.00GHz\n")
    assert processor(cpuinfo) == "Some CPU @ 2.00GHz"
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert processor(tmp_path / "nowhere") == "arm64"


def test_threads_and_vector_extensions_are_those_of_this_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_f": False, "sse2": True, "avx512_bf16": True})
    found = machine()
    assert found["extensions"] == "avx2 avx512_bf16"
    assert found["threads"] == torch.get_num_threads()
    assert found["cores"] == os.cpu_count()

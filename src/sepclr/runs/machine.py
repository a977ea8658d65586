"""Description of the machine, on which the numbers and times of a run depend."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

EXTENSIONS = ("avx2", "avx512_f", "avx512_bf16", "amx_bf16")
"""Vector extensions that determine which kernels torch runs on a processor, and in which precision."""


def machine() -> dict[str, Any]:
    """Describe this machine.

    Returns:
        ``system``; ``architecture``; ``processor``, its model; ``extensions``, the supported ones of ``EXTENSIONS``, separated by spaces;
        ``cores``; ``threads``, those of torch in this process; ``gpu``, its model, or None.
    """
    import torch

    has = torch.cpu.get_capabilities()
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": processor(),
        "extensions": " ".join(name for name in EXTENSIONS if has.get(name)),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the model of the processor, or its architecture if the system does not report the model."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(filter(None, models), platform.processor() or platform.machine())

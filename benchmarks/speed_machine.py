"""Which machine and which libraries: figures of another one are other figures."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from speed_floor import compiler_version

from dtb_runtime.inference import import_onnxruntime
from dtb_runtime.processors import n_usable


def machine() -> dict[str, Any]:
    """Return processor, usable cores and memory of this machine."""
    return {
        "processor": _processor(),
        "usable_cores": n_usable(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    """Return the versions of everything that computes."""
    found = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "onnxruntime": str(import_onnxruntime().__version__),
        "torch": torch.__version__,
    }
    compiler = compiler_version()
    return found if compiler is None else found | {"compiler": compiler}


def load() -> float:
    """Return how many processes wanted a core during the last minute, this one included."""
    return round(os.getloadavg()[0], 2)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"

"""What the rounds ran on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from .rig import Interpreter

__all__ = ["machine", "version"]


def machine() -> dict[str, Any]:
    """Give processor, cores, kernel and Python."""
    about = Path("/proc/cpuinfo").read_text()
    named = [line.partition(":")[2].strip() for line in about.splitlines() if line.startswith("model name")]
    return {
        "cpu": named[0] if named else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def version(interpreter: Interpreter) -> str:
    """Give MicroPython's own words for what it is."""
    script = "import sys\nprint(sys.version.split('; ')[-1], sys.platform)\n"
    return interpreter.run(script).strip()

"""Edge SDK: a frame and a question in, a streamed answer out, on the device.

Public names are loaded on first use, so that ``import edge_sdk`` costs next to nothing and loads neither
numpy nor OpenCV nor the inference runtime.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_sdk.bundle import open_bundle
    from edge_sdk.errors import EdgeError, OverBudget
    from edge_sdk.frame import Frame
    from edge_sdk.memory import plan_for as plan
    from edge_sdk.pipeline import load
    from edge_sdk.runtime import open_model
    from edge_sdk.sensors import Trigger
    from edge_sdk.sources import open_camera
    from firmware_bridge import open_bridge

__version__ = "0.1.0"

# Public name -> module, and what it is called there where that differs.
_HOME = {
    "EdgeError": "edge_sdk.errors",
    "Frame": "edge_sdk.frame",
    "OverBudget": "edge_sdk.errors",
    "Trigger": "edge_sdk.sensors",
    "load": "edge_sdk.pipeline",
    "open_bridge": "firmware_bridge",
    "open_bundle": "edge_sdk.bundle",
    "open_camera": "edge_sdk.sources",
    "open_model": "edge_sdk.runtime",
    "plan": "edge_sdk.memory:plan_for",
}

# These load no numpy.
_PLAIN = ("edge_sdk.errors", "edge_sdk.sensors", "firmware_bridge")
# What numpy uses on x86 without asking, as /proc/cpuinfo names it: `boards.requirement` says so too, at a hundred times
# the cost. Every 64-bit Arm processor has what numpy uses there.
_CPUINFO = "/proc/cpuinfo"
_X86_FEATURES = frozenset({"cx16", "lahf_lm", "pni", "popcnt", "sse4_1", "sse4_2", "ssse3"})

__all__ = [
    "EdgeError",
    "Frame",
    "OverBudget",
    "Trigger",
    "__version__",
    "load",
    "open_bridge",
    "open_bundle",
    "open_camera",
    "open_model",
    "plan",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'edge_sdk' has no attribute {name!r}")
    module, _, called = _HOME[name].partition(":")
    if module not in _PLAIN:
        _check_processor()
    value = getattr(import_module(module), called or name)
    globals()[name] = value
    return value


def _check_processor() -> None:
    """Raise an error where numpy would end the process with SIGILL; that takes a tenth of a millisecond."""
    try:
        file = os.open(_CPUINFO, os.O_RDONLY)
    except OSError:
        return
    try:
        told = os.read(file, 8192).decode("ascii", "replace")
    finally:
        os.close(file)
    flags = told.partition("\nflags")[2].partition("\n")[0].split()
    if flags and not _X86_FEATURES.issubset(flags):
        import_module("boards").require("numpy")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))

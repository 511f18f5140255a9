"""The main job: frames and a question in, a streamed answer or a count out.

Names are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_sdk.pipeline.answer import Answer, Timings
    from edge_sdk.pipeline.conversation import Conversation
    from edge_sdk.pipeline.count import Cell, Count
    from edge_sdk.pipeline.loading import load
    from edge_sdk.pipeline.model import VisionLanguageModel
    from edge_sdk.pipeline.reading_line import ReadingLine

__all__ = [
    "Answer",
    "Cell",
    "Conversation",
    "Count",
    "ReadingLine",
    "Timings",
    "VisionLanguageModel",
    "load",
]

_NAMES = {
    "answer": ("Answer", "Timings"),
    "conversation": ("Conversation",),
    "count": ("Cell", "Count"),
    "loading": ("load",),
    "model": ("VisionLanguageModel",),
    "reading_line": ("ReadingLine",),
}
_HOME = {name: home for home, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'edge_sdk.pipeline' has no attribute {name!r}")
    value = getattr(import_module(f"edge_sdk.pipeline.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
